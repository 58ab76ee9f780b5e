"""What the words of ``train`` and of a main become, without a training."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.cli import run
from ding_cls.cli.arguments import parse
from ding_cls.errors import ConfigError
from ding_cls.pipeline import TrainResult
from ding_cls.pipeline.reporting import report as reporting
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config


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


def _trained(folder: Path, *, has_test_split: bool) -> TrainResult:
    numbers = {"acc1": 50.0}
    return TrainResult([], numbers, 0, numbers, torch.nn.Identity(), folder, 1.0, 1.0, False, has_test_split)


def _run_program(result: TrainResult) -> int:
    def program(cfg: Any, seed: int | None, *, resume: bool) -> TrainResult:
        return result

    return run.run_program(program, imagenet_res18_config, argv=["--synthetic"])


@pytest.mark.parametrize("has_test_split", [True, False])
def test_the_demo_gets_a_report_of_what_was_trained(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    has_test_split: bool,
) -> None:
    reported: list[tuple[Path, str | None]] = []

    def report(checkpoint: Path, *, split: str | None, allow_code: bool) -> Path:
        reported.append((checkpoint, split))
        return Path("run/report.html")

    monkeypatch.setattr(reporting, "report", report)
    result = _trained(Path("run"), has_test_split=has_test_split)
    assert _run_program(result) == 0
    assert reported == []

    monkeypatch.setenv(run.REPORTS, "1")
    assert _run_program(result) == 0

    assert reported == [(result.best_checkpoint, "test" if has_test_split else None)]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"A report to open in a browser: {workdir.resolve()}/run/report.html"


def test_a_report_that_cannot_be_written_fails_no_training(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def report(checkpoint: Path, **settings: Any) -> Path:
        raise ConfigError("jinja2 is not installed")

    monkeypatch.setattr(reporting, "report", report)
    monkeypatch.setenv(run.REPORTS, "1")

    assert _run_program(_trained(Path("run"), has_test_split=True)) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "No report was written: jinja2 is not installed"


def test_a_training_that_failed_has_no_report(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(checkpoint: Path, **settings: Any) -> Path:
        raise AssertionError("a report of nothing")

    def program(cfg: Any, seed: int | None, *, resume: bool) -> TrainResult:
        raise ConfigError("no")

    monkeypatch.setattr(reporting, "report", report)
    monkeypatch.setenv(run.REPORTS, "1")

    assert run.run_program(program, imagenet_res18_config, argv=["--synthetic"]) == 2
