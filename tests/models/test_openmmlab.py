"""Parts in the form of mmcv and mmclassification: initial values, and files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models import (
    BaseModule,
    ClsHead,
    ModuleList,
    ResNetBackbone,
    Sequential,
    build_backbone,
    build_classifier,
    new_network,
    normal_init,
)
from ding_cls.models.registry import BACKBONES, MODELS

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 2])
BACKBONE = {"type": "ResNet", "depth": 18, "num_stages": 1, "out_indices": (0,)}
HEAD = {"type": "LinearClsHead", "num_classes": 3, "in_channels": 64, "topk": (1,), "cal_acc": True}
MODEL = {
    "type": "ImageClassifier",
    "backbone": BACKBONE,
    "neck": {"type": "GlobalAveragePooling"},
    "head": HEAD,
}


def _network(**head: Any) -> Any:
    torch.manual_seed(0)
    return build_classifier({**MODEL, "head": {**HEAD, **head}})


class _Body(BaseModule):
    def __init__(self, init_cfg: Any = ({"type": "Constant", "layer": "Conv2d", "val": 0.5},)) -> None:
        super().__init__(init_cfg)
        self.layers = ModuleList([nn.Conv2d(3, 4, 1)])
        self.more = Sequential(nn.Conv2d(4, 4, 1), init_cfg={"type": "Constant", "val": 0.25})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.more(self.layers[0](x)),)


class _Head(ClsHead):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(4, num_classes)

    def init_weights(self) -> None:
        normal_init(self.fc, mean=7, std=0.01)

    def forward(self, x: Any) -> Tensor:
        return self.fc(x[-1].mean((2, 3)))


def test_values_are_drawn_as_init_cfg_says_and_each_child_after_its_owner() -> None:
    body = _Body()
    body.init_weights()
    assert body.layers[0].weight.unique().tolist() == [0.5]
    assert body.more[0].weight.unique().tolist() == [0.25]


def test_a_run_draws_the_values_of_parts_of_ones_own() -> None:
    network: Any = new_network(
        {"type": "ImageClassifier", "backbone": {"type": _Body}, "head": {"type": _Head}}, num_classes=3
    )
    assert network.backbone.layers[0].weight.unique().tolist() == [0.5]
    assert network.head.fc.weight.mean().item() == pytest.approx(7, abs=0.05)


def test_the_librarys_own_parts_are_not_drawn_again() -> None:
    network = _network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.init_weights()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("build", [build_backbone, BACKBONES.build, MODELS.build])
def test_init_weights_loads_the_file_of_a_backbone(build: Any, tmp_path: Path) -> None:
    source = build_classifier({"type": "ImageClassifier", "backbone": BACKBONE})
    torch.save({"state_dict": source.state_dict(), "meta": {}}, tmp_path / "net.pth")
    initial = {"type": "Pretrained", "checkpoint": str(tmp_path / "net.pth"), "prefix": "backbone"}
    backbone = build({**BACKBONE, "init_cfg": initial})
    assert isinstance(backbone, ResNetBackbone)
    assert not torch.equal(backbone.conv1.weight, source.backbone.conv1.weight)
    backbone.init_weights()
    assert torch.equal(backbone.conv1.weight, source.backbone.conv1.weight)
    whole = build_classifier({**MODEL, "backbone": {**BACKBONE, "init_cfg": initial}})
    whole.init_weights()
    assert torch.equal(whole.backbone.conv1.weight, source.backbone.conv1.weight)


def test_values_that_a_file_has_are_not_drawn_before(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []

    class Neck(nn.Module):
        def init_weights(self) -> None:
            called.append(self)

        def forward(self, x: Any) -> Any:
            return x

    monkeypatch.setattr(MODELS, "_parts", {**MODELS._parts, "NeckOfOnesOwn": Neck})
    necks = [{"type": "GlobalAveragePooling"}, {"type": "NeckOfOnesOwn"}]
    network = new_network({**MODEL, "neck": necks}, num_classes=3)
    assert called == [network.neck[1]]
    new_network({**MODEL, "neck": necks}, num_classes=3, draws_values=False)
    assert len(called) == 1


def test_arguments_of_mmclassifications_classifier(tmp_path: Path) -> None:
    torch.save(_network().state_dict(), tmp_path / "net.pth")
    network = build_classifier({**MODEL, "pretrained": str(tmp_path / "net.pth"), "train_cfg": None})
    network.init_weights()
    assert torch.equal(network.head.fc.weight, _network().head.fc.weight)
    mixing = {"augments": [{"type": "BatchMixup", "alpha": 0.2}]}
    with pytest.raises(ConfigError, match=r"model.train_cfg.augments is not .* policy.learn.batch_augments"):
        build_classifier({**MODEL, "train_cfg": mixing})


def test_networks_of_other_libraries_keep_their_values() -> None:
    class Foreign(nn.Linear):
        def init_weights(self) -> None:
            nn.init.zeros_(self.weight)

    class Inheriting(Foreign):
        pass

    Foreign.__module__ = "timm.models.some"
    body = Sequential(Foreign(2, 2), nn.Sequential(Inheriting(2, 2)), Inheriting(2, 2))
    body.init_weights()
    assert all(each.abs().sum() > 0 for each in body.parameters())
