"""Training as a generator of events, and evaluation of what it made."""
