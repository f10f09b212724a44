"""The pieces of *Classify*."""
