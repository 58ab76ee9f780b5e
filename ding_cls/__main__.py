"""``python -m ding_cls VERB``."""

import sys

from ding_cls.cli import main

if __name__ == "__main__":
    sys.exit(main())
