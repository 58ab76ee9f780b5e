"""The adapter with a stand-in for the library, and with the library where it is installed."""

import sys
import types

import numpy as np
import pytest

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import PIPELINES
from ding_cls.errors import ConfigError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


class Shift:
    """Adds a random number to the picture."""

    def __init__(self, limit: int, p: float = 0.5) -> None:
        self.limit, self.p = limit, p

    def __call__(self, image, rng):
        return image + np.uint8(rng.integers(self.limit)) if rng.random() < self.p else image


class OneOf:
    def __init__(self, transforms) -> None:
        self.transforms = transforms

    def __call__(self, image, rng):
        return self.transforms[rng.integers(len(self.transforms))](image, rng)


class Compose(OneOf):
    def set_random_seed(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *, image):
        for each in self.transforms:
            image = each(image, self.rng)
        return {"image": image}


@pytest.fixture
def library(monkeypatch):
    stand_in = types.ModuleType("albumentations")
    stand_in.__dict__.update(Shift=Shift, OneOf=OneOf, Compose=Compose, __version__="0.1")
    monkeypatch.setitem(sys.modules, "albumentations", stand_in)
    return stand_in


def built(*transforms, **arguments):
    return PIPELINES.build({"type": "Albu", "transforms": list(transforms), **arguments})


def after(step, seed):
    with torch_randomness(seed):
        results = step({"img": IMG.copy(), "gt_label": 1})
    assert results["img_shape"] == results["img"].shape
    return results["img"]


def test_chance_is_a_function_of_the_seed(library):
    inner = {"type": "OneOf", "transforms": [{"type": "Shift", "limit": 9, "p": 1.0}]}
    step = built(inner, {"type": "Shift", "limit": 90, "p": 1.0}, keymap={"img": "image"})
    assert np.array_equal(after(step, 1), after(step, 1))
    assert len({after(step, seed).tobytes() for seed in range(10)}) > 5


def test_what_does_not_exist_is_named(library, monkeypatch):
    with pytest.raises(ConfigError, match="albumentations has no transform named 'Shiftt'"):
        built({"type": "Shiftt"})
    with pytest.raises(ConfigError, match=r"Albu: Shift refuses \{'limits': 3\}"):
        built({"type": "Shift", "limits": 3})
    with pytest.raises(ConfigError, match="not 'Shift'"):
        built("Shift")
    with pytest.raises(ConfigError, match="keymap="):
        built(keymap={"img": "picture"})
    monkeypatch.delattr(Compose, "set_random_seed")
    with pytest.raises(ConfigError, match=r"an albumentations that takes seeds, not 0\.1"):
        built()


def test_without_the_library_its_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ConfigError, match=r"install it: pip install 'albumentations>=2.0'"):
        built({"type": "HorizontalFlip"})


def test_the_library_itself():
    pytest.importorskip("albumentations", reason="not run: albumentations is not installed")
    step = built({"type": "HorizontalFlip", "p": 1.0})
    assert np.array_equal(after(step, 0), IMG[:, ::-1])
    step = built({"type": "OneOf", "transforms": [{"type": "RandomBrightnessContrast", "p": 1.0}], "p": 1.0})
    assert np.array_equal(after(step, 1), after(step, 1))
    assert not np.array_equal(after(step, 1), after(step, 2))
