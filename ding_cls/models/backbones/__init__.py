"""Backbones: what maps images to feature maps. They must not know heads or losses."""

from ding_cls.models.backbones.openmmlab_names import FAMILY_BACKBONES
from ding_cls.models.backbones.timm import TIMM_BACKBONES
from ding_cls.models.backbones.torchvision import TORCHVISION_BACKBONES
from ding_cls.models.registry import BACKBONES

BACKBONES.add_libraries(FAMILY_BACKBONES, TORCHVISION_BACKBONES, TIMM_BACKBONES)
