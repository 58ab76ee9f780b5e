"""``ding-cls env`` names versions, devices and extras."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch

import ding_cls
from ding_cls.cli import environment, main


def test_env_names_versions_and_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line[:19].strip().removesuffix(":"): line[19:] for line in lines}
    assert told["ding_cls"] == ding_cls.__version__
    assert told["torch"] == torch.__version__
    assert list(told) == [
        "ding_cls",
        "python",
        "platform",
        "torch",
        "torchvision",
        "numpy",
        "pillow",
        "CPU cores",
        "torch threads",
        "CUDA",
        *(names[0] for names in environment.EXTRAS.values()),
    ]
    assert told["matplotlib"] == metadata.version("matplotlib")


def test_env_says_how_to_get_an_extra_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(name: str) -> str:
        if name != "mlflow":
            raise metadata.PackageNotFoundError(name)
        return "3.0"

    monkeypatch.setattr(metadata, "version", version)
    assert main(["env"]) == 0
    out = capsys.readouterr().out
    assert "timm:              not installed: pip install 'ding_cls[timm]'\n" in out
    assert "pytorch_optimizer: not installed: pip install 'ding_cls[optim]'\n" in out
    assert "mlflow-skinny:     3.0\n" in out


def test_env_names_every_extra() -> None:
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert {*environment.EXTRAS} == {*extras} - {"dev", "all"}
    for extra, names in environment.EXTRAS.items():
        # What the first one needs beside itself may follow it.
        assert re.split("[<>=]", extras[extra][0])[0] == names[0]
