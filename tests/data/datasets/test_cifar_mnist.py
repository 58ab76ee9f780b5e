import gzip
import os
import pickle

import numpy as np
import pytest
import torch
import torchvision

from ding_cls.data import CIFAR10, CIFAR100, MNIST, FashionMNIST
from ding_cls.data.datasets.cifar_mnist import read_idx, read_pickled_arrays
from ding_cls.errors import DataError

RNG = np.random.default_rng(0)


def write_cifar10(folder):
    """Write batches of three pictures in the published form; return all pixels and labels."""
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    pixels = RNG.integers(0, 256, (6, 3, 3072), dtype=np.uint8)
    labels = RNG.integers(0, 10, (6, 3))
    for name, data, numbers in zip(names, pixels, labels, strict=True):
        content = {"batch_label": name, "data": data, "labels": numbers.tolist(), "filenames": ["x"] * 3}
        # Protocol 2 is that of Python 2, which wrote the published ones.
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return pixels.reshape(6, 3, 3, 32, 32).transpose(0, 1, 3, 4, 2), labels


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.tobytes()


def write_mnist(folder, pack=bytes, ending=""):
    folder.mkdir(parents=True)
    arrays = {}
    for part, length in (("train", 6), ("t10k", 4)):
        arrays[part] = (
            RNG.integers(0, 256, (length, 28, 28), dtype=np.uint8),
            np.arange(length, dtype=np.uint8),
        )
        for name, array in zip(("images-idx3", "labels-idx1"), arrays[part], strict=True):
            (folder / f"{part}-{name}-ubyte{ending}").write_bytes(pack(idx(array)))
    return arrays


def test_cifar10_is_read_as_published(tmp_path):
    pixels, labels = write_cifar10(tmp_path / "cifar-10-batches-py")
    train, test = CIFAR10(tmp_path, []), CIFAR10(tmp_path, [], test_mode=True)
    assert (len(train), len(test)) == (15, 3)
    assert train.targets == labels[:5].flatten().tolist()
    assert test.targets == labels[5].tolist()
    assert torch.equal(train.load(7)[0], torch.from_numpy(pixels[2, 1].copy()))
    assert train.classes == test.classes == tuple(torchvision_classes())
    assert CIFAR10(tmp_path / "cifar-10-batches-py", []).targets == train.targets


def torchvision_classes():
    return ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def test_cifar100_takes_fine_labels_and_their_names(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test"):
        content = {
            "data": np.zeros((2, 3072), np.uint8),
            "fine_labels": [99, 3],
            "coarse_labels": [0, 1],
        }
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"kind {number}" for number in range(100)]
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol=2))
    dataset = CIFAR100(tmp_path, [], test_mode=True)
    assert dataset.targets == [99, 3]
    assert dataset.classes == tuple(names)
    assert CIFAR100.CLASSES is None


class Malicious:
    def __reduce__(self):
        return os.system, ("touch owned",)


@pytest.mark.parametrize("content", [Malicious(), {"data": Malicious()}, {"data": np.array([Malicious()])}])
def test_no_code_of_a_pickle_is_run(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=r"bad' is no pickle of arrays: it names posix\.system"):
        read_pickled_arrays(tmp_path / "bad")
    assert not (tmp_path / "owned").exists()


def test_a_damaged_batch_is_named(tmp_path):
    write_cifar10(tmp_path / "c")
    (tmp_path / "c" / "test_batch").write_bytes(b"\x80\x02}")
    with pytest.raises(DataError, match=r"test_batch' is no pickle of arrays"):
        CIFAR10(tmp_path / "c", [], test_mode=True)
    (tmp_path / "c" / "test_batch").write_bytes(pickle.dumps({"data": [1, 2]}))
    with pytest.raises(DataError, match=r"test_batch' is no batch of CIFAR10"):
        CIFAR10(tmp_path / "c", [], test_mode=True)
    (tmp_path / "c" / "test_batch").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match=r"holds a list, not a dict"):
        CIFAR10(tmp_path / "c", [], test_mode=True)


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_mnist_is_read_as_published(tmp_path, kind, pack, ending):
    arrays = write_mnist(tmp_path / kind.__name__ / "raw", pack, ending)
    for test_mode, part in ((False, "train"), (True, "t10k")):
        dataset = kind(tmp_path, [], test_mode=test_mode)
        assert dataset.targets == arrays[part][1].tolist()
        grey = torch.from_numpy(arrays[part][0][3])
        assert torch.equal(dataset.load(3)[0], grey[..., None].expand(28, 28, 3))
    assert dataset.classes == tuple(getattr(torchvision.datasets, kind.__name__).classes)
    other = kind(tmp_path, [], sorted(dataset.classes, reverse=True), test_mode=True)
    assert [other.classes[each] for each in other.targets] == [dataset.classes[n] for n in dataset.targets]


def test_missing_files_are_named_with_what_to_do(tmp_path):
    with pytest.raises(
        DataError,
        match=r"has no file 'data_batch_1' of CIFAR10, which needs data_batch_1, .*data_batch_5, there or in "
        r"cifar-10-batches-py; name that folder \(--data .*policy.collect.train.download=True$",
    ):
        CIFAR10(tmp_path, [])
    with pytest.raises(
        DataError, match=r"has no file 't10k-images-idx3-ubyte' of MNIST.*collect.val.download"
    ):
        MNIST(tmp_path, [], test_mode=True)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08\x01\0\0\0\x05ab", b"\0\0\x0d\x01\0\0\0\x02ab", b"\x1f\x8bxx"]
)
def test_a_damaged_idx_file_is_named(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match="f'"):
        read_idx(tmp_path / "f")


def test_torchvision_fetches_what_is_missing_only_when_asked(tmp_path, monkeypatch):
    calls = []

    def fetch(folder, download):
        calls.append((folder, download))
        write_mnist(tmp_path / "MNIST" / "raw")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fetch)
    assert len(MNIST(tmp_path, [], download=True)) == 6
    assert len(MNIST(tmp_path, [], download=True, test_mode=True)) == 4
    assert calls == [(str(tmp_path), True)]


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    def fail(folder, download):
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(DataError, match=r"CIFAR10 cannot be downloaded into .*: Error downloading"):
        CIFAR10(tmp_path, [], download=True)


@pytest.mark.parametrize(
    "form", ["{0}", "{0}.gz", "{0}/{0}", "{1}", "{1}.gz", "{1}/{1}", "{0}/{1}", "{1}/{0}"]
)
def test_mnist_is_read_under_its_other_names(tmp_path, form):
    arrays = write_mnist(tmp_path / "published")
    for path in (tmp_path / "published").iterdir():
        target = tmp_path / "d" / form.format(path.name, path.name.replace("-idx", ".idx"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(path.read_bytes()) if form.endswith(".gz") else path.read_bytes())
    assert MNIST(tmp_path / "d", []).targets == arrays["train"][1].tolist()
    assert MNIST(tmp_path / "d", [], test_mode=True).targets == arrays["t10k"][1].tolist()


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("is_numpy", [False, True])
def test_cifar_is_read_as_python_3_writes_it_again(tmp_path, protocol, is_numpy):
    _, labels = write_cifar10(tmp_path / "c")
    for path in (tmp_path / "c").iterdir():
        content = pickle.loads(path.read_bytes())
        if is_numpy:
            content["labels"] = [np.int64(each) for each in content["labels"]]
        again = {key.encode(): value for key, value in content.items()}
        path.write_bytes(pickle.dumps(again, protocol=protocol))
    assert CIFAR10(tmp_path / "c", []).targets == labels[:5].flatten().tolist()


def test_names_of_classes_may_be_bytes(tmp_path):
    names = [f"class {number}" for number in range(100)]
    content = {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [99, 3]}
    (tmp_path / "test").write_bytes(pickle.dumps(content))
    (tmp_path / "meta").write_bytes(pickle.dumps({b"fine_label_names": [each.encode() for each in names]}))
    dataset = CIFAR100(tmp_path, [], test_mode=True)
    assert (dataset.targets, dataset.classes) == ([99, 3], tuple(names))
