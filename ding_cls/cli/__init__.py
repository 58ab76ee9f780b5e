"""The command line: parsing only. A verb imports what it needs, so that ``--help`` answers at once.

Each module holds one group of verbs: ``add_verbs`` enters them in the parser, and each function that a verb
names takes the parsed arguments and returns an exit code, or None for 0.
"""

import argparse
from collections.abc import Sequence

from ding_cls import __version__
from ding_cls.cli import config, doctor, environment, hooks, kfold, models, prepare, run
from ding_cls.cli.arguments import parse
from ding_cls.cli.checkpoints import calibrate, compare, evaluate, predict, report
from ding_cls.cli.exits import guarded as _guarded
from ding_cls.cli.looking import curves, lr_find, show
from ding_cls.cli.run import run_program
from ding_cls.cli.shipping import export, publish, serve

__all__ = ["main", "run_program"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``ding-cls`` and return its exit code.

    0 done, 2 the user's input, 3 the disk, 4 numbers that are not finite, 75 stopped by a signal;
    ``config diff``, ``config lint`` and ``doctor`` return 1 where they found something.

    Args:
        argv: the arguments after the program's name; None takes the process's.
    """
    parser = _parser()
    arguments = parse(parser, argv)
    if arguments.verb is None:
        arguments.helper.print_help()
        return 2
    return _guarded(
        lambda: arguments.verb(arguments),
        is_debugging=arguments.debug,
        argv=argv,
        needs_stdout=arguments.needs_stdout,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ding-cls", description="Train and evaluate image classifiers.")
    parser.add_argument("--version", action="version", version=f"ding-cls {__version__}")
    parser.set_defaults(verb=None, debug=False, helper=parser, needs_stdout=True)
    verbs = parser.add_subparsers(metavar="VERB")
    judging = (evaluate, compare, report, predict, calibrate)
    looking = (doctor, show, curves, lr_find)
    shipping = (export, publish, serve)
    for group in (run, kfold, *judging, *shipping, *looking, config, hooks, models, prepare, environment):
        group.add_verbs(verbs)
    return parser
