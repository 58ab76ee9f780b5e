"""Optimizers by name: those that users register, torch's own, and those of two libraries, which are extras.

A name of its own means torch's class where torch has one, else that of ``pytorch_optimizer``; ``timm/Name``
is timm's. So a name means one class on every machine.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ding_cls.errors import ConfigError, PartError
from ding_cls.registry import Library, Registry

_TIMM = "timm/"
# Found without the library, so that its absence is an error by name.
_WELL_KNOWN = (
    "AdaBelief",
    "Adan",
    "LARS",
    "Lamb",
    "Lion",
    "RAdam",
    "Ranger",
    "Ranger21",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
)


# By library and class.
_ONLY_MATRICES = {"torch.Muon", "pytorch_optimizer.SpectralSphere"}
_IN_TWO_KINDS = {
    f"pytorch_optimizer.{name}" for name in ("AdaGO", "AdaMuon", "DistributedMuon", "MuonClip", "NorMuon")
}
_SECOND_DERIVATIVES = "needs second derivatives, which no update here computes"
_NEEDS_CLOSURE = (
    "needs a closure that computes the loss several times in one step; an update here computes it once"
)
_UNUSABLE = {
    "torch.LBFGS": _NEEDS_CLOSURE,
    "torch.SparseAdam": "takes sparse gradients, which no network here has",
    "pytorch_optimizer.AdaHessian": _SECOND_DERIVATIVES,
    "pytorch_optimizer.SophiaH": _SECOND_DERIVATIVES,
    "timm.Adahessian": _SECOND_DERIVATIVES,
}


def _class_in(module: ModuleType | None, name: str) -> type[Optimizer] | None:
    found = getattr(module, name, None)
    is_optimizer = inspect.isclass(found) and issubclass(found, Optimizer) and found is not Optimizer
    return found if is_optimizer else None


def _imported(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def _absent(name: str, library: str, extra: str) -> Callable[..., Optimizer]:
    def optimizer(*args: object, **kwargs: object) -> Optimizer:
        raise PartError(
            f"optimizer '{name}' is one of {library}, which is not installed here: "
            f"pip install 'ding_cls[{extra}]'",
            name,
        )

    return optimizer


def _find_in_torch(name: str) -> Callable[..., Optimizer] | None:
    return _class_in(torch.optim, name)


def _find_in_library(name: str) -> Callable[..., Optimizer] | None:
    library = _imported("pytorch_optimizer")
    if library is None and name in _WELL_KNOWN:
        return _absent(name, "pytorch_optimizer", "optim")
    return _class_in(library, name)


def _find_in_timm(name: str) -> Callable[..., Optimizer] | None:
    if not name.startswith(_TIMM):
        return None
    library = _imported("timm.optim")
    if library is None:
        return _absent(name, "timm", "timm")
    return _class_in(library, name.removeprefix(_TIMM))


def _names_in(module: ModuleType | None) -> list[str]:
    return [name for name in vars(module or object) if _class_in(module, name)]


def _names_in_library() -> list[str]:
    return _names_in(_imported("pytorch_optimizer")) or [*_WELL_KNOWN]


def _names_in_timm() -> list[str]:
    return [f"{_TIMM}{name}" for name in _names_in(_imported("timm.optim"))]


OPTIMIZERS: Registry[Callable[..., Optimizer]] = Registry(
    "optimizer",
    libraries=[
        Library("torch.optim", _find_in_torch, partial(_names_in, torch.optim)),
        Library("pytorch_optimizer", _find_in_library, _names_in_library),
        Library("timm.optim", _find_in_timm, _names_in_timm),
    ],
)


def takes_argument(part: Callable[..., object], name: str) -> bool:
    """Return whether a class or function can be called with an argument of that name."""
    try:
        parameters = inspect.signature(part).parameters
    except ValueError:
        # Some classes written in C have no signature: they check for themselves.
        return True
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def refuse_unusable(part: Callable[..., object]) -> None:
    """Refuse a class of the libraries that no update here can use, before it fails in words of its own.

    Raises:
        ConfigError: it cannot be used here.
    """
    reason = _UNUSABLE.get(_full_name(part), _NEEDS_CLOSURE if _needs_closure(part) else None)
    if reason is not None:
        raise ConfigError(f"optimizer '{_name_of(part)}' {reason}: choose another")


def refuse_mixed(part: Callable[..., object], parameters: Sequence[Tensor]) -> None:
    """Refuse a class that wants matrices apart from other parameters, where no constructor separates them.

    Raises:
        ConfigError: it is one.
    """
    full_name, count = _full_name(part), sum(each.dim() != 2 for each in parameters)
    if full_name in _IN_TWO_KINDS or (full_name in _ONLY_MATRICES and count):
        raise ConfigError(
            f"optimizer '{_name_of(part)}' is for matrices alone, and {count} of {len(parameters)} "
            f"parameters are none; '{_TIMM}Muon' trains those too"
        )


def refuse_swallowed(part: Callable[..., object], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a class of ``pytorch_optimizer`` takes by ``**kwargs`` and does not look at.

    Raises:
        ConfigError: there is one; the message names the nearest that it has.
    """
    if not getattr(part, "__module__", "").startswith("pytorch_optimizer."):
        return
    known = [*inspect.signature(part).parameters]
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(known)}"
            raise ConfigError(f"optimizer '{_name_of(part)}' has no argument '{name}'; {hint}")


def _needs_closure(part: Callable[..., object]) -> bool:
    """Return whether the ``step`` of a class cannot be called without an argument."""
    step = getattr(part, "step", None)
    if not inspect.isclass(part) or not callable(step):
        return False
    try:
        _, *given = inspect.signature(step).parameters.values()
    except ValueError:
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in kinds and each.default is each.empty for each in given)


def _name_of(part: Callable[..., object]) -> str:
    return str(getattr(part, "__name__", part))


def _full_name(part: Callable[..., object]) -> str:
    return f"{getattr(part, '__module__', '').partition('.')[0]}.{_name_of(part)}"
