"""The package of docs/your-own-parts.md, word for word: built outside the repository, trained, judged."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls import data, metrics, models, optim, worker
from ding_cls.cli import main
from ding_cls.data import DATASETS, PIPELINES
from ding_cls.metrics import METRICS
from ding_cls.models import BACKBONES, HEADS, LOSSES, NECKS
from ding_cls.optim import OPTIMIZER_BUILDERS, OPTIMIZERS, SCHEDULES
from ding_cls.worker import HOOKS
from tests.conftest import write_pictures

PAGE = Path(__file__).parents[2] / "docs" / "your-own-parts.md"
# One part of each kind: file, function, which must have run.
PARTS = {
    ("network.py", "TwoStages.forward"),
    ("network.py", "MaxPooling.forward"),
    ("network.py", "LastTwoHead.forward"),
    ("network.py", "LastTwoHead.loss"),
    ("pictures.py", "ByFirstLetter.load_annotations"),
    ("pictures.py", "Speckle.__call__"),
    ("training.py", "SignSGD.step"),
    ("training.py", "FasterHead.__call__"),
    ("training.py", "SquareRoot.__call__"),
    ("hooks.py", "LargestGradient.__call__"),
    ("hooks.py", "CountEpochs.before_run"),
    ("hooks.py", "CountEpochs.after_train_epoch"),
    ("metric.py", "ErrorRate.eval"),
    ("metric.py", "ErrorRate.gt"),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside the repository with the page's files and twelve pictures; the current directory."""
    folder = tmp_path / "elsewhere"
    blocks = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 7
    for name, code in blocks:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    for split in ("train", "val"):
        write_pictures(folder / "drawn" / split, classes=("a", "b", "c"), per_class=4, size_px=20)
        (folder / "pictures" / split).mkdir(parents=True)
        for picture in (folder / "drawn" / split).glob("*/*.png"):
            picture.rename(folder / "pictures" / split / f"{picture.parent.name}_{picture.name}")
    monkeypatch.chdir(folder)
    # What the package registers shall not be found by other tests.
    for registry in (BACKBONES, NECKS, HEADS, LOSSES, DATASETS, PIPELINES, OPTIMIZERS, OPTIMIZER_BUILDERS):
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    for registry in (SCHEDULES, HOOKS, METRICS):
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    known = set(sys.modules)
    yield folder
    for name in set(sys.modules) - known:
        if name.startswith("my_parts"):
            del sys.modules[name]


def calls_in(folder: Path, *words: str) -> tuple[int, set[tuple[str, str]]]:
    """Run ``ding-cls`` and return its exit code and the functions of ``folder`` that were called."""
    called: set[tuple[str, str]] = set()
    prefix = str(folder / "my_parts")

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(prefix):
            called.add((Path(frame.f_code.co_filename).name, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        return main(words), called
    finally:
        sys.setprofile(None)


def rows(kind: str) -> list[dict[str, Any]]:
    lines = Path("my_run", "log", "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def test_a_package_outside_the_repository_adds_one_part_of_each_kind(package: Path) -> None:
    often = "policy.learn.learner.log_show_freq=1"
    code, called = calls_in(package, "train", "my_config.py", "--allow-code", "policy.cuda=False", often)
    assert code == 0
    assert PARTS - called == set()
    checkpoint = torch.load("my_run/ckpt/iteration_6.pth.tar", weights_only=True)
    assert checkpoint["run"]["class_names"] == ["a", "b", "c"]
    assert [group["lr_mult"] for group in checkpoint["optimizer"]["param_groups"]] == [1, 5]
    assert len(rows("train")) == 6
    assert set(rows("train")[0]) >= {"largest_gradient_avg", "loss_avg", "size_loss_avg"}
    assert [0.0 <= row["errors"] <= 1.0 for row in rows("eval")] == [True, True, True]


def test_without_the_flag_nothing_of_it_is_imported(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, called = calls_in(package, "train", "my_config.py")
    assert code == 2
    assert called == set()
    assert "my_parts.network" not in sys.modules
    assert "--allow-code" in capsys.readouterr().err
    assert not Path("my_run").exists()


def test_the_best_checkpoint_is_judged_by_the_same_metric(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "my_config.py", "--allow-code", "policy.cuda=False"]) == 0
    capsys.readouterr()
    assert main(["eval", "my_run", "--allow-code"]) == 0
    best = min(row["errors"] for row in rows("eval"))
    assert re.search(rf"^errors +{best:.4f} *$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("policy.model.head.type=OneCallHead",), ("network.py", "OneCallHead.forward_train")),
        (
            (
                "policy.model.head=dict(type=LinearClsHead, in_channels=16, loss=dict(type=MarginLoss), "
                "_delete_=True)",
            ),
            ("loss.py", "MarginLoss.forward"),
        ),
        (
            (
                "policy.model=dict(name=resnet18, _delete_=True)",
                "policy.learn.loss.type=MarginLoss",
                "policy.learn.optimizer=dict(type=SGD, _delete_=True)",
            ),
            ("loss.py", "MarginLoss.forward"),
        ),
    ],
)
def test_the_other_forms_of_the_page_train_too(
    package: Path, words: tuple[str, ...], part: tuple[str, str]
) -> None:
    code, called = calls_in(package, "train", "my_config.py", "--allow-code", "policy.cuda=False", *words)
    assert code == 0
    assert part in called


def test_the_page_names_every_registry() -> None:
    rooms = {"models": models, "data": data, "optim": optim, "metrics": metrics, "worker": worker}
    named = re.findall(r"`ding_cls\.(\w+)\.([A-Z_]+)`", PAGE.read_text())
    assert len(named) == 14
    assert all(hasattr(rooms[room], name) for room, name in named)
