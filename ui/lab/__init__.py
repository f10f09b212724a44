"""The pieces of *Lab*."""
