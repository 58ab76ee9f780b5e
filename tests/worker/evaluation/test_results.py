"""What an evaluation asks of policies, metrics and results of any make."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.checkpoint.state import SaveError
from ding_cls.errors import DataError
from ding_cls.metrics import IMetric
from ding_cls.types import Batch
from ding_cls.worker.evaluation.results import (
    also_evaluated,
    check_classes,
    evaluation_line,
    in_data_order,
    is_saved,
    plain,
    plain_number,
    reduced_dicts,
    sample_ids,
    takes_counts,
)
from tests.worker.tables import NumberedSamples, TablePolicy

LOGGER = logging.getLogger("results")


class Plain(IMetric):
    """One with the three methods."""

    def eval(self, inputs: Any, label: Any) -> dict[str, Any]:
        return {}

    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return {"score": np.float64(sum(each["score"] for each in inputs) / len(inputs))}

    def gt(self, metric1: Any, metric2: Any) -> bool:
        return True


class Weighted(Plain):
    """One that gets the numbers of samples too."""

    def reduce_mean(  # type: ignore[override]
        self, inputs: list[dict[str, Any]], counts: Sequence[int]
    ) -> dict[str, Any]:
        pairs = zip(inputs, counts, strict=True)
        return {"score": torch.tensor(sum(each["score"] * n for each, n in pairs) / sum(counts))}


class Open(Plain):
    """One that takes whatever comes."""

    def reduce_mean(self, *inputs: Any) -> dict[str, Any]:
        return {"score": len(inputs)}


def test_the_best_file_is_saved_unless_the_disk_or_the_saver_says_no(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names: list[str] = []
    assert is_saved(names.append, LOGGER)
    assert names == ["ckpt_best.pth.tar"]
    assert not is_saved(lambda name: False, LOGGER)

    def broken(name: str) -> None:
        raise SaveError(OSError(5, "Input/output error"), Path(name), {})

    assert caplog.records == []
    assert not is_saved(broken, LOGGER)
    assert "Input/output error; the best checkpoint stays" in caplog.text


@pytest.mark.parametrize(("kind", "expected"), [(Plain, False), (Weighted, True), (Open, True)])
def test_counts_go_to_a_metric_that_has_a_place_for_them(kind: Any, expected: bool) -> None:
    assert takes_counts(kind()) is expected


def test_batches_that_count_alike_are_noted_where_they_differ_in_size() -> None:
    dicts = [{"score": 1.0}, {"score": 4.0}]
    assert reduced_dicts(Plain(), dicts, [2, 2]) == ({"score": 2.5}, "")
    reduced, note = reduced_dicts(Plain(), dicts, [3, 1])
    assert reduced == {"score": 2.5}
    assert type(reduced["score"]) is float
    assert "batches of 1 to 3 samples" in note
    assert "Plain.reduce_mean" in note
    assert reduced_dicts(Weighted(), dicts, [3, 1]) == ({"score": 1.75}, "")


def test_results_are_plain_values() -> None:
    found = plain({"a": torch.tensor([1, 2]), "b": (np.float32(0.5), "x"), "c": {"d": torch.tensor(3)}})
    assert found == {"a": [1, 2], "b": [0.5, "x"], "c": {"d": 3}}
    assert [plain_number(each) for each in (torch.tensor(2), np.int64(3), 4.0)] == [2, 3, 4.0]
    several = torch.tensor([1, 2])
    assert plain_number(several) is several


def test_the_columns_of_all_ranks_follow_one_another() -> None:
    def batch(*numbers: int) -> tuple[torch.Tensor, ...]:
        return torch.tensor(numbers), torch.tensor(numbers) * 10, torch.tensor([[each] for each in numbers])

    found = in_data_order([[batch(0, 1), batch(2)], [batch(3)]])
    assert found["sample_ids"].tolist() == [0, 1, 2, 3]
    assert found["targets"].tolist() == [0, 10, 20, 30]
    assert found["logits"].tolist() == [[0], [1], [2], [3]]


def test_a_batch_without_sample_numbers_has_minus_one() -> None:
    ours = Batch(torch.zeros(2, 3, 1, 1), torch.zeros(2), torch.tensor([7, 4]))
    assert sample_ids(ours).tolist() == [7, 4]
    assert sample_ids(torch.zeros(3, 2)).tolist() == [-1, -1, -1]


def test_a_policy_that_says_nothing_has_no_other_weights() -> None:
    assert also_evaluated(TablePolicy(torch.zeros(1, 2)).mode()) == {}


@pytest.mark.parametrize(
    ("train_iter", "marks", "expected"),
    [
        (3, ["best so far", ""], "Evaluation after 3 updates, 5 samples\tacc1: 50.0000\tbest so far"),
        (-1, ["", ""], "Evaluation now, 5 samples\tacc1: 50.0000"),
    ],
)
def test_the_line_of_an_evaluation(train_iter: int, marks: list[str], expected: str) -> None:
    assert evaluation_line({"acc1": 50.0}, train_iter, ", 5 samples", marks=marks) == expected


@pytest.mark.parametrize(
    ("given", "match"),
    [(("a", "c"), "first 'b' and 'c'"), (("a",), "2 and 1 in number"), (("b", "a"), "first 'a' and 'b'")],
)
def test_data_with_other_classes_are_refused(given: tuple[str, ...], match: str) -> None:
    class Loading:
        dataset = NumberedSamples([0], classes=given)

    policy = TablePolicy(torch.zeros(1, 2), class_names=("a", "b")).mode()
    with pytest.raises(DataError, match=f"{match}; pass it the training list"):
        check_classes(policy, Loading())


def test_data_or_policies_without_class_names_are_not_compared() -> None:
    class Loading:
        dataset = NumberedSamples([0])

    check_classes(TablePolicy(torch.zeros(1, 2), class_names=("a", "b")).mode(), Loading())
    Loading.dataset = NumberedSamples([0], classes=("a",))
    check_classes(TablePolicy(torch.zeros(1, 2)).mode(), Loading())
