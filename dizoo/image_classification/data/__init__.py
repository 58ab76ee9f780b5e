"""The known names of the data room; the code lives in ding_cls.data."""

from ding_cls.data.datasets.folder import ImageNetDataset
from ding_cls.data.sampling.samplers import DistributedSampler

__all__ = ["DistributedSampler", "ImageNetDataset"]
