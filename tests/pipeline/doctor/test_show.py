"""The doctor's report as text."""

from ding_cls.data.tools.doctor.findings import Finding, single
from ding_cls.pipeline.doctor.show import doctor_text
from tests.pipeline.doctor.reports import report_of, shown


def test_a_finding_shows_its_first_images_and_counts_the_rest() -> None:
    groups = single([(shown(number % 3).sample, "") for number in range(6)])
    text = doctor_text(report_of(Finding("a", "warning", "6 images", "mend them", groups)))
    assert text.count("train/x/") == 4
    assert "      and 2 more\n    -> mend them" in text
    assert "all well" not in text


def test_a_fault_names_its_file_once() -> None:
    note = "'data/train/x/0.png' is empty (0 bytes)"
    text = doctor_text(report_of(Finding("a", "serious", "1 image", "", [[shown(0, note)]])))
    assert "      'train/x/0.png' is empty (0 bytes)" in text.splitlines()


def test_notes_alone_are_well() -> None:
    assert "all well" in doctor_text(report_of(Finding("a", "note", "1 image")))
