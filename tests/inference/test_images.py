"""Images in batches, by the shape that they have after the preprocessing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import Preprocessing
from ding_cls.inference.images import load_batches, pixels_of


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_keep_shapes_apart_and_name_what_cannot_be_read(num_workers: int) -> None:
    for number, name in enumerate(("a.png", "b.jpg")):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(name)
    Path("torn.png").write_bytes(Path("a.png").read_bytes()[:30])
    sources = ["a.png", "torn.png", "b.jpg", "gone.png"]
    preprocessing = Preprocessing(image_size=2, resize_size=3)
    batches = load_batches(sources, [preprocessing], batch_size=3, num_workers=num_workers)
    ((numbers, (pixels,)),), errors = next(batches)
    assert numbers == [0, 2]
    assert torch.equal(pixels[1], pixels_of("b.jpg", preprocessing))
    assert [number for number, _ in errors] == [1]
    assert "'torn.png' is truncated" in errors[0][1]
    groups, errors = next(batches)
    assert groups == []
    assert "'gone.png' does not exist" in errors[0][1]
    assert next(batches, None) is None


def test_images_of_two_shapes_make_two_groups() -> None:
    class AsItIs(Preprocessing):
        def __call__(self, picture: Image.Image) -> Image.Image:
            return picture

    sources = [np.zeros((size, size, 3), np.uint8) for size in (4, 6, 4)]
    ((groups, errors),) = load_batches(sources, [AsItIs(4, 4)], batch_size=8, num_workers=0)
    assert [(numbers, tuple(pixels.shape)) for numbers, (pixels,) in groups] == [
        ([0, 2], (2, 4, 4, 3)),
        ([1], (1, 6, 6, 3)),
    ]
    assert errors == []


def test_an_image_that_its_steps_make_too_large_does_not_stop_the_others() -> None:
    class PaddedToSquare(Preprocessing):
        def __call__(self, picture: Image.Image) -> Image.Image:
            if picture.width == 60_000:
                raise MemoryError
            return picture

    sources = [Image.new("RGB", (60_000, 1)), Image.new("RGB", (4, 4))]
    ((groups, errors),) = load_batches(sources, [PaddedToSquare(4, 4)], batch_size=8, num_workers=0)
    assert [numbers for numbers, _ in groups] == [[1]]
    assert errors == [
        (0, "image 0 is 60000 x 1, and what its preprocessing makes of it does not fit into memory; cut it")
    ]
