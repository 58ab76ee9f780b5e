"""What an image classification policy keeps in a checkpoint beside network and optimizer: whether it fits."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ding_cls.checkpoint.form import check_form, finite, mapping, record, tensors, text, whole
from ding_cls.common.tensors import state_differences
from ding_cls.errors import ChangedRunError
from ding_cls.models import AVERAGED
from ding_cls.models.weights.loading import fitting
from ding_cls.optim import LrScheduler
from ding_cls.policy.distillation import Distillation
from ding_cls.policy.losses import BatchLoss

_SCALER = record({"scale": finite, "_growth_tracker": whole()})
_DISTILL = record({"teacher": text, "sha256": text})
_FORM = record(
    train_iter=whole(),
    scaler=lambda value: mapping(value) or (_SCALER(value) if value else ""),
    lr_scheduler=mapping,
    loss=tensors,
    distill=lambda value: mapping(value) or (_DISTILL(value) if value else ""),
    averaged=record(num_averaged=whole(), kept=tensors, model=tensors, rule=text),
)


def check_learn_state(
    state: Mapping[str, Any],
    model: nn.Module,
    lr_scheduler: LrScheduler,
    loss: BatchLoss | None,
    distillation: Distillation | None,
) -> None:
    """Refuse what a policy could not go on with, before anything is changed.

    Args:
        state: the checkpoint.
        model: the network; an average has its names and shapes.
        lr_scheduler: goes on from the checkpoint, like the rest.
        loss: None: the network brings its own.
        distillation: None: there is no teacher.

    Raises:
        ChangedRunError: another loss than this remembers something, or there is another teacher.
        CheckpointError: an entry is malformed, or does not fit.
    """
    check_form(state, _FORM)
    for name in ("model", "kept"):
        if name in state.get(AVERAGED, {}):
            fitting(model, state[AVERAGED][name])
    lr_scheduler.check_state(state.get("lr_scheduler", {"epoch": 0}))
    saved, own = state.get("loss"), {} if loss is None else loss.state_dict()
    if saved and own and (differences := state_differences(own, saved)):
        raise ChangedRunError(f"the checkpoint is of a run with another loss: {differences[0]}")
    if distillation is not None:
        distillation.load_state_dict(state.get("distill", {}))
