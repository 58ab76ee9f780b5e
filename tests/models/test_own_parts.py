"""A user's own backbone, neck, heads and loss, registered by decorator: the config trains and judges them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint
from ding_cls.config import compile_config
from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import BACKBONES, HEADS, LOSSES, NECKS, ImageClassifier, build_model, weighted_loss
from ding_cls.pipeline import build_datasets, build_network, evaluate, train

CALLED: list[str] = []


@BACKBONES.register_module()
class OwnBackbone(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.deep = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        CALLED.append("backbone")
        shallow = self.stem(images)
        return shallow, self.deep(shallow)


@NECKS.register_module()
class OwnNeck(nn.Module):
    def forward(self, maps: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        CALLED.append("neck")
        return tuple(each.amax((2, 3)) for each in maps)


@HEADS.register_module()
class OwnHead(nn.Module):
    def __init__(self, num_classes: int, in_channels: int = 12) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, vectors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.fc(torch.cat(vectors, dim=1))

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        CALLED.append("head")
        return {"loss": functional.cross_entropy(logits, targets), "size_loss": 0.01 * logits.square().mean()}


@HEADS.register_module()
class OwnOneCallHead(nn.Module):
    def __init__(self, num_classes: int, in_channels: int = 8) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, num_classes)

    def forward_train(self, x: Any, gt_label: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
        CALLED.append("forward_train")
        return {"loss": functional.cross_entropy(self.fc(x[-1]), gt_label)}

    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> torch.Tensor:
        CALLED.append("simple_test")
        logits = self.fc(x[-1])
        return logits.softmax(1) if softmax else logits


@weighted_loss
def own_gap(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    CALLED.append("loss")
    return (1 - pred.gather(1, target[:, None]) + pred).clamp(min=0).sum(1)


@LOSSES.register_module()
class OwnLoss(nn.Module):
    def forward(
        self,
        pred: Any,
        target: Any,
        weight: Any = None,
        avg_factor: Any = None,
        reduction_override: Any = None,
    ) -> torch.Tensor:
        return own_gap(pred, target, weight, reduction=reduction_override or "mean", avg_factor=avg_factor)


def config(model: dict[str, Any], **learn: Any) -> dict[str, Any]:
    return {
        "exp_name": "run",
        "policy": {
            "cuda": False,
            "model": model,
            "learn": {
                "train_epoch": 1,
                "batch_size": 4,
                "learner": {"log_show_freq": 1, "dataloader": {"num_workers": 0}},
                **learn,
            },
            "collect": {
                "synthetic": True,
                "synthetic_samples": 8,
                "synthetic_eval_samples": 6,
                "image_size": 16,
                "resize_size": 16,
            },
            "eval": {"evaluator": {"eval_freq": 1}},
        },
    }


def of_parts(head: dict[str, Any], **model: Any) -> dict[str, Any]:
    return {
        "type": "ImageClassifier",
        "num_classes": 3,
        "backbone": {"type": "OwnBackbone"},
        "neck": {"type": "OwnNeck"},
        "head": head,
        **model,
    }


RESNET = {
    "type": "ImageClassifier",
    "backbone": {"type": "ResNet", "depth": 18},
    "neck": {"type": "GlobalAveragePooling"},
    "head": {"type": "LinearClsHead", "num_classes": 3, "in_channels": 512},
}


def rows(kind: str) -> list[dict[str, Any]]:
    lines = Path("run", "log", "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


@pytest.mark.parametrize(
    ("cfg", "called", "logged"),
    [
        (
            config(of_parts({"type": "OwnHead"})),
            {"backbone", "neck", "head"},
            {"acc1_avg", "loss_avg", "size_loss_avg"},
        ),
        (
            config(of_parts({"type": "OwnOneCallHead"})),
            {"backbone", "neck", "forward_train", "simple_test"},
            set(),
        ),
        (
            config(of_parts({"type": "LinearClsHead", "in_channels": 8, "loss": {"type": "OwnLoss"}})),
            {"backbone", "neck", "loss"},
            {"acc1_avg"},
        ),
        (
            config({"name": "squeezenet1_1", "num_classes": 3}, loss={"type": "OwnLoss"}),
            {"loss"},
            {"acc1_avg"},
        ),
    ],
    ids=["forward and loss", "forward_train", "a loss in the head", "a loss of a network by name"],
)
def test_own_parts_train_are_resumed_and_are_judged(
    workdir: Path, cfg: dict[str, Any], called: set[str], logged: set[str]
) -> None:
    CALLED.clear()
    if cfg["policy"]["model"].get("name"):
        cfg["policy"]["collect"] |= {"image_size": 32, "resize_size": 32}
    result = train(cfg, seed=1)
    assert set(CALLED) == called
    assert len(rows("train")) == 2
    for row in rows("train"):
        assert {name for name in row if name.endswith(("loss_avg", "acc1_avg"))} == logged | {
            "total_loss_avg"
        }
    judged = evaluate(result.best_checkpoint)
    assert judged["num_samples"] == 6
    assert {name: judged[name] for name in result.best} == pytest.approx(result.best)
    again = train(cfg, seed=1, resume=True)
    assert again.was_complete
    weights = result.model.state_dict()
    assert all(torch.equal(each, weights[name]) for name, each in again.model.state_dict().items())


def test_what_a_head_loses_in_training_is_added_up_in_the_log(workdir: Path) -> None:
    train(config(of_parts({"type": "OwnHead"})), seed=1)
    for row in rows("train"):
        assert row["total_loss_avg"] == pytest.approx(row["loss_avg"] + row["size_loss_avg"])


def test_the_checkpoint_names_the_parts(workdir: Path) -> None:
    result = train(config(of_parts({"type": "OwnHead"})), seed=1)
    assert isinstance(result.model, ImageClassifier)
    assert result.model.CLASSES == ("class_0", "class_1", "class_2")
    state = read_checkpoint(result.best_checkpoint)
    assert {name.partition(".")[0] for name in state["model"]} == {"backbone", "head"}
    assert state["run"]["config"]["policy"]["model"]["head"] == {"type": "OwnHead"}


def test_the_head_says_how_many_classes_synthetic_data_have() -> None:
    train_set, _ = build_datasets(compile_config(config(RESNET), save_cfg=False))
    assert len(train_set.classes) == 3


@pytest.mark.parametrize(
    ("model", "key"),
    [(RESNET, "policy.model.head.num_classes"), (of_parts({"type": "OwnHead"}), "policy.model.num_classes")],
)
def test_another_number_of_classes_than_the_datas_names_its_key(model: dict[str, Any], key: str) -> None:
    cfg = compile_config(config(model), save_cfg=False)
    with pytest.raises(
        ConfigError, match=rf"^{key} is 3, but the training data have 7 classes; leave the key"
    ):
        build_network(cfg, 7)


def test_both_keys_must_agree_with_the_data() -> None:
    cfg = compile_config(config({**RESNET, "num_classes": 5}), save_cfg=False)
    for num_classes, key in ((3, "policy.model.num_classes is 5"), (5, "head.num_classes is 3")):
        with pytest.raises(ConfigError, match=key):
            build_network(cfg, num_classes)


def test_parts_that_do_not_fit_are_told_apart_from_pictures_that_are_too_small() -> None:
    head = {"type": "LinearClsHead", "in_channels": 9}
    cfg = compile_config(config(of_parts(head)), save_cfg=False)
    with pytest.raises(ConfigError, match=r"as \(1, 4\), \(1, 8\) .*; set policy.model.head.in_channels$"):
        build_network(cfg, 3)
    neck = {"type": "GlobalAveragePooling", "dim": 1}
    cfg = compile_config(config(of_parts(head, neck=neck)), save_cfg=False)
    with pytest.raises(ConfigError, match=r"set policy.collect.image_size, or see whether the neck fits"):
        build_network(cfg, 3)
    cfg = compile_config(config(of_parts({"type": "ClsHead"})), save_cfg=False)
    with pytest.raises(ModelError, match=r"ImageClassifier turns one image into \(1, 8\); for 3 classes"):
        build_network(cfg, 3)


@pytest.mark.parametrize("pretrained", ["weights.pth", True])
def test_weights_of_a_whole_network_are_loaded_into_the_parts(
    workdir: Path, pretrained: str | bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build_model("resnet18", num_classes=1000)
    torch.save(whole.state_dict(), "weights.pth")
    names = []
    monkeypatch.setattr(
        "ding_cls.models.weights.initial.fetch_weights", lambda name: names.append(name) or "weights.pth"
    )
    cfg = compile_config(config({**RESNET, "pretrained": pretrained}), save_cfg=False)
    network, about = build_network(cfg, 3)
    assert names == (["resnet18"] if pretrained is True else [])
    assert about == (
        "ImageClassifier of ResNet, GlobalAveragePooling, LinearClsHead: loaded 120 of 122 tensors from "
        "weights.pth; newly initialised: head.fc.weight, head.fc.bias"
    )
    for name, each in network.backbone.state_dict().items():
        assert torch.equal(each, whole.state_dict()[name]), name
    _, about = build_network(cfg, 3, load_weights=False)
    assert about.endswith("LinearClsHead with the weights of the checkpoint")
