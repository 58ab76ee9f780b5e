"""Predict images: ``ding-cls predict``, for ``python`` in a checkout."""

import sys

from ding_cls.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
