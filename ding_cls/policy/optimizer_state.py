"""What an optimizer remembers, in a checkpoint: whose it is, whether it fits, and how it is loaded."""

import inspect
import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ding_cls.checkpoint.form import check_form, list_of, mapping, record, text, whole
from ding_cls.common.tensors import odd_tensor
from ding_cls.errors import ChangedRunError, CheckpointError

LAYOUT = "optimizer_layout"

_LAYOUT = record({"type": text, "groups": list_of(list_of(text))})
_STATE = record({"state": lambda value: "" if isinstance(value, Mapping) else " is no dict"})
_GROUP = record({"params": list_of(whole())})
# Settings that not every version of torch has, and those that a program gives a group of its own.
_EXTRA = ("params", "maximize", "foreach", "differentiable", "fused", "capturable", "lr_mult", "initial_lr")
# torch's own: what there is for each parameter once it was updated. Tensors but the step have its shape.
_REMEMBERED: Mapping[type[Optimizer], tuple[str, ...]] = {
    torch.optim.Adam: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.NAdam: ("step", "mu_product", "exp_avg", "exp_avg_sq"),
    torch.optim.RAdam: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.Adamax: ("step", "exp_avg", "exp_inf"),
    torch.optim.Adagrad: ("step", "sum"),
    torch.optim.Adadelta: ("step", "square_avg", "acc_delta"),
    torch.optim.RMSprop: ("step", "square_avg"),
    torch.optim.Rprop: ("step", "prev", "step_size"),
    torch.optim.ASGD: ("step", "eta", "mu", "ax"),
}
# Arguments of torch's classes by which they are told apart.
_ARGUMENTS = ("betas", "momentum", "dampening", "nesterov", "alpha", "centered", "rho", "lr_decay", "lambd")
_OF_ONE_NUMBER = ("step", "mu_product", "eta", "mu")
_SHAPED = ("momentum_buffer", "max_exp_avg_sq", "grad_avg")


def layout_of(optimizer: Optimizer, model: nn.Module) -> dict[str, Any]:
    """Return an optimizer's class, and the names of the parameters in each of its groups."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [[names.get(id(each), "") for each in group["params"]] for group in optimizer.param_groups]
    return {"type": type(optimizer).__name__, "groups": groups}


def check_optimizer(
    optimizer: Optimizer, model: nn.Module, checkpoint: Mapping[str, Any], *, scheduled: Collection[str]
) -> None:
    """Refuse another optimizer's state, that of other groups, or a malformed one.

    Args:
        optimizer: is to go on with it.
        model: whose parameters it has.
        checkpoint: the state under ``optimizer``, and whose it is under ``LAYOUT``; an older file does not
            say that: there the settings of the groups tell.
        scheduled: the settings that are taken from the state.

    Raises:
        ChangedRunError: it is another class's, or its groups are others.
        CheckpointError: it is malformed.
    """
    state = checkpoint["optimizer"]
    check_form({"optimizer": state}, record(optimizer=_STATE))
    check_form({"optimizer": state}, record(optimizer=record({"param_groups": list_of(_GROUP)})))
    ours = layout_of(optimizer, model)
    if LAYOUT in checkpoint:
        check_form({LAYOUT: checkpoint[LAYOUT]}, record({LAYOUT: _LAYOUT}))
        _check_layout(checkpoint[LAYOUT], ours)
    else:
        _check_settings(optimizer, state["param_groups"])
    saved, there = state["param_groups"], optimizer.param_groups
    sizes = [[len(group["params"]) for group in groups] for groups in (saved, there)]
    if sizes[0] != sizes[1]:
        raise ChangedRunError(
            f"the checkpoint's optimizer has groups of {_joined(sizes[0])} parameters, this run's of "
            f"{_joined(sizes[1])}"
        )
    for number, group in enumerate(saved):
        for name in scheduled:
            value = group.get(name, 0.0)
            # Adam's betas are several.
            if not all(map(_is_finite, value if isinstance(value, list | tuple) and value else [value])):
                raise CheckpointError(
                    f"the checkpoint is malformed: optimizer.param_groups[{number}].{name} is "
                    f"{value if isinstance(value, float) else type(value).__name__}, not a finite number"
                )
    _check_values(optimizer, state)


def load_optimizer(
    optimizer: Optimizer, state: Mapping[str, Any], *, scheduled: Collection[str] = ("lr",)
) -> None:
    """Load what an optimizer remembers; its settings stay those of the config.

    Settings are the arguments of its constructor; whatever else a group holds, such as a count of steps, is
    remembered, and so are the settings named in ``scheduled``.

    Raises:
        CheckpointError: the optimizer does not take it.
    """
    settings = {*inspect.signature(type(optimizer)).parameters, "lr_mult"} - {"params", *scheduled}
    own = [
        {name: value for name, value in group.items() if name in settings} for group in optimizer.param_groups
    ]
    try:
        optimizer.load_state_dict(dict(state))
    except Exception as error:  # an optimizer of the user's raises what it likes
        raise CheckpointError(
            f"the checkpoint's optimizer state cannot be loaded by {type(optimizer).__name__}: "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        ) from error
    for group, values in zip(optimizer.param_groups, own, strict=True):
        group.update(values)


def _check_layout(saved: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    if saved["type"] != ours["type"]:
        raise ChangedRunError(
            f"the checkpoint's optimizer is {saved['type']}, this run's is {ours['type']}: one cannot go on "
            "with what the other remembers"
        )
    theirs, own = [list(each) for each in saved["groups"]], ours["groups"]
    if theirs == own:
        return
    sizes = [_joined([len(names) for names in groups]) for groups in (theirs, own)]
    if sizes[0] != sizes[1]:
        what = f"has groups of {sizes[0]} parameters, this run's of {sizes[1]}"
    else:
        first = next(
            (one, other)
            for a, b in zip(theirs, own, strict=True)
            for one, other in zip(a, b, strict=True)
            if one != other
        )
        what = f"has '{first[0]}' in its groups where this run's has '{first[1]}'"
    raise ChangedRunError(f"the checkpoint's optimizer {what}")


def _check_settings(optimizer: Optimizer, saved: Any) -> None:
    """Compare the names of settings: those of SGD, say, are not AdamW's."""
    own, theirs = optimizer.param_groups[0], saved[0] if saved else {}
    arguments = inspect.signature(type(optimizer)).parameters
    # What else is in a group may be there only once an update was made.
    missing = {name for name in own if name in arguments and name not in theirs and name not in _EXTRA}
    left_over = {str(name) for name in theirs if name in _ARGUMENTS and name not in own}
    # Adam and AdamW differ in this alone; it is no argument, and would be taken from the state.
    mark = "decoupled_weight_decay"
    is_other_adam = mark in own and mark in theirs and theirs[mark] is not own[mark]
    differing = [*sorted(missing | left_over), *([mark] if is_other_adam else [])]
    if differing:
        raise ChangedRunError(
            f"the checkpoint's optimizer is no {type(optimizer).__name__}, as this run's is: they differ in "
            f"{', '.join(differing)}"
        )


def _check_values(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Compare what is remembered of each parameter with its shape."""
    numbers = [each for group in state["param_groups"] for each in group["params"]]
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    known = next((names for kind, names in _REMEMBERED.items() if isinstance(optimizer, kind)), ())
    # Optimizers of other libraries use these names for what they like.
    shaped = {*known, *(_SHAPED if type(optimizer).__module__.startswith("torch.optim") else ())}
    for number, parameter in zip(numbers, parameters, strict=True):
        if number not in state["state"]:
            continue
        values = state["state"][number]
        wrong = mapping(values)
        missing = [] if wrong else [name for name in known if values and name not in values]
        wrong = wrong or (f" has no {missing[0]}" if missing else "")
        for name, value in values.items() if not wrong else ():
            wrong = wrong or _wrong_value(name, value, parameter, known, shaped)
        if wrong:
            raise CheckpointError(f"the checkpoint is malformed: optimizer.state[{number}]{wrong}")


def _wrong_value(
    name: str, value: Any, parameter: Tensor, known: Collection[str], shaped: Collection[str]
) -> str:
    if name in _OF_ONE_NUMBER:
        return "" if _is_finite(value) and value >= 0 else f".{name} is no finite number from 0 on"
    is_shaped = name in shaped
    if not isinstance(value, Tensor):
        is_needed = name in known or (is_shaped and value is not None)
        return f".{name} is a {type(value).__name__}, not a tensor" if is_needed else ""
    if odd := odd_tensor(value):
        return f".{name} {odd}"
    is_other = value.shape != parameter.shape or not value.is_floating_point()
    if is_shaped and is_other:
        return (
            f".{name} is {value.dtype} {tuple(value.shape)}, the parameter is {parameter.dtype} "
            f"{tuple(parameter.shape)}"
        )
    is_view = value.numel() * value.element_size() > max(
        value.untyped_storage().nbytes(), 8 * parameter.numel()
    )
    return f".{name} has more values than the file" if is_view else ""


def _is_finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not odd_tensor(value) and value.numel() == 1 and bool(torch.isfinite(value).all())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _joined(sizes: Collection[int]) -> str:
    return " + ".join(map(str, sizes)) or "0"
