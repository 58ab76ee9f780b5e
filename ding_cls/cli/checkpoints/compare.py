"""``ding-cls compare``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_split, check_stray
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    compare = verbs.add_parser(
        "compare",
        help="is one of several checkpoints better on the same images, or is it chance",
        description="Compare the first result with each other one on the same images: the difference with "
        "its 95 % interval, McNemar's test, which images changed sides, and which settings differ.",
        epilog="Example: ding-cls compare runs/a runs/b --split test",
    )
    compare.set_defaults(verb=_compare)
    compare.add_argument(
        "words",
        nargs="*",
        metavar="RESULT",
        help="two or more: a run's folder, a checkpoint, or a file that ding-cls eval --out wrote",
    )
    compare.add_argument(
        "--data", metavar="PATH", help="evaluate checkpoints on these images, as ding-cls eval does"
    )
    add_split(compare, about="of the data; val by default")
    compare.add_argument(
        "--changed", type=int, metavar="N", help="list N of the images that only one of two has right"
    )
    compare.add_argument("--out", metavar="FILE", help="write all of it to FILE.json")
    add_allow_code(compare)
    add_debug(compare)


def _compare(arguments: argparse.Namespace) -> None:
    if arguments.changed is not None and arguments.changed < 1:
        raise ConfigError(f"--changed {arguments.changed} must be at least 1")
    check_stray(arguments.words, "ding-cls compare RESULT RESULT: ")

    from ding_cls.common.tables import checked_ending
    from ding_cls.inference.sources import refuse_overwriting
    from ding_cls.pipeline.comparison.compare import compare
    from ding_cls.pipeline.comparison.show import print_comparison, write_comparison

    if arguments.out is not None:
        checked_ending(arguments.out, (".json",))
        refuse_overwriting(arguments.out, arguments.words)
    found = compare(
        arguments.words, data=arguments.data, split=arguments.split, allow_code=arguments.allow_code
    )
    if arguments.out is not None:
        write_comparison(arguments.out, found)
    print_comparison(found, num_changed=arguments.changed or 0, out=arguments.out)
