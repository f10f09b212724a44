"""The networks: poolings, the article's network, and weights on disk."""
