"""Runs that are kept: the store, the workers that train into it, and runs to look at."""
