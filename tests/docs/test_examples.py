"""The README's program is ``examples/by_hand.py``, and it does what a plain recount says."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from ding_cls import ImageNetDataset, build_model
from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import TrainAugmentation
from tests.conftest import write_pictures

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("ash", "birch", "cedar")


def _code_block() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [
        each for each in re.findall(r"^```python\n(.*?)^```", readme, re.S | re.M) if "LearnerHook" in each
    ]
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_readme_shows_the_example_and_it_has_forty_lines() -> None:
    block = _code_block()
    assert block == (ROOT / "examples" / "by_hand.py").read_text(encoding="utf-8")
    assert len(block.splitlines()) <= 40


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures" / "train", classes=CLASSES, per_class=8)
    return write_pictures(tmp_path / "pictures" / "val", classes=CLASSES, per_class=5).parent


def test_the_readmes_program_runs_and_its_numbers_are_right(workdir: Path, pictures: Path) -> None:
    program: dict[str, Any] = {"__name__": "by_hand"}
    exec(compile(_code_block(), "README.md", "exec"), program)
    rows, best, losses = program["main"](str(pictures), epochs=2, batch_size=8, image_size=32)

    # 24 pictures in batches of 8: three updates an epoch, all of equal size.
    assert [row["train_iter"] for row in rows] == [3, 6]
    assert len(losses) == 6
    assert rows[0]["train_loss"] == pytest.approx(sum(losses[:3]) / 3, rel=1e-12)
    assert rows[1]["train_loss"] == pytest.approx(sum(losses[3:]) / 3, rel=1e-12)

    # The best checkpoint, judged once more with torch and nothing else.
    state = read_checkpoint("runs/by_hand/ckpt/ckpt_best.pth.tar")
    network = build_model("resnet18", num_classes=len(CLASSES)).eval()
    network.load_state_dict(state["model"])
    dataset = ImageNetDataset(
        pictures / "val", False, TrainAugmentation(image_size=32).preprocessing(), classes=CLASSES
    )
    images = torch.stack([dataset[index][0] for index in range(len(dataset))])
    targets = torch.tensor(dataset.targets)
    with torch.no_grad():
        logits = network(images)
    hits = int((logits.argmax(1) == targets).sum())
    assert len(dataset) == 15
    assert best["acc1"] == 100.0 * hits / 15
    assert best["loss"] == pytest.approx(float(functional.cross_entropy(logits.double(), targets)), rel=1e-5)


@pytest.mark.slow
def test_a_second_run_takes_a_folder_of_its_own(workdir: Path, pictures: Path) -> None:
    program: dict[str, Any] = {"__name__": "by_hand"}
    exec(compile(_code_block(), "README.md", "exec"), program)
    results = [program["main"](str(pictures), epochs=1, batch_size=8, image_size=32) for _ in range(2)]
    assert sorted(path.name for path in Path("runs").iterdir()) == ["by_hand", "by_hand_2"]
    # The same seed gives the same digits.
    assert results[0][1:] == results[1][1:]
