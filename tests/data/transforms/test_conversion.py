import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data.transforms import Compose, ToNumpy, ToPIL, Transpose
from ding_cls.data.transforms.array_ops import as_pixels
from ding_cls.errors import ConfigError, DataError

IMG = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_pillow_and_back():
    results = ToPIL()({"img": IMG})
    assert isinstance(results["img"], Image.Image)
    assert np.array_equal(np.asarray(results["img"]), IMG)
    found = ToNumpy()(results)["img"]
    assert found.dtype == np.float32
    assert np.array_equal(found, IMG)
    # What stands between goes on with either.
    found = Compose([ToPIL(), {"type": "torchvision/GaussianBlur", "kernel_size": 3}, {"type": "ToNumpy"}])
    assert found({"img": IMG})["img"].shape == IMG.shape


def test_channels_in_front_make_a_tensor():
    for order in ((2, 0, 1), [2, 0, 1]):
        found = Transpose(keys=["img"], order=order)({"img": IMG})["img"]
        assert isinstance(found, torch.Tensor)
        assert np.array_equal(found.numpy(), IMG.transpose(2, 0, 1))
        assert np.array_equal(as_pixels(found).numpy(), IMG)


def test_other_axes_of_other_entries():
    table = np.arange(6).reshape(2, 3)
    assert np.array_equal(Transpose(["table"], (1, 0))({"table": table})["table"], table.T)
    assert np.array_equal(Transpose(["img"], (1, 0, 2))({"img": IMG})["img"], IMG.transpose(1, 0, 2))


def test_what_does_not_fit_is_named():
    with pytest.raises(ConfigError, match=r"order=\(0, 2\)"):
        Transpose(["img"], (0, 2))
    with pytest.raises(DataError, match="'img' of a picture has 3 axes, not 2"):
        Transpose(["img"], (1, 0))({"img": IMG})
    with pytest.raises(DataError, match="ToPIL takes pictures in uint8"):
        ToPIL()({"img": IMG.astype(np.float32)})
