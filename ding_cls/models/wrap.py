"""Wrappers around a model, and the way back to the bare network.

A wrapper never changes what a model computes or how its weights are named in a checkpoint.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ding_cls.errors import ModelError


class BaseModelWrapper(nn.Module):
    """Hold a model and pass everything through.

    ``state_dict`` and ``load_state_dict`` speak the keys of the bare network inside, whatever is between
    (DataParallel, DistributedDataParallel, another wrapper).

    Args:
        model: the model to hold.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self.training = model.training
        self.register_load_state_dict_pre_hook(_insert_inner_path)  # type: ignore[no-untyped-call]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the model returns."""
        return self._model(*args, **kwargs)

    def reset(self, data_id: list[int] | None = None) -> None:
        """Forget what was kept between two calls of forward: nothing, in this wrapper.

        Args:
            data_id: accepted because callers of this design pass it; has no effect.
        """

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the state of the bare network, under its own keys."""
        return unwrap(self).state_dict(*args, **kwargs)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load a state of the bare network; what is returned and raised is torch's own."""
        return unwrap(self).load_state_dict(state_dict, strict=strict, assign=assign)


def model_wrap(model: nn.Module, wrapper_name: str = "base") -> BaseModelWrapper:
    """Return ``model`` inside the named wrapper.

    Args:
        model: the model to hold.
        wrapper_name: ``'base'`` is the only one.

    Raises:
        ModelError: if there is no wrapper of that name.
    """
    if wrapper_name != "base":
        raise ModelError(f"unknown model wrapper {wrapper_name!r}; there is: 'base'")
    return BaseModelWrapper(model)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the network inside DataParallel, DistributedDataParallel and our wrappers, nested in any way."""
    return _descend(model)[0]


def _descend(model: nn.Module) -> tuple[nn.Module, str]:
    """Return the bare network and its path inside ``model``, with a dot at the end."""
    path = ""
    while True:
        if isinstance(model, BaseModelWrapper):
            model, path = model._model, f"{path}_model."
        elif isinstance(model, DataParallel | DistributedDataParallel):
            model, path = model.module, f"{path}module."
        else:
            return model, path


def _insert_inner_path(wrapper: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    # torch comes here, and not through load_state_dict, when the wrapper is itself part of what is loaded.
    path = _descend(wrapper)[1]
    for key in [key for key in state_dict if key.startswith(prefix)]:
        state_dict[f"{prefix}{path}{key.removeprefix(prefix)}"] = state_dict.pop(key)
