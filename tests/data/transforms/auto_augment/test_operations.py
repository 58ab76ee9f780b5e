"""Each operation against Pillow, torchvision or the formula; how often, which sign, how much by counting."""

import inspect

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from torchvision.transforms.v2 import InterpolationMode, functional

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import PIPELINES
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.data.transforms.auto_augment import operations
from ding_cls.data.transforms.auto_augment.magnitude import Operation
from ding_cls.errors import ConfigError, DataError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
PICTURE = Image.fromarray(IMG)
# Arguments that each operation needs, and a range for its magnitude.
NEEDED = {
    "AutoContrast": ({}, None),
    "Brightness": ({"magnitude": 0.5}, (0, 0.9)),
    "ColorTransform": ({"magnitude": 0.5}, (0, 0.9)),
    "Contrast": ({"magnitude": 0.5}, (0, 0.9)),
    "Cutout": ({"shape": 4}, (1, 9)),
    "Equalize": ({}, None),
    "Invert": ({}, None),
    "Posterize": ({"bits": 3}, (8, 0)),
    "Rotate": ({"angle": 30.0}, (0, 30)),
    "Sharpness": ({"magnitude": 0.5}, (0, 0.9)),
    "Shear": ({"magnitude": 0.3}, (0, 0.3)),
    "Solarize": ({"thr": 100}, (256, 0)),
    "SolarizeAdd": ({"magnitude": 60}, (0, 110)),
    "Translate": ({"magnitude": 0.25}, (0, 0.45)),
}
SIGNED = {"Brightness", "ColorTransform", "Contrast", "Rotate", "Sharpness", "Shear", "Translate"}


def built(kind, **arguments):
    return PIPELINES.build({"type": kind, "prob": 1.0, **arguments})


def after(kind, *, known=None, seed=0, img=IMG, **arguments):
    with torch_randomness(seed):
        return built(kind, **arguments)({"img": img.copy(), **(known or {})})["img"]


def surely(kind, **arguments):
    signs = {"random_negative_prob": 0.0} if kind in SIGNED else {}
    return after(kind, **signs, **arguments)


def test_the_table_holds_every_operation():
    kinds = {
        name
        for name, kind in vars(operations).items()
        if inspect.isclass(kind) and issubclass(kind, Operation) and not inspect.isabstract(kind)
    }
    assert kinds == set(NEEDED)
    assert len(kinds) == 14
    assert {name for name in kinds if getattr(operations, name).is_signed} == SIGNED


ENHANCED = {
    "Brightness": (ImageEnhance.Brightness, functional.adjust_brightness),
    "ColorTransform": (ImageEnhance.Color, functional.adjust_saturation),
    "Contrast": (ImageEnhance.Contrast, functional.adjust_contrast),
    "Sharpness": (ImageEnhance.Sharpness, functional.adjust_sharpness),
}


@pytest.mark.parametrize("kind", ENHANCED)
@pytest.mark.parametrize("magnitude", [-1.0, -0.3, 0.0, 0.9])
def test_enhancing_is_pillows_by_one_plus_the_magnitude(kind, magnitude):
    found = surely(kind, magnitude=magnitude)
    for theirs in (
        ENHANCED[kind][0](PICTURE).enhance(1 + magnitude),
        ENHANCED[kind][1](PICTURE, 1 + magnitude),
    ):
        assert np.array_equal(found, np.asarray(theirs))


def test_what_has_no_magnitude_is_torchvisions():
    dull = np.tile(IMG // 2 + 40, (3, 3, 1))
    for kind, function in (
        ("AutoContrast", functional.autocontrast),
        ("Equalize", functional.equalize),
        ("Invert", functional.invert),
    ):
        assert np.array_equal(after(kind, img=dull), np.asarray(function(Image.fromarray(dull)))), kind
    assert np.array_equal(after("Invert"), 255 - IMG)


@pytest.mark.parametrize(("bits", "kept"), [(8, 8), (3, 3), (2.2, 3), (0, 0)])
def test_posterizing_keeps_the_highest_bits_and_rounds_up(bits, kept):
    found = after("Posterize", bits=bits)
    assert np.array_equal(found, IMG & (256 - 2 ** (8 - kept)))
    assert kept == 0 or np.array_equal(found, np.asarray(functional.posterize(PICTURE, kept)))


@pytest.mark.parametrize("thr", [0, 100, 113.7, 256])
def test_solarizing_inverts_from_the_threshold_on(thr):
    found = after("Solarize", thr=thr)
    assert np.array_equal(found, np.where(thr > IMG, IMG, 255 - IMG))
    assert np.array_equal(found, np.asarray(functional.solarize(PICTURE, thr)))


@pytest.mark.parametrize(("magnitude", "thr"), [(60, 128), (200, 128), (10.9, 50)])
def test_solarize_add_lightens_below_the_threshold(magnitude, thr):
    wanted = np.where(thr > IMG, np.minimum(IMG.astype(float) + magnitude, 255), IMG).astype(np.uint8)
    assert np.array_equal(after("SolarizeAdd", magnitude=magnitude, thr=thr), wanted)


def test_a_shear_of_one_moves_each_row_by_its_number():
    fill = [1, 2, 3]
    wanted = np.empty_like(IMG)
    wanted[:] = fill
    for row in range(12):
        wanted[row, row:] = IMG[row, : 16 - row]
    found = surely("Shear", magnitude=1.0, pad_val=fill, interpolation="nearest")
    assert np.array_equal(found, wanted)
    turned = surely("Shear", magnitude=1.0, pad_val=fill, interpolation="nearest", direction="vertical")
    wanted[:] = fill
    for column in range(12):
        wanted[column:, column] = IMG[: 12 - column, column]
    assert np.array_equal(turned, wanted)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_translation_is_a_share_of_the_side(sign):
    wanted = np.full_like(IMG, 128)
    wanted[:, max(4 * sign, 0) : 16 + min(4 * sign, 0)] = IMG[:, max(-4 * sign, 0) : 16 - max(4 * sign, 0)]
    assert np.array_equal(surely("Translate", magnitude=0.25 * sign), wanted)
    wanted = np.full_like(IMG, 128)
    wanted[max(3 * sign, 0) : 12 + min(3 * sign, 0)] = IMG[max(-3 * sign, 0) : 12 - max(3 * sign, 0)]
    assert np.array_equal(surely("Translate", magnitude=0.25 * sign, direction="vertical"), wanted)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_rotation_is_clockwise_and_torchvisions(interpolation):
    square = IMG[:, :12]
    assert np.array_equal(surely("Rotate", angle=90, img=square), np.rot90(square, -1))
    mode, fill = InterpolationMode(interpolation), [1, 2, 3]
    for angle in (-75.0, 12.5, 30.0):
        theirs = functional.affine(PICTURE, angle, [0, 0], 1.3, [0.0, 0.0], mode, fill)
        found = surely("Rotate", angle=angle, scale=1.3, pad_val=fill, interpolation=interpolation)
        assert np.array_equal(found, np.asarray(theirs))
    # The pixel that is named stays.
    around = surely("Rotate", angle=180, center=(3, 2))
    assert np.array_equal(around[0:5, 0:7], IMG[0:5, 0:7][::-1, ::-1])


@pytest.mark.parametrize(("shape", "size"), [(4, (4, 4)), ((2, 6), (2, 6))])
def test_cutout_paints_a_box_around_any_pixel(shape, size):
    boxes, corners = set(), set()
    for seed in range(300):
        painted = (
            after("Cutout", shape=shape, pad_val=[7, 7, 7], img=np.zeros_like(IMG), seed=seed) == 7
        ).all(2)
        rows, columns = np.flatnonzero(painted.any(1)), np.flatnonzero(painted.any(0))
        assert painted.sum() == len(rows) * len(columns)
        boxes.add((len(rows), len(columns)))
        corners.add((rows[0], columns[0]))
    assert max(boxes) == size
    assert min(boxes) == (size[0] // 2, size[1] // 2)
    assert len(corners) > 90


@pytest.mark.parametrize("kind", ["Shear", "Translate", "Rotate", "Cutout"])
def test_a_colour_is_backwards_for_files(kind):
    arguments = {**NEEDED[kind][0], "pad_val": [1, 2, 3]}
    as_array, as_file = (after(kind, known={FROM_FILE: each}, **arguments) for each in (False, True))
    different = (as_array != as_file).any(2)
    assert different.any()
    assert (as_file[different] == [3, 2, 1]).all()


@pytest.mark.parametrize("kind", NEEDED)
def test_it_happens_as_often_as_asked(kind):
    step = PIPELINES.build({"type": kind, **NEEDED[kind][0], "prob": 0.3})
    # Pillow's equalize leaves pictures of less than 256 pixels alone.
    dull = np.tile(IMG // 2 + 40, (3, 3, 1))
    with torch_randomness(0):
        count = sum(not np.array_equal(step({"img": dull})["img"], dull) for _ in range(500))
    # Three standard deviations of 500 draws are 31.
    assert 119 <= count <= 181


@pytest.mark.parametrize("kind", sorted(SIGNED))
def test_the_sign_changes_as_often_as_asked(kind):
    step = built(kind, **NEEDED[kind][0], random_negative_prob=0.3)
    plain = surely(kind, **NEEDED[kind][0])
    with torch_randomness(0):
        count = sum(not np.array_equal(step({"img": IMG})["img"], plain) for _ in range(500))
    assert 119 <= count <= 181


def test_only_pictures_in_bytes_are_changed():
    with pytest.raises(DataError, match=r"Rotate takes pictures in uint8, and 'a.png' is float already"):
        built("Rotate", angle=3)({"img": IMG.astype(np.float32), "filename": "a.png"})


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"type": "Rotate"}, "Rotate: set angle or magnitude_range, one of them"),
        ({"type": "Rotate", "angle": 3, "magnitude_range": (0, 1)}, "Rotate: set angle or magnitude_range"),
        ({"type": "Shear", "magnitude": 1, "direction": "up"}, "Shear: direction='up' is none of horizontal"),
        ({"type": "Shear", "magnitude": 1, "interpolation": "area"}, "interpolation='area' is none of"),
        ({"type": "Shear", "magnitude": 1, "prob": 2}, "Shear: prob=2"),
        (
            {"type": "Shear", "magnitude": 1, "probs": 1},
            "'Shear' has no argument 'probs'; did you mean 'prob'",
        ),
        ({"type": "Invert", "magnitude_range": (0, 1)}, "Invert: it has no magnitude"),
        ({"type": "Solarize", "magnitude_range": 3}, "Solarize: magnitude_range=3 must be two numbers"),
        ({"type": "Posterize", "bits": 9}, r"Posterize: bits=9 must lie in \[0, 8\]"),
        ({"type": "Rotate", "angle": 3, "center": [1]}, r"Rotate: center=\[1\]"),
        ({"type": "Rotate", "angle": 3, "scale": 0}, "Rotate: scale=0"),
        ({"type": "Cutout", "shape": 0}, "Cutout: shape=0"),
        ({"type": "Contrast", "magnitude_range": (0, 1), "magnitude_std": "much"}, "magnitude_std='much'"),
        ({"type": "Contrast", "magnitude_range": (0, 1), "total_level": 0}, "total_level=0 above 0"),
    ],
)
def test_values_that_mean_nothing_are_named(described, reason):
    with pytest.raises(ConfigError, match=reason):
        PIPELINES.build(described)
