"""The pieces of *Compare*."""
