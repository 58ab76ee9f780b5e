"""Every kind of backbone, neck and head trains two steps from a config."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.config import compile_config
from ding_cls.errors import ConfigError
from ding_cls.pipeline import build_network, train
from ding_cls.policy import ImageClassificationPolicy
from tests.models.test_own_parts import config

GAP = {"type": "GlobalAveragePooling"}
NARROW = {"base_channels": 4, "stem_channels": 4, "zero_init_residual": False}
LINEAR = {"type": "LinearClsHead", "in_channels": 32}
MAPS = {"type": "ResNet_CIFAR", "depth": 18, **NARROW}

NETWORKS: dict[str, dict[str, Any]] = {
    "ResNet": {"backbone": {"type": "ResNet", "depth": 18, **NARROW}, "neck": GAP, "head": LINEAR},
    "ResNet, computed twice": {"backbone": {**MAPS, "with_cp": True}, "neck": GAP, "head": LINEAR},
    "ResNet, frozen stages": {"backbone": {**MAPS, "frozen_stages": 2}, "neck": GAP, "head": LINEAR},
    "ResNetV1c": {"backbone": {"type": "ResNetV1c", "depth": 18, **NARROW}, "neck": GAP, "head": LINEAR},
    "ResNetV1d": {"backbone": {"type": "ResNetV1d", "depth": 18, **NARROW}, "neck": GAP, "head": LINEAR},
    "ResNet_CIFAR": {"backbone": MAPS, "neck": GAP, "head": LINEAR},
    "GroupNorm": {
        "backbone": {**MAPS, "norm_cfg": {"type": "GN", "num_groups": 2}},
        "neck": GAP,
        "head": LINEAR,
    },
    "SyncBN": {"backbone": {**MAPS, "norm_cfg": {"type": "SyncBN"}}, "neck": GAP, "head": LINEAR},
    "ResNeXt": {
        "backbone": {"type": "ResNeXt", "depth": 50, "groups": 2, "width_per_group": 4, **NARROW},
        "neck": GAP,
        "head": {**LINEAR, "in_channels": 128},
    },
    "gray": {"backbone": {**MAPS, "in_channels": 1}, "neck": GAP, "head": LINEAR},
    "LeNet5": {"backbone": {"type": "LeNet5", "num_classes": 3}, "head": {"type": "ClsHead"}},
    "torchvision, vectors": {
        "backbone": {"type": "torchvision/shufflenet_v2_x0_5"},
        "head": {**LINEAR, "in_channels": 1024},
    },
    "torchvision, maps": {
        "backbone": {"type": "TorchvisionBackbone", "model_name": "mobilenet_v3_small", "out_indices": [-1]},
        "neck": GAP,
        "head": {**LINEAR, "in_channels": 576},
    },
    "timm": {
        "backbone": {"type": "TIMMBackbone", "model_name": "mobilenetv3_small_050"},
        "neck": GAP,
        "head": {**LINEAR, "in_channels": 1024},
    },
    "a family": {
        "backbone": {"type": "ShuffleNetV2", "widen_factor": 0.5},
        "neck": GAP,
        "head": {**LINEAR, "in_channels": 1024},
    },
    "GridAveragePooling": {
        "backbone": MAPS,
        "neck": {"type": "GridAveragePooling", "grid": [1, 1]},
        "head": LINEAR,
    },
    "GeneralizedMeanPooling": {"backbone": MAPS, "neck": {"type": "GeneralizedMeanPooling"}, "head": LINEAR},
    "dropout": {"backbone": MAPS, "neck": GAP, "head": {**LINEAR, "dropout": 0.5}},
    "StackedLinearClsHead": {
        "backbone": MAPS,
        "neck": GAP,
        "head": {
            "type": "StackedLinearClsHead",
            "in_channels": 32,
            "mid_channels": [8],
            "dropout_rate": 0.2,
            "norm_cfg": {"type": "BN1d"},
        },
    },
    "VisionTransformerClsHead": {
        "backbone": MAPS,
        "neck": GAP,
        "head": {"type": "VisionTransformerClsHead", "in_channels": 32, "hidden_dim": 8},
    },
    "LogSoftmaxHead": {
        "backbone": MAPS,
        "neck": GAP,
        "head": {"type": "LogSoftmaxHead", "in_channels": 32, "mid_channels": [8], "dropout_rate": 0.4},
    },
    "CosineClsHead": {"backbone": MAPS, "neck": GAP, "head": {"type": "CosineClsHead", "in_channels": 32}},
    "ArcFaceClsHead": {
        "backbone": MAPS,
        "neck": GAP,
        "head": {"type": "ArcFaceClsHead", "in_channels": 32, "num_subcenters": 2, "scale": 8.0},
    },
    "one network, dropout": {"name": "shufflenet_v2_x0_5", "dropout": 0.2, "in_channels": 1},
    "one network of timm": {"name": "timm/mobilenetv3_small_050", "dropout": 0.2},
}


def test_the_sweep_has_its_size() -> None:
    assert len(NETWORKS) == 25


# As large as they are.
LARGE = ("torchvision, maps", "timm", "a family", "one network of timm")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in NETWORKS]
)
def test_two_updates_move_every_part(workdir: Path, name: str) -> None:
    if "timm" in name:
        pytest.importorskip("timm")
    model = NETWORKS[name] | ({} if "name" in NETWORKS[name] else {"type": "ImageClassifier"})
    cfg = config({"num_classes": 3, **model}, learning_rate=0.1, warmup_epoch=0)
    cfg["policy"]["collect"] |= {"image_size": 32, "resize_size": 32}
    result = train(cfg, seed=1)
    assert result.history[-1]["train_iter"] == 2
    assert all(torch.isfinite(each).all() for each in result.model.parameters())
    trained = [each for each in result.model.parameters() if each.requires_grad]
    frozen = sum(not each.requires_grad for each in result.model.parameters())
    assert len(trained) > 2
    assert (frozen > 0) == ("frozen" in name)
    assert all(each.grad is not None for each in trained)


@pytest.mark.parametrize(
    ("head", "targets", "shape"),
    [
        (
            {"type": "MultiTaskHead", "num_tasks": 2},
            torch.tensor([[0, 1], [2, 2], [1, 0], [2, 0]]),
            (4, 2, 3),
        ),
        ({"type": "MultiLabelLinearClsHead"}, torch.tensor([[1.0, 0, 1]] * 4), (4, 3)),
        ({"type": "CSRAClsHead", "num_heads": 2}, torch.tensor([[1.0, 0, 1]] * 4), (4, 3)),
    ],
    ids=["tasks", "labels", "labels by attention"],
)
def test_other_targets_train_and_are_judged(
    head: dict[str, Any], targets: torch.Tensor, shape: tuple[int, ...]
) -> None:
    neck = None if head["type"] == "CSRAClsHead" else GAP
    parts = {"type": "ImageClassifier", "backbone": MAPS, "neck": neck, "head": {**LINEAR, **head}}
    cfg = compile_config(
        config({"num_classes": 3, **parts}, learning_rate=0.1, warmup_epoch=0), save_cfg=False
    )
    torch.manual_seed(0)
    network, _ = build_network(cfg, 3)
    policy = ImageClassificationPolicy(cfg.policy, model=network)
    images = torch.randn(4, 3, 32, 32)
    losses = [policy.learn_mode.forward([images, targets])["total_loss"] for _ in range(8)]
    assert losses[-1] < 0.7 * losses[0]
    assert policy.eval_mode.forward([images, targets]).shape == shape


def test_a_head_that_does_not_fit_the_classes_is_named() -> None:
    head = {"type": "MultiTaskHead", "num_tasks": 2, "in_channels": 32, "num_classes": 4}
    parts = {"type": "ImageClassifier", "backbone": MAPS, "neck": GAP, "head": head}
    cfg = compile_config(config(parts), save_cfg=False)
    with pytest.raises(
        ConfigError, match=r"policy\.model\.head\.num_classes is 4, but the training data have 3"
    ):
        build_network(cfg, 3)
    head.pop("num_classes")
    network, line = build_network(compile_config(config(parts), save_cfg=False), 3)
    assert line == "ImageClassifier of ResNet_CIFAR, GlobalAveragePooling, MultiTaskHead with random weights"
    assert network.head.fc.out_features == 6
