import pytest
from torchvision.transforms import v2

from ding_cls.data.transforms import PIPELINES, OnImage, Resize
from ding_cls.errors import ConfigError


def test_our_step_hides_torchvisions_of_the_same_name():
    assert PIPELINES.get("Resize") is Resize
    theirs = PIPELINES.build({"type": "torchvision/Resize", "size": 8})
    assert isinstance(theirs, OnImage)
    assert type(theirs.transform) is v2.Resize


def test_a_name_that_only_torchvision_has_needs_no_prefix():
    assert type(PIPELINES.build({"type": "GaussianBlur", "kernel_size": 3}).transform) is v2.GaussianBlur


def test_a_wrong_name_is_answered_by_the_nearest():
    with pytest.raises(ConfigError, match=r"transform.*'RandomFlipp'.*RandomFlip"):
        PIPELINES.build({"type": "RandomFlipp"})
