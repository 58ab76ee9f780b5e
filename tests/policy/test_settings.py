"""From a dict in ``policy.learn`` to its object."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.policy.settings import build_optional


class Part:
    def __init__(self, size: int, names: list[str] | None = None) -> None:
        if size < 0:
            raise ConfigError("size is negative")
        self.size, self.names = size, names


def test_the_dict_holds_the_arguments_and_is_not_changed() -> None:
    learn: dict[str, Any] = {"part": {"size": 3, "names": ["a"]}}
    found = build_optional(Part, learn, "part")
    assert found is not None
    assert (found.size, found.names) == (3, ["a"])
    assert learn == {"part": {"size": 3, "names": ["a"]}}
    assert found.names is not learn["part"]["names"]


def test_none_is_none() -> None:
    assert build_optional(Part, {"part": None}, "part") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, r"policy\.learn\.part is 3; it must be a dict"),
        ({"size": 3, "sise": 4}, r"policy\.learn\.part.*sise.*did you mean.*size"),
        ({}, r"size"),
        ({"size": -1}, "size is negative"),
    ],
)
def test_what_cannot_be_built_is_one_line(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build_optional(Part, {"part": given}, "part")
    assert len(str(refused.value).splitlines()) == 1
