"""``python -m moco``: the command ``moco``, where the folder of scripts is not on the path."""

import sys

from moco.cli import main

if __name__ == "__main__":
    sys.exit(main())
