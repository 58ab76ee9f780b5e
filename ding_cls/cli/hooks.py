"""``ding-cls hooks``."""

import argparse
from pathlib import Path

from ding_cls.cli.arguments import FILE, Verbs, add_allow_code, add_debug, add_words, config_and_overrides
from ding_cls.common.process import launched_rank, launched_world_size


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    hooks = verbs.add_parser(
        "hooks",
        help="the order in which a run calls its hooks",
        description="Print the hooks of a run in calling order, lower priorities first. No data are needed.",
    )
    hooks.set_defaults(verb=_hooks)
    add_words(hooks, first="CONFIG [key=value ...]", files=FILE)
    add_allow_code(hooks)
    add_debug(hooks)


def _hooks(arguments: argparse.Namespace) -> None:
    file, overrides = config_and_overrides(arguments.words)

    from ding_cls.config.tools.inspected import inspect_config
    from ding_cls.config.user_code import import_user_code
    from ding_cls.pipeline.hook_table import hook_table

    inspected = inspect_config(file, overrides)
    folder = Path(file) if Path(file).is_dir() else Path(file).parent
    import_user_code(inspected.tree, is_allowed=arguments.allow_code, folder=folder)
    if launched_rank() == 0:
        print(hook_table(inspected.tree, world_size=launched_world_size()))
