"""``ding-cls eval``."""

import argparse
import os
from typing import Any

from ding_cls.cli.arguments import (
    Verbs,
    add_allow_code,
    add_debug,
    add_evaluated_images,
    add_tta,
    add_words,
    check_stray,
    files_and_overrides,
)
from ding_cls.common.process import launched_rank
from ding_cls.errors import ConfigError

_CONFIGS = (".py", ".json", ".yaml", ".yml")


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    evaluate = verbs.add_parser(
        "eval",
        help="loss, accuracy and any other metric of a checkpoint, by class and by image",
        description="Evaluate a checkpoint on a split, or on a folder with one sub-folder for each class. "
        "Network, preprocessing and class numbers are the checkpoint's; data and metric too, or those of a "
        "config that is named before it. An ONNX file is evaluated on --data, without torch.",
        epilog="Example: ding-cls eval runs/flowers --split test",
    )
    evaluate.set_defaults(verb=_evaluate)
    add_evaluated_images(evaluate)
    evaluate.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="another metric, such as f1, confusion, ece or Accuracy; repeat it for several",
    )
    evaluate.add_argument(
        "--out",
        metavar="FILE",
        help="write a row for each image to FILE.csv or FILE.parquet; results, classes and rows to "
        "FILE.json; or targets and logits to FILE.npz",
    )
    evaluate.add_argument("--wrong", type=int, metavar="N", help="list the N surest mistakes")
    evaluate.add_argument(
        "--no-intervals",
        dest="intervals",
        action="store_false",
        help="leave out the 95 %% intervals of the results",
    )
    add_words(
        evaluate,
        first="[CONFIG] CKPT [key=value ...]",
        files="a run's folder or a file in its ckpt/, before it a config file",
        example="'policy.eval.metric={type: Accuracy, topk: [1, 3]}'",
    )
    add_tta(evaluate)
    evaluate.add_argument(
        "--calibrated",
        action="store_true",
        help="scores by the temperature that ding-cls calibrate has left in the checkpoint",
    )
    add_allow_code(evaluate)
    add_debug(evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    config, checkpoint, overrides = _named(arguments.words)
    if arguments.wrong is not None and arguments.wrong < 1:
        raise ConfigError(f"--wrong {arguments.wrong} must be at least 1")

    from ding_cls.answers.evaluation.files import OUT_ENDINGS, write_report
    from ding_cls.answers.evaluation.summary import print_evaluation
    from ding_cls.common.tables import checked_ending
    from ding_cls.inference.members import is_onnx

    ending = "" if arguments.out is None else checked_ending(arguments.out, OUT_ENDINGS)
    evaluate: Any
    if is_onnx(checkpoint):
        from ding_cls.inference.onnx.evaluation import evaluate_onnx as evaluate
    else:
        from ding_cls.pipeline.evaluate import evaluate_checkpoint as evaluate
    report = evaluate(
        checkpoint,
        config=config,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        metric=arguments.metric,
        overrides=overrides,
        keep_predictions=ending == ".npz",
        intervals=arguments.intervals,
        allow_code=arguments.allow_code,
        max_bad=arguments.max_bad,
        calibrated=arguments.calibrated,
        tta=arguments.tta,
        out=arguments.out,
    )
    if launched_rank() > 0:
        return
    if arguments.out is not None:
        write_report(arguments.out, report)
    print_evaluation(report, num_wrong=arguments.wrong or 0, out=arguments.out)


def _named(words: list[str]) -> tuple[str | None, str, list[str]]:
    """Return the config, if there is one, the checkpoint, and the ``key=value`` words."""
    files, overrides = files_and_overrides(words)
    check_stray(files[2:], "ding-cls eval [CONFIG] CKPT: ")
    if not files:
        raise ConfigError("say which checkpoint: a run's folder, or a file in its ckpt/")
    if len(files) == 2 and files[0].lower().endswith(".onnx"):
        raise ConfigError(f"images go behind --data: ding-cls eval {files[0]} --data {files[1]}")
    if len(files) > 2:
        raise ConfigError(f"a config and a checkpoint at most; given were {', '.join(files)}")
    if len(files) == 2 and files[1].endswith(_CONFIGS) and not files[0].endswith(_CONFIGS):
        raise ConfigError(f"the config comes first: ding-cls eval {files[1]} {files[0]}")
    if len(files) == 1 and files[0].endswith(_CONFIGS) and os.path.isfile(files[0]):
        raise ConfigError(
            f"'{files[0]}' is a config; name the checkpoint behind it: a file, or a run's folder"
        )
    return (files[0] if len(files) == 2 else None), files[-1], overrides
