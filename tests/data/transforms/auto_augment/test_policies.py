from collections import Counter

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import PIPELINES, AutoAugment, RandAugment
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.data.transforms.auto_augment.policies import _INCREASING
from ding_cls.errors import ConfigError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
INVERT, DARK = {"type": "Invert", "prob": 1.0}, {"type": "Solarize", "thr": 0, "prob": 1.0}
BLACK = {"type": "Brightness", "magnitude": -1.0, "random_negative_prob": 0.0, "prob": 1.0}


def after(step, seed=0, **known):
    with torch_randomness(seed):
        return step({"img": IMG.copy(), **known})["img"]


@pytest.mark.parametrize("name", ["imagenet", "cifar10", "svhn"])
def test_a_policy_by_name_is_torchvisions(name):
    ours, seen = AutoAugment(policies=name, hparams={"pad_val": [10, 20, 30]}), set()
    theirs = v2.AutoAugment(v2.AutoAugmentPolicy(name), fill=[10, 20, 30])
    backwards = v2.AutoAugment(v2.AutoAugmentPolicy(name), fill=[30, 20, 10])
    for seed in range(30):
        for transform, known in ((theirs, {}), (backwards, {FROM_FILE: True})):
            with torch_randomness(seed):
                expected = np.asarray(transform(Image.fromarray(IMG)))
            assert np.array_equal(after(ours, seed, **known), expected)
        seen.add(expected.tobytes())
    assert len(seen) > 10


def test_one_list_of_several_runs_in_its_order():
    step = AutoAugment(policies=[[INVERT, BLACK], [BLACK, INVERT], [INVERT]])
    counts = Counter()
    with torch_randomness(0):
        for _ in range(600):
            img = step({"img": IMG})["img"]
            counts["black" if not img.any() else "white" if (img == 255).all() else "inverted"] += 1
    assert all(abs(counts[each] - 200) < 36 for each in ("black", "white", "inverted"))


def test_arguments_for_all_reach_those_that_take_them_and_say_nothing():
    shear = {"type": "Shear", "magnitude": 0.9, "prob": 1.0}
    given = AutoAugment([[INVERT, shear]], hparams={"pad_val": 7, "interpolation": "nearest"})
    said = {**shear, "pad_val": 7, "interpolation": "nearest"}
    assert np.array_equal(after(given), after(AutoAugment([[INVERT, said]])))
    own = AutoAugment([[INVERT, said]], hparams={"pad_val": 200})
    assert np.array_equal(after(own), after(given))


def test_as_many_run_as_asked_and_one_may_come_twice():
    step, counts = RandAugment([INVERT, {"type": "AutoContrast", "prob": 0.0}], 2, 5), Counter()
    with torch_randomness(0):
        for _ in range(600):
            img = step({"img": IMG})["img"]
            counts["once" if np.array_equal(img, 255 - IMG) else "never or twice"] += 1
    assert abs(counts["once"] - 300) < 37


def test_the_level_reaches_those_that_have_a_range():
    for level, thr in ((0, 256), (5, 128), (10, 0)):
        solarize = {"type": "Solarize", "magnitude_key": "thr", "magnitude_range": (256, 0), "prob": 1.0}
        found = after(RandAugment([solarize], 1, level, total_level=10))
        assert np.array_equal(found, np.where(thr > IMG, IMG, 255 - IMG))
    uniform = {"type": "SolarizeAdd", "magnitude_range": (0, 100), "prob": 1.0, "thr": 256}
    step = RandAugment([uniform], 1, 10, magnitude_std="inf")
    black = {"img": np.zeros((1, 1, 3), np.uint8)}
    with torch_randomness(0):
        added = [int(step(dict(black))["img"][0, 0, 0]) for _ in range(500)]
    assert (min(added), max(added)) == pytest.approx((0, 99), abs=2)
    assert np.mean(added) == pytest.approx(49.5, abs=4)


def test_the_level_counts_to_thirty_where_a_config_is_written_for_mmclassification():
    """As in its ResNeSt: ``magnitude_level=12`` beside ``magnitude_key``, and no ``total_level``."""
    solarize = {"type": "Solarize", "magnitude_range": (0, 240), "prob": 1.0}
    for key, thr in (({"magnitude_key": "thr"}, 48), ({}, 144)):
        assert np.array_equal(
            after(RandAugment([{**solarize, **key}], 1, 6)), np.where(thr > IMG, IMG, 255 - IMG)
        )


def test_the_known_set_has_fifteen_and_changes_pictures():
    assert len(_INCREASING) == 15
    step = PIPELINES.build(
        {
            "type": "RandAugment",
            "policies": "timm_increasing",
            "num_policies": 2,
            "total_level": 10,
            "magnitude_level": 9,
            "magnitude_std": 0.5,
            "hparams": {"pad_val": [104, 116, 124], "interpolation": "bicubic"},
        }
    )
    changed = sum(not np.array_equal(after(step, seed), IMG) for seed in range(200))
    # Each of two happens half of the time: 3 in 4 pictures, less those whose histogram is full already.
    assert 110 <= changed <= 165
    assert np.array_equal(after(step, 3), after(step, 3))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: AutoAugment("imagenett"), "the policies are imagenet, cifar10, svhn"),
        (lambda: AutoAugment([INVERT]), "a list of lists"),
        (lambda: AutoAugment([]), "a list of lists"),
        (lambda: AutoAugment([[{"type": "Inver"}]]), "there is no transform named 'Inver'"),
        (lambda: RandAugment("increasing", 2, 9), "RandAugment: policies='increasing'"),
        (lambda: RandAugment([[INVERT]], 2, 9), "RandAugment: policies is a list of dict"),
        (lambda: RandAugment([INVERT], 0, 9), "num_policies=0"),
        (lambda: RandAugment([INVERT], 2, -1), "magnitude_level=-1"),
        (
            lambda: RandAugment(
                [{"type": "Rotate", "magnitude_key": "thr", "magnitude_range": (0, 1)}], 1, 9
            ),
            "'angle'",
        ),
    ],
)
def test_values_that_mean_nothing_are_named(make, reason):
    with pytest.raises(ConfigError, match=reason):
        make()
