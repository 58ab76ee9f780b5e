"""Losses and how they are reduced. They must not know networks."""

from ding_cls.models.losses.torch import TORCH_LOSSES
from ding_cls.models.registry import LOSSES

LOSSES.add_libraries(TORCH_LOSSES)
