"""Every backbone, neck, head, classifier and initialiser, and every key of ``policy.model``."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import ConfigError
from ding_cls.models import BACKBONES, CLASSIFIERS, HEADS, NECKS, build_classifier
from ding_cls.models.layers import init as initialisers
from tests.harness import TinyBackbone, assert_same
from tests.options.trials import CLASSES, CONFIG, arrays, ours, run, trains

Changes = dict[str, Any]
Arguments = dict[str, Any]
GAP: Arguments = {"type": "GlobalAveragePooling"}

# Two stages at an eighth of the width, in place of four.
SMALL: Arguments = {"depth": 18, "base_channels": 4, "stem_channels": 4, "num_stages": 2, "out_indices": [1]}
DEEP: Arguments = {**SMALL, "depth": 50, "num_stages": 1, "out_indices": [0]}
# Name: (arguments, length of the vectors), for each mode.
OWN_BACKBONES: dict[str, list[tuple[Arguments, int]]] = {
    "ResNet": [
        (SMALL, 8),
        (DEEP, 16),
        ({**SMALL, "num_stages": 4, "out_indices": [1, 3]}, 32),
        ({**SMALL, "depth": 34}, 8),
        ({**DEEP, "style": "caffe", "zero_init_residual": False}, 16),
        ({**SMALL, "deep_stem": True, "avg_down": True}, 8),
        ({**SMALL, "strides": [1, 1], "dilations": [1, 2], "out_indices": [0, 1]}, 8),
        # What lies behind the last map takes no part.
        ({**SMALL, "out_indices": [0]}, 4),
        ({**SMALL, "frozen_stages": 1, "norm_eval": True}, 8),
        ({**SMALL, "norm_cfg": {"type": "GN", "num_groups": 2}, "conv_cfg": {"type": "Conv2d"}}, 8),
        ({**SMALL, "norm_cfg": {"type": "BN", "requires_grad": False, "momentum": 0.3}}, 8),
        ({**SMALL, "norm_cfg": {"type": "IN", "affine": True}, "num_stages": 1, "out_indices": [0]}, 4),
        ({**SMALL, "with_cp": True}, 8),
        ({**SMALL, "in_channels": 1}, 8),
        ({**SMALL, "drop_path_rate": 0.9}, 8),
        ({**SMALL, "expansion": 2}, 16),
    ],
    "ResNetV1c": [(SMALL, 8), (DEEP, 16)],
    "ResNetV1d": [(SMALL, 8), (DEEP, 16)],
    "ResNet_CIFAR": [(SMALL, 8), ({**DEEP, "with_cp": True, "norm_eval": True}, 16)],
    "ResNeXt": [({**DEEP, "groups": 2, "width_per_group": 4}, 16)],
    "TorchvisionBackbone": [
        ({"model_name": "squeezenet1_1"}, 512),
        ({"model_name": "squeezenet1_1", "out_indices": [1, -1]}, 512),
        ({"model_name": "squeezenet1_1", "out_indices": -1, "in_channels": 1, "dropout": 0.2}, 512),
        ({"model_name": "shufflenet_v2_x0_5", "norm_eval": True}, 1024),
        ({"model_name": "efficientnet_b0", "drop_path_rate": 0.5}, 1280),
    ],
    "TIMMBackbone": [
        ({"model_name": "test_resnet"}, 96),
        ({"model_name": "test_resnet", "features_only": True, "out_indices": [1, 4]}, 96),
        ({"model_name": "test_resnet", "gives_vectors": True, "drop_path_rate": 0.2}, 96),
        ({"model_name": "test_resnet", "norm_eval": True, "in_channels": 1}, 96),
        ({"model_name": "test_vit", "img_size": 32, "drop_rate": 0.1}, 64),
    ],
    "LeNet5": [({}, 120), ({"in_channels": 3}, 120)],
}
LIBRARIES = ("TorchvisionBackbone", "TIMMBackbone")
SIDES = {"LeNet5": 32, "TorchvisionBackbone": 32, "TIMMBackbone": 32}
GIVES_VECTORS = {"TorchvisionBackbone": [0, 3, 4], "TIMMBackbone": [2, 4]}


def network(
    backbone: Arguments,
    channels: int,
    *,
    neck: Arguments | list[Arguments] | None = GAP,
    head: str = "LinearClsHead",
    **more: Any,
) -> Changes:
    """Return the change that trains a network of these parts."""
    of_head = {"type": head, "in_channels": channels, "num_classes": CLASSES, **more}
    parts = {"type": "ImageClassifier", "backbone": backbone, "head": of_head}
    return {"policy.model": {**parts, **({} if neck is None else {"neck": neck})}}


def own_backbone(name: str, mode: int, **more: Any) -> Changes:
    arguments, channels = OWN_BACKBONES[name][mode]
    neck = None if mode in GIVES_VECTORS.get(name, ()) else GAP
    side = SIDES.get(name, CONFIG["policy.collect.image_size"])
    return {**network({"type": name, **arguments, **more}, channels, neck=neck), **pictures_of(side)}


def pictures_of(side: int) -> Changes:
    """Return the change that trains on pictures so large, at a rate for networks without BatchNorm."""
    sizes = {"policy.collect.image_size": side, "policy.collect.resize_size": side}
    return {**sizes, "policy.learn.learning_rate": 0.01}


def modes_of(table: dict[str, list[Any]]) -> list[Any]:
    pairs = [(name, mode) for name, each in table.items() for mode in range(len(each))]
    return [pytest.param(*pair, id=f"{pair[0]}-{pair[1]}", marks=marks_of(*pair)) for pair in pairs]


def marks_of(name: str, mode: int = 0) -> Any:
    """Networks of libraries are as large as they are: they are of the slow tier, as are further modes."""
    return pytest.mark.slow if name in LIBRARIES or mode else ()


def test_every_own_backbone_has_its_trials() -> None:
    assert set(OWN_BACKBONES) == ours(BACKBONES)
    assert (len(OWN_BACKBONES), len(modes_of(OWN_BACKBONES))) == (8, 35)


@pytest.mark.parametrize(("name", "mode"), modes_of(OWN_BACKBONES))
def test_an_own_backbone(resumes: bool, name: str, mode: int) -> None:
    if name == "TIMMBackbone":
        pytest.importorskip("timm")
    trains(own_backbone(name, mode), resumes=resumes)


RESNETS = ("ResNet", "ResNetV1c", "ResNetV1d", "ResNet_CIFAR", "ResNeXt")
STEM = ("conv1.*", "bn1.*", "stem.*")


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        pytest.param(name, stages, marks=marks_of(name, mode=stages != 1))
        for name in RESNETS
        for stages in range(2 if name == "ResNeXt" else 3)
    ],
)
def test_frozen_stages_stay_to_the_last_bit(resumes: bool, name: str, stages: int) -> None:
    done = trains(own_backbone(name, 0, frozen_stages=stages), resumes=resumes)
    frozen = (*STEM, *(f"layer{number}.*" for number in range(1, stages + 1)))
    assert_only_these_stay(done, tuple(f"backbone.{each}" for each in frozen))


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in OWN_BACKBONES])
def test_a_frozen_body_stays_to_the_last_bit(resumes: bool, name: str) -> None:
    if name == "TIMMBackbone":
        pytest.importorskip("timm")
    decay = {"policy.learn.weight_decay": 0.1, "policy.learn.freeze": {"patterns": "body"}}
    assert_only_these_stay(trains({**own_backbone(name, 0), **decay}, resumes=resumes), ("backbone.*",))


def test_all_own_backbones_that_freeze_are_asked() -> None:
    takes = {name for name in ours(BACKBONES) if issubclass(BACKBONES.get(name), BACKBONES.get("ResNet"))}
    assert takes == set(RESNETS)


@pytest.mark.parametrize(
    ("name", "mode"),
    [*((name, 0) for name in RESNETS), *(pytest.param(name, 3, marks=marks_of(name)) for name in LIBRARIES)],
)
def test_norm_eval_leaves_statistics_alone(resumes: bool, name: str, mode: int) -> None:
    if name == "TIMMBackbone":
        pytest.importorskip("timm")
    done = trains(own_backbone(name, mode, norm_eval=True), resumes=resumes)
    statistics = ("*.running_mean", "*.running_var", "*.num_batches_tracked")
    found = [each for each in done["after"] if any(fnmatchcase(each, kind) for kind in statistics)]
    assert len(found) >= 15
    assert all(torch.equal(done["after"][each], done["before"][each]) for each in found)


def assert_only_these_stay(done: dict[str, Any], patterns: tuple[str, ...]) -> None:
    """Check that tensors of these names are as before training, and every weight of another is not."""
    frozen = {name for name in done["after"] if any(fnmatchcase(name, each) for each in patterns)}
    moved = {name for name, each in done["after"].items() if not torch.equal(each, done["before"][name])}
    assert frozen
    assert moved & frozen == set()
    matrices = {name for name, each in done["after"].items() if each.dim() > 1} - frozen
    assert len(matrices & moved) > 0.9 * len(matrices)


# A pattern's frozen names, and what is looked at: the last update is in the second epoch.
FREEZES: dict[str, tuple[Changes, tuple[str, ...]]] = {
    "a module": ({"patterns": "backbone.norm"}, ("backbone.norm.*",)),
    "names": ({"patterns": ["backbone.stem.*", "head.fc.bias"]}, ("backbone.stem.*", "head.fc.bias")),
    "all but some": ({"patterns": "*", "keep": ["head.fc.weight"]}, ("backbone.*", "head.fc.bias")),
    "statistics that move": (
        {"patterns": "body", "norm_eval": False},
        ("backbone.stem.*", "backbone.norm.weight", "backbone.norm.bias"),
    ),
    "until an epoch": ({"patterns": "body", "until_epoch": 1}, ("backbone.*",)),
}


@pytest.mark.parametrize("name", FREEZES)
def test_what_is_frozen_by_name_stays_to_the_last_bit(resumes: bool, name: str) -> None:
    freeze, patterns = FREEZES[name]
    done = trains({"policy.learn.freeze": freeze}, resumes=resumes)
    if "until_epoch" in freeze:
        freed = done["after"]
        done["after"] = read_checkpoint("whole/ckpt/iteration_2.pth.tar")["model"]
        assert not torch.equal(freed["backbone.stem.weight"], done["after"]["backbone.stem.weight"])
    assert_only_these_stay(done, patterns)
    moves = not torch.equal(*(done[when]["backbone.norm.running_mean"] for when in ("before", "after")))
    assert moves == (name in ("names", "statistics that move"))


TINY = {"type": "TinyBackbone"}
OWN_NECKS: dict[str, list[Arguments]] = {
    "GlobalAveragePooling": [{}, {"dim": 2}],
    "GridAveragePooling": [{"grid": [1, 1]}],
    "GeneralizedMeanPooling": [{}, {"p": 1.5, "p_trainable": False}, {"p": 2, "eps": 1e-3, "clamp": True}],
    "HRFuseScales": [{"in_channels": [1, 2, 4, 8], "out_channels": 8, "norm_cfg": {"type": "BN"}}],
}


def test_every_neck_has_its_trials() -> None:
    assert set(OWN_NECKS) == ours(NECKS)
    assert (len(OWN_NECKS), len(modes_of(OWN_NECKS))) == (4, 7)


@pytest.mark.parametrize(("name", "mode"), modes_of(OWN_NECKS))
def test_a_neck(resumes: bool, name: str, mode: int) -> None:
    neck: Any = {"type": name, **OWN_NECKS[name][mode]}
    # What gives maps has one behind it that gives vectors.
    done = trains(network(TINY, 8, neck=[neck, GAP] if name == "HRFuseScales" else neck), resumes=resumes)
    if name == "GeneralizedMeanPooling":
        is_kept = torch.equal(done["before"]["neck.p"], done["after"]["neck.p"])
        assert is_kept == (mode == 1)


@BACKBONES.register_module()
class TwoMaps(TinyBackbone):
    """Gives two maps, as others give two tokens."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        (maps,) = super().forward(images)
        return maps, 2 * maps


SEVERAL = [[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [0, -1, 1, 0]] * 2
TASKS = [[0, 1, 2], [3, 3, 0], [1, 2, 3], [2, 0, 1]] * 2
SIGMOID = {"type": "CrossEntropyLoss", "use_sigmoid": True}
MAP = {"policy.eval.metric": {"type": "ClassificationMetrics", "metrics": ["mAP"]}}
WHOLE = {"policy.eval.metric": {"type": "ClassificationMetrics", "metrics": ["string_accuracy"]}}
# Arguments of each mode.
OWN_HEADS: dict[str, list[Arguments]] = {
    "ClsHead": [{}, {"loss": {"type": "FocalLoss"}, "topk": [1, 3], "cal_acc": True}],
    "LinearClsHead": [
        {},
        {"dropout": 0.5, "cal_acc": True, "topk": [1]},
        {"init_cfg": {"type": "Normal", "layer": "Linear", "std": 0.1, "bias": 0.2}},
        {"loss": {"type": "LabelSmoothLoss", "label_smooth_val": 0.1}},
    ],
    "StackedLinearClsHead": [
        {"mid_channels": [6]},
        {"mid_channels": [6, 5], "dropout_rate": 0.3, "norm_cfg": {"type": "BN1d"}},
        {"mid_channels": [6], "act_cfg": {"type": "HSwish"}, "norm_cfg": {"type": "BN"}},
        {"mid_channels": [], "act_cfg": None, "init_cfg": {"type": "Normal", "layer": "Linear"}},
    ],
    "VisionTransformerClsHead": [{}, {"hidden_dim": 6}, {"hidden_dim": 6, "act_cfg": {"type": "GELU"}}],
    "CosineClsHead": [{}, {"scale": 8.0, "num_subcenters": 3}],
    "ArcFaceClsHead": [
        {},
        {"scale": 8.0, "margins": 0.2, "easy_margin": True},
        {"scale": 8.0, "margins": [0.1, 0.2, 0.3, 0.4], "num_subcenters": 2},
    ],
    "MultiLabelClsHead": [{}, {"loss": {"type": "AsymmetricLoss"}}],
    "MultiLabelLinearClsHead": [
        {},
        {"loss": {"type": "FocalLoss"}, "init_cfg": {"type": "Normal", "layer": "Linear"}},
    ],
    "CSRAClsHead": [
        {},
        {"num_heads": 8, "lam": 0.3},
        {"num_heads": 2, "loss": SIGMOID, "init_cfg": {"type": "Normal", "layer": "Linear"}},
    ],
    "MultiTaskHead": [{"num_tasks": 3}, {"num_tasks": 3, "dropout": 0.3, "loss": {"type": "FocalLoss"}}],
    "LogSoftmaxHead": [{}, {"mid_channels": [6], "dropout_rate": 0.3}],
    "DeiTClsHead": [{}, {"hidden_dim": 6, "init_cfg": {"type": "Normal", "layer": "Linear"}}],
    "EfficientFormerClsHead": [{}, {"distillation": False, "loss": {"type": "FocalLoss"}}],
}
# These have no layer: a layer's channels are the classes.
BARE = ("ClsHead", "MultiLabelClsHead")


def head_trial(name: str, mode: int) -> Changes:
    arguments = OWN_HEADS[name][mode]
    backbone = {"type": "TwoMaps"} if name == "DeiTClsHead" else TINY
    changes = network(backbone, 8, neck=None if name == "CSRAClsHead" else GAP, head=name, **arguments)
    if name in BARE:
        changes["policy.model"]["head"] = {"type": name, **arguments}
        changes["policy.model"]["backbone"] = {**SMALL, "type": "ResNet", "out_indices": [0]}
        changes["policy.model"]["num_classes"] = CLASSES
    if name.startswith(("MultiLabel", "CSRA")):
        return {**changes, **MAP, **arrays(SEVERAL)}
    if name == "MultiTaskHead":
        return {**changes, **WHOLE, **arrays(TASKS)}
    return changes


def test_every_head_has_its_trials() -> None:
    assert set(OWN_HEADS) == ours(HEADS)
    assert (len(OWN_HEADS), len(modes_of(OWN_HEADS))) == (13, 33)


@pytest.mark.parametrize(("name", "mode"), modes_of(OWN_HEADS))
def test_a_head(resumes: bool, name: str, mode: int) -> None:
    trains(head_trial(name, mode), resumes=resumes)


def test_one_head_is_refused_where_a_label_is_several() -> None:
    changes = {**network(TINY, 8), **arrays(TASKS)}
    with pytest.raises(ConfigError, match=r"set policy\.model\.head=.*MultiTaskHead") as refused:
        run("run", changes)
    assert "\n" not in str(refused.value)


CLASSIFIER_MODES: dict[str, list[Changes]] = {
    "ImageClassifier": [
        network(TINY, 8),
        network({"type": "LeNet5", "in_channels": 3}, 120),
    ]
}


def test_every_classifier_has_its_trials() -> None:
    assert set(CLASSIFIER_MODES) == ours(CLASSIFIERS)
    assert len(modes_of(CLASSIFIER_MODES)) == 2


NORMAL = {"type": "Normal", "layer": "Conv2d", "std": 0.2}
# Of the whole network; its layers are Conv2d, BatchNorm2d and Linear.
INITIAL: dict[str, list[Any]] = {
    "Constant": [{"type": "Constant", "layer": "BatchNorm2d", "val": 0.5, "bias": 0.1}],
    "Normal": [{**NORMAL, "mean": 0.1, "bias": 0.3}, [NORMAL, {**NORMAL, "layer": "Linear"}]],
    "TruncNormal": [{"type": "TruncNormal", "layer": ["Conv2d", "Linear"], "std": 0.3, "a": -0.5, "b": 0.5}],
    "Uniform": [{"type": "Uniform", "layer": "Linear", "a": -0.2, "b": 0.2}],
    "Xavier": [
        {"type": "Xavier", "layer": "Conv2d", "gain": 2.0, "distribution": "uniform"},
        {"type": "Xavier", "layer": "Linear", "distribution": "normal"},
    ],
    "Kaiming": [
        {"type": "Kaiming", "layer": ["Conv2d", "_BatchNorm"], "distribution": "uniform"},
        {"type": "Kaiming", "layer": "Linear", "a": 0.1, "mode": "fan_in", "nonlinearity": "leaky_relu"},
    ],
    "Pretrained": [{"type": "Pretrained", "checkpoint": "whole.pth"}],
}


def test_every_initialiser_has_its_trials() -> None:
    assert set(INITIAL) == {*initialisers._KINDS, initialisers.PRETRAINED}
    assert (len(INITIAL), len(modes_of(INITIAL))) == (7, 10)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights that training begins with where nothing is asked for."""
    folder = str(tmp_path_factory.mktemp("plain") / "run")
    run(folder)
    weights: dict[str, torch.Tensor] = read_checkpoint(f"{folder}/ckpt/iteration_0.pth.tar")["model"]
    return weights


@pytest.mark.parametrize(("name", "mode"), modes_of(INITIAL))
def test_an_initialiser(resumes: bool, plain: dict[str, torch.Tensor], name: str, mode: int) -> None:
    save_weights()
    described = {**PARTS, "init_cfg": INITIAL[name][mode]}
    begins = trains({"policy.model": described}, resumes=resumes)["before"]
    assert any(not torch.equal(value, plain[key]) for key, value in begins.items())


def save_weights() -> dict[str, torch.Tensor]:
    """Write the weights of a network of ``PARTS``, and the same under a prefix; return them."""
    weights: dict[str, torch.Tensor] = build_classifier(PARTS).state_dict()
    torch.save(weights, "whole.pth")
    torch.save({f"inner.{name}": value for name, value in weights.items()}, "inner.pth")
    return weights


FILE = {"type": "Pretrained", "checkpoint": "inner.pth"}
CONSTANT = {"type": "Constant", "bias": 0.0}
LINEAR = {"type": "Normal", "layer": "Linear", "std": 0.3}
PARTS: Changes = network(TINY, 8)["policy.model"]
# What an init_cfg of a part, or a key of policy.model, looks like; every one changes the first weights.
MODEL_KEYS: dict[str, list[Arguments]] = {
    "type": [{**PARTS}],
    "backbone": [
        {**PARTS, "backbone": {**TINY, "init_cfg": NORMAL}},
        {**PARTS, "backbone": {**TINY, "init_cfg": {**FILE, "prefix": "inner.backbone"}}},
    ],
    "neck": [
        {**PARTS, "neck": {"type": "GeneralizedMeanPooling", "init_cfg": {"type": "Constant", "bias": 0.0}}}
    ],
    "head": [{**PARTS, "head": {**PARTS["head"], "init_cfg": {**FILE, "prefix": "inner.head"}}}],
    "init_cfg": [{**PARTS, "init_cfg": [LINEAR, NORMAL]}],
    "name": [{"name": "lenet5"}],
    "num_classes": [{"name": "lenet5", "num_classes": CLASSES}, {**PARTS, "num_classes": CLASSES}],
    "pretrained": [{**PARTS, "pretrained": "whole.pth"}, {**PARTS, "pretrained": False}],
    "dropout": [{"name": "lenet5", "dropout": 0.5}],
    "in_channels": [{"name": "lenet5", "in_channels": 1}],
}


def test_every_key_of_a_network_has_its_trials() -> None:
    assert len(MODEL_KEYS) == 10
    assert len(modes_of(MODEL_KEYS)) == 13


@pytest.mark.parametrize(("key", "mode"), modes_of(MODEL_KEYS))
def test_a_key_of_a_network(resumes: bool, key: str, mode: int) -> None:
    save_weights()
    model = MODEL_KEYS[key][mode]
    assert key in model
    changes = {"policy.model": model, **(pictures_of(32) if "name" in model else {})}
    trains({**changes, **({} if "num_classes" in model else arrays(size_px=32))}, resumes=resumes)


def test_weights_of_a_file_are_those_training_begins_with(resumes: bool) -> None:
    weights = save_weights()
    done = trains({"policy.model": {**PARTS, "pretrained": "whole.pth"}}, resumes=resumes)
    assert_same(dict(done["before"]), dict(weights), where="before")
