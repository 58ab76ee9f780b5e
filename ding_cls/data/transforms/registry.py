"""The table of steps by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ding_cls.data.transforms.torchvision import TORCHVISION
from ding_cls.registry import Registry

PIPELINES: Registry[Callable[..., Any]] = Registry("transform", libraries=[TORCHVISION])
"""Steps of a pipeline: ours, the users' own, and every transform of torchvision v2."""
