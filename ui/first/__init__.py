"""The pieces of the first page."""
