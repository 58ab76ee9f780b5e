import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data.transforms import (
    Collect,
    Compose,
    ImageToTensor,
    Normalize,
    ToNumpy,
    ToPIL,
    ToTensor,
    Transpose,
)
from ding_cls.data.transforms.array_ops import FROM_FILE, IMAGENET_MEAN, IMAGENET_STD, as_pixels, normalize
from ding_cls.errors import ConfigError, DataError

MM_MEAN, MM_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
IMG = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def normalized(step, **sample):
    return step({"img": PIXELS.copy(), FROM_FILE: True, **sample})["img"]


def test_both_spellings_of_imagenets_numbers_are_one():
    step = Normalize(MM_MEAN, MM_STD)
    assert (step.mean, step.std) == (IMAGENET_MEAN, IMAGENET_STD)


@pytest.mark.parametrize("value", [0.485, 0.5, 0.1307, 0.4914, 0.5071, 1.0, 1 / 3])
def test_a_number_survives_the_way_to_255_and_back(value):
    value = round(value, 12)
    assert Normalize([value * 255] * 3, [value * 255] * 3).mean == (value,) * 3


def test_one_sample_and_a_batch_have_the_same_bits():
    batch = normalize(torch.from_numpy(PIXELS)[None])[0]
    assert np.array_equal(normalized(Normalize(MM_MEAN, MM_STD)), batch.permute(1, 2, 0).numpy())
    floats = normalized(Normalize(MM_MEAN, MM_STD), img=PIXELS.astype(np.float32))
    assert np.array_equal(floats, batch.permute(1, 2, 0).numpy())


def test_values_are_those_of_the_formula_by_hand():
    expected = (PIXELS.astype(np.float64) - np.array(MM_MEAN)) / np.array(MM_STD)
    found = normalized(Normalize(MM_MEAN, MM_STD))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-6


def test_its_input_is_left_alone():
    for img in (PIXELS.copy(), PIXELS.astype(np.float32)):
        before = img.copy()
        Normalize(MM_MEAN, MM_STD)({"img": img})
        assert np.array_equal(img, before)


@pytest.mark.parametrize(
    ("is_from_file", "to_rgb", "is_swapped"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, True)],
)
def test_to_rgb_means_what_it_means_in_mmclassification(is_from_file, to_rgb, is_swapped):
    # There a file is BGR until to_rgb turns it; an array is whatever it is until to_rgb turns it.
    step = Normalize(mean=[10, 20, 30], std=[1, 2, 3], to_rgb=to_rgb)
    seen = PIXELS[..., ::-1] if is_swapped else PIXELS
    expected = (seen - np.array([10.0, 20.0, 30.0])) / np.array([1.0, 2.0, 3.0])
    found = step({"img": PIXELS.copy(), **({FROM_FILE: True} if is_from_file else {})})["img"]
    assert np.abs(found - expected).max() < 1e-3
    assert step.numbers(is_from_file=is_from_file).is_swapped is is_swapped


def test_what_was_done_is_told():
    told = Normalize(MM_MEAN, MM_STD, to_rgb=True)({"img": PIXELS})["img_norm_cfg"]
    assert np.array_equal(told["mean"], np.float32(MM_MEAN))
    assert told["to_rgb"] is True


@pytest.mark.parametrize(
    ("mean", "std", "reason"),
    [
        ([1, 2], [1, 2, 3], "three numbers each"),
        ([1, 2, 3], [1, 0, 3], "std above 0"),
        (IMAGENET_MEAN, IMAGENET_STD, "multiply them by 255"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(mean, std, reason):
    with pytest.raises(ConfigError, match=reason):
        Normalize(mean, std)


def test_pictures_become_tensors_with_channels_first():
    results = ImageToTensor(["img"])({"img": PIXELS, "gt_label": 3})
    assert torch.equal(results["img"], torch.from_numpy(PIXELS).permute(2, 0, 1))
    assert results["gt_label"] == 3


def test_numbers_become_tensors():
    results = ToTensor(["gt_label", "img", "scores"])(
        {"img": PIXELS, "gt_label": np.array(3, np.int64), "scores": [0.5, 1.0]}
    )
    assert torch.equal(results["gt_label"], torch.tensor(3))
    assert results["img"].shape == (3, 5, 7)
    assert torch.equal(results["scores"], torch.tensor([0.5, 1.0]))
    with pytest.raises(DataError, match="cannot make a tensor of 'name': 'cat'"):
        ToTensor(["name"])({"name": "cat"})


def test_collecting_keeps_the_chosen_and_tells_the_rest():
    sample = {"img": 1, "gt_label": 2, "filename": "a.png", "flip": True, "secret": 3}
    assert Collect(keys=["img", "gt_label"])(sample) == {
        "img": 1,
        "gt_label": 2,
        "img_metas": {"filename": "a.png", "flip": True},
    }
    assert Collect(keys=["img"], meta_keys=["secret"])(sample) == {"img": 1, "img_metas": {"secret": 3}}


@pytest.mark.parametrize("kind", [ImageToTensor, ToTensor, Collect])
def test_a_missing_entry_is_named_with_those_there_are(kind):
    with pytest.raises(DataError, match=f"{kind.__name__}: the sample has no 'img'; it has gt_label"):
        kind(keys=["img"])({"gt_label": 1})


def test_keys_are_a_list():
    for step in (Collect, ImageToTensor, ToTensor):
        with pytest.raises(ConfigError, match=rf"{step.__name__}: keys='img' must be a list, \['img'\]"):
            step("img")


def test_one_number_is_that_of_each_channel():
    for mean, std in ((127.5, 127.5), ([127.5], (127.5,)), (127, [127.5] * 3), (np.float32(127.5), 127.5)):
        one, three = Normalize(mean, std), Normalize([float(np.ravel(mean)[0])] * 3, [127.5] * 3)
        assert one.numbers(is_from_file=True) == three.numbers(is_from_file=True)
        assert np.array_equal(one({"img": PIXELS})["img"], three({"img": PIXELS})["img"])


def test_one_number_or_three_are_wanted():
    for mean in (None, [], [1, 2], "127.5", True, [[1, 2, 3]]):
        with pytest.raises(ConfigError, match="must be three numbers each, or one for all"):
            Normalize(mean, [1, 1, 1])


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


def test_axes_and_forms_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match=r"order=\(0, 2\)"):
        Transpose(["img"], (0, 2))
    with pytest.raises(DataError, match="'img' of a picture has 3 axes, not 2"):
        Transpose(["img"], (1, 0))({"img": IMG})
    with pytest.raises(DataError, match="ToPIL takes pictures in uint8"):
        ToPIL()({"img": IMG.astype(np.float32)})
