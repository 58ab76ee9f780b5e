"""``ding-cls calibrate``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_evaluated_images


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verb."""
    calibrate = verbs.add_parser(
        "calibrate",
        help="make the scores of a checkpoint probabilities, and say which of its answers to trust",
        description="Evaluate a checkpoint on images that it was not trained on, fit a temperature, measure "
        "how many answers are wrong from which score on, and keep both in the checkpoint. Its scores change "
        "only where that is asked for: predict --calibrated, predict --max-risk P, eval --calibrated.",
        epilog="Example: ding-cls calibrate runs/flowers",
    )
    calibrate.set_defaults(verb=_calibrate)
    calibrate.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    add_evaluated_images(calibrate)
    calibrate.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="for each class a score from which on at least P percent are right; predict --calibrated names "
        "no class below it",
    )
    calibrate.add_argument("--out", metavar="FILE", help="write all numbers to FILE.json too")
    add_allow_code(calibrate)
    add_debug(calibrate)


def _calibrate(arguments: argparse.Namespace) -> None:
    from ding_cls.common.tables import checked_ending
    from ding_cls.pipeline.confidence.calibrate import calibrate
    from ding_cls.pipeline.confidence.summary import print_calibration, write_calibration

    if arguments.out is not None:
        checked_ending(arguments.out, (".json",))
    report = calibrate(
        arguments.checkpoint,
        data=arguments.data,
        split=arguments.split,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        allow_code=arguments.allow_code,
        max_bad=arguments.max_bad,
    )
    if report is None:
        return
    if arguments.out is not None:
        write_calibration(arguments.out, report)
    print_calibration(report, checkpoint=arguments.checkpoint, out=arguments.out)
