"""Networks of libraries by their names, and mmclassification's families, each by its smallest member.

They are as large as they are: all are trained in the slow tier.
"""

from typing import Any

import pytest

from ding_cls.errors import ModelError
from ding_cls.models import build_backbone
from ding_cls.models.backbones.openmmlab_families import ABSENT, FAMILIES
from ding_cls.models.build import _OURS
from tests.options.test_model_options import GAP, network, pictures_of
from tests.options.trials import CLASSES, run, trains

Changes = dict[str, Any]
Arguments = dict[str, Any]

# Further networks by name: as large as they are, too much for the default tier.
BY_NAME: list[Arguments] = [
    *({"name": name} for name in _OURS),
    {"name": "resnet18", "dropout": 0.5, "in_channels": 1, "zero_init_residual": True},
    {"name": "squeezenet1_1", "dropout": 0.2, "in_channels": 1},
    {"name": "shufflenet_v2_x0_5", "dropout": 0.2},
    {"name": "mobilenet_v2", "width_mult": 0.35},
    {"name": "timm/test_resnet", "dropout": 0.2, "in_channels": 1},
]


def test_every_network_of_ours_is_there() -> None:
    assert (len(_OURS), len(BY_NAME)) == (6, 11)


@pytest.mark.slow
@pytest.mark.parametrize("model", BY_NAME, ids=lambda model: model["name"])
def test_a_network_by_name(model: Arguments) -> None:
    if model["name"].startswith("timm/"):
        pytest.importorskip("timm")
    trains({"policy.model": {**model, "num_classes": CLASSES}, **pictures_of(32), **LIGHT}, resumes=True)


# Momentum would double the files.
LIGHT: Changes = {"policy.learn.momentum": 0.0}
# The smallest member of each family, and the side of the smallest pictures that it can use.
SMALLEST: dict[str, tuple[Arguments, int]] = {
    "AlexNet": ({}, 64),
    "CSPDarkNet": ({"depth": 53}, 32),
    "CSPResNeXt": ({"depth": 50}, 32),
    "CSPResNet": ({"depth": 50}, 32),
    "ConvMixer": ({"arch": "1024/20"}, 28),
    "ConvNeXt": ({"arch": "tiny", "drop_path_rate": 0.1}, 32),
    "DenseNet": ({"arch": "121"}, 32),
    "DistilledVisionTransformer": ({"arch": "deit-tiny", "img_size": 32}, 32),
    "EfficientFormer": ({"arch": "l1"}, 224),
    "EfficientNet": ({"arch": "b0"}, 32),
    "HRNet": ({"arch": "w18"}, 32),
    "LeViT": ({"arch": "128s"}, 224),
    "MViT": ({"arch": "tiny"}, 224),
    "MlpMixer": ({"arch": "small", "patch_size": 32, "img_size": 64}, 64),
    "MobileNetV2": ({"widen_factor": 0.35}, 32),
    "MobileNetV3": ({"arch": "small_050"}, 32),
    "PCPVT": ({"arch": "small", "img_size": 64}, 64),
    "PoolFormer": ({"arch": "s12"}, 32),
    "RegNet": ({"arch": "regnetx_400mf"}, 32),
    "RepVGG": ({"arch": "A0"}, 32),
    "Res2Net": ({"depth": 50, "scales": 4, "base_width": 26}, 32),
    "ResNeSt": ({"depth": 50}, 64),
    "SEResNeXt": ({"depth": 50}, 32),
    "SEResNet": ({"depth": 18}, 32),
    "SVT": ({"arch": "small"}, 224),
    "ShuffleNetV2": ({"widen_factor": 0.5}, 32),
    "SwinTransformer": ({"arch": "tiny"}, 64),
    "SwinTransformerV2": ({"arch": "tiny"}, 64),
    "TNT": ({"arch": "s"}, 224),
    "VGG": ({"depth": 11}, 32),
    "VisionTransformer": ({"arch": "deit-tiny", "img_size": 32}, 32),
}


def test_every_family_has_its_trial() -> None:
    assert set(SMALLEST) == set(FAMILIES)
    assert (len(SMALLEST), len(ABSENT)) == (31, 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_a_family(name: str) -> None:
    pytest.importorskip("timm")
    arguments, side = SMALLEST[name]
    backbone = {"type": name, **arguments}
    channels = build_backbone(backbone).num_features
    neck = GAP if FAMILIES[name].gives == "maps" else None
    trains({**network(backbone, channels, neck=neck), **pictures_of(side), **LIGHT}, resumes=True)


@pytest.mark.parametrize("name", ABSENT)
def test_a_family_of_no_library_is_refused(name: str) -> None:
    with pytest.raises(
        ModelError, match=f"^backbone '{name}' is in neither .* ding-cls models lists"
    ) as refused:
        run("run", network({"type": name}, 8))
    assert "\n" not in str(refused.value)
