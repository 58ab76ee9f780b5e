"""``ding-cls lr-find``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_words, one_config
from ding_cls.cli.looking.curves import add_out, picture
from ding_cls.cli.run import add_data_arguments, add_training_arguments, check_config_word, training_settings
from ding_cls.common.process import launched_world_size
from ding_cls.common.stops.signals import stoppable_command
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    find = verbs.add_parser(
        "lr-find",
        help="the learning rate at which the loss falls the most",
        description="Train for at most 100 updates while the learning rate grows from 1e-7 to 10, keep "
        "nothing, and draw the loss against the rate. All else is as in the run.",
        epilog="Example: ding-cls lr-find --data flowers --model mobilenet_v2 --pretrained",
    )
    find.set_defaults(verb=_find)
    add_training_arguments(find)
    add_data_arguments(find)
    add_words(find, first="[CONFIG] [key=value ...]", files="a config file")
    add_out(find, "lr_find.png in the current folder")
    add_allow_code(find)
    add_debug(find)


@stoppable_command()
def _find(arguments: argparse.Namespace) -> None:
    if launched_world_size() > 1:
        raise ConfigError(f"lr-find runs in one process, and {launched_world_size()} were started; start one")
    out = picture(arguments.out, "lr_find.png")
    files, settings = training_settings(arguments)
    config = one_config(files)
    if config is not None:
        check_config_word(config)

    from ding_cls.pipeline.looking.lr_find import lr_find
    from ding_cls.report import save_figure
    from ding_cls.report.curves import new_figure
    from ding_cls.report.rate_sweep import draw_rate_sweep

    new_figure(what="the learning rates are")  # Before the updates, not behind them.
    found = lr_find(config, **settings)
    figure = draw_rate_sweep(
        found.rates.tolist(),
        found.losses.tolist(),
        found.smooth.tolist(),
        suggested=found.suggested,
        configured=found.configured,
    )
    save_figure(figure, out)
    end = f"the loss grew from {found.rates[-1]:.1e} on" if found.has_diverged else "the loss never grew"
    print(f"{len(found.rates)} updates, rates {found.rates[0]:.1e} to {found.rates[-1]:.1e}; {end}")
    if found.suggested is None:
        print(f"the loss never fell by more than its noise; the config's rate is {found.configured:g}")
    else:
        print(
            f"it falls the most at {found.suggested:.1e} and is lowest at {found.lowest:.1e}; the config's "
            f"rate is {found.configured:g}\nto take it: policy.learn.learning_rate={found.suggested:.1e}"
        )
    print(f"written to {out}")
