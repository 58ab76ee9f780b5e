import gzip

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from ding_cls.data import TorchvisionDataset
from ding_cls.data.datasets.torchvision import _names
from ding_cls.errors import ConfigError, DataError

LOAD = [{"type": "LoadImageFromFile"}]


@pytest.fixture
def eurosat(make_pictures):
    """A data set of torchvision that is a folder of class folders."""
    return make_pictures("e", "eurosat/2750/Forest/1.png", "eurosat/2750/Annual/2.png").parent / "e"


def test_a_named_set_gives_torchvisions_pictures_and_classes(eurosat):
    dataset = TorchvisionDataset("EuroSAT", eurosat, [])
    theirs = torchvision.datasets.EuroSAT(eurosat)
    assert dataset.classes == ("Annual", "Forest")
    assert dataset.targets == list(theirs.targets) == [0, 1]
    for index in range(2):
        assert torch.equal(dataset.load(index)[0], torch.from_numpy(np.array(theirs[index][0])))
    normalize = {"type": "Normalize", "mean": [10, 20, 30], "std": [50, 60, 70], "to_rgb": False}
    seen = TorchvisionDataset("EuroSAT", eurosat, [normalize])[1]["img"]
    expected = (np.array(theirs[1][0], float) - [10, 20, 30]) / [50, 60, 70]
    assert np.allclose(seen, expected, atol=1e-5)


def test_test_mode_chooses_the_part_of_a_set_that_has_train(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, length in (("train", 3), ("t10k", 2)):
        images, labels = np.full((length, 28, 28), length, np.uint8), np.arange(length, dtype=np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            (raw / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())
            (raw / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))
    assert TorchvisionDataset("MNIST", tmp_path, []).targets == [0, 1, 2]
    judged = TorchvisionDataset("MNIST", tmp_path, [], test_mode=True)
    assert judged.targets == [0, 1]
    assert judged.load(0)[0].eq(2).all()
    assert TorchvisionDataset("MNIST", tmp_path, [], test_mode=True, train=True).targets == [0, 1, 2]


def test_labels_are_found_where_torchvision_keeps_them(tmp_path):
    pets = tmp_path / "oxford-iiit-pet"
    (pets / "annotations").mkdir(parents=True)
    (pets / "images").mkdir()
    for name in ("Abyssinian_1", "beagle_2"):
        Image.new("RGB", (5, 4), (9, 8, 7)).save(pets / "images" / f"{name}.jpg")
    (pets / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_2 2 2 1\n")
    dataset = TorchvisionDataset("OxfordIIITPet", tmp_path, [], split="trainval")
    assert dataset.targets == [0, 1]
    assert dataset.classes == ("Abyssinian", "Beagle")
    assert dataset.load(1)[0].shape == (4, 5, 3)


def scipy_table(**columns):
    kinds = [(name, object) for name in columns]
    return np.array([list(zip(*columns.values(), strict=True))], kinds)


def caltech101(root, picture):
    (root / "caltech101" / "101_ObjectCategories" / "BACKGROUND_Google").mkdir(parents=True)
    picture("caltech101/101_ObjectCategories/ant/image_0001.jpg")
    picture("caltech101/101_ObjectCategories/crab/image_0001.jpg")


def dtd(root, picture):
    picture("dtd/dtd/images/ant/1.jpg")
    picture("dtd/dtd/images/crab/2.jpg")
    (root / "dtd" / "dtd" / "labels").mkdir()
    (root / "dtd" / "dtd" / "labels" / "train1.txt").write_text("ant/1.jpg\ncrab/2.jpg\n")


def fgvc_aircraft(root, picture):
    data = root / "fgvc-aircraft-2013b" / "data"
    picture("fgvc-aircraft-2013b/data/images/1.jpg")
    picture("fgvc-aircraft-2013b/data/images/2.jpg")
    (data / "variants.txt").write_text("ant\ncrab\n")
    (data / "images_variant_train.txt").write_text("1 ant\n2 crab\n")


def flowers102(root, picture):
    scipy_io = pytest.importorskip("scipy.io")
    picture("flowers-102/jpg/image_00001.jpg")
    picture("flowers-102/jpg/image_00002.jpg")
    scipy_io.savemat(root / "flowers-102" / "imagelabels.mat", {"labels": [1, 2]})
    scipy_io.savemat(root / "flowers-102" / "setid.mat", {"trnid": [1, 2], "valid": [], "tstid": []})


def food101(root, picture):
    picture("food-101/images/ant/1.jpg")
    picture("food-101/images/crab/2.jpg")
    (root / "food-101" / "meta").mkdir()
    (root / "food-101" / "meta" / "train.json").write_text('{"ant": ["ant/1"], "crab": ["crab/2"]}')


def sun397(root, picture):
    picture("SUN397/a/ant/sun_1.jpg")
    picture("SUN397/c/crab/sun_2.jpg")
    (root / "SUN397" / "ClassName.txt").write_text("/a/ant\n/c/crab\n")


def stanford_cars(root, picture):
    scipy_io = pytest.importorskip("scipy.io")
    picture("stanford_cars/cars_train/1.jpg")
    picture("stanford_cars/cars_train/2.jpg")
    devkit = root / "stanford_cars" / "devkit"
    devkit.mkdir()
    table = scipy_table(fname=["1.jpg", "2.jpg"], **{"class": [1, 2]})
    scipy_io.savemat(devkit / "cars_train_annos.mat", {"annotations": table})
    scipy_io.savemat(devkit / "cars_meta.mat", {"class_names": np.array(["ant", "crab"], object)})


NAMED = {
    "Caltech101": (caltech101, {}),
    "DTD": (dtd, {}),
    "FGVCAircraft": (fgvc_aircraft, {"split": "train"}),
    "Flowers102": (flowers102, {}),
    "Food101": (food101, {}),
    "SUN397": (sun397, {}),
    "StanfordCars": (stanford_cars, {}),
}


@pytest.mark.parametrize("name", NAMED)
def test_every_named_set_of_the_coverage_page_is_read(name, tmp_path, monkeypatch):
    drawn = []

    def picture(path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        level = 50 if not drawn else 200
        drawn.append(path)
        Image.new("RGB", (6, 5), (level, level, level)).save(tmp_path / path)

    write, arguments = NAMED[name]
    write(tmp_path, picture)
    # The published files' checksum.
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_check_integrity", lambda self: True)
    dataset = TorchvisionDataset(name, tmp_path, [], **arguments)
    assert dataset.targets == [0, 1]
    names = ["pink primrose", "hard-leaved pocket orchid"] if name == "Flowers102" else ["ant", "crab"]
    assert [each.rsplit("/", 1)[-1] for each in dataset.classes[:2]] == names
    assert [dataset.load(index)[0].shape for index in range(2)] == [(5, 6, 3)] * 2
    assert [dataset.load(index)[0].float().mean().round().item() for index in range(2)] == [50, 200]


def test_a_split_that_numbers_its_own_classes_gets_the_training_lists_numbers(tmp_path, caplog):
    def picture(path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 5)).save(tmp_path / path)

    dtd(tmp_path, picture)
    (tmp_path / "dtd" / "dtd" / "labels" / "val1.txt").write_text("crab/2.jpg\n")
    train = TorchvisionDataset("DTD", tmp_path, [], split="train")
    val = TorchvisionDataset("DTD", tmp_path, [], split="val", classes=train.classes, test_mode=True)
    assert torchvision.datasets.DTD(tmp_path, split="val")[0][1] == 0
    assert (val.targets, val.classes) == ([1], ("ant", "crab"))
    assert TorchvisionDataset("DTD", tmp_path, [], split="val", classes=["Krebs"]).targets == [0]
    assert "torchvision's DTD: the class 'crab' is none of 1, so labels are positions" in caplog.text
    with pytest.raises(DataError, match=r"torchvision's DTD: the class 'ant' is none of the 2 classes"):
        TorchvisionDataset("DTD", tmp_path, [], split="train", classes=["Crab", "Ant"])
    with pytest.raises(
        DataError, match=r"has 1 classes, \['crab'\] among them, and 'classes' names 2 others"
    ):
        TorchvisionDataset("DTD", tmp_path, [], split="val", classes=["ant", "owl"])


def test_a_name_that_two_classes_have_gets_their_numbers():
    assert _names([("crane",), "owl", ("crane",), ("a", "b")]) == ("crane (0)", "owl", "crane (2)", "a, b")


@pytest.mark.parametrize(
    ("name", "arguments", "error", "reason"),
    [
        ("Imagenot", {}, ConfigError, "torchvision has no data set named 'Imagenot'; it has"),
        ("Flowers102", {"splt": "train"}, ConfigError, "unexpected keyword argument 'splt'"),
        ("Flowers102", {"split": "training"}, ConfigError, "Flowers102 refuses"),
        ("Flowers102", {"test_mode": True}, ConfigError, "does not tell which split to judge on; add split="),
        ("Flowers102", {}, DataError, "Dataset not found or corrupted"),
        ("ImageNet", {"download": True}, ConfigError, "cannot download ImageNet"),
        ("CIFAR10", {}, DataError, "Dataset not found or corrupted"),
    ],
)
def test_what_torchvision_refuses_is_one_line(tmp_path, name, arguments, error, reason):
    with pytest.raises(error, match=reason) as caught:
        TorchvisionDataset(name, tmp_path, [], **arguments)
    assert "\n" not in str(caught.value)


def test_a_picture_that_cannot_be_read_is_named(eurosat):
    dataset = TorchvisionDataset("EuroSAT", eurosat, [])
    (eurosat / "eurosat" / "2750" / "Forest" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match="sample 1 of torchvision's EuroSAT cannot be read"):
        dataset.load(1)


def test_a_transform_among_the_arguments_may_draw_from_any_generator(eurosat):
    dataset = TorchvisionDataset("EuroSAT", eurosat, [], transform=lambda picture: picture)
    assert not dataset.draws_from_torch_only
