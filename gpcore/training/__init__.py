"""Training as a generator of events, and measuring what it made."""
