"""Anybody's network: which global pooling it has, what that sees, another one in its place, and which one to train."""
