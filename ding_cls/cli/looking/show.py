"""``ding-cls show pipeline | lr | model``: what a config will do, looked at before anything is trained."""

import argparse
import os
from pathlib import Path
from typing import Any

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_words, one_config
from ding_cls.cli.run import add_data_arguments, add_training_arguments, check_config_word, training_settings
from ding_cls.errors import ConfigError

_MODES = ("original", "transformed", "concat", "pipeline")


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    show = verbs.add_parser("show", help="look at what a config will do; nothing is trained")
    show.set_defaults(helper=show)
    actions = show.add_subparsers(metavar="ACTION")

    pipeline = actions.add_parser(
        "pipeline",
        help="a sheet of images as they come in, and as the network gets them",
        description="Draw the first samples of the first epoch, with the very pixels that training sees.",
        epilog="Example: ding-cls show pipeline --data flowers --model resnet50 --mode pipeline",
    )
    pipeline.set_defaults(verb=_pipeline)
    pipeline.add_argument(
        "--mode",
        choices=_MODES,
        default="concat",
        help="images as read, as the network gets them, side by side (the default), or after each step",
    )
    pipeline.add_argument("--split", choices=("train", "val"), default="train", help="whose images")
    pipeline.add_argument("--number", type=int, default=8, metavar="N", help="how many images; 8 by default")
    _add_arguments(pipeline, out="show_pipeline.png")

    lr = actions.add_parser(
        "lr",
        help="learning rate, momentum and weight decay over the whole run",
        description="Draw the schedules of a run, and print where they begin, turn and end. Without data: "
        "--synthetic policy.collect.synthetic_samples=N stands for N images.",
        epilog="Example: ding-cls show lr --data flowers --model vit_b_16 --pretrained",
    )
    lr.set_defaults(verb=_lr)
    _add_arguments(lr, out="show_lr.png")

    model = actions.add_parser(
        "model",
        help="parameters, multiplications, shapes and memory of a network",
        description="Send one image through the network and print what each stage of it is; its weights are "
        "not loaded.",
        epilog="Example: ding-cls show model --model resnet50",
    )
    model.set_defaults(verb=_model)
    _add_arguments(model)


def _add_arguments(parser: argparse.ArgumentParser, *, out: str | None = None) -> None:
    if out is not None:
        parser.add_argument("--out", default=out, metavar="FILE.png", help=f"the picture; {out} by default")
    add_training_arguments(parser)
    add_words(parser, first="[CONFIG] [key=value ...]", files="a config file or a run's folder")
    add_data_arguments(parser)
    add_allow_code(parser)
    add_debug(parser)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of ``opened_config``."""
    files, settings = training_settings(arguments)
    config = one_config(files)
    if config is not None and not os.path.isfile(os.path.join(config, "total_config.py")):
        check_config_word(config)
    return {"config": config, **settings}


def _picture(arguments: argparse.Namespace) -> Path:
    """Return the file to write; asked before the work whose outcome it holds."""
    from ding_cls.common.tables import checked_ending

    checked_ending(arguments.out, (".png",))
    return Path(arguments.out)


def _pipeline(arguments: argparse.Namespace) -> None:
    path = _picture(arguments)
    if arguments.number < 1:
        raise ConfigError(f"--number {arguments.number} must be at least 1")

    from ding_cls.pipeline.looking.opening import opened_config
    from ding_cls.pipeline.looking.pipeline import pipeline_sheet, view_pipeline
    from ding_cls.report.sheet import save_sheet

    with opened_config(**_settings(arguments)) as opened:
        view = view_pipeline(opened, split=arguments.split, number=arguments.number)
    sheet = pipeline_sheet(view, arguments.mode)
    save_sheet(sheet, path)
    print("\n".join(view.lines))
    print(f"written to {path} ({sheet.width:,} x {sheet.height:,} px)")


def _lr(arguments: argparse.Namespace) -> None:
    path = _picture(arguments)

    from ding_cls.pipeline.looking.opening import opened_config
    from ding_cls.pipeline.looking.schedule import forecast_schedule
    from ding_cls.report.curves import new_figure, save_figure
    from ding_cls.report.schedule import draw_schedule, schedule_lines

    new_figure(what="schedules are")  # Before the network is built, not behind it.
    with opened_config(**_settings(arguments)) as opened:
        forecast = forecast_schedule(opened)
    save_figure(draw_schedule(forecast), path)
    print("\n".join(schedule_lines(forecast)))
    print(f"written to {path}")


def _model(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline.looking.model import describe_model
    from ding_cls.pipeline.looking.opening import opened_config
    from ding_cls.report.network import network_lines

    settings = _settings(arguments)
    has_data = settings["data"] is not None
    if settings["config"] is None and not has_data:
        settings["synthetic"] = True
    with opened_config(**settings) as opened:
        table = describe_model(opened, needs_data=has_data)
    print("\n".join(network_lines(table)))
