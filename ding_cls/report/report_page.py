"""The report of one evaluation: its sentences, charts, and samples as compact arrays for the script."""

import base64
import json
import os
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.common.tables import published
from ding_cls.report import charts
from ding_cls.report.page import data_uri, render_page, shown
from ding_cls.report.records import JudgedSamples, ReportRecord

IMAGE_BYTES, NAME_AND_IMAGE_BYTES = 12_000_000, 18_000_000
"""Of a page, for thumbnails and heat maps as base64; and with the names: the page stays below 20 MB."""
_MEANINGS = {
    r"acc(\d+)": r"top-\1 accuracy, %",
    r"loss": "mean loss",
    r"ece": "expected calibration error, 0 to 1",
    r"nll": "negative log-likelihood",
    r"brier": "Brier score, 0 to 2",
    r"(precision|recall|f1)_(\w+)": r"\1, \2 average, %",
    r"mAP": "mean average precision, %",
}


def write_report_page(path: str | os.PathLike[str], record: ReportRecord) -> None:
    """Write the report of an evaluation into one HTML file.

    Raises:
        ConfigError: jinja2 is not installed.
        DataError: the file cannot be written.
        DiskError: the disk is full or fails.
    """
    page = render_page(
        "report.html",
        record=record,
        headline=headline(record),
        results=[(name, *_result(record, name)) for name in record.results],
        charts=charts.training_charts(record.rows),
        reliability=[(each, charts.reliability_bins(each)) for each in record.reliability],
        unit_ticks=[each / 5 for each in range(6)],
        size={name.lower(): getattr(charts, name) for name in _SIZES},
        **_samples(record),
    )
    with published(path) as file:
        file.write(page.encode("utf-8"))


_SIZES = ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")


def headline(record: ReportRecord) -> list[str]:
    """Return sentences: what was judged on what, how good it is, and what guessing would reach."""
    samples, on = record.samples, f"'{shown(record.split)}'"
    judged = f"'{shown(os.path.basename(record.checkpoint) or record.checkpoint)}' was judged on "
    accuracy = record.results.get("acc1")
    if samples is None or not len(samples):
        sentences = [judged + f"{on}."]
    else:
        right = int(samples.is_right.sum())
        share = "" if accuracy is not None else f" ({percent(100 * right / len(samples))}\N{NBSP}%)"
        words = "right" if samples.targets is not None else "right in every label"
        counts = f"{right:,}{share} {'is' if right == 1 else 'are'} {words}, {len(samples) - right:,} not."
        sentences = [f"{judged}the {_images(len(samples))} of {on}: {counts}"]
    if accuracy is not None:
        low_high = record.intervals.get("acc1")
        interval = ", 95\N{NBSP}% interval {} to {}".format(*map(percent, low_high)) if low_high else ""
        sentences.append(f"Top-1 accuracy is {percent(accuracy)}\N{NBSP}%{interval}.")
    if samples is not None and samples.targets is not None and len(samples):
        most = int(np.unique(samples.targets, return_counts=True)[1].max())
        chance = percent(100 * most / len(samples))
        sentences.append(f"Always naming the most frequent class would be right for {chance}\N{NBSP}%.")
    if record.is_trained_on:
        sentences.append("The network was trained on these images: new ones will show how good it is.")
    return sentences


def percent(value: float) -> str:
    """Return a percentage of two decimals, of more where it would else be rounded to 100."""
    return f"{value:.2f}" if value == 100 or value < 99.995 else f"{value:.6g}"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _result(record: ReportRecord, name: str) -> tuple[str, str, str]:
    """Return a metric's value, its interval and what its name means, '' where one of these two is unknown."""
    meanings = (re.sub(key, text, name) for key, text in _MEANINGS.items() if re.fullmatch(key, name))
    meaning = next(meanings, "")
    # As the command line shows them: percentages with two digits, others with four.
    show = percent if meaning.endswith("%") else "{:.4f}".format
    low_high = record.intervals.get(name)
    return show(record.results[name]), " to ".join(map(show, low_high)) if low_high else "", meaning


def _samples(record: ReportRecord) -> dict[str, Any]:
    """Return the template's values about samples: ``page_data`` for the script, what there is, and notes."""
    samples, notes = record.samples, list(record.notes)
    if not record.rows:
        notes.append("No curves: there are no rows of a training.")
    if samples is None:
        return {"page_data": None, "notes": notes, "folder": "", "has_cells": False}
    has_cells = samples.targets is not None
    if not has_cells:
        notes.append(
            "No confusion matrix: an image has several labels or tasks, so none is taken for another."
        )
    folder, names = _names(samples)
    room = min(IMAGE_BYTES, NAME_AND_IMAGE_BYTES - len(json.dumps(names)))
    images, num_left_out = _fitting(samples, room)
    if num_left_out:
        notes.append(
            f"{_images(num_left_out)} left out of {num_left_out + sum(map(len, images))}: the page is full."
        )
    elif not any(images):
        notes.append("No thumbnails: the data give none.")
    page_data = {
        "classes": _classes(record),
        "names": names,
        "scores": _packed(samples.scores, "<f4"),
        "right": _packed(samples.is_right, "<u1"),
        "targets": _packed(samples.targets, "<i4"),
        "predicted": _packed(samples.predicted, "<i4"),
        "texts": _texts(samples),
        "thumbnails": images[0],
        "heatMaps": images[1],
        "issues": None
        if record.label_issues is None
        else [[int(each.position), int(each.given), int(each.suggested)] for each in record.label_issues],
        "measures": _measures(record),
    }
    return {"page_data": page_data, "notes": notes, "folder": folder, "has_cells": has_cells}


def _classes(record: ReportRecord) -> list[str]:
    """Return the class names, or numbers where there are none."""
    samples = record.samples
    if record.class_names or samples is None or samples.targets is None:
        return [shown(each, limit=120) for each in record.class_names]
    count = (
        len(record.class_scores.support) if record.class_scores else int(samples.targets.max(initial=-1)) + 1
    )
    return [f"class {number}" for number in range(count)]


def _packed(values: npt.NDArray[Any] | None, kind: str) -> str | None:
    """Return the bytes of an array as base64, for a typed array of the script."""
    if values is None:
        return None
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")


def _names(samples: JudgedSamples) -> tuple[str, list[str]]:
    """Return the folder that all names begin with ('' : none), and what follows it in each."""
    # By characters: a name need not be a path.
    prefix = os.path.commonprefix(samples.names) if len(samples) > 1 else ""  # noqa: RUF071
    prefix = prefix[: prefix.rfind("/") + 1]
    return shown(prefix), [shown(name[len(prefix) :]) for name in samples.names]


def _texts(samples: JudgedSamples) -> list[list[str]] | None:
    """Return what is right and what was answered in words, where these are no single class numbers."""
    columns = (samples.target_texts, samples.predicted_texts)
    if samples.targets is not None or None in columns:
        return None
    return [[shown(each) for each in column or ()] for column in columns]


def _measures(record: ReportRecord) -> dict[str, str | None] | None:
    scores = record.class_scores
    if scores is None:
        return None
    columns = {name: getattr(scores, name) for name in ("f1", "recall", "precision")}
    return {name: _packed(column, "<f4") for name, column in columns.items()} | {
        "support": _packed(scores.support, "<i4")
    }


def _fitting(samples: JudgedSamples, room: int) -> tuple[tuple[dict[int, str], dict[int, str]], int]:
    """Return thumbnails and heat maps as addresses of ``room`` characters in all, and how many do not fit."""
    left_out = 0
    kept: list[dict[int, str]] = []
    for images in (samples.heat_maps, samples.thumbnails):
        addresses: dict[int, str] = {}
        for position, image in images.items():
            address = data_uri(image)
            if len(address) <= room:
                addresses[int(position)] = address
                room -= len(address)
            else:
                left_out += 1
        kept.append(addresses)
    return (kept[1], kept[0]), left_out
