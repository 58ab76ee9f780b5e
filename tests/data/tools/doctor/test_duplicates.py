"""One image twice: where, under which labels, and which side is left out."""

from ding_cls.data.tools.doctor.duplicates import duplicate_findings, find_duplicates, leaked
from ding_cls.data.tools.doctor.examine import examine
from ding_cls.data.tools.doctor.findings import Data, Finding
from tests.data.tools.doctor.looks import by_kind, data_of, paths

ONE, TWO, THREE = ({"pixel_digest": each} for each in (b"one", b"two", b"three"))
DATA = data_of(
    ("train", "a.jpg", "x", ONE),
    ("val", "b.jpg", "x", ONE),
    ("test", "c.jpg", "x", ONE),
    ("train", "d.jpg", "x", TWO),
    ("train", "e.jpg", "y", TWO),
    ("train", "f.jpg", "y", THREE),
    ("train", "g.jpg", "y", THREE),
    ("train", "h.jpg", "y", {}),
)


def found(data: Data) -> dict[str, Finding]:
    got = by_kind(duplicate_findings(data, find_duplicates(data)))
    return {kind: each for kind, each in got.items() if kind != "near_not_sought"}


def test_each_cluster_is_found_where_it_matters() -> None:
    got = found(DATA)
    assert paths(got["duplicates_across_splits"]) == [["a.jpg", "b.jpg", "c.jpg"]]
    assert paths(got["duplicates_across_labels"]) == [["d.jpg", "e.jpg"]]
    assert paths(got["duplicates_within_split"]) == [["f.jpg", "g.jpg"]]
    assert len(got) == 3


def test_the_later_split_keeps_its_images() -> None:
    assert [(one.name, kept.name) for one, kept in leaked(find_duplicates(DATA))] == [
        ("a.jpg", "c.jpg"),
        ("b.jpg", "c.jpg"),
    ]
    _, listed = examine(DATA, [])
    assert [each.path for each in listed] == ["a.jpg", "b.jpg"]
    assert listed[0].reason == "the same image as 'c.jpg' in test"


def test_a_file_that_is_in_both_splits_is_told_and_not_left_out() -> None:
    data = data_of(("train", "a.jpg", "x", {}), ("val", "a.jpg", "x", {}))
    same = Data(data.splits, [each._replace(image=0) for each in data.samples], data.looks[:1])
    assert "mended in its table" in found(same)["duplicates_across_splits"].remedy
    assert list(leaked(find_duplicates(same))) == []


def test_a_sample_that_is_repeated_is_no_duplicate() -> None:
    data = data_of(("train", "a.jpg", "x", {}), ("train", "a.jpg", "x", {}))
    same = Data(data.splits, [each._replace(image=0) for each in data.samples], data.looks[:1])
    assert found(same) == {}
