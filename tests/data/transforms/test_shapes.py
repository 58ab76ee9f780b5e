import numpy as np
import pytest
from PIL import Image

from ding_cls.data.transforms.shapes import (
    BACKENDS,
    FILTERS,
    one_of,
    pair,
    probability,
    resized,
    with_picture,
)
from ding_cls.errors import ConfigError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("interpolation", FILTERS)
def test_bytes_are_resized_as_by_pillow_and_floats_without_rounding(interpolation):
    theirs = np.asarray(Image.fromarray(IMG).resize((5, 7), FILTERS[interpolation])).astype(int)
    ours = resized(IMG, 7, 5, interpolation)
    assert (ours.dtype, ours.shape) == (np.uint8, (7, 5, 3))
    assert np.array_equal(ours, theirs)
    floats = resized(IMG.astype(np.float32), 7, 5, interpolation)
    assert floats.dtype == np.float32
    # Pillow rounds bytes after each of its two passes.
    assert np.abs(np.clip(floats, 0, 255) - theirs).max() <= 1.01


def test_opencvs_area_is_the_mean_over_the_area():
    blocks = IMG.astype(np.float32).reshape(6, 2, 8, 2, 3).mean((1, 3))
    assert np.allclose(resized(IMG.astype(np.float32), 6, 8, "area"), blocks, atol=1e-3)


def test_a_picture_is_stored_in_one_piece_with_its_shape():
    results = with_picture({"gt_label": 3}, IMG[:, ::-1])
    assert results["img"].flags.c_contiguous
    assert np.array_equal(results["img"], IMG[:, ::-1])
    assert (results["img_shape"], results["gt_label"]) == ((12, 16, 3), 3)


@pytest.mark.parametrize(
    ("size", "expected"), [(8, (8, 8)), ([8], (8, 8)), ((8, 6), (8, 6)), ([6, 8], (6, 8))]
)
def test_a_size_is_height_and_width(size, expected):
    assert pair(size, "Resize", "size") == expected


@pytest.mark.parametrize("size", [0, -1, True, 2.5, (8, 0), (1, 2, 3), ()])
def test_what_is_no_size_is_named(size):
    with pytest.raises(ConfigError, match=r"^Resize: size=.* in pixels"):
        pair(size, "Resize", "size")


def test_words_and_probabilities_outside_their_range_are_named():
    assert one_of("cv2", BACKENDS, "Resize", "backend") == "cv2"
    with pytest.raises(ConfigError, match=r"^Resize: backend='cv' is none of cv2, pillow"):
        one_of("cv", BACKENDS, "Resize", "backend")
    assert [probability(each, "Flip", "prob") for each in (0, 0.5, 1)] == [0.0, 0.5, 1.0]
    for wrong in (-0.1, 1.1, "0.5", None, float("nan")):
        with pytest.raises(ConfigError, match=r"^Flip: prob=.* must lie in \[0, 1\]"):
            probability(wrong, "Flip", "prob")
