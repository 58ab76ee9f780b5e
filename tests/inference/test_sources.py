"""Which files words mean, in which order, and how pixels come in."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import load_rgb
from ding_cls.errors import DataError
from ding_cls.images.decoding.formats import INSTALL
from ding_cls.inference.sources import find_images, read_rgb, refuse_overwriting, sources_of


@pytest.fixture
def folder() -> Path:
    """Images at several depths, and what is none."""
    root = Path("in")
    names = ["b.PNG", "a/z.jpg", "a/deep/er/x.webp", "é.png", "a b,c.png", "Z.png", "n\nl.png"]
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        kind = {"webp": "WEBP", "jpg": "JPEG"}.get(name.rpartition(".")[2], "PNG")
        Image.new("RGB", (4, 4), (number, 0, 0)).save(root / name, format=kind)
    (root / "notes.txt").write_text("no image")
    (root / ".hidden.png").write_bytes((root / "Z.png").read_bytes())
    (root / "empty").mkdir()
    return root


def test_a_folder_means_its_images_at_any_depth_in_bytewise_order(folder: Path) -> None:
    names = ["Z.png", "a b,c.png", "a/deep/er/x.webp", "a/z.jpg", "b.PNG", "n\nl.png", "é.png"]
    assert find_images([folder]) == [f"in/{name}" for name in names]
    assert find_images([f"{folder}/a", "in/Z.png"]) == ["in/a/deep/er/x.webp", "in/a/z.jpg", "in/Z.png"]


def test_a_name_that_is_no_utf_8_is_found(folder: Path) -> None:
    name = os.fsdecode(b"in/a/\xff.png")
    Path(name).write_bytes((folder / "Z.png").read_bytes())
    assert find_images(["in/a"])[-1] == name
    assert find_images([name]) == [name]
    assert find_images(["in/a/*.png"]) == [name]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.png", ["Z.png", "a b,c.png", "n\nl.png", "é.png"]),
        ("in/a/*", ["a/deep/er/x.webp", "a/z.jpg"]),
        ("in/**/*.jpg", ["a/z.jpg"]),
        ("in/**", ["Z.png", "a b,c.png", "a/deep/er/x.webp", "a/z.jpg", "b.PNG", "n\nl.png", "é.png"]),
        ("in/[ab]*", ["a b,c.png", "a/deep/er/x.webp", "a/z.jpg", "b.PNG"]),
    ],
)
def test_a_pattern_means_each_image_once_in_bytewise_order(
    folder: Path, pattern: str, expected: list[str]
) -> None:
    assert find_images([pattern]) == [f"in/{name}" for name in expected]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    odd = folder / "what[1].png"
    odd.write_bytes((folder / "Z.png").read_bytes())
    assert find_images([str(odd)]) == [str(odd)]


def test_order_and_repeats_of_words_stay_and_a_file_may_have_any_ending(folder: Path) -> None:
    words = ["in/b.PNG", "in/Z.png", "in/notes.txt", "in/b.PNG"]
    assert find_images(words) == words
    assert find_images(["in/gone.png", "in/Z.png"], must_exist=False) == ["in/gone.png", "in/Z.png"]
    # One line of a list stops none of the others.
    assert find_images(["in/gone[1].png", "in/Z*.png"], must_exist=False) == ["in/gone[1].png", "in/Z.png"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("in/gone.png", "'in/gone.png' does not exist .*; name image files or folders"),
        ("in/empty", "the folder 'in/empty' holds no images"),
        ("in/*.gif", r"'in/\*\.gif' leads to no image .*: it fits 0 other files"),
        ("in/*.txt", r"'in/\*\.txt' leads to no image .*: it fits 1 other files"),
    ],
)
def test_what_leads_to_no_image_is_an_error(folder: Path, word: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_images(["in/Z.png", word])


def write_junk(folder: Path) -> None:
    for name in (
        "@eaDir/z.jpg/SYNOPHOTO_THUMB_M.jpg",
        "@eaDir/1.jpg",
        "a/SYNOFILE_THUMB_M.jpg",
        "c.jfif",
        "d.PSD",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_thumbnails_of_a_storage_box_are_no_images(folder: Path) -> None:
    write_junk(folder)
    found = find_images(["in"])
    assert "in/c.jfif" in found
    assert not [each for each in found if "THUMB" in each or "@eaDir" in each]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("in/*", "1 .psd, 1 .txt"),
        ("in/**", "1 .psd, 1 .txt"),
        ("in", "1 .psd, 1 .txt, 1 hidden image, 1 system folder ('@eaDir')"),
        ("in/*.png", ""),
    ],
)
def test_what_a_pattern_fits_beside_images_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture, pattern: str, line: str
) -> None:
    write_junk(folder)
    assert find_images([pattern])
    assert caplog.messages == ([f"left out of {pattern!r}: {line}"] if line else [])


def test_a_pattern_for_images_of_a_missing_package_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INSTALL, ".xheic", "pip install some-package")
    (folder / "1.xheic").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"folders \(1 .xheic; to read them: pip install some-package\); a pattern"
    ):
        find_images(["in/*.xheic"])


@pytest.mark.parametrize("pattern", ["in/**/*.jpg", "in/*", "in/*/*", "in/**"])
def test_a_pattern_leads_to_no_thumbnails_of_a_storage_box(folder: Path, pattern: str) -> None:
    write_junk(folder)
    found = find_images([pattern])
    assert found
    assert not [each for each in found if "@eaDir" in each or "THUMB" in each]
    # Whoever names such a folder means it.
    assert find_images(["in/@eaDir/*.jpg"]) == ["in/@eaDir/1.jpg"]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "1", "LA"])
def test_an_open_image_is_read_as_its_file_is(mode: str) -> None:
    wide = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    ramp = Image.fromarray((wide >> 8).astype(np.uint8))
    image = Image.fromarray(wide) if mode == "I;16" else ramp.convert(mode)
    if mode == "RGBA":
        image.putalpha(ramp)
    name = "image.tif" if mode == "CMYK" else "image.png"
    image.save(name)
    expected = np.asarray(load_rgb(name))
    with Image.open(name) as opened:
        assert np.array_equal(np.asarray(read_rgb(opened)), expected)
    assert np.array_equal(np.asarray(read_rgb(image)), expected)


def test_an_open_image_is_turned_upright_as_its_file_is() -> None:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save("turned.png", exif=exif)
    with Image.open("turned.png") as opened:
        found = read_rgb(opened)
    assert found.size == (2, 4)
    assert np.array_equal(np.asarray(found), np.asarray(load_rgb("turned.png")))


def test_arrays_are_rgb_rgba_or_grey() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    grey = rgb[..., 0]
    assert np.array_equal(np.asarray(read_rgb(rgb)), rgb)
    assert np.array_equal(np.asarray(read_rgb(rgb[:, ::-1])), rgb[:, ::-1])
    for each in (grey, grey[..., None]):
        assert np.array_equal(np.asarray(read_rgb(each)), np.stack([grey] * 3, -1))
    opaque = np.concatenate([rgb, np.full((5, 7, 1), 255, np.uint8)], -1)
    assert np.array_equal(np.asarray(read_rgb(opaque)), rgb)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((4, 4, 3), np.int64),
    ],
)
def test_another_array_is_an_error(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"image 3 is an array of .*; it must be uint8, 0 to 255"):
        read_rgb(array, number=3)


def test_one_several_or_a_folder_of_images_become_a_list(folder: Path) -> None:
    image, array = Image.new("RGB", (4, 4)), np.zeros((2, 4, 4, 3), np.uint8)
    assert sources_of(image) == [image]
    assert sources_of("in/Z.png") == sources_of(Path("in/Z.png")) == ["in/Z.png"]
    assert len(sources_of(array)) == 2
    assert len(sources_of(array[0])) == 1
    assert sources_of(["in/Z.png", image, Path("in/a")])[2:] == ["in/a/deep/er/x.webp", "in/a/z.jpg"]
    assert sources_of([]) == []


@pytest.mark.parametrize("strange", [3, None, torch.zeros(3, 4, 4), [torch.zeros(3, 4, 4)], [3], b"a.png"])
def test_what_is_no_image_is_an_error(strange: object) -> None:
    with pytest.raises(DataError, match="an image is a path, a Pillow image or an array of uint8, not a"):
        sources_of(strange)


def test_what_is_read_is_not_written_over() -> None:
    for name in ("labels.csv", "other.csv"):
        Path(name).write_text("path,label\n")
    Path("link.csv").symlink_to("labels.csv")
    os.link("labels.csv", "hard.csv")
    for out in ("labels.csv", "./labels.csv", "link.csv", "hard.csv"):
        with pytest.raises(DataError, match=f"'{out}' would be written over 'labels.csv', which is read"):
            refuse_overwriting(out, ["gone.csv", None, "labels.csv"])
    for out in ("other.csv", "new.csv"):
        refuse_overwriting(out, ["gone.csv", None, "labels.csv"])
