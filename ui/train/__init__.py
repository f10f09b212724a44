"""The pieces of *Train*."""
