"""Checkpoints as files: written whole or not at all, checked before use. It does not know what the state
means."""

from ding_cls.checkpoint.keeper import CheckpointKeeper
from ding_cls.checkpoint.state import read_checkpoint, write_checkpoint

__all__ = ["CheckpointKeeper", "read_checkpoint", "write_checkpoint"]
