"""Every loss, optimizer, schedule, metric and hook by name, in a run that stops and resumes to the bit."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.metrics import METRICS
from ding_cls.models import LOSSES
from ding_cls.optim import (
    MOMENTUM_SCHEDULES,
    OPTIMIZER_BUILDERS,
    OPTIMIZERS,
    SCHEDULES,
    WEIGHT_DECAY_SCHEDULES,
)
from ding_cls.optim.param_groups import _PARAMWISE
from ding_cls.policy.distillation import Distillation
from ding_cls.policy.freezing import Freezing
from ding_cls.policy.optimizer import LrScaling
from ding_cls.policy.update.grad_clip import Clipping
from ding_cls.policy.update.sam import Sharpness
from ding_cls.policy.weight_averaging import Ema, Swa
from ding_cls.worker.learner import HOOKS
from ding_cls.worker.learner.hooks.implied import PreciseBatchNorm
from tests.optim.test_library_optimizers import UNUSABLE as NO_LIBRARYS
from tests.options.cases.parts_table import (
    MMCV,
    NO_HOOKS,
    NO_LOSSES,
    OF_BUILDERS,
    OF_HOOKS,
    OF_LOSSES,
    OF_METRICS,
    OF_MOMENTUM,
    OF_SCHEDULES,
    OF_TASKS,
    OF_WEIGHT_DECAY,
    SCHEDULED,
    TRAINED,
    WARMUPS,
    every_optimizer,
    loss,
    optimizer,
)
from tests.options.cases.training_table import LEARN, TRIALS
from tests.options.training_runs import try_out
from tests.options.trials import ours


def test_every_loss_has_a_trial() -> None:
    # A newer torch may have more.
    assert {*OF_LOSSES} | {*NO_LOSSES} >= ours(LOSSES)
    assert {*OF_LOSSES} <= {*LOSSES.names()}
    assert (len(OF_LOSSES), len(NO_LOSSES), len(ours(LOSSES))) == (19, 3, 6)


@pytest.mark.parametrize("name", [name for name, (reason, _) in NO_LOSSES.items() if reason])
def test_a_loss_that_cannot_be_used_is_refused_at_the_start(name: str) -> None:
    reason, arguments = NO_LOSSES[name]
    if "in_features" in arguments and arguments.get("n_classes"):
        arguments = {**arguments, "cutoffs": [2]}
    if name in LOSSES:
        with pytest.raises(ConfigError, match=str(reason)):
            try_out(loss(name, **arguments))


def test_every_optimizer_and_constructor_has_a_trial() -> None:
    pytest.importorskip("pytorch_optimizer")
    pytest.importorskip("timm")
    names = {*OPTIMIZERS.names()}
    assert {*TRAINED} <= names - NO_LIBRARYS
    assert len(TRAINED) == 26
    assert len(every_optimizer()) >= 110
    assert {*OF_BUILDERS} == ours(OPTIMIZER_BUILDERS)
    assert len(OF_BUILDERS) == 3


def test_every_schedule_has_a_trial() -> None:
    assert {*OF_SCHEDULES} == ours(SCHEDULES)
    assert {*OF_MOMENTUM} == ours(MOMENTUM_SCHEDULES)
    assert {*OF_WEIGHT_DECAY} == ours(WEIGHT_DECAY_SCHEDULES)
    assert (len(OF_SCHEDULES), len(OF_MOMENTUM), len(OF_WEIGHT_DECAY), len(WARMUPS)) == (14, 5, 4, 6)
    assert len(SCHEDULED) == 49


def test_every_metric_and_hook_has_a_trial() -> None:
    assert {*OF_METRICS} | OF_TASKS == ours(METRICS) - {"ImageClassificationMetric"}
    assert {*OF_HOOKS} | NO_HOOKS == {name for name in ours(HOOKS) if not name.startswith("t_")}
    assert (len(OF_METRICS), len(OF_HOOKS), len(MMCV)) == (13, 11, 7)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
def test_every_optimizer_of_the_libraries_trains_and_resumes(
    share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pytorch_optimizer")
    pytest.importorskip("timm")
    names = every_optimizer()[share::4]
    for name in names:
        folder = tmp_path / name.replace("/", "_")
        folder.mkdir()
        monkeypatch.chdir(folder)
        try_out(optimizer(name))
    assert len(names) >= 27


# Arguments of the settings

SETTINGS: dict[str, Callable[..., Any]] = {
    "auto_scale_lr": LrScaling,
    "distill": Distillation,
    "ema": Ema,
    "freeze": Freezing,
    "grad_clip": Clipping,
    "precise_bn": PreciseBatchNorm,
    "sam": Sharpness,
    "swa": Swa,
}


@pytest.mark.parametrize("key", SETTINGS)
def test_every_argument_of_a_setting_is_tried(key: str) -> None:
    known = {*inspect.signature(SETTINGS[key]).parameters} - {"loader"}
    tried = {name for trial in TRIALS[f"{LEARN}.{key}"] for name in trial.changes[f"{LEARN}.{key}"]}
    assert tried == known


def test_every_setting_of_parameter_groups_is_tried() -> None:
    given = [trial.changes.get(f"{LEARN}.optimizer", {}) for trial in TRIALS[f"{LEARN}.optimizer"]]
    tried = {name for each in given for name in each.get("paramwise_cfg", {})}
    assert tried == {*_PARAMWISE}
    assert len(tried) == 6
