"""Small files in the forms that each data set reads, written into the working directory."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.conftest import write_pictures
from tests.options.trials import NAMES

COUNT = 8
# Their names, by class and number.
PICTURES = [f"{name}/{number:03d}.png" for number in range(2) for name in NAMES]
LABELS = [PICTURES[index].split("/")[0] for index in range(COUNT)]


def folder() -> str:
    """Return a folder of four class folders with two pictures each."""
    return str(write_pictures(Path("folder"), classes=NAMES, per_class=2).resolve())


def lines(name: str, rows: list[str]) -> str:
    """Write a text and return its path."""
    Path(name).write_text("\n".join([*rows, ""]))
    return str(Path(name).resolve())


def pixels(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def npz(**arrays: Any) -> str:
    np.savez("arrays.npz", **arrays)
    return str(Path("arrays.npz").resolve())


def mnist() -> str:
    root = Path("mnist")
    root.mkdir()
    for part, length in (("train", COUNT), ("t10k", 4)):
        for name, array in (
            ("images-idx3", pixels(length, 28, 28)),
            ("labels-idx1", (np.arange(length) % 10).astype(np.uint8)),
        ):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            (root / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())
    return str(root.resolve())


def _pickled(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def cifar10() -> str:
    root = Path("cifar-10-batches-py")
    root.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        _pickled(root / name, {"data": pixels(2, 3072), "labels": [0, 1]})
    return str(root.parent.resolve())


def cifar100() -> str:
    root = Path("cifar-100-python")
    root.mkdir()
    for name in ("train", "test"):
        _pickled(root / name, {"data": pixels(COUNT, 3072), "fine_labels": list(range(COUNT))})
    _pickled(root / "meta", {"fine_label_names": [f"kind {number}" for number in range(100)]})
    return str(root.parent.resolve())


def cub() -> str:
    root = folder()
    numbered: dict[str, list[Any]] = {
        "images": PICTURES * 2,
        "image_class_labels": [1 + NAMES.index(name) for name in LABELS * 2],
        "train_test_split": [1] * COUNT + [0] * COUNT,
        "classes": list(NAMES),
    }
    for name, values in numbered.items():
        lines(f"{name}.txt", [f"{number} {value}" for number, value in enumerate(values, 1)])
    return root


def cars() -> str:
    from scipy.io import savemat

    form = [("relative_im_path", object), ("class", object), ("test", object)]
    rows = [
        (name, 1 + NAMES.index(label), test)
        for test in (0, 1)
        for name, label in zip(PICTURES, LABELS, strict=True)
    ]
    annotations = np.array(rows, dtype=form)
    root = folder()
    names = np.array(NAMES, dtype=object)
    savemat(f"{root}/cars_annos.mat", {"annotations": annotations, "class_names": names})
    return root


def voc() -> str:
    root = Path("VOC2007")
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    for number in range(COUNT):
        Image.fromarray(pixels(12, 12, 3)).save(root / "JPEGImages" / f"{number}.jpg")
        objects = "".join(
            f"<object><name>{name}</name><difficult>{hard}</difficult></object>"
            for name, hard in (("cat", number % 2), ("dog", 0))[: 1 + number % 3]
        )
        (root / "Annotations" / f"{number}.xml").write_text(f"<annotation>{objects}</annotation>")
    for name in ("trainval.txt", "test.txt"):
        lines(str(root / "ImageSets" / "Main" / name), [str(number) for number in range(COUNT)])
    return str(root.resolve())


def eurosat() -> str:
    write_pictures(Path("sat/eurosat/2750"), classes=NAMES, per_class=2)
    return str(Path("sat").resolve())


def table(name: str, row: Callable[[str, str], str], head: str) -> str:
    """Write a CSV file with a line for each picture of ``folder()``; return its path."""
    folder()
    return lines(name, [head, *(row(*pair) for pair in zip(PICTURES, LABELS, strict=True))])
