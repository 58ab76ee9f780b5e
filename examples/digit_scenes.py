"""Pictures of several handwritten digits, to try several labels a picture, and several heads, on.

``python examples/digit_scenes.py labels|strings OUT [--digits MNIST_FOLDER] [--counts 20000 2000 4000]``

``labels``: one to four digits anywhere on 56 x 56 pixels, without touching; the labels say which are there.
``strings``: four digits in a row on 32 x 96 pixels, tilted, shifted and under noise; the labels are their
numbers in order. OUT/train.npz, val.npz and test.npz hold ``images``, ``labels`` and ``classes``, as
``ArrayDataset`` reads them. The same seed gives the same bytes, and no handwritten digit is in two of them.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ding_cls.data import MNIST
from ding_cls.data.datasets.digits import load_digits
from ding_cls.errors import DataError, DingError

NUM_TEST_LIKE = 10_000  # the last digits of MNIST's training part are for validation


def digit_parts(folder=None):
    """Return three pairs of digits and their numbers: MNIST's, or the 1,797 that the library carries."""
    if folder is None:
        digits = load_digits()
        bright = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        images = np.stack([np.array(Image.fromarray(each).resize((20, 20))) for each in bright])
        return [(images[digits.splits == part], digits.targets[digits.splits == part]) for part in range(3)]
    (images, numbers), test = (MNIST(folder, [], test_mode=each).load_arrays() for each in (False, True))
    halves = slice(None, -NUM_TEST_LIKE), slice(-NUM_TEST_LIKE, None)
    return [*((images[half], numbers[half]) for half in halves), test]


def inked(digit):
    """Return a digit without the empty rows and columns around it."""
    rows, columns = np.flatnonzero(digit.max(1)), np.flatnonzero(digit.max(0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scattered(images, numbers, draws, size_px=56):
    """Return a picture with one to four digits apart from one another, and 1 for each number on it."""
    canvas, label = np.zeros((size_px, size_px), np.uint8), np.zeros(10, np.float32)
    for chosen in draws.integers(len(images), size=draws.integers(1, 5)):
        digit = inked(images[chosen])
        height, width = digit.shape
        for _ in range(100):
            top, left = draws.integers(size_px - height + 1), draws.integers(size_px - width + 1)
            if not canvas[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1].any():
                canvas[top : top + height, left : left + width] = digit
                label[numbers[chosen]] = 1
                break
    return canvas, label


def lined_up(images, numbers, draws, length=4, height=32, width=96):
    """Return a picture with a row of digits, and their numbers."""
    canvas = draws.integers(64, size=(height, width), dtype=np.uint8)  # noise
    chosen = draws.integers(len(images), size=length)
    for place, digit in enumerate(images[chosen]):
        whole = np.pad(digit, [(0, 28 - side) for side in digit.shape]) if len(digit) < 28 else digit
        tilted = np.array(Image.fromarray(whole).rotate(draws.uniform(-15, 15), Image.Resampling.BILINEAR))
        top, left = draws.integers(height - 28 + 1), place * 22 + draws.integers(3)
        part = canvas[top : top + 28, left : left + 28]
        np.maximum(part, tilted, out=part)
    return canvas, numbers[chosen].astype(np.int64)


SCENES = {"labels": scattered, "strings": lined_up}


def write(scene, out, digits=None, counts=(20_000, 2_000, 4_000), seed=0):
    if min(counts) < 1:
        raise DataError(f"counts are {list(counts)}; each must be at least 1")
    parts = digit_parts(digits)
    Path(out).mkdir(parents=True, exist_ok=True)
    for part, (name, count) in enumerate(zip(("train", "val", "test"), counts, strict=True)):
        images, numbers = parts[part]
        draws = np.random.default_rng([seed, part])
        pictures, labels = zip(*(SCENES[scene](images, numbers, draws) for _ in range(count)), strict=True)
        classes = [str(number) for number in range(10)]
        np.savez(
            Path(out, f"{name}.npz"), images=np.stack(pictures), labels=np.stack(labels), classes=classes
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("out")
    parser.add_argument("--digits", help="folder of MNIST's four files; without it the library's own digits")
    parser.add_argument("--counts", type=int, nargs=3, default=(20_000, 2_000, 4_000))
    parser.add_argument("--seed", type=int, default=0)
    try:
        write(**vars(parser.parse_args()))
    except DingError as error:
        parser.exit(2, f"error: {error}\n")
