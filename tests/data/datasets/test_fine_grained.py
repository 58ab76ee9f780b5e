import numpy as np
import pytest

from ding_cls.data import CUB, ImageNet21k, StanfordCars
from ding_cls.errors import DataError

LOAD = [{"type": "LoadImageFromFile"}]


def test_cub_is_read_from_its_three_lists(make_pictures):
    root = make_pictures("cub", "images/001.Crow/a.png", "images/002.Owl/b.png", "images/001.Crow/c.png")
    (root / "images.txt").write_text("1 001.Crow/a.png\n2 002.Owl/b.png\n3 001.Crow/c.png\n")
    (root / "image_class_labels.txt").write_text("1 1\n2 2\n3 1\n")
    (root / "train_test_split.txt").write_text("1 1\n2 1\n3 0\n")
    (root / "classes.txt").write_text("1 001.Crow\n2 002.Owl\n")
    train, test = CUB(root / "images", LOAD), CUB(root / "images", LOAD, test_mode=True)
    assert (train.targets, test.targets) == ([0, 1], [0])
    assert train.classes == ("001.Crow", "002.Owl")
    assert test.load(0)[0].shape == (16, 20, 3)
    (root / "train_test_split.txt").write_text("1 1\n2 1\n")
    with pytest.raises(DataError, match="list other pictures"):
        CUB(root / "images", LOAD)


def test_stanford_cars_are_read_from_their_matlab_file(make_pictures):
    scipy_io = pytest.importorskip("scipy.io")
    root = make_pictures("cars", "car_ims/1.png", "car_ims/2.png", "car_ims/3.png")
    kinds = [("relative_im_path", object), ("class", object), ("test", object)]
    rows = np.array([[("car_ims/1.png", 2, 0), ("car_ims/2.png", 1, 0), ("car_ims/3.png", 1, 1)]], kinds)
    names = np.array([["AM General", "Acura"]], object)
    scipy_io.savemat(root / "cars_annos.mat", {"annotations": rows, "class_names": names})
    train, test = StanfordCars(root, LOAD), StanfordCars(root, LOAD, test_mode=True)
    assert (train.targets, test.targets) == ([1, 0], [0])
    assert train.classes == ("AM General", "Acura")
    assert test.load(0)[0].shape == (16, 20, 3)
    with pytest.raises(DataError, match=r"none\.mat' cannot be read as a MATLAB file"):
        StanfordCars(root, LOAD, ann_file=root / "none.mat")


def test_imagenet21k_has_folders_or_a_list(make_pictures):
    root = make_pictures("i", "n01/a.png", "n02/b.png")
    assert ImageNet21k(root, LOAD).targets == [0, 1]


def test_stanford_cars_are_read_from_their_devkit(make_pictures):
    scipy_io = pytest.importorskip("scipy.io")
    root = make_pictures("cars", "cars_train/1.png", "cars_train/2.png", "cars_test/1.png")
    (root / "devkit").mkdir()
    kinds = [("bbox_x1", object), ("class", object), ("fname", object)]
    for part, name, rows in (
        ("train", "cars_train_annos", [(1, 2, "1.png"), (1, 1, "2.png")]),
        ("test", "cars_test_annos_withlabels", [(1, 2, "1.png")]),
    ):
        annotations = np.array([rows], kinds)
        scipy_io.savemat(root / "devkit" / f"{name}.mat", {"annotations": annotations, "part": part})
    scipy_io.savemat(root / "devkit/cars_meta.mat", {"class_names": np.array([["AM", "Acura"]], object)})
    train, test = StanfordCars(root, LOAD), StanfordCars(root, LOAD, test_mode=True)
    assert (train.targets, test.targets, train.classes) == ([1, 0], [1], ("AM", "Acura"))
    assert train.data_infos[0]["img_info"] == {"filename": "cars_train/1.png"}
    assert test.load(0)[0].shape == (16, 20, 3)
