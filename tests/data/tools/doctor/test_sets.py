"""What is found of whole splits."""

from ding_cls.data.tools.doctor.findings import Data, in_order
from ding_cls.data.tools.doctor.sets import set_findings
from tests.data.tools.doctor.looks import by_kind, data_of, paths


def test_classes_of_one_split_and_not_of_the_other() -> None:
    data = data_of(
        ("train", "a.jpg", "x", {}),
        ("train", "b.jpg", "y", {}),
        ("val", "c.jpg", "x", {}),
        ("val", "d.jpg", "z", {}),
        classes={"train": ("w", "x", "y"), "val": ("x", "z")},
    )
    got = by_kind(set_findings(data))
    assert {kind: (each.severity, each.lines) for kind, each in got.items()} == {
        "empty_classes": ("serious", ["'w'"]),
        "untrained_classes": ("serious", ["'z'"]),
        "missing_classes": ("warning", ["'y'"]),
    }
    assert [each.kind for each in in_order(list(got.values()))][-1] == "missing_classes"


def test_counts_that_differ_ten_times() -> None:
    rows = [("train", f"{number}.jpg", "x", {}) for number in range(21)]
    assert (
        by_kind(set_findings(data_of(*rows, ("train", "a.jpg", "y", {}))))["imbalance"].severity == "warning"
    )
    assert by_kind(set_findings(data_of(*rows[:10], ("train", "a.jpg", "y", {})))) == {}


def test_names_that_look_alike_are_told_apart_in_print() -> None:
    data = data_of(("train", "a.jpg", "c\u0430t", {}), ("val", "b.jpg", "cat", {}))
    assert by_kind(set_findings(data))["alike_classes"].lines == [
        "'c\u0430t' = 'c\\u0430t' in train, 'cat' in val"
    ]


def test_groups_by_column_and_by_name() -> None:
    data = data_of(
        ("train", "p_12_a.jpg", "x", {}), ("val", "p_12_b.jpg", "x", {}), ("val", "p_13_a.jpg", "x", {})
    )
    assert paths(by_kind(set_findings(data))["names_across_splits"]) == [["p_12_a.jpg", "p_12_b.jpg"]]
    told = [each._replace(group=group) for each, group in zip(data.samples, ("u", "v", "u"), strict=True)]
    got = by_kind(set_findings(Data(data.splits, told, data.looks)))
    assert paths(got["groups_across_splits"]) == [["p_12_a.jpg", "p_13_a.jpg"]]
    assert got["groups_across_splits"].severity == "serious"
