import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data.transforms.array_ops import (
    BACKENDS,
    FILTERS,
    as_array,
    as_pixels,
    as_tensor,
    described_sample,
    is_bytes,
    normalize,
    one_of,
    pair,
    probability,
    resized,
    with_image,
)
from ding_cls.errors import ConfigError, DataError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_every_form_of_a_picture_is_the_same_array():
    forms = [PIXELS, torch.from_numpy(PIXELS).permute(2, 0, 1), Image.fromarray(PIXELS)]
    for form in forms:
        assert np.array_equal(as_array(form), PIXELS)
        assert torch.equal(as_tensor(form), torch.from_numpy(PIXELS).permute(2, 0, 1))
        assert torch.equal(as_pixels(form), torch.from_numpy(PIXELS))
        assert is_bytes(form)


def test_a_pillow_picture_becomes_an_array_that_can_be_written_to():
    array = as_array(Image.fromarray(PIXELS))
    array[0, 0] = 9
    assert array[0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize("grey", [PIXELS[..., 0], PIXELS[..., :1], Image.fromarray(PIXELS[..., 0])])
def test_grey_is_repeated_to_three_channels(grey):
    assert np.array_equal(as_array(grey), PIXELS[..., :1].repeat(3, axis=2))


def test_flipped_and_read_only_arrays_become_tensors():
    fixed = PIXELS.copy()
    fixed.flags.writeable = False
    assert torch.equal(as_pixels(PIXELS[:, ::-1]), torch.from_numpy(PIXELS[:, ::-1].copy()))
    assert torch.equal(as_pixels(fixed), torch.from_numpy(PIXELS))


def test_floats_leave_as_single_precision_with_channels_first():
    for form in (PIXELS / 7, torch.from_numpy(PIXELS / 7).permute(2, 0, 1)):
        pixels = as_pixels(form)
        assert pixels.dtype == torch.float32
        assert pixels.is_contiguous()
        assert torch.equal(pixels, torch.from_numpy((PIXELS / 7).astype(np.float32)).permute(2, 0, 1))
        assert not is_bytes(form)


@pytest.mark.parametrize("img", ["a.png", None, np.zeros(3), torch.zeros(2, 2)])
def test_what_is_no_picture_is_named(img):
    with pytest.raises(DataError, match=rf"results\['img'\] is a {type(img).__name__}"):
        as_array(img)


def test_other_numbers_than_bytes_and_floats_are_refused_at_the_end():
    with pytest.raises(DataError, match=r"ndarray of int64 with the shape \(2, 4, 3\) at the end"):
        as_pixels(PIXELS.astype(np.int64))


def test_a_sample_is_named_by_what_is_known_of_it():
    assert described_sample({}) == "a picture"
    assert described_sample({"img_info": {"filename": "a.png"}}) == "'a.png'"
    known = {"filename": "d/a.png", "class_name": "cat", "sample_idx": 3, "img_info": {"filename": "a.png"}}
    assert described_sample(known) == "'d/a.png' (class 'cat', index 3)"


def test_an_rgb_picture_is_not_converted(monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", pytest.fail)
    assert np.array_equal(as_array(Image.fromarray(PIXELS)), PIXELS)


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
    results = with_image({"gt_label": 3}, IMG[:, ::-1])
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


def test_normalising_in_an_exported_network_leaves_no_constants_behind() -> None:
    mean, std = (0.11, 0.22, 0.33), (0.44, 0.55, 0.66)

    class Normalising(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return normalize(images, mean, std)

    images = torch.arange(24, dtype=torch.uint8).reshape(1, 2, 4, 3)
    program = torch.export.export(Normalising(), (images,))
    expected = (images.permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    for found in (normalize(images, mean, std), program.module()(images)):
        assert torch.allclose(found, expected, rtol=0, atol=1e-6)
