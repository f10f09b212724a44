"""The pieces of *Inside*."""
