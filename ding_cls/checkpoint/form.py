"""The form of a checkpoint: which type and which range each entry has. A file that is whole may still hold
anything.

It knows the entries that `docs/checkpoint.md` lists, not what they mean; of others it says nothing. Whoever
reads a file checks it here before anything is changed.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ding_cls.common.tensors import odd_tensor
from ding_cls.errors import CheckpointError

FORMAT = 1
# The side of an image in pixels, before or after it is resized: 178 million pixels is the most that is read.
MAX_SIDE = 16_384

# Returns what is wrong with a value, beginning with the rest of its path; '' where nothing is.
Form = Callable[[Any], str]

_MOST = 10**12
_MAX_CLASSES = 10**6
_MAX_SHOWN = 40
_SIZES = ("size", "scale", "length", "edge", "height", "width", "pad")


def check_form(state: Mapping[str, Any], form: Form, where: str = "the checkpoint") -> None:
    """Refuse a checkpoint with a malformed entry.

    Args:
        state: what the file holds, or a part of it.
        form: of this module, such as ``RESUMED``.
        where: the file, or the part, as the message begins.

    Raises:
        CheckpointError: the entry, what it is and what it should be; or the file's format is a later one.
    """
    found = state.get("format", FORMAT)
    if _is_whole(found) and found > FORMAT:
        raise CheckpointError(
            f"{where} has format {_shown(found)}; this version reads up to {FORMAT}: update ding_cls"
        )
    if wrong := form(state):
        raise CheckpointError(f"{where} is malformed: {wrong.removeprefix('.')}; take another checkpoint")


def whole(low: int = 0, high: int = _MOST) -> Form:
    """Return the form of a whole number from ``low`` to ``high``."""
    return _such(lambda value: _is_whole(value) and low <= value <= high, f"a whole number from {low} on")


def record(required: Mapping[str, Form] | None = None, **optional: Form) -> Form:
    """Return the form of a dict with some entries; others may be there too."""
    needed = dict(required or {})

    def check(value: Any) -> str:
        if wrong := mapping(value):
            return wrong
        for name in needed:
            if name not in value:
                return f".{name} is missing"
        return _first(value, {**needed, **optional})

    return check


def dict_of(form: Form) -> Form:
    """Return the form of a dict from names to values of one form."""
    return lambda value: mapping(value) or _first(value, dict.fromkeys(value, form))


def list_of(form: Form, *, at_least: int = 0) -> Form:
    """Return the form of a list of values of one form."""

    def check(value: Any) -> str:
        if not isinstance(value, list | tuple) or len(value) < at_least:
            return f" is {_shown(value)}, not a list{' with values' if at_least else ''}"
        return _first(value, dict.fromkeys(range(len(value)), form))

    return check


def optional(form: Form) -> Form:
    """Return the form of None, or of a value of another form."""
    return lambda value: "" if value is None else form(value)


def _first(value: Any, forms: Mapping[Any, Form]) -> str:
    """Return what is wrong with the first of some entries; those that are not there are fine."""
    for name, form in forms.items():
        if isinstance(value, Mapping) and name not in value:
            continue
        if wrong := form(value[name]):
            return f"[{name}]{wrong}" if isinstance(name, int) else f".{name}{wrong}"
    return ""


def _all(*forms: Form) -> Form:
    return lambda value: next(filter(None, (form(value) for form in forms)), "")


def _such(is_fine: Callable[[Any], bool], wanted: str) -> Form:
    return lambda value: "" if is_fine(value) else f" is {_shown(value)}, not {wanted}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    # A result may be NaN or infinite; a whole number has its place in 64 bits.
    return isinstance(value, float) or (_is_whole(value) and value.bit_length() < 64)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _shown(value: Any) -> str:
    """Return a value in few characters; of a larger one its type."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str | int | float | bool | None):
        text = repr(value)
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _is_data(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_data(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_data, value))
    return (
        value is None
        or isinstance(value, str | bool | float)
        or (isinstance(value, int) and value.bit_length() <= 200)
    )


def tensors(value: Any) -> str:
    """The form of a state dict: tensors by name, that can be copied into a network's."""
    if wrong := mapping(value):
        return wrong
    for name, each in value.items():
        if not isinstance(each, Tensor):
            return f".{name} is {_shown(each)}, not a tensor"
        if odd := odd_tensor(each):
            return f".{name} {odd}"
    return ""


def mapping(value: Any) -> str:
    """The form of a dict whose keys are names."""
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return ""
    return f" is {_shown(value)}, not a dict by names"


def _class_names(value: Any) -> str:
    names = list_of(text, at_least=1)(value)
    if names:
        return names
    if len(value) > _MAX_CLASSES:
        return f" has {len(value):,} names, more than {_MAX_CLASSES:,}"
    repeated = len(value) - len(set(value))
    return f" has {repeated} of its names twice" if repeated else ""


def _hook_calls(value: Any) -> str:
    def call(each: Any) -> str:
        is_pair = isinstance(each, list | tuple) and len(each) == 2
        return _first(each, {0: whole(), 1: list_of(text)}) if is_pair else f" is {_shown(each)}, not a pair"

    return dict_of(call)(value)


def _empty_or(form: Form) -> Form:
    return lambda value: "" if value == {} and isinstance(value, dict) else form(value)


def _closed(value: Any) -> str:
    return _empty_or(_SUMS)(value)


def _preprocessing(value: Any) -> str:
    if isinstance(value, Mapping) and "pipeline" in value:
        return record({"pipeline": list_of(_step)}, mean=_three, std=_three)(value)
    sizes = {"image_size": _side, "resize_size": _side}
    return record({**sizes, "mean": _three, "std": _three}, interpolation=text)(value)


def _step(value: Any) -> str:
    """A step of a pipeline: no size in it, however deep, is larger than an image can be."""
    if wrong := mapping(value) or data(value):
        return wrong
    return _large_size(value)


def _large_size(value: Any, *, is_size: bool = False) -> str:
    if isinstance(value, Mapping):
        names = {name: is_size or any(mark in name for mark in _SIZES) for name in value}
        found = ((f".{name}", _large_size(value[name], is_size=names[name])) for name in value)
        return next((f"{name}{wrong}" for name, wrong in found if wrong), "")
    if isinstance(value, list | tuple):
        found = ((f"[{number}]", _large_size(each, is_size=is_size)) for number, each in enumerate(value))
        return next((f"{name}{wrong}" for name, wrong in found if wrong), "")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_large = is_size and is_number and not value <= MAX_SIDE
    return f" is {_shown(value)}, more than {MAX_SIDE} pixels" if is_large else ""


text = _such(lambda value: isinstance(value, str), "a string")
flag = _such(lambda value: isinstance(value, bool), "True or False")
number = _such(_is_number, "a number")
finite = _such(_is_finite, "a finite number")
rate = _such(lambda value: _is_finite(value) and value >= 0, "a finite number from 0 on")
data = _such(_is_data, "plain data: numbers, strings, lists and dicts by names")
_side = _such(
    lambda value: _is_whole(value) and 1 <= value <= MAX_SIDE, f"a size from 1 to {MAX_SIDE} pixels"
)
_plain = _such(
    lambda value: _is_data(value) and not isinstance(value, list | tuple | Mapping), "a plain value"
)
_three = _such(
    lambda value: isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_finite, value)),
    "a list of three finite numbers",
)

_UPDATE = whole(-1)
_SUMS = record(
    {"sums": dict_of(number), "count": whole(), "seconds": rate},
    is_open=flag,
    processes=whole(1),
)
_BAD_UPDATES = record(
    in_row=whole(),
    skipped=whole(),
    latest=whole(-_MOST),
    first=record(train_iter=whole(), samples=list_of(whole()), num_samples=whole(), is_loss_bad=flag),
)
_EARLY = record({"num_bad": whole(), "best": optional(mapping)}, compared_by=optional(text))
_BAD_IMAGE = _such(
    lambda value: (
        isinstance(value, list | tuple)
        and len(value) == 3
        and _is_whole(value[0])
        and value[0] >= 0
        and all(isinstance(each, str) for each in value[1:])
    ),
    "a number, a path and a fault",
)

EVALUATOR = record(
    {
        "best": optional(mapping),
        "best_iter": _UPDATE,
        "last_result": mapping,
        "last_eval_iter": _UPDATE,
        "has_reached_stop_value": flag,
    },
    early_stopping=_EARLY,
    compared_by=text,
)
# The learner's own, in every program.
_PARTS = record(
    monitor=record({"time": whole(), "values": dict_of(list_of(number, at_least=1))}),
    history=record(
        {
            "rows": list_of(
                record({"epoch": whole(), "train_iter": whole(), "seconds": rate}, train_skipped=whole())
            ),
            "sums": dict_of(number),
            "count": whole(),
            "seconds": rate,
            "closed": _closed,
        },
        is_open=flag,
        processes=whole(1),
        notes=dict_of(number),
        bad_updates=_BAD_UPDATES,
    ),
    hook_calls=_hook_calls,
)
_RUN = record(
    class_names=_class_names,
    label_kind=_such(lambda value: value in ("one", "several", "tasks"), "one, several or tasks"),
    preprocessing=_preprocessing,
    config=_all(mapping, data),
    config_origins=dict_of(text),
    num_train_samples=whole(),
    global_batch_size=whole(1),
    seed=whole(-_MOST, 2**64),
    drop_last=flag,
    bad_images=dict_of(list_of(_BAD_IMAGE)),
)
# What a learner goes on with; a program of one's own may have saved less, and facts of its own.
RESUMED = record(
    format=whole(),
    last_iter=whole(),
    last_step=_UPDATE,
    left_out=list_of(text),
    run=record(class_names=data, num_train_samples=data, global_batch_size=data, drop_last=data, seed=data),
    parts=_PARTS,
    environment=dict_of(_plain),
)
# What a run of the pipeline goes on with.
RESUMED_RUN = _all(
    RESUMED,
    record({"last_iter": whole(), "model": tensors}, run=_RUN, parts=record(evaluator=EVALUATOR)),
)
_SCORE = _such(lambda value: _is_finite(value) and 0 <= value <= 1, "a score from 0 to 1")
_COUNTS = list_of(whole())
_ERRORS = record(ece=rate, nll=rate)
_CALIBRATION = record(
    {
        "temperature": list_of(_such(lambda value: _is_finite(value) and value > 0, "a number above 0")),
        "fitted_on": record({"split": optional(text), "digest": text, "num_samples": whole(1)}),
        "before": _ERRORS,
        "after": _ERRORS,
        "held_out": _ERRORS,
        "curve": _empty_or(
            record(
                {"thresholds": list_of(_SCORE, at_least=1), "kept": list_of(whole(1)), "wrong": _COUNTS},
            )
        ),
        "precision": _empty_or(
            record(
                {
                    "wanted": rate,
                    "thresholds": list_of(optional(_SCORE)),
                    "kept": _COUNTS,
                    "right": _COUNTS,
                    "held_out": record(kept=whole(), right=whole(), num_answers=whole()),
                }
            )
        ),
    }
)
# What an evaluation or a prediction takes from a file of a run.
EVALUATED = record(
    {"model": tensors},
    format=whole(),
    last_iter=whole(),
    averaged=record(model=tensors),
    run=_RUN,
    calibration=_CALIBRATION,
)
