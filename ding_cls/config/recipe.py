"""The recipe of a run whose config sets nothing of how to train: a file that ships, a base of the user's.

One rule, for ``train``, the dry run, cross-validation and the tools that look at configs: a config takes the
recipe unless it sets one of ``SCHEDULE_KEYS``. Command-line words and arguments come on top of either; they
never decide it. It must not know what the recipes say.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ding_cls.config.compile import resolve
from ding_cls.config.openmmlab.translate import to_native
from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.reader.files import PACKAGE, RECIPES
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.tree import MISSING, at, drop, value_at

FROM_SCRATCH, FINE_TUNE = "from_scratch.py", "fine_tune.py"

# A config that sets one of these counts in epochs or rates of its own, and has the defaults of
# config/defaults.py for the others.
SCHEDULE_KEYS = tuple(
    f"policy.learn.{name}"
    for name in (
        *("train_epoch", "max_iters", "learning_rate", "lr_schedule", "decay_epoch", "decay_rate", "min_lr"),
        *("warmup_lr", "warmup_epoch", "weight_decay", "optimizer", "momentum", "nesterov", "auto_scale_lr"),
        *("momentum_schedule", "weight_decay_schedule"),
    )
)
# Clipping by norm and by value exclude each other: who sets anything of it has nothing of the recipe's.
_CLIPPING = "policy.learn.grad_clip"


def resolve_run(
    cfg: Mapping[str, Any],
    overrides: Sequence[str] = (),
    origins: Mapping[str, str] | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    variables: Collection[str] | None = None,
    notes: FileNotes | None = None,
) -> NativeConfig:
    """Return what ``resolve`` does, over the recipe where the config takes one.

    Args:
        cfg: as there, like the rest.
        overrides: as there; they come on top of the recipe.
        origins: as there.
        given: as there; likewise.
        variables: as there.
        notes: as there.

    Raises:
        ConfigError: as there.
    """
    native, words = to_native(cfg, overrides, origins, variables=variables, notes=notes)
    under = recipe_under(native.cfg, words, given=given)
    resolved = resolve(native.cfg, words, native.origins, given=given, under=under)
    return resolved._replace(problems=[*native.problems, *resolved.problems])


def recipe_under(
    cfg: Mapping[str, Any], overrides: Sequence[str] = (), *, given: Mapping[str, Any] | None = None
) -> NativeConfig | None:
    """Return the recipe that a config inherits, with the origins of its values; None: it takes none.

    Args:
        cfg: in our own spelling.
        overrides: as in ``resolve``; native ones.
        given: as there.

    Raises:
        ConfigError: as there.
    """
    if any(value_at(cfg, path) is not MISSING for path in SCHEDULE_KEYS):
        return None
    whole = resolve(cfg, overrides, given=given).cfg
    values, places = read_config_with_origins(
        RECIPES / (FINE_TUNE if begins_with_weights(whole) else FROM_SCRATCH)
    )
    if value_at(cfg, _CLIPPING) is not MISSING or any(word.startswith(_CLIPPING) for word in overrides):
        drop(values, _CLIPPING)
    return NativeConfig(values, places, [])


def begins_with_weights(cfg: Mapping[str, Any]) -> bool:
    """Return whether a config in the native spelling names weights that its network begins with."""
    model = at(cfg, "policy.model")
    parts = (model, *(at(model, name) for name in ("init_cfg", "backbone", "backbone.init_cfg")))
    return any(
        isinstance(part, Mapping) and bool(part.get("pretrained") or part.get("type") == "Pretrained")
        for part in parts
    )


def recipe_line(cfg: Mapping[str, Any], origins: Mapping[str, str]) -> str | None:
    """Return the name of the recipe that a run inherits, and what it does; None: it inherits none.

    Args:
        cfg: the compiled config, with what the user has changed.
        origins: which line set what.
    """
    names = [PACKAGE + name for name in (FINE_TUNE, FROM_SCRATCH)]
    used = [name for name in names if any(place.startswith(f"{name}:") for place in origins.values())]
    if not used:
        return None
    learn = cfg["policy"]["learn"]
    freeze = learn["freeze"] or {}
    frozen = learn["freeze_nonlinear_epoch"] or freeze.get("until_epoch")
    layers = "all layers"
    if freeze and frozen is None:
        layers = "part of the layers"
    elif frozen:
        layers = f"the head alone for {_count(frozen, 'epoch')}, then all layers"
    length = _count(learn["train_epoch"], "epoch")
    if learn["max_iters"] is not None:
        length = _count(learn["max_iters"], "update")
    schedule = learn["lr_schedule"]
    schedule = schedule if isinstance(schedule, str) else schedule.get("type")
    rate = f"{learn['optimizer'].get('type', 'SGD')}, learning rate {learn['learning_rate']:g}"
    decay = (learn["optimizer"].get("paramwise_cfg") or {}).get("layer_decay_rate")
    if decay is not None:
        rate += f", in each layer {decay:g} of the one above"
    return f"{used[0]}: {layers}; {rate}, {schedule}; {length}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
