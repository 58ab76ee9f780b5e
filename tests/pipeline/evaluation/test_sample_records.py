"""What is kept of each sample, against NumPy and scikit-learn."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.data import ConcatDataset, ImageNetDataset, Preprocessing, SubsetDataset, SyntheticDataset
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.pipeline.evaluation.sample_records import Recorder, folder_of, sample_paths
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch
from tests.conftest import write_pictures

NAN = float("nan")
CLASSES = ("ash", "birch", "cedar")


def recorded(
    logits: Any, targets: Any, labels: Labels, *, size: int = 2, threshold: float = 0.5
) -> SampleAnswers:
    """Return the records of logits that come in batches."""
    rows, targets = torch.as_tensor(logits, dtype=torch.float32), torch.as_tensor(targets)

    def nothing(*args: Any) -> Any:
        return None

    def forward(batch: Batch) -> torch.Tensor:
        return rows[batch.sample_ids]

    mode = EvalMode(forward, nothing, nothing, nothing, dict, nothing)
    recorder = Recorder(mode, labels, keep_logits=True, threshold=threshold)
    for begin in range(0, len(rows), size):
        ids = torch.arange(begin, min(begin + size, len(rows)))
        batch = Batch(images=torch.zeros(len(ids), 3, 1, 1), targets=targets[ids], sample_ids=ids)
        assert torch.allclose(recorder.mode.forward(batch), rows[ids], rtol=0, atol=0, equal_nan=True)
    return recorder.gathered()


def test_one_class_each() -> None:
    logits = [[0.0, math.log(2.0), 0.0], [3.0, 3.0, 0.0], [0.0, NAN, 9.0], [0.0, 0.0, math.log(8.0)]]
    records = recorded(logits, [1, 1, 2, 0], Labels("one"))
    names = ["a", "b", "c", "d"]
    assert list(records.rows(names, CLASSES)) == [
        ("a", 1, "birch", 1, "birch", 0.5, True),
        ("b", 1, "birch", 0, "ash", round(1 / (2 + math.exp(-3)), 6), False),
        ("c", 2, "cedar", None, None, None, False),
        ("d", 0, "ash", 2, "cedar", 0.8, False),
    ]
    # What has no score comes last.
    assert records.mistakes() == [3, 1, 2]
    assert records.logits.shape == (4, 3)


def test_shares_mean_the_class_with_the_largest() -> None:
    records = recorded([[1.0, 0.0, 0.0]], torch.tensor([[0.1, 0.7, 0.2]]), Labels("one"))
    assert next(records.rows(["a"], CLASSES))[1:5] == (1, "birch", 0, "ash")
    assert records.by_class(3)["images"].tolist() == [0, 1, 0]


def test_several_labels_each() -> None:
    logits = [[9.0, -9.0, 0.0], [-9.0, -9.0, -9.0], [9.0, 9.0, -9.0], [2.0, -9.0, -9.0], [NAN, 0.0, 0.0]]
    targets = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 1]])
    records = recorded(logits, targets, Labels("several"))
    rows = [row[1:] for row in records.rows(list("abcde"), CLASSES)]
    high, two = 0.999877, round(1 / (1 + math.exp(-2)), 6)
    assert rows == [
        ([0, 2], ["ash", "cedar"], [0, 2], ["ash", "cedar"], [high, 0.5], True),
        ([], [], [], [], [], True),
        ([0], ["ash"], [0, 1], ["ash", "birch"], [high, high], False),
        # Hard to say: either answer is right.
        ([], [], [0], ["ash"], [two], True),
        ([1, 2], ["birch", "cedar"], [1, 2], ["birch", "cedar"], [0.5, 0.5], False),
    ]
    assert records.mistakes() == [2, 4]
    found = records.by_class(3)
    assert found["images"].tolist() == [2, 1, 2]
    assert found["precision"].tolist() == [100, 50, 100]
    assert found["recall"].tolist() == [100, 100, 100]


def test_the_surest_mistake_of_several_labels_may_be_one_that_was_missed() -> None:
    logits = [[-6.0, 9.0, 9.0], [1.0, 9.0, 9.0], [-8.0, 9.0, 9.0]]
    records = recorded(logits, torch.tensor([[1.0, 1, 1], [0, 1, 1], [1, 1, 1]]), Labels("several"))
    assert records.mistakes() == [2, 0, 1]


def test_several_tasks_each() -> None:
    logits = [[[0.0, 0, math.log(8)], [0, math.log(2), 0]], [[NAN, 0, 0], [5.0, 0, 0]]]
    records = recorded(logits, [[2, 0], [1, 0]], Labels("tasks", 2))
    first, second = records.rows(["a", "b"], CLASSES)
    assert first == ("a", [2, 0], ["cedar", "ash"], [2, 1], ["cedar", "birch"], [0.8, 0.5], False)
    assert second[3:5] == ([None, 0], [None, "ash"])
    assert records.mistakes() == [0, 1]
    assert records.by_class(3)["images"].tolist() == [2, 1, 1]


@pytest.mark.parametrize("size", [1, 7, 200])
def test_classes_are_those_of_scikit_learn(size: int) -> None:
    generator = torch.Generator().manual_seed(3)
    logits, targets = torch.randn(200, 12, generator=generator), torch.arange(200) % 11
    records = recorded(logits, targets, Labels("one"), size=size)
    expected = precision_recall_fscore_support(
        targets, logits.argmax(1), labels=np.arange(12), zero_division=0
    )
    found = records.by_class(12)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        assert found[name] == pytest.approx(100 * values)
    assert found["images"].tolist() == expected[3].tolist()


def test_paths_lead_to_the_files(tmp_path: Path) -> None:
    roots = [write_pictures(tmp_path / name, classes=("ash", "yew"), per_class=2) for name in ("one", "two")]
    sets = [ImageNetDataset(root, False, Preprocessing()) for root in roots]
    both = ConcatDataset([SubsetDataset(sets[0], 2), sets[1]])
    paths = sample_paths(both)
    assert len(paths) == 6
    assert all(Path(path).is_file() for path in paths)
    assert paths[2:] == [f"{roots[1]}/{name}/00{n}.png" for name in ("ash", "yew") for n in range(2)]
    assert folder_of(both) == str(roots[0])
    made = SyntheticDataset(3, 2, 8)
    assert (sample_paths(made), folder_of(made)) == (["0", "1", "2"], "")


def test_a_label_is_predicted_from_the_threshold_on() -> None:
    records = recorded([[-0.1, 0.0, 0.1]], [[0.0, 1, 1]], Labels("several"), threshold=0.5)
    assert records.predicted.tolist() == [[False, True, True]]
    lower = recorded([[-0.1, 0.0, 0.1]], [[0.0, 1, 1]], Labels("several"), threshold=0.4)
    assert (lower.predicted.tolist(), lower.threshold) == ([[True, True, True]], 0.4)
