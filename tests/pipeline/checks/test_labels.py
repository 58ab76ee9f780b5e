"""One label, several, or one for each task: the metric that is meant, and what cannot train on them."""

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import ArrayDataset, CSVDataset, SubsetDataset, SyntheticDataset, build_dataset
from ding_cls.errors import ConfigError
from ding_cls.metrics import DatasetMetric, ImageClassificationMetric
from ding_cls.pipeline import evaluate, train
from ding_cls.pipeline.checks.both_sets import missing_classes
from ding_cls.pipeline.checks.labels import (
    Labels,
    has_class_numbers,
    labels_of,
    measures_cross_entropy,
    metric_for,
)
from ding_cls.pipeline.dry_run.run import dry_run, print_dry_run
from tests.harness import SETTINGS, tiny_parts

GREY = {"type": "Normalize", "mean": [99.0] * 3, "std": [50.0] * 3, "to_rgb": False}
CLASSES = ["ash", "birch", "cedar", "fir"]
ONE = np.arange(16) % 4
TASKS = np.stack([ONE, ONE[::-1], ONE], 1)
SEVERAL = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, -1]] * 4, np.float32)
SHARES = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.1, 0.9]] * 8, np.float32)


def described(folder: Path, labels: Any) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(255, size=(16, 8, 8), dtype=np.uint8)
    path = folder / "data.npz"
    np.savez(path, images=images, labels=labels, classes=CLASSES)
    return {"type": "ArrayDataset", "data_prefix": str(path), "pipeline": [GREY]}


def run(folder: Path, labels: Any, *settings: str) -> Any:
    section = described(folder, labels)
    config = {"policy": {"collect": {"train": section, "val": {**section, "test_mode": True}}}}
    words = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0", *settings]
    return train(config, epochs=1, exp_name="run", overrides=words)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (ONE, Labels("one")),
        (ONE[:, None], Labels("one")),
        (TASKS, Labels("tasks", 3)),
        (SEVERAL, Labels("several")),
        (SEVERAL == 1, Labels("several")),
        (SHARES, Labels("one")),
    ],
)
def test_the_kind_is_read_from_the_labels(tmp_path: Path, labels: Any, kind: Labels) -> None:
    dataset = build_dataset(described(tmp_path, labels))
    assert labels_of(dataset) == labels_of(SubsetDataset(dataset, 4)) == kind


class _Judged(SyntheticDataset):
    def evaluate(self, results: Any, indices: Any = None, **kwargs: Any) -> dict[str, Any]:
        return {"mine": [len(results), indices, kwargs.get("metric")]}


def test_a_data_sets_own_evaluate_is_asked() -> None:
    dataset = _Judged(6, 3, 8)
    logits, targets = torch.randn(6, 3), torch.tensor(dataset.targets)
    for judged, indices in ((dataset, None), (SubsetDataset(SubsetDataset(dataset, 4), 2, seed=1), 2)):
        metric = metric_for({"type": "ClassificationMetrics", "metrics": ["mine"]}, judged)
        assert isinstance(metric, DatasetMetric)
        found = metric.reduce_mean([metric.eval(logits, targets)])
        assert found["mine"][::2] == [6, ["mine"]]
        assert found["mine"][1] is None if indices is None else len(found["mine"][1]) == indices
        assert {"acc1", "loss"} <= found.keys()
    assert type(metric_for(None, SyntheticDataset(6, 3, 8))) is ImageClassificationMetric


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_the_kind_of_many_labels_takes_no_memory(dtype: Any) -> None:
    several = np.zeros((2000, 500), dtype)
    several[:, :3] = 1
    dataset = ArrayDataset(images=np.zeros((2000, 2, 2, 3), np.uint8), labels=several)
    tracemalloc.start()
    kind, has_numbers = labels_of(dataset), has_class_numbers(dataset)
    assert missing_classes(dataset, dataset) == ""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (kind, has_numbers) == (Labels("several"), False)
    # As floats the labels are 8 MB.
    assert peak < 1e5


def test_a_data_set_without_a_list_of_targets_is_asked_for_a_sample(tmp_path: Path) -> None:
    class Bare:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return build_dataset(described(tmp_path, TASKS)).load(index)

    assert labels_of(Bare()) == Labels("tasks", 3)
    assert labels_of(SyntheticDataset(4, 2, 8)) == Labels("one")


def test_several_labels_are_judged_by_their_own_metrics_where_none_is_named(
    tmp_path: Path, workdir: Path
) -> None:
    result = run(tmp_path, SEVERAL, tiny_parts("MultiLabelLinearClsHead", in_channels=8))
    assert list(result.final) == ["mAP", "AP_per_class", "CF1", "OF1", "exact_match"]
    assert evaluate(result.best_checkpoint) == {**result.best, "num_samples": 16}


def test_tasks_are_judged_by_whole_strings_where_no_metric_is_named(tmp_path: Path, workdir: Path) -> None:
    result = run(tmp_path, TASKS, tiny_parts("MultiTaskHead", in_channels=8, num_tasks=3))
    assert list(result.final) == ["acc_string", "acc_character", "acc_position"]
    assert evaluate(result.best_checkpoint, split="train")["num_samples"] == 16


HEAD = "policy.model.head.type='MultiLabelLinearClsHead'"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ([], ["the default cross-entropy lets the classes compete for one; set policy.learn.loss=dict("]),
        (["policy.learn.loss=CE"], ["CrossEntropyLoss", "policy.learn.loss"]),
        (["policy.learn.label_smoothing=0.1"], ["the default cross-entropy"]),
        (["policy.learn.loss={'type': 'NLLLoss'}"], ["NLLLoss"]),
        (
            [tiny_parts("LinearClsHead", in_channels=8)],
            ["CrossEntropyLoss", f"set {HEAD}, or policy.model.head.loss="],
        ),
    ],
)
def test_a_loss_of_one_label_is_refused_before_anything_is_trained(
    tmp_path: Path, workdir: Path, settings: list[str], names: list[str]
) -> None:
    with pytest.raises(ConfigError, match="has several labels") as caught:
        run(tmp_path, SEVERAL, *settings)
    assert all(name in str(caught.value) for name in names)
    assert not Path("run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["BCE", "{'type': 'AsymmetricLoss'}", "{'type': 'MultiLabelSoftMarginLoss'}"]
)
def test_a_loss_of_several_labels_trains_a_network_by_its_name(
    tmp_path: Path, workdir: Path, loss: str
) -> None:
    words = ["policy.model.name=squeezenet1_1", "policy.collect.image_size=32", f"policy.learn.loss={loss}"]
    larger = {"type": "Resize", "size": 32}
    section = {**described(tmp_path, np.maximum(SEVERAL, 0)), "pipeline": [larger, GREY]}
    config = {"policy": {"collect": {"train": section, "val": section}}}
    settings = [each for each in SETTINGS if "_size=8" not in each or "batch" in each]
    result = train(config, epochs=1, exp_name="run", overrides=[*settings, *words])
    assert 0 <= result.final["mAP"] <= 100


@pytest.mark.parametrize(
    ("labels", "head", "message"),
    [
        (TASKS, ("LinearClsHead", {}), r"3 numbers.*head=dict\(type='MultiTaskHead', num_tasks=3\)"),
        (TASKS, ("MultiTaskHead", {"num_tasks": 2}), "3 numbers.* num_tasks=2"),
        (ONE, ("MultiTaskHead", {"num_tasks": 2}), "one number.* num_tasks=2"),
        (SEVERAL, ("MultiTaskHead", {"num_tasks": 2}), "several labels.* num_tasks=2"),
    ],
)
def test_tasks_and_heads_must_be_equally_many(
    tmp_path: Path, workdir: Path, labels: Any, head: tuple[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, labels, tiny_parts(head[0], in_channels=8, **head[1]))


@pytest.mark.parametrize(
    ("labels", "head", "more", "expected", "line"),
    [
        (SEVERAL, "MultiLabelLinearClsHead", {}, 4 * math.log(2), "4 ln(2) = 2.7726"),
        (TASKS, "MultiTaskHead", {"num_tasks": 3}, math.log(4), "ln(4) = 1.3863"),
        (SEVERAL, "MultiLabelLinearClsHead", {"loss": {"type": "AsymmetricLoss"}}, None, "first loss"),
    ],
)
def test_a_dry_run_knows_what_guessing_costs(
    tmp_path: Path,
    workdir: Path,
    capsys: pytest.CaptureFixture[str],
    labels: Any,
    head: str,
    more: dict[str, Any],
    expected: float | None,
    line: str,
) -> None:
    section = described(tmp_path, labels)
    config = {"policy": {"collect": {"train": section, "val": section}}}
    words = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0"]
    told = dry_run(config, overrides=[*words, tiny_parts(head, in_channels=8, **more)])
    assert told.expected_loss == expected
    print_dry_run(told)
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (None, True),
        ({"type": "ImageClassificationMetric"}, True),
        ({"type": "ClassificationMetrics", "metrics": ["mAP"]}, True),
        ({"type": "Accuracy"}, False),
        ({"type": "NotRegistered"}, False),
    ],
)
def test_which_metrics_call_cross_entropy_loss(metric: Any, expected: bool) -> None:
    assert measures_cross_entropy(metric) is expected


@pytest.mark.parametrize(("labels", "kind"), [("several", "several"), ("one", "one")])
def test_columns_with_a_single_1_in_each_line_are_what_the_dataset_says(tmp_path, labels, kind):
    for name in "ab":
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "own.csv").write_text("path,cat,dog\na.png,1,0\nb.png,0,1\n")
    dataset = CSVDataset(ann_file=tmp_path / "own.csv", label=["cat", "dog"], labels=labels)
    assert labels_of(dataset).kind == kind
    assert labels_of(SubsetDataset(dataset, 1, seed=0)).kind == kind
    assert dataset.is_one_hot
