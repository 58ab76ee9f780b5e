import pickle

import numpy as np
import pytest
import torch

from ding_cls.common.seed import torch_randomness
from ding_cls.data import ArrayDataset, build_eval_loader
from ding_cls.data.datasets.arrays import array_names
from ding_cls.data.transforms.array_ops import as_pixels
from ding_cls.errors import ConfigError, DataError
from tests.data.pictures_options import STEPS

RGB = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
LABELS = np.array([0, 2, 1, 1, 0])
MEAN, STD = [10.0, 20.0, 30.0], [50.0, 60.0, 70.0]


@pytest.fixture
def file(tmp_path):
    np.savez(
        tmp_path / "a.npz", images=RGB, labels=LABELS, classes=np.array(["a", "b", "c"]), grey=RGB[..., 0]
    )
    return tmp_path / "a.npz"


def test_arrays_are_samples():
    dataset = ArrayDataset(images=RGB, labels=LABELS)
    assert (dataset.classes, dataset.targets) == (("0", "1", "2"), LABELS.tolist())
    (batch,) = build_eval_loader(dataset, 8)
    assert torch.equal(batch.images, torch.from_numpy(RGB))
    assert batch.targets.tolist() == LABELS.tolist()


def test_a_file_names_arrays_and_classes(file):
    dataset = ArrayDataset(file, [])
    assert dataset.classes == ("a", "b", "c")
    assert torch.equal(dataset.load(3)[0], torch.from_numpy(RGB[3]))
    assert ArrayDataset(file, [], classes=["x", "y", "z"]).classes == ("x", "y", "z")
    grey = ArrayDataset(file, images="grey")
    assert torch.equal(grey.load(3)[0], torch.from_numpy(RGB[3, ..., :1].repeat(3, -1)))
    assert torch.equal(ArrayDataset(images=RGB[..., :1], labels=LABELS).load(3)[0], grey.load(3)[0])


def test_pixels_stay_rgb_unless_to_rgb_is_true():
    # mmclassification's arrays are RGB: to_rgb=True would swap them, and its CIFAR configs say False.
    said = (({}, RGB[1]), ({"to_rgb": False}, RGB[1]), ({"to_rgb": True}, RGB[1, ..., ::-1]))
    for order, pixels in said:
        normalize = {"type": "Normalize", "mean": MEAN, "std": STD, **order}
        dataset = ArrayDataset(images=RGB, labels=LABELS, pipeline=[normalize])
        expected = (pixels.astype(np.float64) - MEAN) / STD
        assert np.allclose(dataset[1]["img"], expected, atol=1e-5)
        deferred = dataset.pipeline.deferred(dataset.load(1)[0][None])[0].permute(1, 2, 0)
        assert np.allclose(deferred, expected, atol=1e-5)


def test_labels_may_be_tasks_or_shares():
    tasks = ArrayDataset(images=RGB, labels=np.stack([LABELS, LABELS], 1).astype(np.uint8))
    assert tasks.load(1)[1].tolist() == [2, 2]
    assert tasks.load(1)[1].dtype == torch.int64
    shares = ArrayDataset(images=RGB, labels=np.eye(3)[LABELS])
    assert torch.equal(shares.load(1)[1], torch.tensor([0.0, 0.0, 1.0]))
    assert shares.classes == ("0", "1", "2")
    assert ArrayDataset(images=RGB, labels=np.eye(3)[LABELS] > 0).load(0)[1].tolist() == [1, 0, 0]


def test_a_sample_never_changes_the_array():
    def blacken(results):
        results["img"][:] = 0
        return results

    before = RGB.copy()
    dataset = ArrayDataset(images=RGB, labels=LABELS, pipeline=[blacken])
    assert dataset.load(0)[0].eq(0).all()
    assert np.array_equal(RGB, before)


def test_workers_get_each_picture_once():
    images = np.zeros((400, 16, 16, 3), np.uint8)
    size = len(pickle.dumps(ArrayDataset(images=images, labels=np.zeros(400, int))))
    assert images.nbytes < size < 1.5 * images.nbytes


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ((RGB.astype(float), LABELS), "images is an array of float64"),
        ((RGB[:, 0, 0], LABELS), r"with the shape \(5, 3\)"),
        ((RGB.transpose(0, 3, 1, 2), LABELS), r"it is uint8 \(N, H, W, 3\)"),
        ((RGB, LABELS[:3]), "5 images, and labels of the shape"),
        ((RGB, LABELS - 1), "has the class number -1"),
        ((RGB, LABELS + 0.5), "gt_label must be whole numbers"),
    ],
)
def test_arrays_of_another_form_are_named(arrays, reason):
    with pytest.raises(DataError, match=reason):
        ArrayDataset(images=arrays[0], labels=arrays[1])


def test_a_file_that_cannot_be_read_is_named(file, tmp_path):
    with pytest.raises(DataError, match="has no array 'x_train"):
        ArrayDataset(file, [], images="x_train", labels="y_train")
    with pytest.raises(DataError, match=r"none\.npz' does not exist \(in '"):
        ArrayDataset(tmp_path / "none.npz", [])
    np.savez(tmp_path / "objects.npz", images=np.array([{}], object), labels=[0])
    with pytest.raises(DataError, match=r"cannot be read as \.npz: Object arrays cannot be loaded"):
        ArrayDataset(tmp_path / "objects.npz", [])
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"a\.npz' cannot be read as .npz"):
        ArrayDataset(file, [])
    with pytest.raises(ConfigError, match="both arrays, or both names"):
        ArrayDataset(images=RGB)


def test_a_loader_is_handed_the_arrays_own_pixels():
    images = RGB.copy()
    dataset = ArrayDataset(images=images, labels=LABELS, pipeline=[{"type": "RandomFlip", "flip_prob": 0.0}])
    for index in range(5):
        pixels = dataset.load(index)[0]
        assert pixels.data_ptr() == images[index].ctypes.data
        assert np.array_equal(pixels, images[index])
    (batch,) = build_eval_loader(dataset, 8)
    assert batch.images.data_ptr() != images.ctypes.data


def test_a_step_of_ones_own_and_a_samples_dict_get_copies():
    def seen(results):
        assert not np.shares_memory(results["img"], RGB)
        return results

    ArrayDataset(images=RGB, labels=LABELS, pipeline=[seen]).load(0)
    assert not np.shares_memory(ArrayDataset(images=RGB, labels=LABELS)[0]["img"], RGB)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_of_ours_writes_into_the_arrays(name):
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), dtype=np.uint8)
    before = images.copy()
    # Without what makes a smaller copy first.
    steps = [step for step in STEPS[name] if step["type"] != "Resize"]
    dataset = ArrayDataset(images=images, labels=np.zeros(4, int), pipeline=steps)
    assert dataset.draws_from_torch_only
    for seed in range(8):
        for index in range(4):
            with torch_randomness(seed):
                expected = as_pixels(dataset[index]["img"])
            with torch_randomness(seed):
                assert torch.equal(dataset.load(index)[0], expected)
    assert np.array_equal(images, before)


def test_labels_follow_the_names_in_the_file(file, tmp_path, caplog):
    moved = ArrayDataset(file, [], classes=["c", "b", "a", "d"])
    assert (moved.targets, moved.classes) == ([2, 0, 1, 1, 2], ("c", "b", "a", "d"))
    np.savez(tmp_path / "b.npz", images=RGB, labels=np.eye(3)[LABELS], classes=np.array([b"a", b"b", b"c"]))
    shares = ArrayDataset(tmp_path / "b.npz", [], classes=["c", "a", "b"])
    assert np.array_equal(shares.get_gt_labels().argmax(1), [1, 0, 2, 2, 1])
    assert not caplog.records
    assert ArrayDataset(file, [], classes=["x", "y", "z"]).targets == LABELS.tolist()
    assert "a.npz': the class 'a' is none of 3, so labels are positions" in caplog.text
    with pytest.raises(DataError, match=r"a\.npz': the class 'c' is none of the 2 classes"):
        ArrayDataset(file, [], classes=["b", "a"])


def test_labels_may_be_names(tmp_path):
    names = np.array(["007", "b", "b", "007", "1e3"])
    assert ArrayDataset(images=RGB, labels=names).classes == ("007", "1e3", "b")
    assert ArrayDataset(images=RGB, labels=names, classes=["b", "1e3", "007"]).targets == [2, 0, 0, 2, 1]
    np.savez(tmp_path / "a.npz", images=RGB, labels=names, classes=np.array(["b", "1e3", "007"]))
    assert ArrayDataset(tmp_path / "a.npz").targets == [2, 0, 0, 2, 1]
    assert ArrayDataset(tmp_path / "a.npz", [], classes=["007", "1e3", "b"]).targets == [0, 2, 2, 0, 1]


def test_numbers_that_names_and_positions_read_otherwise_are_refused():
    with pytest.raises(DataError, match=r"labels: the label 1 is '2' by its position and '1' by its name"):
        ArrayDataset(images=RGB, labels=LABELS, classes=["1", "2", "3"])
    codes = ArrayDataset(images=RGB, labels=LABELS + 10234)
    assert (codes.classes, codes.targets) == (("10234", "10235", "10236"), LABELS.tolist())
    assert ArrayDataset(images=RGB, labels=LABELS + 10234, classes=codes.classes).targets == LABELS.tolist()


@pytest.mark.parametrize(
    ("names", "trained", "judged"),
    [
        ("x_train y_train x_test y_test", 0, 1),
        ("X_train Y_train X_test Y_test", 0, 1),
        ("train_images train_labels val_images val_labels", 0, 1),
        ("trainX trainy testX testy", 0, 1),
        ("x y", 0, 0),
        ("data target", 0, 0),
        ("images labels x_test y_test", 0, 0),
    ],
)
def test_the_usual_names_of_arrays_are_known(tmp_path, names, trained, judged):
    names = names.split()
    labels = [LABELS[:, None], (LABELS + 1)[:, None]]
    arrays = {name: labels[n // 2] if n % 2 else RGB for n, name in enumerate(names)}
    np.savez(tmp_path / "k.npz", **arrays)
    for test_mode, number in ((False, trained), (True, judged)):
        dataset = ArrayDataset(tmp_path / "k.npz", [], test_mode=test_mode, classes=list("abcdefg"))
        assert dataset.targets == labels[number][:, 0].tolist()


def test_arrays_by_split(tmp_path):
    def names_of(*names):
        np.savez(tmp_path / "k.npz", **{name: LABELS if name[-1] in "sy" else RGB for name in names})
        return array_names(str(tmp_path / "k.npz"))

    keras = names_of("x_train", "y_train", "x_test", "y_test")
    assert keras["val"] == keras["test"] == ("x_test", "y_test")
    medical = names_of(
        "train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"
    )
    assert {name: each[0] for name, each in medical.items()} == {
        "train": "train_images",
        "val": "val_images",
        "test": "test_images",
    }
    assert names_of("images", "labels") == {"": ("images", "labels")}
    with pytest.raises(DataError, match=r"no array 'images'; it has a \(5,.*, b \(.*name two of them"):
        names_of("a", "b")


def test_one_array_alone_is_no_npz(tmp_path):
    np.save(tmp_path / "x.npy", RGB)
    with pytest.raises(DataError, match=r"holds one array; an \.npz file holds images and labels"):
        ArrayDataset(tmp_path / "x.npy", [])


def test_whole_0_and_1_for_each_named_class_are_several_labels():
    hot = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]], np.uint8)
    named = ArrayDataset(images=RGB, labels=hot, classes=["a", "b", "c"])
    assert named.load(0)[1].dtype == torch.float32
    assert ArrayDataset(images=RGB, labels=hot).load(0)[1].dtype == torch.int64
