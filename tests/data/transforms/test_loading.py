import numpy as np
import pytest

from ding_cls.data.transforms import LoadImageFromFile
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.image_io import load_rgb


def sample(folder, name="a.png"):
    return {"img_prefix": str(folder), "img_info": {"filename": name}, "gt_label": 0}


def test_it_reads_what_load_rgb_reads(make_pictures):
    folder = make_pictures("d", "a.png")
    results = LoadImageFromFile()(sample(folder))
    assert np.array_equal(results["img"], np.asarray(load_rgb(folder / "a.png")))
    assert results["img"].dtype == np.uint8
    assert results["img_shape"] == results["ori_shape"] == (16, 20, 3)
    assert (results["filename"], results["ori_filename"]) == (str(folder / "a.png"), "a.png")
    assert results["gt_label"] == 0
    results["img"][0, 0] = 0


@pytest.mark.parametrize("prefix", [None, ""])
def test_without_a_prefix_the_name_is_the_path(make_pictures, prefix):
    path = str(make_pictures("d", "a.png") / "a.png")
    results = LoadImageFromFile()({"img_prefix": prefix, "img_info": {"filename": path}})
    assert results["filename"] == path


def test_floats_hold_the_same_numbers(make_pictures):
    folder = make_pictures("d", "a.png")
    floats = LoadImageFromFile(to_float32=True)(sample(folder))["img"]
    assert floats.dtype == np.float32
    assert np.array_equal(floats, LoadImageFromFile()(sample(folder))["img"])


def test_grey_has_three_equal_channels(make_pictures):
    folder = make_pictures("d", "a.png")
    grey = LoadImageFromFile(color_type="grayscale")(sample(folder))["img"]
    assert np.array_equal(grey[..., 0], np.asarray(load_rgb(folder / "a.png").convert("L")))
    assert np.array_equal(grey[..., 1:], grey[..., :1].repeat(2, axis=2))


def test_an_error_carries_path_class_and_index(tmp_path):
    (tmp_path / "a.png").write_text("text")
    about = {"class_name": "cat", "sample_idx": 7}
    with pytest.raises(
        DataError, match=rf"'{tmp_path}/a.png' \(class 'cat', index 7\) is text, not a picture"
    ):
        LoadImageFromFile()({**sample(tmp_path), **about})


def test_a_sample_without_a_file_is_told_to_leave_the_step_out():
    with pytest.raises(DataError, match="leave this step out"):
        LoadImageFromFile()({"img": np.zeros((2, 2, 3), np.uint8)})


def test_only_the_disk_and_two_colour_types_are_accepted():
    LoadImageFromFile(file_client_args={"backend": "disk"})
    with pytest.raises(ConfigError, match="backend 'petrel'; only 'disk'"):
        LoadImageFromFile(file_client_args={"backend": "petrel"})
    with pytest.raises(ConfigError, match="color_type='unchanged'"):
        LoadImageFromFile(color_type="unchanged")


def test_what_loading_leaves_for_a_step_of_ones_own(make_pictures):
    folder = str(make_pictures("d", "a.png"))
    results = LoadImageFromFile()({"img_prefix": folder, "img_info": {"filename": "a.png"}, "gt_label": 1})
    shape = results["img"].shape
    assert (results["img_shape"], results["ori_shape"], results["img_fields"]) == (shape, shape, ["img"])
    assert (results["filename"], results["ori_filename"]) == (f"{folder}/a.png", "a.png")
    assert (results["img_prefix"], results["img_info"], results["gt_label"]) == (
        folder,
        {"filename": "a.png"},
        1,
    )
    about = results["img_norm_cfg"]
    assert (about["mean"].tolist(), about["std"].tolist(), about["to_rgb"]) == ([0.0] * 3, [1.0] * 3, False)
