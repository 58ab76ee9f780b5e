"""Checkpoints as files: written whole or not at all, checked before use. It does not know what the state
means.

Each name is looked up when it is used: where a run's checkpoints lie is found without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ding_cls.checkpoint.keeper import CheckpointKeeper
    from ding_cls.checkpoint.state import read_checkpoint, write_checkpoint

_HOMES = {"CheckpointKeeper": "keeper", "read_checkpoint": "state", "write_checkpoint": "state"}

__all__ = ["CheckpointKeeper", "read_checkpoint", "write_checkpoint"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ding_cls.checkpoint' has no attribute '{name}'")
    return getattr(import_module(f"ding_cls.checkpoint.{_HOMES[name]}"), name)
