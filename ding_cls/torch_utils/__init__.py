"""Known names of this design, re-exported for the programs that import them from here."""

from ding_cls.common.counting import CountVar
from ding_cls.common.tensors import to_device, to_ndarray, to_tensor
from ding_cls.models import resnet18

__all__ = ["CountVar", "resnet18", "to_device", "to_ndarray", "to_tensor"]
