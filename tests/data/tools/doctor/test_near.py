"""Near duplicates: copies made smaller and encoded anew are found, images alike by nature are not."""

import io
import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ding_cls.data.datasets.digits import load_digits
from ding_cls.data.tools.doctor import near
from ding_cls.data.tools.doctor.look import look_at_pixels
from ding_cls.data.tools.doctor.near import near_pairs

pytest.importorskip("imagehash")


@cache
def photograph(seed: int) -> Image.Image:
    """Return an image of coarse coloured fields, as smooth as photographs are."""
    fields = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    large = Image.fromarray(fields).resize((320, 240), Image.Resampling.BICUBIC)
    return large.filter(ImageFilter.UnsharpMask(2))


def encoded(image: Image.Image, share: float, kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    size = tuple(round(share * each) for each in image.size)
    image.resize(size).save(file, kind, quality=quality)  # type: ignore[arg-type]
    with Image.open(file) as image:
        return image.convert("RGB")


def found(images: list[Image.Image]) -> list[tuple[int, int]]:
    looks = [look_at_pixels(np.asarray(each), label="") for each in images]
    known = [each.signature for each in looks]
    assert all(each is not None for each in known)
    sides = [min(each.size) for each in images]
    return near_pairs([each for each in known if each is not None], sides).pairs


@pytest.mark.parametrize(
    ("share", "kind", "quality"),
    [
        (0.5, "JPEG", 85),
        (0.25, "JPEG", 60),
        (1, "JPEG", 10),
        (1.7, "JPEG", 75),
        (0.8, "PNG", 0),
        (0.6, "WEBP", 50),
    ],
)
def test_copies_are_found_and_nothing_else(share: float, kind: str, quality: int) -> None:
    originals = [photograph(seed) for seed in range(30)]
    copies = [encoded(each, share, kind, quality) for each in originals[:10]]
    assert found([*originals, *copies]) == [(number, 30 + number) for number in range(10)]


def test_small_digits_are_no_flood() -> None:
    images = load_digits()[0][:1200]
    digits = [
        Image.fromarray(each).resize((28, 28), Image.Resampling.BICUBIC).convert("RGB") for each in images
    ]
    copies = [encoded(each, 2, "JPEG", 75) for each in digits[:60:3]]
    pairs = set(found([*digits, *copies]))
    expected = {(3 * number, 1200 + number) for number in range(20)}
    # Of 8 x 8 points, one or the other is as near to a third image as to its copy.
    assert len(expected - pairs) <= 1
    assert len(pairs - expected) <= 2


def strokes(seed: int) -> Image.Image:
    """Return a drawing of thin lines, as sharp as handwritten digits."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (28, 28))
    ImageDraw.Draw(image).line(rng.integers(4, 24, 8).tolist(), fill=255, width=2)
    return image.convert("RGB")


def colours(seed: int) -> Image.Image:
    fields = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(fields).resize((32, 32), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("draw", [strokes, colours])
@pytest.mark.parametrize(("share", "kind", "quality"), [(0.5, "PNG", 0), (0.75, "JPEG", 85), (1, "JPEG", 75)])
def test_copies_of_small_images_are_found(draw: Any, share: float, kind: str, quality: int) -> None:
    originals = [draw(seed) for seed in range(200)]
    copies = [encoded(each, share, kind, quality) for each in originals[:20]]
    assert found([*originals, *copies]) == [(number, 200 + number) for number in range(20)]


def test_colours_count(monkeypatch: pytest.MonkeyPatch) -> None:
    red, green, blue = photograph(1).split()
    assert found([photograph(1), Image.merge("RGB", (blue, green, red))]) == []


def test_flat_images_are_not_compared() -> None:
    page = np.full((200, 150, 3), 250, np.uint8)
    page[20, 30] = 0
    other = page.copy()
    other[120, 90] = 0
    known = [look_at_pixels(each, label="").signature for each in (page, other)]
    assert near_pairs([each for each in known if each], [150, 150]) == ([], 1.0, 2)


def test_as_brute_force_says_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 63, 300, dtype=np.uint64)
    hashes[200:] = hashes[:100] ^ (np.uint64(1) << rng.integers(0, 60, 100, dtype=np.uint64))
    monkeypatch.setattr(near, "_BLOCK_PAIRS", 1000)
    monkeypatch.setattr(near, "_BLOCK_GRIDS", 7)
    got = [pair for a, b in near._alike(hashes, np.zeros(300, bool)) for pair in zip(a, b, strict=True)]
    expected = [
        (a, b) for a in range(300) for b in range(a + 1, 300) if int(hashes[a] ^ hashes[b]).bit_count() <= 10
    ]
    assert sorted(got) == expected
    assert len(expected) >= 100


def test_a_flood_is_made_stricter_and_told() -> None:
    grid = np.random.default_rng(0).integers(0, 256, (near.GRID, near.GRID, 3), dtype=np.uint8)
    signatures = [
        (7, np.clip(grid.astype(int) + number // 4, 0, 255).astype(np.uint8)) for number in range(60)
    ]
    got = near_pairs(signatures, [200] * 60)
    assert got.limit < 1
    assert 0 < len(got.pairs) <= 600


@pytest.mark.slow
def test_many_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 63, 20_000, dtype=np.uint64).tolist()
    grid = rng.integers(0, 256, (near.GRID, near.GRID, 3), dtype=np.uint8)
    began = time.process_time()
    assert len(near_pairs([(each, grid) for each in hashes], [200] * 20_000).pairs) < 100
    assert time.process_time() - began < 5
