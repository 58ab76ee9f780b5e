"""Draw the curves of a run: ``python docs/draw_curves.py RUN_FOLDER OUT.png`` (needs matplotlib)."""

import argparse
from collections.abc import Sequence

from ding_cls.report import draw_curves


def main(argv: Sequence[str] | None = None) -> None:
    """Draw one run into one file; its ending chooses the format."""
    parser = argparse.ArgumentParser(description="draw the loss and accuracy curves of a run")
    parser.add_argument("run_folder", help="the folder that holds log/metrics.jsonl")
    parser.add_argument("out", help="the picture, such as curves.png or curves.svg")
    arguments = parser.parse_args(argv)
    draw_curves(arguments.run_folder).savefig(arguments.out)


if __name__ == "__main__":
    main()
