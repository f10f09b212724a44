"""`python -m gpcore COMMAND`."""

import sys

from gpcore.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
