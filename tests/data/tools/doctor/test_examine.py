"""All checks in one, and which files had better be left out."""

from ding_cls.data.tools.doctor.crop import DEFAULT_STEPS
from ding_cls.data.tools.doctor.examine import examine
from ding_cls.data.tools.quarantine import Quarantined
from tests.data.tools.doctor.looks import by_kind, data_of


def test_what_cannot_be_read_and_what_is_evaluated_too_is_left_out_once() -> None:
    fault = "'a.jpg' is truncated after 9 bytes; delete it or replace it"
    data = data_of(
        ("train", "a.jpg", "x", {"fault": fault, "pixel_digest": b""}),
        ("train", "b.jpg", "x", {"pixel_digest": b"same"}),
        ("val", "c.jpg", "x", {"pixel_digest": b"same"}),
        ("train", "d.jpg", "x", {}),
    )
    findings, left_out = examine(data, DEFAULT_STEPS)
    assert {"truncated", "duplicates_across_splits"} <= {*by_kind(findings)}
    assert [each.severity for each in findings] == sorted(
        (each.severity for each in findings), key=("serious", "warning", "note").index
    )
    assert left_out == [
        Quarantined("a.jpg", "is truncated after 9 bytes"),
        Quarantined("b.jpg", "the same image as 'c.jpg' in val"),
    ]
