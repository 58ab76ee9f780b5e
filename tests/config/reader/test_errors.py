"""Problems of a config are collected: each once, fifty at most, none after too much work."""

from pathlib import Path

import pytest

from ding_cls.config.reader.errors import Problems, TooManyProblemsError, UnknownValueError, located
from ding_cls.config.reader.limits import MAX_WORK, Work
from ding_cls.errors import ConfigError
from tests.config.reader.files import refusal


def test_a_report_ends_after_fifty_problems(tmp_path: Path) -> None:
    lines = refusal(tmp_path, "a = x\n" * 100).splitlines()
    assert len(lines) == 51
    assert lines[49].endswith("(recipe.py:50)")
    assert lines[50] == "... and perhaps more: reading stopped after 50 problems"


def test_a_problem_is_noted_once_and_the_block_is_left() -> None:
    problems, lost = Problems(Work()), []
    for _ in range(2):
        with problems.collect(lambda: lost.append("x")):
            raise ConfigError("a is wrong (c.py:1)")
    with problems.collect(lambda: lost.append("y")):
        raise UnknownValueError("b is not known")
    assert problems.lines == ["a is wrong (c.py:1)"]
    assert lost == ["x", "x", "y"]


def test_after_too_much_work_nothing_is_read_on() -> None:
    problems = Problems(work := Work())
    with pytest.raises(ValueError, match="computes too much"):
        work.add(MAX_WORK + 1)
    with pytest.raises(TooManyProblemsError), problems.collect():
        raise ConfigError("the file computes too much (c.py:1)")
    assert problems.lines == ["the file computes too much (c.py:1)"]


@pytest.mark.parametrize("error", [ZeroDivisionError, IndexError, TypeError, ValueError, RecursionError])
def test_an_error_gets_the_place(error: type[Exception]) -> None:
    with pytest.raises(ConfigError, match=r"^wrong \(c\.py:3\)$"), located("c.py:3"):
        raise error("wrong")
