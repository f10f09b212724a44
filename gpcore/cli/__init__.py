"""The command line: `python -m gpcore COMMAND`."""
