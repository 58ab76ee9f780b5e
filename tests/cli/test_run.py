"""What the words of ``train`` and of a main become, without a training."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from ding_cls.cli import run
from ding_cls.cli.arguments import parse
from ding_cls.errors import ConfigError


def settings(*argv: str) -> tuple[list[str], dict[str, Any]]:
    parser = argparse.ArgumentParser()
    run.add_training_arguments(parser)
    run.add_run_arguments(parser)
    return run.training_settings(parse(parser, argv))


def test_every_option_is_an_argument_of_train(workdir: Path) -> None:
    words = ["--data", "d", "--model", "resnet18", "--epochs", "3", "--seed", "7", "--work-dir", "w"]
    files, given = settings(
        "c.py", *words, "policy.cuda=False", "--no-validate", "--allow-code", "--synthetic"
    )
    assert files == ["c.py"]
    assert given == {
        "data": "d",
        "model": "resnet18",
        "pretrained": False,
        "epochs": 3,
        "seed": 7,
        "synthetic": True,
        "exp_name": "w",
        "overrides": ["policy.cuda=False", "policy.eval.evaluator.validate=False"],
        "allow_code": True,
    }


@pytest.mark.parametrize(
    ("argv", "pretrained", "overrides"),
    [
        ((), False, []),
        (("--pretrained",), True, []),
        (("--pretrained", "w.pth"), "w.pth", []),
        (("--pretrained", "policy.cuda=False"), True, ["policy.cuda=False"]),
    ],
)
def test_pretrained_takes_a_file_and_no_override(
    workdir: Path, argv: tuple[str, ...], pretrained: bool | str, overrides: list[str]
) -> None:
    _, given = settings(*argv)
    assert (given["pretrained"], given["overrides"]) == (pretrained, overrides)


def test_a_word_that_is_no_config_file_is_answered_by_the_option_for_it(workdir: Path) -> None:
    Path("images").mkdir()
    Path("run").mkdir()
    Path("run/total_config.py").touch()
    for word, message in (("images", "--data images"), ("run", "--resume"), ("resnet18", "--model resnet18")):
        with pytest.raises(ConfigError, match=message):
            run.check_config_word(word)
    # What ends like a config is looked for by its reader.
    run.check_config_word("missing.py")
