"""Differences, sides and settings of results on the same images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.config.tools.diff import ABSENT
from ding_cls.errors import ConfigError
from ding_cls.metrics.analysis.paired import mcnemar
from ding_cls.pipeline.comparison import compare as module
from ding_cls.pipeline.comparison.compare import Comparison, compare
from ding_cls.pipeline.comparison.judged import Judged


def result(name: str, right: str, **more: Any) -> Judged:
    """Return a result of images whose rightness ``right`` spells with 1 and 0."""
    paths = [f"{number}.png" for number in range(len(right))]
    classes = ["fir"] * len(right)
    is_right = np.array([each == "1" for each in right])
    return Judged(name, paths, ["0"] * len(right), classes, classes, is_right, **more)


def compared(monkeypatch: pytest.MonkeyPatch, *results: Judged) -> Comparison:
    by_name = {each.name: each for each in results}
    monkeypatch.setattr(module, "judged", lambda name, **_: by_name[name])
    return compare([*by_name])


def test_counts_difference_and_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(
        monkeypatch, result("a", "1" * 80 + "0" * 20), result("b", "0" * 2 + "1" * 88 + "0" * 10)
    )
    (pair,) = found.pairs
    assert (pair.only_first, pair.only_other) == (2, 10)
    assert pair.difference == pytest.approx(8.0)
    assert pair.p == pair.corrected_p == mcnemar(2, 10)
    assert pair.is_shown
    assert pair.interval is not None
    assert 0 < pair.interval[0] < 8 < pair.interval[1]
    assert found.changed(pair) == [0, 1, *range(80, 90)]
    assert found.accuracy(1)[0] == 88.0


def test_images_in_another_order_and_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    first = result("a", "110", losses=np.array([0.1, 0.2, 3.0]))
    other = Judged(
        "b",
        [*reversed(first.paths or ())],
        first.numbers,
        first.classes,
        first.predicted,
        np.array([True, True, False]),
        np.array([0.5, 0.2, 1.1]),
    )
    (pair,) = compared(monkeypatch, first, other).pairs
    assert (pair.only_first, pair.only_other, pair.difference) == (1, 1, 0.0)
    # 1.1 - 0.1, 0.2 - 0.2, 0.5 - 3.0.
    assert pair.loss_difference == pytest.approx(-0.5)


def test_several_results_are_each_compared_with_the_first_and_corrected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = "1" * 50 + "0" * 50
    found = compared(
        monkeypatch,
        result("a", first),
        result("b", "1" * 57 + "0" * 43),
        result("c", "1" * 50 + "0" * 50),
    )
    assert [pair.number for pair in found.pairs] == [1, 2]
    assert [pair.p for pair in found.pairs] == [mcnemar(0, 7), 1.0]
    assert found.pairs[0].corrected_p == pytest.approx(2 * mcnemar(0, 7))
    assert found.pairs[1].interval is None
    assert not found.pairs[1].is_shown


def test_only_settings_that_differ_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[dict[str, Any]] = [
        {"exp_name": "a", "seed": 0, "policy": {"learn": {"lr": 0.1, "epochs": 3}}},
        {"exp_name": "b", "seed": 0, "policy": {"learn": {"lr": 0.2, "epochs": 3, "ema": True}}},
        {"exp_name": "c", "seed": 1, "policy": {"learn": {"lr": 0.1, "epochs": 3}}},
    ]
    results = [result(name, "10", config=cfg) for name, cfg in zip(("a", "b", "d"), configs, strict=True)]
    found = compared(monkeypatch, results[0], result("file.csv", "10"), *results[1:])
    assert found.settings == {
        "policy.learn.lr": [0.1, ABSENT, 0.2, 0.1],
        "policy.learn.ema": [ABSENT, ABSENT, True, ABSENT],
        "seed": [0, ABSENT, 0, 1],
    }


def test_what_cannot_be_compared_is_refused(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="name two to 26 results to compare"):
        compare(["a"])
    with pytest.raises(ConfigError, match="--data and --split say what checkpoints are evaluated on"):
        compare(["a.csv", "b.json"], split="test")
    monkeypatch.setattr(module, "launched_world_size", lambda: 2)
    with pytest.raises(ConfigError, match="compare runs in one process"):
        compare(["a.csv", "b.json"])
