"""Train by a config or a folder: ``ding-cls train``, for ``python`` and ``torchrun`` in a checkout."""

import sys

from ding_cls.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
