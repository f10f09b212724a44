"""Networks: trunks, heads, poolings, and weights on disk."""
