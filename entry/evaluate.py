"""Evaluate a checkpoint: ``ding-cls eval``, for ``python`` and ``torchrun`` in a checkout."""

import sys

from ding_cls.cli import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
