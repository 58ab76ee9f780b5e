import pytest
from torchvision.transforms import v2

from ding_cls.data.transforms import OnImage, Resize
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError


def test_a_name_is_ours_before_it_is_torchvisions():
    assert PIPELINES.get("Resize") is Resize
    theirs = PIPELINES.build({"type": "torchvision/Resize", "size": 8})
    assert isinstance(theirs, OnImage)
    assert isinstance(theirs.transform, v2.Resize)
    assert isinstance(PIPELINES.build({"type": "GaussianBlur", "kernel_size": 3}).transform, v2.GaussianBlur)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="no transform named 'CentreCrop'; did you mean CenterCrop"):
        PIPELINES.get("CentreCrop")
