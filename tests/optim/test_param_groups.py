"""Groups of parameters: who shares one, and each group's exact rate and decay, computed by hand."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from ding_cls.errors import ConfigError
from ding_cls.optim import (
    OPTIMIZER_BUILDERS,
    DefaultOptimizerConstructor,
    LearningRate,
    LrScheduler,
    build_optimizer,
)

LR, DECAY = 0.5, 0.25


class Network(nn.Module):
    """One of each kind that the rules tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.stem = nn.Conv2d(4, 6, 1)
        self.bn = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 1, groups=6)
        self.grouped = nn.Conv2d(6, 6, 1, groups=3)
        self.block = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6, bias=False))
        self.frozen = nn.Linear(6, 6).requires_grad_(False)


def settings(paramwise: dict[str, Any] | None, **cfg: Any) -> dict[str, tuple[float, float, float]]:
    """Return learning rate, its factor and weight decay of each parameter by name."""
    model = Network()
    optimizer = build_optimizer(
        model, {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": paramwise, **cfg}
    )
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {
        names[parameter]: (group["lr"], group.get("lr_mult", 1), group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert len(found) == sum(len(group["params"]) for group in optimizer.param_groups)
    return found


def all_but(changed: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, float, float]]:
    names = [name for name, each in Network().named_parameters() if each.requires_grad]
    assert len(names) == 14
    assert {*changed} <= {*names}
    return {name: changed.get(name, (LR, 1, DECAY)) for name in names}


@pytest.mark.parametrize("paramwise", [None, {}])
def test_without_settings_there_is_one_group_as_torch_makes_it(paramwise: dict[str, Any] | None) -> None:
    model = Network()
    cfg = {"type": "SGD", "lr": LR, "momentum": 0.9, "paramwise_cfg": paramwise}
    (group,) = build_optimizer(model, cfg).param_groups
    (expected,) = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9).param_groups
    assert group.keys() == expected.keys()
    trainable = [each for each in model.parameters() if each.requires_grad]
    assert [id(each) for each in group["params"]] == [id(each) for each in trainable]
    assert len(trainable) == 14


@pytest.mark.parametrize(
    ("paramwise", "changed"),
    [
        (
            {"norm_decay_mult": 0.0},
            {
                "bn.weight": (0.5, 1, 0.0),
                "bn.bias": (0.5, 1, 0.0),
                "block.1.weight": (0.5, 1, 0.0),
                "block.1.bias": (0.5, 1, 0.0),
            },
        ),
        (
            {"bias_lr_mult": 2, "bias_decay_mult": 0.5},
            {
                "stem.bias": (1.0, 2, 0.125),
                # The decay of a depthwise convolution's bias is dwconv_decay_mult's.
                "depthwise.bias": (1.0, 2, 0.25),
                "grouped.bias": (1.0, 2, 0.125),
                "block.0.bias": (1.0, 2, 0.125),
            },
        ),
        (
            {"dwconv_decay_mult": 0.0},
            {"depthwise.weight": (0.5, 1, 0.0), "depthwise.bias": (0.5, 1, 0.0)},
        ),
        (
            {
                "norm_decay_mult": 4,
                "bias_decay_mult": 0,
                "dwconv_decay_mult": 2,
                "custom_keys": {
                    "block": {"lr_mult": 0.1},
                    # Longer, so it goes before 'block'.
                    "block.1": {"decay_mult": 8},
                    ".scale": {"lr_mult": 3, "decay_mult": 0},
                    "wise.w": {},
                },
            },
            {
                "scale": (1.5, 3, 0.0),
                "stem.bias": (0.5, 1, 0.0),
                "bn.weight": (0.5, 1, 1.0),
                "bn.bias": (0.5, 1, 1.0),
                "depthwise.bias": (0.5, 1, 0.5),
                "grouped.bias": (0.5, 1, 0.0),
                # Of the other settings none applies where a custom key does.
                "block.0.weight": (0.05, 0.1, 0.25),
                "block.0.bias": (0.05, 0.1, 0.25),
                "block.1.weight": (0.5, 1, 2.0),
                "block.1.bias": (0.5, 1, 2.0),
                "block.2.weight": (0.05, 0.1, 0.25),
            },
        ),
        # Of keys of the same length the alphabetically first holds; the order of writing does not matter.
        (
            {"custom_keys": {"tem.we": {"lr_mult": 2}, "stem.w": {"lr_mult": 4}}},
            {"stem.weight": (2.0, 4, 0.25)},
        ),
        ({"custom_keys": {"nowhere": {"lr_mult": 2}}}, {}),
    ],
)
def test_settings_by_hand(paramwise: dict[str, Any], changed: dict[str, tuple[float, float, float]]) -> None:
    assert settings(paramwise) == all_but(changed)


def test_a_custom_key_without_effect_is_told(caplog: pytest.LogCaptureFixture) -> None:
    # '.scale' is found although nothing stands before the name; 'frozen' although it is not trained.
    keys = ("stem", "steem", ".scale", "scale.", "frozen", "block.0", ".block")
    settings({"custom_keys": {key: {"lr_mult": 2.0} for key in keys}})
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition(" is part of no parameter's name")[0] for line in told] == [
        f"paramwise_cfg.custom_keys['{key}']" for key in (".block", "scale.", "steem")
    ]
    assert "names are such as scale, stem.weight, stem.bias, " in told[0]


def test_names_of_mmclassifications_transformers_find_torchvisions(caplog: pytest.LogCaptureFixture) -> None:
    model = nn.ModuleDict({"backbone": models.VisionTransformer(8, 4, 1, 1, 4, 4)})
    keys = {".backbone.cls_token": {"decay_mult": 0.0}, ".backbone.pos_embed": {"decay_mult": 0.0}}
    cfg = {"type": "AdamW", "lr": LR, "weight_decay": DECAY}
    groups = build_optimizer(
        model, {**cfg, "paramwise_cfg": {"custom_keys": keys, "bias_decay_mult": 0.5, "norm_decay_mult": 1.0}}
    ).param_groups
    decays = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    by_name = {name: decays[parameter] for name, parameter in model.named_parameters()}
    assert {name for name, decay in by_name.items() if decay == 0} == {
        "backbone.class_token",
        "backbone.encoder.pos_embedding",
    }
    halved = {name for name, decay in by_name.items() if decay == DECAY / 2}
    assert "backbone.encoder.layers.encoder_layer_0.self_attention.in_proj_bias" in halved
    assert all(name.endswith("bias") for name in halved)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_the_same_settings_share_a_group() -> None:
    model = Network()
    cfg = {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": {"norm_decay_mult": 0.0}}
    groups = build_optimizer(model, cfg).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(10, DECAY), (4, 0.0)]
    assert groups[0]["params"][0] is model.scale


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(2), nn.InstanceNorm2d(2, affine=True), nn.GroupNorm(1, 2), nn.RMSNorm(2)]
)
def test_every_normalization_counts_as_one(norm: nn.Module) -> None:
    cfg = {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": {"norm_decay_mult": 0.0}}
    assert [group["weight_decay"] for group in build_optimizer(norm, cfg).param_groups] == [0.0]


def test_two_steps_with_groups_by_hand() -> None:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(1.0)
    paramwise = {"bias_lr_mult": 2.0, "bias_decay_mult": 0.0}
    optimizer = build_optimizer(
        model, {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": paramwise}
    )
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    # w: 2 - 0.5 (1 + 0.25 * 2) = 1.25; 1.25 - 0.5 (1 + 0.3125) = 0.59375. b: 1 - 1 - 1.
    assert (model.weight.item(), model.bias.item()) == (0.59375, -1.0)


def shared() -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    return model


def test_a_shared_parameter_is_an_error_or_counts_once() -> None:
    cfg = {"type": "SGD", "lr": LR}
    custom = {"custom_keys": {"1.weight": {"lr_mult": 2.0}}}
    with pytest.raises(
        ConfigError, match=r"'1\.weight' belongs to another module too.*bypass_duplicate=True"
    ):
        build_optimizer(shared(), {**cfg, "paramwise_cfg": custom})
    (group,) = build_optimizer(
        shared(), {**cfg, "paramwise_cfg": {**custom, "bypass_duplicate": True}}
    ).param_groups
    assert (group["lr"], len(group["params"])) == (LR, 1)
    (group,) = build_optimizer(shared(), cfg).param_groups
    assert len(group["params"]) == 1


@pytest.mark.parametrize("paramwise", [None, {"norm_decay_mult": 0.0}])
@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_nothing_to_train_is_an_error(model: nn.Module, paramwise: dict[str, Any] | None) -> None:
    with pytest.raises(ConfigError, match="has no trainable parameters"):
        build_optimizer(model, {"type": "SGD", "lr": 0.1, "weight_decay": 0.1, "paramwise_cfg": paramwise})


@pytest.mark.parametrize(
    ("paramwise", "cfg", "expected"),
    [
        ({"norm_decay": 0}, {}, "paramwise_cfg has no setting 'norm_decay'; did you mean 'norm_decay_mult'"),
        ({"dcn_offset_lr_mult": 0}, {}, "paramwise_cfg has no setting 'dcn_offset_lr_mult'"),
        ([1], {}, r"paramwise_cfg=\[1\] is not a dict"),
        ({"custom_keys": ["a"]}, {}, r"paramwise_cfg.custom_keys=\['a'\] is not a dict"),
        ({"custom_keys": {"a": 0.1}}, {}, r"paramwise_cfg.custom_keys\['a'\]=0.1 is not a dict"),
        (
            {"custom_keys": {"a": {"lr": 0.1}}},
            {},
            r"custom_keys\['a'\] has no setting 'lr'; it takes: lr_mult, ",
        ),
        ({"custom_keys": {"a": {"lr_mult": "2"}}}, {}, r"\['a'\].lr_mult='2' is not a number from 0 on"),
        ({"bias_lr_mult": -1}, {}, "paramwise_cfg.bias_lr_mult=-1 is not a number from 0 on"),
        (
            {"norm_decay_mult": 0},
            {"weight_decay": None},
            "norm_decay_mult multiplies the optimizer's weight_d",
        ),
        (
            {"custom_keys": {"a": {"decay_mult": 0}}},
            {"weight_decay": None},
            r"custom_keys\['a'\].decay_mult multiplies the optimizer's weight_decay, which is not set",
        ),
        ({"bias_lr_mult": 2}, {"lr": None}, "bias_lr_mult multiplies the optimizer's lr, which is not set"),
    ],
)
def test_unusable_settings_are_named(paramwise: Any, cfg: dict[str, Any], expected: str) -> None:
    given = {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": paramwise, **cfg}
    with pytest.raises(ConfigError, match=expected):
        build_optimizer(Network(), {name: value for name, value in given.items() if value is not None})


def test_what_describes_the_optimizer_stays_as_it_is() -> None:
    cfg = {"type": "SGD", "lr": LR, "weight_decay": DECAY, "paramwise_cfg": {"custom_keys": {"a": {}}}}
    before = repr(cfg)
    build_optimizer(Network(), cfg)
    assert repr(cfg) == before


# A user's constructor


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(OPTIMIZER_BUILDERS, "_parts", dict(OPTIMIZER_BUILDERS._parts))

    @OPTIMIZER_BUILDERS.register_module()
    class HalvingConstructor:
        """Halves the rate from one parameter to the next."""

        def __init__(
            self, optimizer_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
        ) -> None:
            self.lr = optimizer_cfg["lr"]
            self.factor = (paramwise_cfg or {}).get("factor", 0.5)

        def __call__(self, model: nn.Module) -> torch.optim.Optimizer:
            groups = [
                {"params": [each], "lr": self.lr * self.factor**number}
                for number, each in enumerate(model.parameters())
            ]
            groups[-1]["lr_mult"] = 7.0
            return torch.optim.Adam(groups)

    return "HalvingConstructor"


def test_a_users_groups_keep_their_ratio_under_a_schedule(halving: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = build_optimizer(model, {"type": "Adam", "lr": 0.25, "constructor": halving})
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.125, 0.0625, 0.03125]
    # A factor that the group brings itself stays.
    assert [group["lr_mult"] for group in optimizer.param_groups] == [1.0, 0.5, 0.25, 7.0]
    schedule = LearningRate("step", decay_epoch=1, decay_rate=0.5)
    scheduler = LrScheduler(schedule, optimizer, base_lr=0.25, max_epochs=3, updates_per_epoch=1)
    scheduler.apply(2)
    assert scheduler.get_last_lr() == [0.0625, 0.03125, 0.015625, 0.4375]


def test_a_users_single_group_keeps_its_ratio() -> None:
    model = nn.Linear(2, 2, bias=False)
    cfg = {"type": "Adam", "lr": 0.25, "constructor": lambda optimizer_cfg, paramwise_cfg: build_at_half}
    (group,) = build_optimizer(model, cfg).param_groups
    assert (group["lr"], group["lr_mult"]) == (0.125, 0.5)


def build_at_half(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.125)


def test_its_own_settings_reach_a_users_constructor(halving: str) -> None:
    cfg = {"type": "Adam", "lr": 1.0, "constructor": halving, "paramwise_cfg": {"factor": 0.1}}
    assert build_optimizer(nn.Linear(2, 2), cfg).param_groups[1]["lr"] == 0.1


def test_the_default_constructor_works_by_itself() -> None:
    model = nn.Linear(2, 2)
    optimizer = DefaultOptimizerConstructor({"type": "RMSprop", "lr": 0.5}, {"bias_lr_mult": 2})(model)
    assert type(optimizer) is torch.optim.RMSprop
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1.0]
