"""Folders of small pictures, made once for each test that asks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakePictures = Callable[..., Path]


@pytest.fixture
def make_pictures(tmp_path: Path) -> MakePictures:
    """Return a function that writes pictures of distinct noise: ``make(root, 'cat/a.png', ...)``."""

    def make(root: str, *relative: str, size: tuple[int, int] = (20, 16)) -> Path:
        folder = tmp_path / root
        for number, name in enumerate(relative):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return folder

    return make
