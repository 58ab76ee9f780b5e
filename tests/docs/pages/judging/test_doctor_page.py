"""The page of the doctor: its commands are ones, and its numbers those of the code."""

import re
from pathlib import Path

from ding_cls.cli import _parser
from ding_cls.data.tools.doctor import images, names, near

PAGE = (Path(__file__).parents[4] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_commands_are_ones() -> None:
    typed = re.findall(r"^ding-cls ([^#\n]+)", PAGE, re.M)
    assert len(typed) == 6
    for words in typed:
        _parser().parse_known_args(words.split())


def test_numbers_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    for words in (
        f"at most {near._MOST_BITS} of 64 bits",
        f"by at most {near._LIMIT} of their",
        f"{near.GRID} x {near.GRID} pixels",
        f"below {near._SMALL_PX} px",
        f"{near._MOST_BITS_OF_SMALL} bits and {near._SURE_OF_SMALL}, or {near._LIMIT_OF_SMALL} where",
        f"more than {names._LARGEST_GROUP} images",
        f"more than {images._LARGEST_ASPECT} times the other",
        f"below {images._TINY_PX} px",
        f"more than {100 * images._MOST_LOST:.0f} % of an image",
    ):
        assert words in text, words
