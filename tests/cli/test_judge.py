"""What ``ding-cls eval`` prints."""

from typing import Any

import pytest

from ding_cls.cli.judge import _shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.333333"),
        (20, "20"),
        ("a word", "a word"),
        ([2 / 3, None, 100.0], "[0.666667, None, 100]"),
        ([[1, 2.5], [3, 4]], "[[1, 2.5], [3, 4]]"),
    ],
)
def test_results_are_short_and_rounded(value: Any, text: str) -> None:
    assert _shown(value) == text


def test_a_long_list_is_cut() -> None:
    text = _shown([1 / 3] * 100)
    assert text.startswith("[0.333333, 0.333333")
    assert (len(text), text[-3:]) == (63, "...")
