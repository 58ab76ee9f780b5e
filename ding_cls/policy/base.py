"""The base of every policy: what it owns, where it runs, and the two modes through which others see it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import torch
from easydict import EasyDict

from ding_cls.config.merge import deep_merge_dicts
from ding_cls.config.normalize import merge_policies
from ding_cls.distributed.comm import get_rank, get_world_size
from ding_cls.distributed.wrap import broadcast_module, sync_gradients
from ding_cls.errors import ConfigError
from ding_cls.models.weights.files import TRAINING, evaluated_part, weights_in
from ding_cls.models.weights.loading import fitting, load_exactly
from ding_cls.models.wrap import unwrap
from ding_cls.policy.modes import EvalMode, LearnMode, Verdict
from ding_cls.policy.optimizer_state import LAYOUT, check_optimizer, layout_of, load_optimizer


class Policy(ABC):
    """Owns network, optimizer and loss, and shows them through ``learn_mode`` and ``eval_mode``.

    A subclass fills the override points ``_init_learn``, ``_forward_learn``, ``_init_eval``,
    ``_forward_eval`` and, where it has more state, ``_state_dict_learn`` and ``_load_state_dict_learn``.

    Args:
        cfg: the config's ``policy`` section; keys it lacks come from ``default_config()``.
        model: the network; None asks ``default_model()`` for it.
        enable_field: which of 'learn' and 'eval' to set up; None means both.

    Raises:
        ConfigError: ``cuda=True`` on a machine without CUDA.
    """

    config: ClassVar[Mapping[str, Any]] = {}
    _class_names: tuple[str, ...] | None = None
    _is_accuracy_late = False

    @classmethod
    def default_config(cls) -> EasyDict:
        """Return the ``config`` of the class merged over those of its bases, as a copy."""
        merged: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            merged = deep_merge_dicts(merged, vars(base).get("config", {}))
        return EasyDict(merged)

    def __init__(
        self,
        cfg: Mapping[str, Any],
        model: torch.nn.Module | None = None,
        enable_field: Sequence[str] | None = None,
    ) -> None:
        self._cfg = EasyDict(merge_policies(self.default_config(), cfg))
        self._cuda = _wants_cuda(self._cfg.cuda)
        # dist_init has chosen the device of this process.
        device = f"cuda:{torch.cuda.current_device()}" if self._cuda else "cpu"
        self._device = torch.device(device)
        self._rank = get_rank()
        self._world_size = get_world_size()
        self._model = unwrap(self.default_model() if model is None else model).to(self._device)
        if self._world_size > 1:
            broadcast_module(self._model)
        # Masks are of infinities by design: a checkpoint may hold theirs.
        self._masks = frozenset(name for name, each in self._model.named_buffers() if not _is_finite(each))
        fields = ("learn", "eval") if enable_field is None else tuple(enable_field)
        for field in fields:
            getattr(self, f"_init_{field}")()
        self._learn_mode = LearnMode(
            forward=self._forward_learn,
            reset=self._reset_learn,
            info=self._info_learn,
            monitor_vars=self._monitor_vars_learn,
            get_attribute=self._get_attribute,
            set_attribute=self._set_attribute,
            state_dict=self._state_dict_learn,
            load_state_dict=self._load_state_dict_learn,
        )
        self._eval_mode = EvalMode(
            forward=self._forward_eval,
            reset=self._reset_eval,
            get_attribute=self._get_attribute,
            set_attribute=self._set_attribute,
            state_dict=self._state_dict_eval,
            load_state_dict=self._load_state_dict_eval,
        )

    @property
    def learn_mode(self) -> LearnMode:
        """What a learner may ask of this policy."""
        return self._learn_mode

    @property
    def eval_mode(self) -> EvalMode:
        """What an evaluator may ask of this policy."""
        return self._eval_mode

    def default_model(self) -> torch.nn.Module:
        """Return the network to use when none is handed in."""
        raise ConfigError(
            f"{type(self).__name__} has no default model; hand one in: {type(self).__name__}(cfg, model=...)"
        )

    def sync_gradients(self, model: torch.nn.Module) -> None:
        """Set every gradient of ``model`` to its mean over the ranks, for a subclass that does without
        DDP."""
        sync_gradients(model)

    @abstractmethod
    def _init_learn(self) -> None: ...

    @abstractmethod
    def _forward_learn(self, data: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _init_eval(self) -> None: ...

    @abstractmethod
    def _forward_eval(self, data: Any) -> Any: ...

    def _reset_learn(self, **kwargs: Any) -> None:
        return None

    def _reset_eval(self, **kwargs: Any) -> None:
        return None

    def _monitor_vars_learn(self) -> list[str]:
        return ["cur_lr", "total_loss"]

    def _info_learn(self) -> str:
        parameters = sum(each.numel() for each in self._model.parameters())
        trainable = sum(each.numel() for each in self._model.parameters() if each.requires_grad)
        name = type(self._model).__name__
        return f"{name}, {parameters:,} parameters ({trainable:,} trainable), on {self._device}"

    def _state_dict_learn(self) -> dict[str, Any]:
        optimizer = getattr(self, "_optimizer", None)
        own = {} if optimizer is None else {"optimizer": optimizer.state_dict()}
        own |= {} if optimizer is None else {LAYOUT: layout_of(optimizer, self._model)}
        return {"model": self._model.state_dict(), **own}

    def _load_state_dict_learn(self, state: Mapping[str, Any]) -> None:
        self._check_state_learn(state)
        self._load_weights(weights_in(state, key=TRAINING if TRAINING in state else "model"))
        if "optimizer" in state and hasattr(self, "_optimizer"):
            load_optimizer(self._optimizer, state["optimizer"], scheduled=self._scheduled_settings())

    def _check_state_learn(self, state: Mapping[str, Any]) -> None:
        """Refuse a checkpoint before anything is changed.

        Raises:
            ChangedRunError: it is of another optimizer, or of other groups.
            CheckpointError: its weights do not fit, or an entry is malformed.
        """
        for key in ("model", TRAINING) if TRAINING in state else ("model",):
            fitting(self._model, weights_in(state, key=key))
        if "optimizer" in state and hasattr(self, "_optimizer"):
            check_optimizer(self._optimizer, self._model, state, scheduled=self._scheduled_settings())

    def _scheduled_settings(self) -> Collection[str]:
        """Return the optimizer's settings that change from update to update."""
        return ("lr",)

    def _state_dict_eval(self) -> dict[str, Any]:
        return {"model": self._model.state_dict()}

    def _load_state_dict_eval(self, state: Mapping[str, Any]) -> None:
        """Load the weights that a run judged."""
        self._load_weights(weights_in(evaluated_part(state)))

    def _load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Load weights strictly; where they do not fit, the network is left as it was.

        Raises:
            CheckpointError: the first five keys that differ, with both shapes.
        """
        load_exactly(self._model, weights)

    def _get_attribute(self, name: str) -> Any:
        getter = getattr(self, f"_get_{name}", None)
        if getter is not None:
            return getter()
        if not hasattr(self, f"_{name}"):
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")
        return getattr(self, f"_{name}")

    def _get_always_frozen(self) -> Collection[str]:
        """Return the names of the modules that are in evaluation all through training."""
        freezing = getattr(self, "_freezing", None)
        return () if freezing is None else freezing.always_frozen

    def _get_minimises_cross_entropy(self) -> bool:
        """Return whether training minimises the function that evaluation calls ``loss``."""
        return True

    def _get_verdict(self) -> Verdict | None:
        """Return what became of the last update; None where a subclass does it in a way of its own."""
        finite = getattr(self, "_finite", None)
        return None if finite is None else finite.take_verdict()

    def _set_is_accuracy_late(self, is_late: bool) -> None:
        """Have updates return ``acc1`` as a ``Percentage``, for a caller that shows it to nobody.

        A subclass's own update may compute with what its base returns: there it stays a tensor.
        """
        self._is_accuracy_late = is_late and type(self)._forward_learn.__module__.startswith("ding_cls.")

    def _set_attribute(self, name: str, value: Any) -> None:
        setter = getattr(self, f"_set_{name}", None)
        if setter is not None:
            setter(value)
        else:
            setattr(self, f"_{name}", value)


def _wants_cuda(choice: bool | str) -> bool:
    if choice is True and not torch.cuda.is_available():
        raise ConfigError(
            "policy.cuda is True, but torch finds no CUDA device here; use policy.cuda=auto or False"
        )
    return bool(choice) and torch.cuda.is_available()


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
