"""One table of every option of training: keys by their values, parts by name, and mixtures of both."""

from tests.options.cases.mixtures_table import MIXTURES, QUICK
from tests.options.cases.parts_table import (
    FEW,
    KNOWN,
    MMCV,
    OF_BUILDERS,
    OF_HOOKS,
    OF_LOSSES,
    OF_METRICS,
    OF_MOMENTUM,
    OF_SCHEDULES,
    SCHEDULED,
    SHORT_LOSSES,
    TRAINED,
    optimizer,
)
from tests.options.cases.training_table import LEARN, TRIALS, Trial

KEYS: dict[str, Trial] = {
    f"{key}-{number}": each for key, trials in TRIALS.items() for number, each in enumerate(trials)
}
PARTS: dict[str, Trial] = {
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
# What the default tier has elsewhere: optimizers in tests/optim, metrics in tests/metrics/test_runs.py; and
# each schedule runs once there. Two import large packages.
SLOW = {f"optimizer {name}" for name in TRAINED} - {f"optimizer {name}" for name in FEW}
SLOW |= {f"metric {name}" for name in OF_METRICS} - {"metric Accuracy", "metric SingleLabelMetric"}
SLOW |= {f"{name}-0" for name, modes in OF_SCHEDULES.items() if len(modes) > 1}
SLOW |= {f"momentum {name} AdamW" for name in OF_MOMENTUM} | {"hook MlflowLoggerHook"}
# Each key is tried once there.
SLOW |= {name for name in KEYS if not name.endswith("-0")}
SLOW |= {f"{name}-{number}" for name, trials in OF_LOSSES.items() for number in range(1, len(trials))}
SLOW |= {*MIXTURES} - QUICK
# A mixture is the settings of a run.
CASES: dict[str, Trial | tuple[str, ...]] = {**KEYS, **PARTS, **MIXTURES}
