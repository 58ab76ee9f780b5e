"""mmclassification's chapter on fine-tuning, typed with nothing but other imports, trains."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls import load
from ding_cls.cli import main
from ding_cls.config import Config
from ding_cls.data import DATASETS, PIPELINES, build_dataset
from ding_cls.errors import ConfigError
from ding_cls.inference import inference_model
from ding_cls.models import BACKBONES, HEADS, LOSSES, NECKS, build_classifier
from ding_cls.optim import OPTIMIZER_BUILDERS, OPTIMIZERS
from ding_cls.pipeline import set_random_seed, train_model
from ding_cls.worker import HOOKS
from tests.conftest import write_pictures
from tests.data.datasets.test_cifar_mnist import write_cifar10

ASSETS = Path(__file__).parents[1] / "config" / "assets"
TYPED, BASES = ASSETS / "openmmlab", ASSETS / "mm" / "_base_"
REGISTRIES = (BACKBONES, NECKS, HEADS, LOSSES, DATASETS, PIPELINES, OPTIMIZERS, OPTIMIZER_BUILDERS, HOOKS)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the configs, the bases and the parts; the current directory."""
    folder = tmp_path / "there"
    shutil.copytree(BASES, folder / "_base_")
    for name in ("own.py", "fine.py"):
        shutil.copy(TYPED / name, folder)
    (folder / "mine").mkdir()
    shutil.copy(TYPED / "parts.py", folder / "mine")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_parts", dict(registry._parts))
    yield folder
    for name in [each for each in sys.modules if each.startswith("mine")]:
        del sys.modules[name]


def _write_images() -> None:
    Path("images").mkdir()
    for split in ("train", "val"):
        lines = []
        for number in range(8):
            name = f"{split}_{number}.png"
            pixels = np.full((20, 24, 3), 30 + 190 * (number % 2) + number, np.uint8)
            Image.fromarray(pixels).save(Path("images", name))
            lines.append(f"{name} {number % 2}\n")
        Path(f"{split}.txt").write_text("".join(lines))


def _rows(kind: str) -> list[dict[str, Any]]:
    rows = map(json.loads, Path("run", "log", "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == kind]


def _run(config: str, *words: str) -> None:
    assert main(["train", config, "--allow-code", "--work-dir", "run", "--seed", "0", *words]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("head", ["OneLayerHead", "TestedHead"])
def test_parts_of_ones_own_learn(typed: Path, head: str, capsys: pytest.CaptureFixture[str]) -> None:
    _write_images()
    _run("own.py", "--cfg-options", f"model.head.type={head}")
    text = "".join(capsys.readouterr())
    assert "hook of one's own: 1 two, 4 epochs" in text
    assert "epoch 2 ends at 0.0500" in text
    assert "epoch 3 ends at 0.0050" in text
    evaluations = _rows("eval")
    assert evaluations[-1]["acc1"] == evaluations[-1]["accuracy_top-1"] == 100.0
    assert evaluations[-1]["loss"] < evaluations[0]["loss"]
    assert {row["num_seen"] for row in evaluations} == {8}
    assert len([row for row in _rows("train") if "norm_avg" in row]) == 7
    # Used alone, the network's logits are those of the head's own layer.
    predictor = load("run", allow_code=True)
    dark, light = (predictor(Path("images", f"val_{number}.png"))[0].top(1)[0] for number in (0, 1))
    assert (dark.name, light.name) == ("dark", "light")
    assert min(dark.score, light.score) > 0.5


@pytest.mark.slow
def test_a_loss_of_ones_own_trains(typed: Path) -> None:
    _write_images()
    _run("own.py", "--cfg-options", "model.head.loss.type=AbsoluteLoss", "runner.max_epochs=1")
    assert len(_rows("epoch")) == 1


@pytest.mark.slow
def test_cifar10_is_fine_tuned_behind_frozen_stages(typed: Path) -> None:
    write_cifar10(typed / "data" / "cifar10" / "cifar-10-batches-py")
    backbone = {"type": "ResNet", "depth": 50}
    source = build_classifier({"type": "ImageClassifier", "backbone": backbone})
    torch.save({"state_dict": source.state_dict(), "meta": {}}, "resnet50.pth")
    _run(
        "fine.py", "--cfg-options", "runner.max_epochs=1", "data.workers_per_gpu=0", "data.samples_per_gpu=8"
    )
    assert len(_rows("epoch")) == 1
    trained = torch.load("run/ckpt/ckpt_best.pth.tar", weights_only=True)["model"]
    given = source.state_dict()
    assert torch.equal(trained["backbone.layer2.0.conv1.weight"], given["backbone.layer2.0.conv1.weight"])
    assert torch.equal(trained["backbone.bn1.running_mean"], given["backbone.bn1.running_mean"])
    assert not torch.equal(trained["backbone.layer3.0.conv1.weight"], given["backbone.layer3.0.conv1.weight"])
    assert trained["head.fc.weight"].shape == (10, 2048)


@pytest.mark.slow
def test_the_chapter_in_python_trains_too(
    typed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pets" / "training_set", classes=("cats", "dogs"), per_class=4, size_px=40)
    Path("classes.txt").write_text("cats\ndogs\n")
    cfg = Config.fromfile("fine.py")
    cfg.model.backbone = {"type": "ResNet", "depth": 18}
    cfg.model.head.in_channels = 512
    cfg.model.head.num_classes = 2
    cfg.model.head.topk = (1,)
    cfg.data.samples_per_gpu = 4
    cfg.data.workers_per_gpu = 0
    for part in (cfg.data.train, cfg.data.val, cfg.data.test):
        part.type = "ImageNet"
        part.data_prefix = str(tmp_path / "pets" / "training_set")
        part.classes = "classes.txt"
        ending = [each for each in part.pipeline if each.type not in ("RandomCrop", "RandomFlip", "Resize")]
        part.pipeline = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": 32}, *ending]
    cfg.evaluation["metric_options"] = {"topk": (1,)}
    cfg.optimizer = {"type": "SGD", "lr": 0.005, "momentum": 0.9, "weight_decay": 0.0001}
    cfg.lr_config = {"policy": "step", "step": 1, "gamma": 0.1}
    cfg.runner = {"type": "EpochBasedRunner", "max_epochs": 2}
    cfg.work_dir = "./work_dirs/pets"
    cfg.log_config.interval = 10
    cfg.seed = 0
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    set_random_seed(0, deterministic=True)
    cfg.gpu_ids = range(1)
    assert "work_dirs" in cfg.pretty_text

    model = build_classifier(cfg.model)
    model.init_weights()
    datasets = [build_dataset(cfg.data.train)]
    model.CLASSES = datasets[0].CLASSES
    before = model.head.fc.weight.detach().clone()
    train_model(model, datasets, cfg, distributed=False, validate=True, timestamp="now", meta={})
    assert not torch.equal(model.head.fc.weight, before)
    image = next((tmp_path / "pets" / "training_set" / "dogs").iterdir())
    model.cfg = cfg
    assert inference_model(model, str(image))["pred_class"] in ("cats", "dogs")
    with pytest.raises(ConfigError, match=r"train_model got .*, and cfg.data.train describes a ImageNet"):
        train_model(model, [torch.utils.data.TensorDataset(before)], cfg)
