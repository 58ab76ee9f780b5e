import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data.transforms.array_ops import as_array, as_pixels, as_tensor, described_sample, is_bytes
from ding_cls.errors import DataError

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
