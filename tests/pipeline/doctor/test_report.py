"""The doctor's report in plain values."""

import json

from ding_cls.data.tools.doctor.findings import Finding
from ding_cls.pipeline.doctor.report import headline, name_below
from tests.pipeline.doctor.reports import report_of, shown


def test_counts_name_classes_without_images() -> None:
    report = report_of()
    assert report.counts("train") == {"x": 3, "y": 0}
    assert headline(report) == (
        "data: 3 samples (train 3) of 2 classes; 3 images looked at in 0.5 s; of each class train 0 to 3"
    )


def test_all_of_it_is_plain_and_only_the_serious_is_so() -> None:
    report = report_of(Finding("a", "warning", "what", groups=[[shown(0, "why")]], lines=["line"]))
    assert not report.is_serious
    assert report_of(Finding("a", "serious", "what")).is_serious
    (finding,) = json.loads(json.dumps(report.as_dict()))["findings"]
    assert finding["groups"] == [
        [{"path": "data/train/x/0.png", "split": "train", "labels": ["x"], "note": "why"}]
    ]
    assert finding["lines"] == ["line"]


def test_names_begin_below_the_data() -> None:
    assert name_below("data/train/a.png", report_of()) == "train/a.png"
    assert name_below("database/a.png", report_of()) == "database/a.png"
