"""The doctor's report as a page."""

import pytest

from ding_cls.data.tools.doctor.findings import Finding, single
from ding_cls.pipeline.doctor.page import doctor_page
from tests.pipeline.doctor.reports import report_of, shown


def test_what_cannot_be_shown_is_named_and_texts_are_escaped() -> None:
    pytest.importorskip("jinja2")
    groups = single([(shown(number).sample, "<i>") for number in range(3)])
    page = doctor_page(report_of(Finding("a", "warning", "3 images & more", "mend <b>", groups)))
    assert page.count("data:image/png") == 1
    assert all(f"train/x/{number}.png" in page for number in range(3))
    assert "<i>" not in page
    assert "mend <b>" not in page
    assert "3 images &amp; more" in page
