"""Which optimizer and which learning rate a policy makes of its section ``learn``."""

from typing import Any

import pytest
import torch
from easydict import EasyDict
from torch import nn
from torch.optim import SGD

from ding_cls.config.defaults import POLICY, defaults
from ding_cls.config.merge import deep_merge_dicts
from ding_cls.errors import ConfigError
from ding_cls.optim import OPTIMIZERS
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy import optimizer as optimization
from ding_cls.policy.optimizer import build_lr_scheduler, build_optimizer, clear_gradients


def learn(**changes: Any) -> EasyDict:
    return EasyDict(deep_merge_dicts(defaults(POLICY)["learn"], changes))


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def settings_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]


def test_by_default_it_is_torchs_sgd_with_the_scalars() -> None:
    model = network()
    optimizer = build_optimizer(model, learn())
    expected = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=False)
    assert type(optimizer) is torch.optim.SGD
    assert settings_of(optimizer) == settings_of(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nesterov": True, "momentum": 0.5}, {"nesterov": True, "momentum": 0.5, "weight_decay": 1e-4}),
        ({"weight_decay": None}, {"weight_decay": 0}),
        ({"optimizer": {"dampening": 0.25}}, {"dampening": 0.25, "momentum": 0.9}),
        ({"optimizer": {"type": "AdamW"}}, {"lr": 0.01, "weight_decay": 1e-4, "betas": (0.9, 0.999)}),
        ({"optimizer": {"type": "AdamW"}, "weight_decay": None}, {"weight_decay": 0.01}),
        ({"optimizer": {"type": "AdamW", "betas": (0.5, 0.9)}}, {"betas": (0.5, 0.9)}),
        # The scalars momentum and nesterov are SGD's.
        ({"optimizer": {"type": "RMSprop"}}, {"momentum": 0, "weight_decay": 1e-4}),
        ({"optimizer": {"type": "RMSprop", "momentum": 0.5}}, {"momentum": 0.5}),
        ({"optimizer": {"type": "Rprop"}, "weight_decay": None}, {"etas": (0.5, 1.2)}),
        ({"optimizer": {"type": "Rprop"}, "weight_decay": 0.0}, {"etas": (0.5, 1.2)}),
        ({"optimizer": {"type": torch.optim.Adam}}, {"betas": (0.9, 0.999)}),
    ],
)
def test_scalars_and_arguments_arrive(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    (group,) = settings_of(build_optimizer(network(), learn(**changes)))
    assert {name: group[name] for name in expected} == expected


def test_groups_follow_paramwise_cfg() -> None:
    changes = {"optimizer": {"paramwise_cfg": {"norm_decay_mult": 0.0, "bias_lr_mult": 2.0}}}
    groups = settings_of(build_optimizer(network(), learn(**changes, learning_rate=0.5)))
    found = [(group["lr"], group["lr_mult"], group["weight_decay"], group["momentum"]) for group in groups]
    assert found == [(0.5, 1.0, 1e-4, 0.9), (1.0, 2.0, 1e-4, 0.9), (0.5, 1.0, 0.0, 0.9)]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ({"lr": 0.3}, r"optimizer has lr=0\.3, and policy\.learn\.learning_rate is the same: set policy"),
        ({"weight_decay": 0}, r"has weight_decay=0, and policy\.learn\.weight_decay is the same"),
        ({"momentum": 0.8}, r"has momentum=0\.8, and policy\.learn\.momentum is the same"),
        (
            {"type": "Rprop"},
            r"'Rprop' has no weight_decay, and .* is 0\.0001; set policy\.learn\.weight_decay=None",
        ),
        ({"type": "Adma"}, "there is no optimizer named 'Adma'; did you mean Adam"),
        ({"type": 5}, "the type of an optimizer is a name or a class, not 5"),
        ({"type": "Adam", "beta": 0.5}, "optimizer 'Adam' has no argument 'beta'; did you mean 'betas'"),
    ],
)
def test_what_cannot_be_used_is_named(optimizer: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_optimizer(network(), learn(optimizer=optimizer))


def test_a_users_class_named_sgd_gets_the_scalars_and_one_of_another_name_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OPTIMIZERS, "_parts", {})

    @OPTIMIZERS.register_module()
    class HeavyBall(torch.optim.SGD):
        def __init__(self, params: Any, lr: float, momentum: float) -> None:
            super().__init__(params, lr=lr, momentum=momentum)

    cfg = learn(optimizer={"type": "HeavyBall", "momentum": 0.6}, momentum=0.75, weight_decay=None)
    (group,) = settings_of(build_optimizer(network(), cfg))
    assert (group["lr"], group["momentum"]) == (0.01, 0.6)
    OPTIMIZERS.register("SGD")(HeavyBall)
    cfg = learn(optimizer={"type": "SGD"}, momentum=0.75, weight_decay=None)
    (group,) = settings_of(build_optimizer(network(), cfg))
    assert (group["lr"], group["momentum"]) == (0.01, 0.75)


def rates(cfg: EasyDict, updates_per_epoch: int = 4) -> list[float]:
    scheduler = build_lr_scheduler(build_optimizer(network(), cfg), cfg)
    scheduler.updates_per_epoch = updates_per_epoch
    return [scheduler.apply(train_iter) for train_iter in range(updates_per_epoch * cfg.train_epoch)]


def test_a_native_schedule_reads_the_scalars() -> None:
    cfg = learn(
        train_epoch=4, learning_rate=0.5, warmup_lr=0.1, warmup_epoch=1, decay_epoch=2, decay_rate=0.1
    )
    assert rates(cfg) == pytest.approx([0.1, 0.2, 0.3, 0.4, *[0.5] * 4, *[0.05] * 8], rel=1e-12)
    assert rates(learn(train_epoch=2, lr_schedule="constant", warmup_epoch=0)) == [0.01] * 8
    cosine = learn(train_epoch=2, lr_schedule="cosine", learning_rate=0.5, warmup_epoch=0, min_lr=0.1)
    assert rates(cosine, 1) == pytest.approx([0.5, 0.3], rel=1e-12)


def test_a_schedule_by_name_reads_its_own_arguments_only() -> None:
    schedule = {"type": "Step", "step": [1, 3], "gamma": 0.5, "warmup": "linear", "warmup_iters": 2}
    cfg = learn(train_epoch=4, learning_rate=0.5, lr_schedule=schedule, decay_epoch=1, warmup_epoch=3)
    expected = [0.05, 0.275, 0.5, 0.5, *[0.25] * 8, *[0.125] * 4]
    assert rates(cfg) == pytest.approx(expected, rel=1e-12)


def test_groups_keep_their_share_under_a_schedule() -> None:
    cfg = learn(
        train_epoch=2,
        learning_rate=0.5,
        optimizer={"type": "AdamW", "paramwise_cfg": {"custom_keys": {"0.": {"lr_mult": 0.1}}}},
        lr_schedule={"type": "LinearAnnealing", "min_lr_ratio": 0.5, "by_epoch": False},
    )
    scheduler = build_lr_scheduler(build_optimizer(network(), cfg), cfg)
    scheduler.updates_per_epoch = 5
    assert scheduler.apply(4) == pytest.approx(0.4, rel=1e-12)
    assert scheduler.get_last_lr() == pytest.approx([0.04, 0.4], rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"type": "Stepp", "step": 1}, "there is no schedule named 'Stepp'; did you mean Step"),
        ({"type": "Step"}, "schedule 'Step' lacks the argument 'step'"),
        ({"type": "Fixed", "warmup": "linear"}, "warmup_iters=0 is not allowed"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_named(schedule: dict[str, Any], expected: str) -> None:
    cfg = learn(lr_schedule=schedule)
    with pytest.raises(ConfigError, match=expected):
        build_lr_scheduler(build_optimizer(network(), cfg), cfg)


@pytest.mark.parametrize(
    ("scaling", "world_size", "expected"),
    [
        (None, 4, 0.1),
        ({"base_batch_size": 256}, 4, 0.1),
        ({"base_batch_size": 256, "enable": False}, 4, 0.1),
        ({"base_batch_size": 256, "enable": True}, 1, 0.1 * 64 / 256),
        ({"base_batch_size": 256, "enable": True}, 8, 0.1 * 512 / 256),
    ],
)
def test_the_rate_is_in_proportion_to_the_global_batch(
    scaling: Any, world_size: int, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimization, "get_world_size", lambda: world_size)
    changes = {"lr_schedule": {"type": "Fixed"}, "auto_scale_lr": scaling, "accumulation_steps": 2}
    cfg = learn(learning_rate=0.1, batch_size=64, **changes)
    assert rates(cfg)[0] == pytest.approx(expected, rel=1e-12)
    (group,) = settings_of(build_optimizer(network(), cfg))
    assert group["lr"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("scaling", "is_said"), [(None, False), ({}, True), ({"enable": True}, False)])
def test_scaling_that_is_not_enabled_is_told(
    scaling: Any, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    given = None if scaling is None else {"base_batch_size": 32, **scaling}
    build_optimizer(network(), learn(auto_scale_lr=given))
    line = "auto_scale_lr is off; enable=True scales the learning rate by the global batch"
    assert caplog.messages == ([line] if is_said else [])


def test_a_base_batch_is_one_sample_at_least() -> None:
    with pytest.raises(
        ConfigError, match=r"auto_scale_lr\.base_batch_size is 0; it is the number of samples"
    ):
        build_optimizer(network(), learn(auto_scale_lr={"base_batch_size": 0, "enable": True}))


def test_a_short_form_has_the_native_warm_up() -> None:
    cfg = learn(train_epoch=4, learning_rate=0.5, warmup_lr=0.1, warmup_epoch=1, lr_schedule="multi-2,3-0.5")
    expected = [0.1, 0.2, 0.3, 0.4, *[0.5] * 4, *[0.25] * 4, *[0.125] * 4]
    assert rates(cfg) == pytest.approx(expected, rel=1e-12)


def test_swa_has_its_own_rate_at_the_end() -> None:
    cfg = learn(
        train_epoch=5,
        lr_schedule="constant",
        warmup_epoch=0,
        learning_rate=0.5,
        swa={"start_epoch": 2, "lr": 0.1, "anneal_epochs": 2, "anneal_strategy": "linear"},
    )
    assert rates(cfg, 1) == pytest.approx([0.5, 0.5, 0.5, 0.3, 0.1], rel=1e-12)


def test_momentum_and_weight_decay_follow_their_schedules() -> None:
    cfg = learn(
        train_epoch=2,
        momentum_schedule={"type": "LinearAnnealing", "min_momentum": 0.5, "by_epoch": False},
        weight_decay_schedule={"type": "LinearAnnealing", "eta_min_ratio": 0.0, "by_epoch": False},
    )
    optimizer = build_optimizer(network(), cfg)
    scheduler = build_lr_scheduler(optimizer, cfg)
    scheduler.updates_per_epoch = 4
    scheduler.apply(2)
    (group,) = optimizer.param_groups
    assert (group["momentum"], group["weight_decay"]) == (pytest.approx(0.8), pytest.approx(0.75e-4))


def test_oneflows_adam_leaves_norms_out_of_weight_decay() -> None:
    optimizer = {"type": "AdamW", "paramwise_cfg": {"norm_decay_mult": 0.0}}
    groups = settings_of(build_optimizer(network(), learn(optimizer=optimizer, weight_decay=0.05)))
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]


def test_gradients_are_cleared_of_the_optimizer_that_steps() -> None:
    class Lookahead(SGD):
        def zero_grad(self, set_to_none: bool = True) -> None:
            cleared.append(set_to_none)
            super().zero_grad(set_to_none)

    cleared: list[bool] = []
    weight = nn.Parameter(torch.ones(2))
    for optimizer in (SGD([weight], lr=0.1), Lookahead([weight], lr=0.1)):
        weight.grad = torch.ones(2)
        clear_gradients(optimizer)
        assert weight.grad is None
    assert cleared == [True]


def test_a_subclass_may_bring_another_optimizer_for_more_parameters() -> None:
    class Wider(ImageClassificationPolicy):
        def _init_learn(self) -> None:
            super()._init_learn()
            self.extra = nn.Parameter(torch.zeros(()))
            self._model.register_forward_hook(lambda module, args, logits: logits * (1 + self.extra))
            self._optimizer = SGD([*self._model.parameters(), self.extra], lr=0.0)

    settings = {"learning_rate": 0.0, "lr_schedule": "constant", "warmup_epoch": 0}
    policy = Wider({"cuda": False, "learn": settings}, model=nn.Sequential(nn.Flatten(), nn.Linear(12, 4)))
    data = [torch.linspace(-1, 1, 48).reshape(4, 3, 2, 2), torch.tensor([0, 1, 2, 3])]
    gradients = []
    for _ in range(2):
        policy.learn_mode.forward(data)
        gradients.append(policy.extra.grad.item())
    assert gradients[0] == gradients[1] != 0


class Unrated(torch.optim.Optimizer):
    """Takes no learning rate at all."""

    def __init__(self, params: Any, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"weight_decay": weight_decay})

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for each in group["params"]:
                each.data -= 0.5 * each.grad


class OtherName(Unrated):
    """Takes it under another name."""

    def __init__(self, params: Any, learning_rate: float, weight_decay: float = 0.0) -> None:
        torch.optim.Optimizer.__init__(self, params, {"lr": learning_rate, "weight_decay": weight_decay})


class Closure(torch.optim.Optimizer):
    """Computes the loss itself."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any) -> Any:
        return closure()


@pytest.mark.parametrize(("kind", "is_told"), [(Unrated, True), (OtherName, False)])
@pytest.mark.parametrize("paramwise", [None, {"bias_decay_mult": 0.0}])
def test_an_optimizer_without_lr_is_built_and_told(
    kind: Any, is_told: bool, paramwise: Any, caplog: pytest.LogCaptureFixture
) -> None:
    described = {"type": kind, **({"paramwise_cfg": paramwise} if paramwise else {})}
    cfg = learn(optimizer=described, learning_rate=0.25, warmup_epoch=0)
    optimizer = build_optimizer(nn.Linear(2, 2), cfg)
    assert f"optimizer '{kind.__name__}' takes no lr" in caplog.text or not is_told
    assert bool(caplog.records) is is_told
    build_lr_scheduler(optimizer, cfg)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25] * (2 if paramwise else 1)


@pytest.mark.parametrize("kind", [Closure, torch.optim.LBFGS])
def test_an_optimizer_that_needs_a_closure_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigError, match=rf"optimizer '{kind.__name__}' needs a closure that computes"):
        build_optimizer(nn.Linear(2, 2), learn(optimizer={"type": kind}))
