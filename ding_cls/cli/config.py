"""``ding-cls config show | convert | diff | lint``: a config looked at, never run."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ding_cls.cli.arguments import (
    FILE,
    Verbs,
    add_debug,
    add_words,
    config_and_overrides,
    files_and_overrides,
    one_config,
)
from ding_cls.cli.run import (
    add_data_arguments,
    add_training_arguments,
    check_config_word,
    training_settings,
)
from ding_cls.errors import ConfigError

if TYPE_CHECKING:
    from ding_cls.config.tools.inspected import InspectedConfig


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    config = verbs.add_parser("config", help="show, compare and check configs; nothing is run")
    config.set_defaults(helper=config)
    actions = config.add_subparsers(metavar="ACTION")

    show = actions.add_parser(
        "show",
        help="what a config says after inheritance and overrides, and which line set what",
        description="Print a config as Python text, with the file and line that set each value; with --data, "
        "--model and the like what `ding-cls train` of the same words begins with, the recipe that ships "
        "included.",
    )
    show.set_defaults(verb=_show)
    show.add_argument(
        "--full", action="store_true", help="the whole tree that a run would use, defaults included"
    )
    add_training_arguments(show)
    add_data_arguments(show)
    _add_arguments(show, first="[FILE] [key=value ...]", files=FILE)

    convert = actions.add_parser(
        "convert",
        help="a config of mmclassification's in the keys of this library",
        description="Print a config file of mmclassification 0.x, with what it inherits, in the keys of this "
        "library: ding-cls config convert OLD.py > new.py",
    )
    convert.set_defaults(verb=_convert)
    _add_arguments(convert, first="FILE [key=value ...]", files=FILE)

    diff = actions.add_parser(
        "diff",
        help="where two configs lead to different runs",
        description="Compare what two configs come to, defaults included and exp_name apart; both spellings "
        "of one run are equal. key=value words change the second. Exit code 0: equal, 1: different, 2: an "
        "error.",
    )
    diff.set_defaults(verb=_diff)
    _add_arguments(diff, first="A B [key=value ...]", files="two config files or runs' folders")

    lint = actions.add_parser(
        "lint",
        help="known traps: settings that are allowed and nearly always a mistake",
        description="Look for known traps; one line each: where, rule, key, what happens, what to do. "
        "Exit code 0: none, 1: found some, 2: an error.",
    )
    lint.set_defaults(verb=_lint)
    lint.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="how many will train; by default the launcher's number, or 1",
    )
    _add_arguments(lint, first="FILE [key=value ...]", files=FILE)


def _add_arguments(parser: argparse.ArgumentParser, *, first: str, files: str) -> None:
    add_words(parser, first=first, files=files)
    add_debug(parser)


def _show(arguments: argparse.Namespace) -> None:
    from ding_cls.config.tools.show import show_config

    inspected = _shown(arguments)
    if arguments.full:
        print(show_config(inspected.tree, inspected.origin))
    else:
        print(show_config(inspected.written, inspected.written_origin))


def _shown(arguments: argparse.Namespace) -> "InspectedConfig":
    """Return the config to show: a file's, or with any of ``train``'s options that of the run."""
    files, settings = training_settings(arguments)
    overrides = settings.pop("overrides")
    if any(value not in (None, False) for value in settings.values()) or arguments.no_validate:
        from ding_cls.pipeline.train import inspect_run

        config = one_config(files)
        if config is not None:
            check_config_word(config)
        return inspect_run(config, overrides=overrides, **settings)
    if arguments.full:
        return _as_run(*config_and_overrides(arguments.words))
    from ding_cls.config.tools.inspected import inspect_config

    return inspect_config(*config_and_overrides(arguments.words))


def _as_run(path: str, overrides: Sequence[str] = ()) -> "InspectedConfig":
    """Return a config with what a run of it takes from its network's library."""
    from ding_cls.config.tools.inspected import inspect_config
    from ding_cls.pipeline.datasets.input_statistics import fill_input_statistics

    inspected = inspect_config(path, overrides)
    native = inspected.resolved
    fill_input_statistics(native.cfg, native.origins)
    return inspected


def _convert(arguments: argparse.Namespace) -> None:
    from ding_cls.config.tools.convert import native_text

    print(native_text(*config_and_overrides(arguments.words)))


def _diff(arguments: argparse.Namespace) -> int:
    from ding_cls.config.tools.diff import differences, show_differences

    files, overrides = files_and_overrides(arguments.words)
    if len(files) != 2:
        raise ConfigError(
            f"say which two configs to compare, files or runs' folders; given were {len(files)}"
        )
    left, right = _as_run(files[0]), _as_run(files[1], overrides)
    # Two runs never share a folder, and the folder changes nothing about a run.
    found = [each for each in differences(left.tree, right.tree) if each.left_path != "exp_name"]
    if not found:
        print("no difference (exp_name is not compared)")
        return 0
    text = show_differences(found, left_origin=left.origin, right_origin=right.origin)
    print(f"- {left.name}\n+ {right.name}\n\n{text}")
    return 1


def _lint(arguments: argparse.Namespace) -> int:
    from ding_cls.config.tools.inspected import inspect_config
    from ding_cls.config.tools.lint import RULES, lint, show_findings

    if arguments.processes is not None and arguments.processes < 1:
        raise ConfigError(f"--processes {arguments.processes} must be at least 1")
    inspected = inspect_config(*config_and_overrides(arguments.words))
    findings = lint(inspected, processes=arguments.processes)
    _, problems = inspected.tree_as_it_is
    if findings and problems:
        print(show_findings(findings, inspected))
    if problems:
        raise ConfigError(problems)
    if not findings:
        print(f"{inspected.name}: none of {len(RULES)} known traps")
        return 0
    print(show_findings(findings, inspected))
    return 1
