"""CP, CR, CF1, OP, OR, OF1 against scikit-learn; answers left out; the first k labels."""

import pytest
import torch
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import ExactMatch, MultiLabelMetric
from tests.metrics.cases import labels


def expected(guessed: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    cp, cr, _, _ = precision_recall_fscore_support(targets, guessed, average="macro", zero_division=0)
    op, over, of1, _ = precision_recall_fscore_support(targets, guessed, average="micro", zero_division=0)
    found = {"CP": cp, "CR": cr, "CF1": 2 * cp * cr / (cp + cr), "OP": op, "OR": over, "OF1": of1}
    return {name: 100 * value for name, value in found.items()}


@pytest.mark.parametrize("thr", [None, 0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("key", range(3))
def test_the_family_is_that_of_scikit_learn(thr: float | None, key: int) -> None:
    logits, targets = labels(key=key)
    found = MultiLabelMetric(thr=thr).eval(logits, targets)
    guessed = logits.double().sigmoid() >= (0.5 if thr is None else thr)
    assert found == pytest.approx(expected(guessed, targets), abs=1e-9)


@pytest.mark.parametrize("topk", [1, 2, 5, 9])
def test_the_first_k_of_equal_logits_the_lower_number(topk: int) -> None:
    logits, targets = labels()
    guessed = torch.zeros_like(logits)
    for row, values in enumerate(logits.tolist()):
        guessed[row, sorted(range(5), key=lambda number: (-values[number], number))[:topk]] = 1
    assert MultiLabelMetric(topk=topk).eval(logits, targets) == pytest.approx(expected(guessed, targets))


def test_an_answer_that_is_hard_to_say_is_left_out() -> None:
    logits = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0]])
    targets = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 1.0]])
    found = MultiLabelMetric().eval(logits, targets)
    assert (found["CP"], found["CR"]) == (75.0, 75.0)
    assert (found["OP"], found["OR"]) == pytest.approx((100 * 2 / 3, 100 * 2 / 3))


def test_nothing_guessed_and_a_nan_count_as_nothing() -> None:
    nan = torch.full((2, 3), float("nan"))
    for metric in (MultiLabelMetric(), MultiLabelMetric(topk=1)):
        assert set(metric.eval(nan, torch.ones(2, 3)).values()) == {0.0}


def test_class_numbers_are_one_label_each() -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(9) % 4
    hot = torch.nn.functional.one_hot(numbers, 4).float()
    assert MultiLabelMetric().eval(logits, numbers) == MultiLabelMetric().eval(logits, hot)
    with pytest.raises(DataError, match="1 of 9 labels"):
        MultiLabelMetric().eval(logits, numbers.clone().index_fill_(0, torch.tensor([2]), 4))
    with pytest.raises(DataError, match=r"takes logits \(N, C\) and labels \(N, C\)"):
        MultiLabelMetric().eval(logits, hot[:, :3])


@pytest.mark.parametrize(
    "arguments", [{"thr": 0.5, "topk": 1}, {"thr": 1.5}, {"topk": 0}, {"topk": True}, {"primary": "F1"}]
)
def test_what_contradicts_itself_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"leave one|it must|the results are"):
        MultiLabelMetric(**arguments)


@pytest.mark.parametrize("thr", [None, 0.3])
@pytest.mark.parametrize("key", range(3))
def test_exact_match_is_scikit_learns_subset_accuracy(thr: float | None, key: int) -> None:
    logits, targets = labels(key=key)
    guessed = logits.double().sigmoid() >= (thr or 0.5)
    # One in every few samples is right by chance; copy some answers, so that more are.
    targets[::3] = guessed[::3].to(targets.dtype)
    found = ExactMatch(thr=thr).eval(logits, targets)
    assert found == {"exact_match": pytest.approx(100 * accuracy_score(targets, guessed))}
    assert 100 / 3 <= found["exact_match"] < 100


def test_an_answer_left_out_cannot_spoil_a_match_and_a_nan_is_none() -> None:
    logits = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [float("nan"), -2.0]])
    targets = torch.tensor([[1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    assert ExactMatch().eval(logits, targets) == {"exact_match": pytest.approx(100 / 3)}
