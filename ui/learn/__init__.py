"""The pieces of *Learn*."""
