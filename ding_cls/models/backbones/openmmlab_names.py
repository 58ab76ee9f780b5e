"""Building a backbone by mmclassification's name and arguments, as a network of torchvision or timm.

One rule: the value of the argument that chooses among a family's members becomes a name. An argument that the
network has otherwise, or does not have, is refused: there is never another network behind a name.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.backbones.openmmlab_families import ABSENT, FAMILIES, Family
from ding_cls.models.backbones.openmmlab_networks import FORMER, SPECIAL
from ding_cls.models.backbones.timm import TIMMBackbone, has_timm
from ding_cls.models.backbones.torchvision import TorchvisionBackbone
from ding_cls.models.layers.norms import set_norms
from ding_cls.models.layers.ops import activation_of, check_conv_cfg
from ding_cls.models.weights.timm import INSTALL, PREFIX
from ding_cls.registry import Library

_LOGGER = logging.getLogger(__name__)

# Arguments of the whole that both libraries' backbones here take.
_OURS = ("num_classes", "in_channels", "norm_eval", "pretrained")
# Of the choice: what is one number where all stages have the same.
_PER_STAGE = ("window_size", "pretrained_window_sizes")
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'|multiple values for keyword argument '(\w+)'")


def member_of(name: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the network that is used for a name with its arguments, and the arguments that are left.

    Raises:
        ConfigError: the arguments choose no member of the family.
    """
    family, rest = FAMILIES[name], _without_stage_cfgs(arguments)
    defaults = family.default if isinstance(family.default, tuple) else (family.default,) * len(family.choice)
    values = [
        rest.pop(key, default) for key, default in zip(family.choice, _padded(defaults, family), strict=True)
    ]
    for place, key in enumerate(family.choice):
        if key == "norm_cfg":
            values[place] = values[place] is not None
        elif key == "patch_size" and values[place] is None:
            values[place] = 16
        elif key in _PER_STAGE:
            values[place] = _one_or_tuple(values[place])
    # mmclassification takes most names in any case.
    for chosen in (values, [each.lower() if isinstance(each, str) else each for each in values]):
        member = _lookup(family, chosen)
        if member is not None:
            return family.with_drop_path.get(member, member) if rest.get("drop_path_rate") else member, rest
    given = ", ".join(f"{key}={value!r}" for key, value in zip(family.choice, values, strict=True))
    # Each once: a size has two names.
    firsts = {member: chosen for chosen, member in reversed(list(family.members.items()))}
    known = ", ".join(str(firsts[member]) for member in dict.fromkeys(family.members.values()))
    raise ConfigError(f"backbone '{name}' has no member with {given}; there are: {known}")


def _lookup(family: Family, values: list[Any]) -> str | None:
    chosen = values[0] if len(values) == 1 else tuple(values)
    try:
        return family.members.get(chosen)
    except TypeError:
        return None


def _padded(defaults: tuple[Any, ...], family: Family) -> tuple[Any, ...]:
    return (*defaults, *(None,) * (len(family.choice) - len(defaults)))


def _without_stage_cfgs(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, a window for the blocks of all stages as ``window_size``."""
    rest = dict(arguments)
    stages = rest.get("stage_cfgs")
    blocks = stages.get("block_cfgs") if isinstance(stages, Mapping) and len(stages) == 1 else None
    if isinstance(blocks, Mapping) and list(blocks) == ["window_size"]:
        del rest["stage_cfgs"]
        rest["window_size"] = blocks["window_size"]
    return rest


def _one_or_tuple(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return value[0] if len(set(value)) == 1 else tuple(value)


def _build(name: str, arguments: dict[str, Any]) -> nn.Module:
    family = FAMILIES[name]
    member, rest = member_of(name, arguments)
    is_timm = member.startswith(PREFIX)
    rest = {**family.usual, **rest}
    norm = arguments.get("norm_cfg")
    rest.pop("norm_cfg", None)
    if is_timm and not has_timm():
        raise ModelError(f"backbone '{name}' is {member}, and timm is not installed: {INSTALL}")
    if member in family.with_drop_path and not rest.get("drop_path_rate"):
        rest.pop("drop_path_rate", None)
    own = {key: rest.pop(key) for key in _OURS if key in rest}
    _check_out_indices(name, member, rest.pop("out_indices", -1))
    _take_fixed(name, rest, member)
    _refuse_settings(name, rest)
    _rename(name, rest, member)
    try:
        backbone = _network(name, member, arguments, own, rest)
    except ModelError as error:
        found = _UNEXPECTED.search(str(error))
        key = next(filter(None, found.groups()), "") if found is not None else ""
        if key not in rest:
            raise
        raise ConfigError(
            f"backbone '{name}' cannot be built with {key}={rest[key]!r}: {member}, which it is here, does "
            "not take that; leave it out, or register a backbone of your own"
        ) from error
    if member in FORMER:
        backbone.former_network = _former(name, FORMER[member])  # type: ignore[assignment]
    return backbone if norm is None else set_norms(backbone, norm, f"backbone '{name}'")


def _former(name: str, network: str) -> str:
    if network.startswith(PREFIX):
        description = f"dict(type='TIMMBackbone', model_name='{network.removeprefix(PREFIX)}')"
    else:
        description = f"dict(type='TorchvisionBackbone', model_name='{network}', out_indices=-1)"
    return (
        f"backbone '{name}' was another network before; load_from takes weights from then into "
        f"backbone={description}"
    )


def _network(
    name: str, member: str, arguments: Mapping[str, Any], own: dict[str, Any], rest: dict[str, Any]
) -> nn.Module:
    gives = FAMILIES[name].gives
    if not member.startswith(PREFIX):
        wants_maps = gives == "maps" and own.get("num_classes", -1) <= 0
        return TorchvisionBackbone(member, out_indices=-1 if wants_maps else None, **own, **rest)
    own.pop("num_classes", None)
    if name == "RepVGG":
        rest = {"arch": arguments.get("arch"), **rest}
    builder = SPECIAL.get(name, TIMMBackbone)
    return builder(member.removeprefix(PREFIX), gives_vectors=gives == "vectors", **own, **rest)


def _check_out_indices(name: str, member: str, indices: Any) -> None:
    last = FAMILIES[name].last
    if indices in last or (isinstance(indices, list | tuple) and set(indices) <= {*last}):
        return
    kind = "TIMMBackbone" if member.startswith(PREFIX) else "TorchvisionBackbone"
    raise ConfigError(
        f"backbone '{name}' has out_indices={indices}, which only {last} is here; name the "
        f"network itself: dict(type='{kind}', model_name='{member.removeprefix(PREFIX)}', ...)"
    )


def _take_fixed(name: str, rest: dict[str, Any], member: str) -> None:
    """Take out arguments that say what the network is anyway.

    Raises:
        ConfigError: one says otherwise.
    """
    for key, value in FAMILIES[name].fixed.items():
        if key in rest and _plain(rest[key]) != _plain(value):
            raise ConfigError(
                f"backbone '{name}' has {key}={rest[key]!r}; {member}, which it is here, has "
                f"{key}={value!r}: there is no other"
            )
        rest.pop(key, None)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rename(name: str, rest: dict[str, Any], member: str) -> None:
    """Put arguments under the names that the network has for them.

    Raises:
        ConfigError: an activation that the network does not have.
    """
    family, is_timm = FAMILIES[name], member.startswith(PREFIX)
    for old, new in {} if is_timm else family.renamed.items():
        if old in rest:
            value = rest.pop(old)
            rest |= {} if new is None else {new: value}
    for old, names in family.renamed_in_timm.items() if is_timm else ():
        if old in rest:
            rest |= dict.fromkeys(names, rest.pop(old))
    if family.activation is None:
        return
    only = family.activations.get(member, None if is_timm else family.activation)
    given = rest.pop("act_cfg", None) or {"type": only or family.activation}
    kind = type(activation_of(given))
    if only is None:
        rest["act_layer"] = kind
    elif kind is not type(activation_of({"type": only})):
        raise ConfigError(f"backbone '{name}' has act_cfg={given!r}; {member}, which it is here, has {only}")


def _refuse_settings(name: str, rest: dict[str, Any]) -> None:
    """Take out settings that ask for what is so anyway.

    Raises:
        ConfigError: they ask for something else.
    """
    if rest.pop("with_cp", False):
        _LOGGER.warning("backbone '%s': with_cp=True saves no memory here; only our ResNets can", name)
    check_conv_cfg(rest.pop("conv_cfg", None))
    if rest.pop("frozen_stages", -1) != -1:
        raise ConfigError(
            f"backbone '{name}' has frozen_stages, which only our ResNets count; freeze by names instead: "
            "policy.learn.freeze=dict(patterns=['backbone.network.features.0.*', ...])"
        )


def _find(name: str) -> Callable[..., nn.Module] | None:
    if name in ABSENT:
        return _absent(name)
    if name not in FAMILIES:
        return None

    def build(**arguments: Any) -> nn.Module:
        return _build(name, arguments)

    build.__name__ = build.__qualname__ = name
    build.accepts_pretrained = True  # type: ignore[attr-defined]
    return build


def _absent(name: str) -> Callable[..., nn.Module]:
    def build(**_arguments: Any) -> nn.Module:
        raise ModelError(
            f"backbone '{name}' is in neither torchvision nor timm; register your own under that name, "
            f"or take another: nearest is {ABSENT[name]}; ding-cls models lists those that there are"
        )

    build.__name__ = build.__qualname__ = name
    return build


FAMILY_BACKBONES: Library[Callable[..., Any]] = Library(
    "mmclassification, as networks of torchvision and timm", _find, lambda: sorted(FAMILIES)
)
