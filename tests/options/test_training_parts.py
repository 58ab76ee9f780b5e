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
from tests.options.parts_table import (
    FEW,
    KNOWN,
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
    SHORT_LOSSES,
    TRAINED,
    WARMUPS,
    every_optimizer,
    loss,
    optimizer,
)
from tests.options.training_runs import try_out
from tests.options.training_table import LEARN, TRIALS, Trial, learner
from tests.options.trials import ours, run


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


# The runs

CASES: dict[str, Trial] = {
    **{f"{name}-{k}": each for name, trials in OF_LOSSES.items() for k, each in enumerate(trials)},
    **{f"loss {trial.changes[f'{LEARN}.loss']}": trial for trial in SHORT_LOSSES},
    **{f"optimizer {name}": optimizer(name) for name in TRAINED},
    **OF_BUILDERS,
    **SCHEDULED,
    **{
        f"metric {name}": Trial({"policy.eval.metric": {"type": name, **arguments}})
        for name, arguments in OF_METRICS.items()
    },
    **{f"hook {name}": trial for name, trial in {**OF_HOOKS, **MMCV}.items()},
}
# Packages of the extras that cases need.
EXTRAS = {"MlflowLoggerHook": "mlflow", "TorchMetric": "torchmetrics", "timm/": "timm"} | {
    name: "pytorch_optimizer" for name in KNOWN if not name.startswith("timm/")
}


# What the default tier has elsewhere: optimizers in tests/optim and tests/faults/test_resume.py, metrics in
# tests/metrics/test_runs.py; and each schedule runs once there. Two import large packages.
SLOW = {f"optimizer {name}" for name in TRAINED} - {f"optimizer {name}" for name in FEW}
SLOW |= {f"metric {name}" for name in OF_METRICS} - {"metric Accuracy", "metric SingleLabelMetric"}
SLOW |= {f"{name}-0" for name, modes in OF_SCHEDULES.items() if len(modes) > 1}
SLOW |= {f"momentum {name} AdamW" for name in OF_MOMENTUM} | {"hook MlflowLoggerHook"}
DEFAULT = [case for case in CASES if case not in SLOW]


def test_the_number_of_cases() -> None:
    assert {*CASES} >= SLOW
    assert (len(CASES), len(DEFAULT), len(SLOW)) == (139, 92, 47)


@pytest.mark.parametrize(
    "case", [*DEFAULT, *(pytest.param(case, marks=pytest.mark.slow) for case in sorted(SLOW))]
)
def test_every_part_trains_has_its_effect_and_resumes(
    resumes: bool, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for name, package in EXTRAS.items():
        if case.endswith(f" {name}") or (name == "timm/" and name in case):
            pytest.importorskip(package)
    if case == "hook load_ckpt":
        run("begin", learner(hook={"save_ckpt_after_iter": 1}))
    try_out(CASES[case], resumes=resumes)


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
