"""What is typed behind ``ding-cls eval``."""

from pathlib import Path

import pytest

from ding_cls.cli.checkpoints.evaluate import _named
from ding_cls.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run"], (None, "run", [])),
        (["a=1", "run", "b.c=2"], (None, "run", ["a=1", "b.c=2"])),
        (["cfg.py", "run", "a=1"], ("cfg.py", "run", ["a=1"])),
        (["run", "run"], ("run", "run", [])),
        (["lr=0.1"], (None, "lr=0.1", [])),
    ],
)
def test_the_config_comes_first_and_values_anywhere(
    workdir: Path, words: list[str], expected: tuple[str | None, str, list[str]]
) -> None:
    Path("lr=0.1").mkdir()
    assert _named(words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say which checkpoint"),
        (["a=1"], "say which checkpoint"),
        (["run", "cfg.py"], r"the config comes first: ding-cls eval cfg\.py run"),
        (["cfg.py"], r"'cfg\.py' is a config; name the checkpoint behind it"),
        (["cfg.py", "run", "other"], r"a config and a checkpoint at most; given were cfg\.py, run, other"),
        (["cfg.py", "run", "{topk:"], r"CKPT: '\{topk:' is no file; a value is one word, key=value"),
    ],
)
def test_other_words_are_refused(workdir: Path, words: list[str], message: str) -> None:
    Path("cfg.py").touch()
    with pytest.raises(ConfigError, match=message):
        _named(words)
