"""``ding-cls report``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_evaluated_images
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
    add_evaluated_images(report)
    report.add_argument("--out", metavar="FILE", help="the file; by default report.html in the run's folder")
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
