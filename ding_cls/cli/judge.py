"""``ding-cls eval``."""

import argparse
from typing import Any

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug
from ding_cls.common.process import launched_rank


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    evaluate = verbs.add_parser("eval", help="loss, acc1 and acc5 of a checkpoint")
    evaluate.set_defaults(verb=_evaluate)
    evaluate.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    evaluate.add_argument(
        "--data", metavar="DIR", help="folder of the split's folder; by default the run's own"
    )
    evaluate.add_argument("--split", choices=("train", "val", "test"), default="val", help="val by default")
    evaluate.add_argument(
        "--batch-size", type=int, metavar="N", help="images per batch; by default the run's"
    )
    evaluate.add_argument(
        "--out", metavar="FILE", help="write sample ids, targets and logits to this .npz file"
    )
    evaluate.add_argument(
        "--max-bad",
        type=int,
        metavar="N",
        help="leave out up to N images that cannot be read; by default as the run did",
    )
    add_allow_code(evaluate)
    add_debug(evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline import evaluate

    result = evaluate(
        arguments.checkpoint,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        out=arguments.out,
        allow_code=arguments.allow_code,
        max_bad=arguments.max_bad,
    )
    if launched_rank() == 0:
        print("\t".join(f"{name}={_shown(value)}" for name, value in result.items()))


def _shown(value: Any) -> str:
    """Return a result, numbers with six digits, the lists of each class too; the rest of a long one is left
    out."""
    from ding_cls.metrics import show_value

    if isinstance(value, int | float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return show_value(f"[{', '.join(map(_shown, value))}]")
    return show_value(value)
