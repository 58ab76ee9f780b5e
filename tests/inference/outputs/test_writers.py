"""Folders that options name: checked first, and filled as images are predicted."""

from pathlib import Path

import pytest

from ding_cls.errors import ConfigError
from ding_cls.inference.outputs.writers import OutputFolders, handed_on


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrong": True}, "--wrong is about sorted images; add --sort-into DIR"),
        ({"link": True, "draw": "new"}, "--link is about sorted images"),
        ({"draw": "new", "cam": "./new"}, "--draw and --cam name one folder twice"),
        ({"sort_into": "full"}, "--sort-into 'full' holds files already"),
    ],
)
def test_what_cannot_be_filled_is_refused(options: dict[str, object], message: str) -> None:
    Path("full").mkdir()
    Path("full/x").touch()
    with pytest.raises(ConfigError, match=message):
        OutputFolders(**options)  # type: ignore[arg-type]
    assert not Path("new").exists()


def test_each_writer_takes_each_prediction_before_it_is_handed_on() -> None:
    events: list[object] = []

    class Writer:
        def take(self, number: int, prediction: object) -> None:
            events.append((number, prediction))

        def finish(self) -> None:
            events.append("finish")

    for each in handed_on(iter("ab"), [Writer(), Writer()]):  # type: ignore[arg-type]
        events.append(each)
    assert events == [(0, "a"), (0, "a"), "a", (1, "b"), (1, "b"), "b", "finish", "finish"]
