"""Export a network: ``ding-cls export``, for ``python`` in a checkout."""

import sys

from ding_cls.cli import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
