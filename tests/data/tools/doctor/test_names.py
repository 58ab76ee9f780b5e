"""Names of classes that look alike, and what file names say of persons and objects."""

import pytest

from ding_cls.data.tools.doctor.names import alike_names, group_in_name, groups_in_names


def test_names_that_look_alike() -> None:
    names = [
        *("cat", "Cat", "c\u0430t", "caf\u00e9", "cafe\u0301", "dog", "dog ", " dog", "x\u200by", "xy"),
        *("01", "1", "bee", "bees", "be", "\u0391lpha", "Alpha"),
    ]
    assert alike_names(names) == [
        ["cat", "Cat", "c\u0430t"],
        ["caf\u00e9", "cafe\u0301"],
        ["dog", "dog ", " dog"],
        ["x\u200by", "xy"],
        ["01", "1"],
        ["\u0391lpha", "Alpha"],
    ]
    assert alike_names(["a", "a", "b"]) == []


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("x/patient_012_a.jpg", "patient_012"),
        ("scan-7-left.png", "scan-7"),
        ("012b.png", "012"),
        ("img_12_jpg.rf.0a1b.jpg", "img_12_jpg.rf"),
        ("image_0001.jpg", ""),
        ("IMG (3).jpg", ""),
        ("00012.png", ""),
        ("cat.17.jpg", ""),
        ("_.png", ""),
    ],
)
def test_the_group_in_a_name(name: str, group: str) -> None:
    assert group_in_name(name) == group


def test_what_names_a_class_or_a_batch_is_no_group() -> None:
    imagenet = [f"n0144{number % 4}_{number}.JPEG" for number in range(100)]
    labels = [(name[:6],) for name in imagenet]
    assert set(groups_in_names(imagenet, labels)) == {""}
    batch = [f"img_1_{number}.png" for number in range(100)]
    assert set(groups_in_names(batch, [(str(number % 9),) for number in range(100)])) == {""}
    people = [f"p{number // 3}_{number}.png" for number in range(99)]
    assert groups_in_names(people, [("a",)] * 99)[:4] == ["p0", "p0", "p0", "p1"]
