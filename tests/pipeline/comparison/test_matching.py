"""Which image of one result is which of another, and when they are not the same."""

from pathlib import Path

import numpy as np
import pytest

from ding_cls.errors import DataError
from ding_cls.pipeline.comparison.judged import Judged
from ding_cls.pipeline.comparison.matching import matched

CLASSES = ["ash", "fir", "fir", "oak"]
PATHS = ["val/ash/1.png", "val/fir/1.png", "val/fir/2.png", "val/oak/1.png"]


def result(
    name: str, paths: list[str] | None = PATHS, classes: list[str] | None = CLASSES, numbers: str = "0112"
) -> Judged:
    count = len(numbers) if paths is None else len(paths)
    return Judged(name, paths, list(numbers), classes, ["ash"] * count, np.ones(count, dtype=bool))


def test_images_in_another_order_are_found_by_path() -> None:
    other = result("b", PATHS[::-1], CLASSES[::-1], numbers="2110")
    places, words = matched(result("a"), other)
    assert places.tolist() == [3, 2, 1, 0]
    assert words == "by path"


def test_images_of_a_moved_folder_are_found_below_it() -> None:
    moved = [f"/elsewhere/pets/{path}" for path in PATHS]
    places, words = matched(result("a"), result("b", moved))
    assert places.tolist() == [0, 1, 2, 3]
    assert words == "by path below val and /elsewhere/pets/val"


def test_an_image_that_is_listed_twice_is_matched_twice() -> None:
    twice = ["a.png", "b.png", "a.png", "b.png"]
    classes, numbers = ["x", "y", "x", "y"], "0101"
    other = result("b", ["b.png", "a.png", "a.png", "b.png"], ["y", "x", "x", "y"], "1001")
    places, _ = matched(result("a", twice, classes, numbers), other)
    assert places.tolist() == [1, 0, 2, 3]
    with pytest.raises(DataError, match="1 of the 3 images of 'b' are not in 'a'"):
        matched(
            result("a", ["a.png", "b.png"], ["x", "y"], "01"),
            result("b", ["a.png", "b.png", "a.png"], ["x", "y", "x"], "010"),
        )


def test_other_images_are_counted_and_refused() -> None:
    other = result("b", [*PATHS[:3], "val/oak/7.png", "val/oak/8.png"], [*CLASSES, "oak"], "01122")
    line = (
        r"1 of the 4 images of 'a' are not in 'b', and 2 of the 5 images of 'b' are not in 'a', such as "
        r"'val/oak/1.png'; compare results on the same images \(of checkpoints: --data"
    )
    with pytest.raises(DataError, match=line):
        matched(result("a"), other)


def test_a_subset_is_refused_too() -> None:
    with pytest.raises(DataError, match=r"2 of the 4 images of 'a' are not in 'b', such as 'val/fir/2.png'"):
        matched(result("a"), result("b", PATHS[:2], CLASSES[:2], "01"))


def test_other_images_of_the_same_names_are_refused_where_their_files_are_there(tmp_path: Path) -> None:
    paths: dict[str, list[str]] = {"val": [], "test": []}
    for folder, size in (("val", 3), ("test", 4)):
        for name in ("ash/1.png", "fir/1.png"):
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True)
            file.write_bytes(b"x" * size)
            paths[folder].append(str(file))
    first, other = (result(each, paths[each], CLASSES[:2], "01") for each in ("val", "test"))
    with pytest.raises(DataError, match=r"2 of 2 images of 'val' and 'test' share names and differ in size"):
        matched(first, other)


def test_classes_are_compared_by_name_not_by_number() -> None:
    assert matched(result("a"), result("b", numbers="3445"))[1] == "by path"
    line = r"1 of 4 images have another class in 'b' than in 'a', such as 'val/oak/1.png': 'elm' and 'oak'"
    with pytest.raises(DataError, match=line):
        matched(result("a"), result("b", classes=[*CLASSES[:3], "elm"]))


def test_arrays_are_matched_by_place_and_number() -> None:
    arrays = result("x.npz", None, None)
    places, words = matched(result("a"), arrays)
    assert (places.tolist(), words) == (
        [0, 1, 2, 3],
        "by place: x.npz names no images, classes by number",
    )
    with pytest.raises(DataError, match=r"'a' has 4 images and 'y.npz' 3; 'y.npz' names none"):
        matched(result("a"), result("y.npz", None, None, "011"))
    with pytest.raises(DataError, match=r"3 of 4 images have another class in 'z.npz' than in 'x.npz'"):
        matched(arrays, result("z.npz", None, None, "0220"))
