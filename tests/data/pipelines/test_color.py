import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.pipelines import ColorJitter
from ding_cls.errors import ConfigError


def test_it_is_torchvisions_with_mmclassifications_arguments():
    img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with torch_randomness(3):
        ours = ColorJitter(brightness=0.4, contrast=0.3, saturation=0.2, backend="cv2")({"img": img})["img"]
    with torch_randomness(3):
        theirs = np.asarray(v2.ColorJitter(0.4, 0.3, 0.2)(Image.fromarray(img)))
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, img)


def test_values_outside_their_range_are_named():
    with pytest.raises(ConfigError, match=r"ColorJitter: .*hue"):
        ColorJitter(hue=0.7)
    with pytest.raises(ConfigError, match="backend='gpu'"):
        ColorJitter(backend="gpu")
