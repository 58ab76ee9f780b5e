"""What is frozen stays as it is to the last bit, whatever the optimizer; what is freed is trained."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.config.defaults import POLICY, defaults
from ding_cls.config.merge import to_easydict
from ding_cls.errors import ConfigError
from ding_cls.models import ImageClassifier, LinearClsHead, build_model
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.freezing import Freezing
from tests.conftest import TinyNet
from tests.harness import TinyBackbone, outcome, run_tiny

BATCH = [
    torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1)),
    torch.tensor([0, 1, 2, 3, 0, 1]),
]


def policy_of(network: nn.Module, **learn: Any) -> ImageClassificationPolicy:
    cfg = defaults(POLICY)
    cfg["cuda"] = False
    cfg["multi_gpu"] = False
    cfg["learn"] |= {
        "learning_rate": 0.1,
        "warmup_epoch": 0,
        "weight_decay": 0.1,
        "label_smoothing": 0.1,
        **learn,
    }
    return ImageClassificationPolicy(to_easydict(cfg), model=network)


def snapshot(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in network.state_dict().items()}


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, each in network.state_dict().items() if not torch.equal(each, before[name])}


HEAD = {"head.weight", "head.bias"}
NORM = {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
STEM = {"stem.weight", "stem.bias"}


@pytest.mark.parametrize(
    "optimizer", [{"type": "SGD"}, {"type": "AdamW"}, {"type": "RMSprop", "momentum": 0.9}]
)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ({}, HEAD),
        ({"patterns": "body"}, HEAD),
        ({"patterns": ["stem", "norm"]}, HEAD),
        ({"patterns": "*", "keep": ["head.*"]}, HEAD),
        ({"patterns": ["stem.weight"]}, HEAD | NORM | {"stem.bias"}),
        ({"patterns": "n*"}, HEAD | STEM),
        ({"patterns": ["stem", "norm"], "norm_eval": False}, HEAD | {name for name in NORM if "_" in name}),
    ],
)
def test_what_is_frozen_stays_to_the_last_bit(
    tiny_net: TinyNet, optimizer: dict[str, Any], precision: str, freeze: dict[str, Any], trained: set[str]
) -> None:
    policy = policy_of(tiny_net, optimizer=optimizer, precision=precision, freeze=freeze)
    before = snapshot(tiny_net)
    for _ in range(3):
        policy.learn_mode.forward(BATCH)
        policy.eval_mode.forward(BATCH)
    assert changed(tiny_net, before) == trained


@pytest.mark.parametrize(
    "learn",
    [
        {"ema": {"decay": 0.5}},
        {"swa": {"start_epoch": 0}},
        {"sam": {}},
        {"grad_clip": {"max_norm": 0.1}},
        {"accumulation_steps": 3},
        {"channels_last": True},
        {"precision": "bf16"},
        {"optimizer": {"type": "LARS"}},
        {"optimizer": {"type": "ScheduleFreeSGD"}},
        {"optimizer": {"type": "timm/Lamb"}},
    ],
    ids=str,
)
def test_what_is_frozen_stays_whatever_else_is_on(tiny_net: TinyNet, learn: dict[str, Any]) -> None:
    policy = policy_of(tiny_net, freeze={"patterns": "body"}, **learn)
    policy.learn_mode.set_attribute("updates_per_epoch", 1)
    before = snapshot(tiny_net)
    for _ in range(3):
        policy.learn_mode.forward(BATCH)
        policy.learn_mode.get_attribute("recompute_statistics")([BATCH, BATCH])
        policy.eval_mode.forward(BATCH)
    assert changed(tiny_net, before) == HEAD
    assert changed(policy.eval_mode.get_attribute("eval_model"), before) == HEAD


def test_statistics_are_computed_anew_once_their_layer_is_freed(tiny_net: TinyNet) -> None:
    policy = policy_of(tiny_net, freeze={"until_epoch": 1}, learning_rate=0.0)
    policy.learn_mode.set_attribute("updates_per_epoch", 1)
    before = snapshot(tiny_net)
    policy.learn_mode.forward(BATCH)
    policy.learn_mode.get_attribute("recompute_statistics")([BATCH])
    assert changed(tiny_net, before) == set()
    policy.learn_mode.forward(BATCH)
    policy.learn_mode.get_attribute("recompute_statistics")([BATCH])
    maps = tiny_net.stem(BATCH[0]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(tiny_net.norm.running_mean, maps.mean(1))
    torch.testing.assert_close(tiny_net.norm.running_var, maps.var(1))


def test_freed_at_its_epoch_all_is_trained(tiny_net: TinyNet) -> None:
    policy = policy_of(tiny_net, freeze={"until_epoch": 2})
    policy.learn_mode.set_attribute("updates_per_epoch", 2)
    before = snapshot(tiny_net)
    for update in range(5):
        policy.learn_mode.forward(BATCH)
        assert changed(tiny_net, before) == (HEAD if update < 4 else HEAD | NORM | STEM), update
    assert tiny_net.norm.training
    assert tiny_net.drop.training


def test_momentum_begins_when_a_layer_is_freed(tiny_net: TinyNet) -> None:
    alone = copy.deepcopy(tiny_net)
    policy = policy_of(tiny_net, freeze={"patterns": ["stem"], "until_epoch": 1})
    policy.learn_mode.set_attribute("updates_per_epoch", 2)
    for _ in range(2):
        policy.learn_mode.forward(BATCH)
    state = policy.learn_mode.state_dict()["optimizer"]["state"]
    assert set(state) == {2, 3, 4, 5}
    assert torch.equal(tiny_net.stem.weight, alone.stem.weight)
    policy.learn_mode.forward(BATCH)
    assert set(policy.learn_mode.state_dict()["optimizer"]["state"]) == set(range(6))


def test_epochs_of_a_loop_of_ones_own_are_counted_by_its_steps(tiny_net: TinyNet) -> None:
    policy = policy_of(tiny_net, freeze_nonlinear_epoch=1)
    before = snapshot(tiny_net)
    policy.learn_mode.forward(BATCH)
    assert changed(tiny_net, before) == HEAD
    policy.learn_mode.get_attribute("lr_scheduler").step()
    policy.learn_mode.forward(BATCH)
    assert changed(tiny_net, before) == HEAD | NORM | STEM


def test_a_network_of_parts_keeps_its_head() -> None:
    network = ImageClassifier(TinyBackbone(), {"type": "GlobalAveragePooling"}, LinearClsHead(4, 8))
    policy = policy_of(network, label_smoothing=0.0, freeze={"patterns": "body"})
    before = snapshot(network)
    policy.learn_mode.forward(BATCH)
    assert changed(network, before) == {"head.fc.weight", "head.fc.bias"}


def test_what_the_backbone_freezes_itself_stays_frozen_when_the_rest_is_freed() -> None:
    backbone = {"type": "ResNet", "depth": 18, "frozen_stages": 1, "norm_eval": True}
    network = ImageClassifier(backbone, {"type": "GlobalAveragePooling"}, LinearClsHead(4, 512))
    freezing = Freezing(until_epoch=1)
    freezing.attach(network)
    assert not any(each.requires_grad for each in network.backbone.parameters())
    assert freezing.update(1)
    assert not network.backbone.conv1.weight.requires_grad
    assert not network.backbone.layer1[0].conv1.weight.requires_grad
    assert network.backbone.layer2[0].conv1.weight.requires_grad
    assert not network.backbone.layer2[0].bn1.training
    assert not freezing.update(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patterns": "stm"},
            "the pattern 'stm', which fits none of the network's 9 names, such as stem.weight",
        ),
        ({"patterns": "*"}, "leaves no parameter to train; name some in its 'keep'"),
        ({"patterns": []}, "patterns=\\[\\]; it must be a name"),
        ({"keep": [3]}, "keep=\\[3\\]; it must be a name"),
        ({"until_epoch": -1}, "until_epoch=-1; it must be a number of epochs"),
        ({"until_epoch": True}, "until_epoch=True; it must be a number of epochs"),
        ({"layers": 3}, "policy.learn.freeze 'Freezing' has no argument 'layers'"),
    ],
)
def test_what_cannot_be_frozen_is_named(tiny_net: TinyNet, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        policy_of(tiny_net, freeze=arguments)


def test_two_ways_to_say_it_are_one_too_many(tiny_net: TinyNet) -> None:
    with pytest.raises(ConfigError, match=r"epoch is 2, and policy\.learn\.freeze is set too"):
        policy_of(tiny_net, freeze={}, freeze_nonlinear_epoch=2)


def test_the_last_layer_of_any_network_is_the_head() -> None:
    network = build_model("squeezenet1_1", num_classes=4)
    Freezing().attach(network)
    assert [name for name, each in network.named_parameters() if each.requires_grad] == [
        "classifier.1.weight",
        "classifier.1.bias",
    ]


def test_a_run_frees_the_body_in_its_second_epoch(picture_folder: Path, workdir: Path) -> None:
    settings = (
        "policy.learn.learner.dataloader.num_workers=0",
        "policy.learn.learner.hook.save_ckpt_after_iter=1",
    )
    run_tiny(picture_folder, "frozen", *settings, "policy.learn.freeze_nonlinear_epoch=1")
    assert outcome("frozen")["rows"]
    states = {}
    for update in (1, 5, 6):
        file = Path("frozen", "ckpt", f"iteration_{update}.pth.tar")
        states[update] = torch.load(file, weights_only=True)["model"]
    assert torch.equal(states[1]["stem.weight"], states[5]["stem.weight"])
    assert torch.equal(states[1]["norm.running_mean"], states[5]["norm.running_mean"])
    assert not torch.equal(states[1]["head.weight"], states[5]["head.weight"])
    assert not torch.equal(states[5]["stem.weight"], states[6]["stem.weight"])
