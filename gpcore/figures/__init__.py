"""What is drawn: evidence, curves, standings. Arrays in, drawings out."""
