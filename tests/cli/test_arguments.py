"""Words before, between and behind options; what is a file and what a value."""

import argparse
from pathlib import Path

import pytest

from ding_cls.cli import _parser, arguments
from ding_cls.errors import ConfigError


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    arguments.add_words(made)
    arguments.add_allow_code(made)
    made.add_argument("--resume", nargs="?", const=True, default=False)
    return made


@pytest.mark.parametrize(
    "argv",
    [
        ["a=1", "--allow-code", "b=2"],
        ["--allow-code", "a=1", "b=2"],
        ["a=1", "b=2", "--allow-code"],
        ["a=1", "--allow-code", "--cfg-options", "b=2"],
        ["--cfg-options", "b=2", "--allow-code", "a=1"],
    ],
)
def test_words_may_be_on_both_sides_of_an_option(parser: argparse.ArgumentParser, argv: list[str]) -> None:
    parsed = arguments.parse(parser, argv)
    assert parsed.allow_code
    assert parsed.words == ["a=1", "b=2"]


def test_an_unknown_option_is_refused_though_words_are_free(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        arguments.parse(parser, ["a=1", "--allowed-code"])
    assert end.value.code == 2
    assert "--allowed-code" in capsys.readouterr().err


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(workdir: Path) -> None:
    Path("lr=0.1").mkdir()
    assert arguments.files_and_overrides(["lr=0.1", "lr=0.2", "c.py"]) == (["lr=0.1", "c.py"], ["lr=0.2"])


def test_what_stood_behind_a_lone_resume_joins_the_words(
    parser: argparse.ArgumentParser, workdir: Path
) -> None:
    parsed = arguments.parse(parser, ["--resume", "policy.cuda=False"])
    assert arguments.resumed(parsed) is True
    assert parsed.words == ["policy.cuda=False"]
    Path("run").mkdir()
    Path("run/total_config.py").write_text("{}")
    parsed = arguments.parse(parser, ["--resume", "run"])
    assert arguments.resumed(parsed) == "run"
    assert parsed.words == []


@pytest.mark.parametrize("piece", ["policy.learn.ema", "{decay:", "0.9}", "[1,", "3]", "0.5"])
def test_a_piece_of_a_value_is_answered_by_how_one_is_written(workdir: Path, piece: str) -> None:
    with pytest.raises(ConfigError, match="key=value"):
        arguments.check_stray([piece])


def test_a_file_is_no_piece(workdir: Path) -> None:
    Path("0.5").touch()
    arguments.check_stray(["0.5", "policy.py", "a/b.yaml"])


def test_one_config_and_no_more(workdir: Path) -> None:
    assert arguments.one_config([]) is None
    assert arguments.config_and_overrides(["a=1", "c.py"]) == ("c.py", ["a=1"])
    for words, message in ((["a=1"], "say which config"), (["c.py", "d.py"], r"c\.py, d\.py")):
        with pytest.raises(ConfigError, match=message):
            arguments.config_and_overrides(words)


@pytest.mark.parametrize("verb", ["eval", "report", "calibrate", "compare", "predict"])
@pytest.mark.parametrize("word", ["val", "valid", "validation"])
def test_validation_has_three_names_in_every_verb(verb: str, word: str) -> None:
    assert _parser().parse_args([verb, "run", "--split", word]).split == "val"
