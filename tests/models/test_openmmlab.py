"""Parts and networks in the form of mmcv and mmclassification: initial values, calls by keyword, steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import (
    BaseModule,
    ClsHead,
    ImageClassifier,
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


def test_by_name_a_network_gives_losses_or_probabilities() -> None:
    network = _network()
    losses = network(img=IMAGES, gt_label=TARGETS, return_loss=True)
    assert set(losses) == {"loss", "accuracy"}
    assert torch.equal(losses["loss"], network(IMAGES, TARGETS).losses["loss"])
    assert torch.equal(network(IMAGES, gt_label=TARGETS)["loss"], losses["loss"])
    network.eval()
    wanted = network(IMAGES).softmax(1).detach().numpy()
    for found in (
        network(return_loss=False, img=IMAGES),
        network([IMAGES], return_loss=False, img_metas=None),
    ):
        assert [each.shape for each in found] == [(3,), (3,)]
        assert np.stack(found) == pytest.approx(wanted)
    plain = network(IMAGES, return_loss=False, softmax=False, post_process=False)
    assert torch.equal(plain, network(IMAGES))
    with pytest.raises(ConfigError, match="forward_test takes one batch of images, not 2"):
        network(img=[IMAGES, IMAGES], return_loss=False)


def test_a_step_gives_the_loss_and_numbers_for_a_log() -> None:
    network = _network()
    found = network.train_step({"img": IMAGES, "gt_label": TARGETS, "img_metas": []}, optimizer=None)
    assert found["num_samples"] == 2
    assert found["log_vars"].keys() == {"loss", "top-1"}
    assert found["log_vars"]["loss"] == pytest.approx(found["loss"].item())
    found["loss"].backward()
    assert network.head.fc.weight.grad is not None
    assert network.val_step({"img": IMAGES, "gt_label": TARGETS})["num_samples"] == 2


def test_features_of_each_stage() -> None:
    network = _network()
    assert network.extract_feat(IMAGES, stage="backbone")[0].shape == (2, 64, 8, 8)
    assert network.extract_feat(IMAGES)[0].shape == (2, 64)
    assert network.extract_feat(IMAGES, stage="pre_logits").shape == (2, 64)
    assert len(network.extract_feats([IMAGES, IMAGES])) == 2
    assert (network.with_neck, network.with_head) == (True, True)
    with pytest.raises(ModelError, match="stage='middle'"):
        network.extract_feat(IMAGES, stage="middle")


def test_a_classifier_of_ones_own_is_trained_and_tested_by_its_own_methods() -> None:
    class Mine(ImageClassifier):
        def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Tensor]:
            losses = super().forward_train(img, gt_label, **kwargs)
            return {"loss": 2 * losses["loss"]}

        def simple_test(self, img: Tensor, img_metas: Any = None, **kwargs: Any) -> Any:
            return self.head.simple_test(self.extract_feat(img.flip(3)), **kwargs)

    parts = {name: MODEL[name] for name in ("backbone", "neck", "head")}
    torch.manual_seed(0)
    mine, usual = Mine(**parts).eval(), _network().eval()
    assert torch.equal(mine(IMAGES, TARGETS).losses["loss"], 2 * usual(IMAGES, TARGETS).losses["loss"])
    assert torch.equal(mine(IMAGES), usual(IMAGES.flip(3)))
    with pytest.raises(ModelError, match="stage"):
        mine.extract_feat(IMAGES, "x")


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
