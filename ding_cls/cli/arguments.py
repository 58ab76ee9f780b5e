"""What several verbs share: ``key=value`` words, ``--cfg-options``, ``--allow-code``, ``--debug``."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

from ding_cls.cli.other_flags import hint
from ding_cls.common.command import names_a_run
from ding_cls.errors import ConfigError

FILE = "a config file or a run's folder"

# No file's name: a key, a key with its value after a colon, or a piece of a dict, a list or a number.
_PIECE = re.compile(r"policy\.(?!py$|json$|ya?ml$)[\w.]+(:.*)?|[^/]*[\[\]{}(),:]|[-+\d.e]+")
_NO_OPTIONS = ("words", "verb", "helper")
# argparse does not name the class that add_subparsers returns.
Verbs: TypeAlias = Any


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse; argparse takes ``key=value`` words on one side of the options only; the rest is added.

    What ``--cfg-options`` collected joins the words, behind them: the last of two values of one key wins.
    """
    arguments, rest = parser.parse_known_args(argv)
    has_words = hasattr(arguments, "words")
    # A lone - is a word: the standard input.
    unknown = [word for word in rest if (word.startswith("-") and word != "-") or not has_words]
    if unknown:
        words = sys.argv[1:] if argv is None else argv
        # An option of a verb is an attribute of what was parsed.
        options = [f"--{name.replace('_', '-')}" for name in vars(arguments) if name not in _NO_OPTIONS]
        flags = [each for each in unknown if each.startswith("-")]
        about = hint(flags, words, options=options, has_keys=hasattr(arguments, "cfg_options"))
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{about}")
    if has_words:
        arguments.words = [*arguments.words, *rest, *getattr(arguments, "cfg_options", ())]
    return arguments


def add_words(
    parser: argparse.ArgumentParser,
    *,
    first: str = "key=value",
    files: str = "",
    example: str = "policy.learn.batch_size=64",
) -> None:
    """Add what names a config and changes it: words, and ``--cfg-options`` as another spelling of them.

    Args:
        parser: where to add them.
        first: how the words are shown.
        files: which of them are no values, in words.
        example: a value.
    """
    values = f"values such as {example}"
    parser.add_argument("words", nargs="*", metavar=first, help=f"{files}, and {values}" if files else values)
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="the same as the plain words; a.0.b=value reaches into lists",
    )


def add_allow_code(parser: argparse.ArgumentParser) -> None:
    """Add ``--allow-code``."""
    parser.add_argument(
        "--allow-code", action="store_true", help="import the modules that the config's custom_imports names"
    )


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add ``--debug``."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_split(parser: argparse.ArgumentParser, *, about: str) -> None:
    """Add ``--split``.

    Args:
        parser: where to add it.
        about: its help.
    """
    parser.add_argument(
        "--split",
        type=lambda name: "val" if name in ("valid", "validation") else name,
        choices=("train", "val", "test"),
        help=about,
    )


def add_evaluated_images(parser: argparse.ArgumentParser) -> None:
    """Add what says which images a checkpoint is evaluated on, and how they are read."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder of the split's folder, or of class folders; or a table, as labels.csv with the columns "
        "path, label; or arrays in an .npz file; by default the run's own",
    )
    about = "val by default; not for a folder of class folders, nor for a table without splits"
    add_split(parser, about=about)
    parser.add_argument("--batch-size", type=int, metavar="N", help="images per batch; by default the run's")
    parser.add_argument(
        "--max-bad",
        type=int,
        metavar="N",
        help="leave out up to N images that cannot be read; by default as the run did",
    )


def add_tta(parser: argparse.ArgumentParser) -> None:
    """Add the mean over mirror images."""
    parser.add_argument(
        "--tta", action="store_true", help="mean probabilities of each image and its mirror image"
    )


def add_threshold(parser: argparse.ArgumentParser) -> None:
    """Add from which probability on a label is named."""
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="least probability of a label, where an image may have several; by default the run's, or 0.5",
    )


def add_confidence(parser: argparse.ArgumentParser) -> None:
    """Add the options of what ``ding-cls calibrate`` has left."""
    parser.add_argument(
        "--calibrated",
        action="store_true",
        help="scores and thresholds that ding-cls calibrate has left in the checkpoint",
    )
    parser.add_argument(
        "--max-risk",
        type=float,
        metavar="P",
        help="with these scores: name so many images that of these at most P percent are expected to be "
        "wrong; the others are 'unknown'",
    )


def files_and_overrides(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that name files or folders, and the ``key=value`` words.

    A file whose own name holds ``=`` is a file: a run's folder may be called ``lr=0.1``.
    """
    files = [word for word in words if "=" not in word or os.path.exists(word)]
    return files, [word for word in words if word not in files]


def resumed(arguments: argparse.Namespace) -> bool | str:
    """Return what ``--resume`` names: a run's folder or a checkpoint in it; True where it stood alone.

    A config file or a ``key=value`` word that stood behind it joins the words.
    """
    value: bool | str = arguments.resume
    if isinstance(value, bool) or names_a_run(value):
        return value
    arguments.words.append(value)
    return True


def check_stray(words: Sequence[str], about: str = "") -> None:
    """Refuse a word that is neither a file nor a value: mostly a piece of one.

    Args:
        words: those without ``=``.
        about: how the message begins.

    Raises:
        ConfigError: it says how a value is written.
    """
    for word in words:
        if not os.path.exists(word) and _PIECE.fullmatch(word):
            raise ConfigError(
                f"{about}'{word}' is no file; a value is one word, key=value, with no spaces round = and in "
                "quotes where it holds spaces or brackets: 'policy.learn.ema={decay: 0.9}'"
            )


def one_config(files: Sequence[str]) -> str | None:
    """Return the only file named; None without one.

    Raises:
        ConfigError: there are two.
    """
    check_stray(files, f"one config file at a time; given were {', '.join(files)}: " if files[1:] else "")
    if len(files) > 1:
        raise ConfigError(f"one config file at a time; given were {', '.join(files)}")
    return files[0] if files else None


def config_and_overrides(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the config file or run folder that words name, and their ``key=value`` words.

    Raises:
        ConfigError: they name none, or two.
    """
    files, overrides = files_and_overrides(words)
    file = one_config(files)
    if file is None:
        raise ConfigError("say which config: a file, or a run's folder")
    return file, overrides
