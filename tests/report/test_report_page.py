"""The report of an evaluation holds what its record says, small and escaped."""

import base64
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.report import JudgedSamples, ReportRecord, report_page, write_report_page
from ding_cls.report.report_page import headline, percent
from tests.report.example import HOSTILE, example_record

pytest.importorskip("jinja2")


class _Page(HTMLParser):
    """What a page consists of: its tags with their attributes, and the text of its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.data = next((json.loads(each) for each in self.texts if each.startswith('{"classes"')), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _written(folder: Path, record: ReportRecord) -> str:
    write_report_page(folder / "report.html", record)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_arrays_of_the_script_are_the_samples(tmp_path: Path) -> None:
    record = example_record(3, 20)
    data = _Page(_written(tmp_path, record)).data
    assert data is not None
    assert record.samples is not None
    unpacked = {
        name: np.frombuffer(base64.b64decode(data[name]), kind)
        for name, kind in (("targets", "<i4"), ("predicted", "<i4"), ("scores", "<f4"), ("right", "u1"))
    }
    np.testing.assert_array_equal(unpacked["targets"], record.samples.targets)
    np.testing.assert_array_equal(unpacked["predicted"], record.samples.predicted)
    np.testing.assert_allclose(unpacked["scores"], record.samples.scores, rtol=1e-6)
    np.testing.assert_array_equal(unpacked["right"], record.samples.is_right)
    assert data["classes"] == ["class 0", "class 1", "class 2"]
    # The folder that all share is said once.
    assert data["names"][0] == "class 0/image 0.jpg"


def test_of_training_images_the_page_says_so_and_no_label_errors_are_not_unsearched(tmp_path: Path) -> None:
    page = _Page(_written(tmp_path, example_record(3, 20, label_issues=[], is_trained_on=True)))
    assert any("trained on these images" in each for each in page.texts)
    assert any("trained on these very images" in each for each in page.texts)
    assert page.data is not None
    assert page.data["issues"] == []
    unsearched = _Page(_written(tmp_path, example_record(3, 20, label_issues=None)))
    assert unsearched.data is not None
    assert unsearched.data["issues"] is None


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    plain = _Page(_written(tmp_path, example_record(10, 40)))
    words = dict.fromkeys(("title", "run", "checkpoint", "split"), "".join(HOSTILE))
    text = _written(tmp_path, example_record(10, 40, class_names=HOSTILE, notes=HOSTILE, **words))
    page = _Page(text)
    # Notes are items of a list; nothing else may add a tag.
    tags = [each for each, _ in page.tags]
    assert tags.count("script") == [each for each, _ in plain.tags].count("script") == 2
    assert tags.count("img") == 0
    assert not {name for _, attributes in page.tags for name in attributes if name.startswith("on")}
    assert page.data is not None
    assert page.data["classes"][0] == HOSTILE[0]
    assert page.data["classes"][4] == r"lost \xe9 byte"
    assert not {"\u2028", "\u202e"} & set(text)
    assert len(page.data["classes"][7]) == 121


def test_nothing_can_be_fetched_and_no_other_script_run(tmp_path: Path) -> None:
    page = _Page(_written(tmp_path, example_record(3, 20)))
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert not re.search("unsafe|http|[*]", policy)
    assert not [a for _, a in page.tags if {"src", "style"} & set(a)]
    assert all((a.get("href") or "#").startswith("#") for _, a in page.tags)


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": None, "class_scores": None, "label_issues": None},
        {"rows": (), "phases": (), "reliability": (), "results": {}, "intervals": {}},
        {"class_names": (), "class_scores": None},
        {"config": (), "data": (), "environment": (), "digests": (), "notes": ()},
    ],
)
def test_what_is_missing_is_left_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert _written(tmp_path, example_record(2, 10, **changes)).endswith("</html>")


def test_one_image_of_one_class_makes_a_page(tmp_path: Path) -> None:
    text = _written(tmp_path, example_record(1, 1, num_thumbnails=0, label_issues=()))
    assert "was judged on the 1 image of" in text
    assert "No thumbnails" in text


def test_several_labels_have_no_confusions(tmp_path: Path) -> None:
    samples = JudgedSamples(
        names=["a.png", "b.png"],
        is_right=np.array([True, False]),
        scores=np.array([0.9, float("nan")]),
        target_texts=["cat, dog", "none"],
        predicted_texts=["cat, dog", "dog"],
    )
    record = replace(example_record(3, 20), samples=samples, label_issues=None, results={"mAP": 71.0})
    text = _written(tmp_path, record)
    page = _Page(text)
    assert "confusion" not in [attributes.get("id") for _, attributes in page.tags]
    assert "No confusion matrix" in text
    assert page.data is not None
    assert page.data["texts"] == [["cat, dog", "none"], ["cat, dog", "dog"]]
    assert headline(record) == [
        "'ckpt_best.pth.tar' was judged on the 2 images of 'val': "
        "1 (50.00\N{NBSP}%) is right in every label, 1 not."
    ]


def test_the_headline_says_what_and_how_good() -> None:
    record = example_record(4, 40, results={"acc1": 82.5}, intervals={"acc1": (70.0, 92.5)})
    assert record.samples is not None
    right = int(record.samples.is_right.sum())
    assert headline(record) == [
        f"'ckpt_best.pth.tar' was judged on the 40 images of 'val': {right} are right, {40 - right} not.",
        "Top-1 accuracy is 82.50\N{NBSP}%, 95\N{NBSP}% interval 70.00 to 92.50.",
        "Always naming the most frequent class would be right for 25.00\N{NBSP}%.",
    ]


def test_less_than_everything_is_never_100_percent() -> None:
    assert [percent(each) for each in (100, 99.998, 99.99, 0)] == ["100.00", "99.998", "99.99", "0.00"]


def test_images_that_do_not_fit_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = example_record(4, 200)
    monkeypatch.setattr(report_page, "IMAGE_BYTES", 60_000)
    text = _written(tmp_path, record)
    data = _Page(text).data
    assert data is not None
    assert record.samples is not None
    assert sum(map(len, (*data["thumbnails"].values(), *data["heatMaps"].values()))) <= 60_000
    all_images = len(record.samples.thumbnails) + len(record.samples.heat_maps)
    num_left_out = all_images - len(data["thumbnails"]) - len(data["heatMaps"])
    assert num_left_out > 0
    assert f"{num_left_out} images left out of {all_images}" in text


@pytest.mark.slow
def test_50_000_images_of_1_000_classes_are_below_20_mb(tmp_path: Path) -> None:
    record = example_record(
        1000, 50_000, num_thumbnails=8_000, class_names=["name " * 10 + str(each) for each in range(1000)]
    )
    began = time.perf_counter()
    text = _written(tmp_path, record)
    assert time.perf_counter() - began < 60
    assert len(text.encode()) < 20_000_000
    assert "the page is full" in text


def test_numbers_are_shown_as_on_the_command_line(tmp_path: Path) -> None:
    record = example_record(
        2, 10, results={"acc1": 82.5, "loss": 0.295713}, intervals={"loss": (0.21356, 0.38476)}
    )
    write_report_page(tmp_path / "page.html", record)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for number in ("82.50", "0.2957", "0.2136 to 0.3848"):
        assert f'<td class="number">{number}</td>' in page
