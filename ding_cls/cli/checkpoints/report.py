"""``ding-cls report``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug
from ding_cls.common.process import launched_rank


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    report = verbs.add_parser(
        "report",
        help="one HTML file on a checkpoint: curves, numbers, mistakes and likely label errors",
        description="Evaluate a checkpoint as eval does and write one HTML file that opens without a "
        "connection: curves, results, the confusion matrix with its images, the worst mistakes, likely label "
        "errors, calibration, data, config and environment.",
        epilog="Example: ding-cls report runs/flowers --split test",
    )
    report.set_defaults(verb=_report)
    report.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    report.add_argument(
        "--split",
        type=lambda name: "val" if name in ("valid", "validation") else name,
        choices=("train", "val", "test"),
        help="val by default; not for a folder of class folders, nor for a table without splits",
    )
    report.add_argument(
        "--data",
        metavar="PATH",
        help="folder of the split's folder, or of class folders; or a table, or arrays in an .npz file; by "
        "default the run's own",
    )
    report.add_argument("--out", metavar="FILE", help="the file; by default report.html in the run's folder")
    report.add_argument("--batch-size", type=int, metavar="N", help="images per batch; by default the run's")
    report.add_argument(
        "--max-bad",
        type=int,
        metavar="N",
        help="leave out up to N images that cannot be read; by default as the run did",
    )
    add_allow_code(report)
    add_debug(report)


def _report(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline.reporting.report import report

    path = report(
        arguments.checkpoint,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        out=arguments.out,
        allow_code=arguments.allow_code,
        max_bad=arguments.max_bad,
    )
    if launched_rank() == 0:
        print(f"report: {path}")
