"""`python -m p4.cli` is `p4`: the demo and the tests start nodes of this very interpreter with it."""

import sys

from p4.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
