"""Top-k accuracy, thresholds, whole strings: against scikit-learn and a recount."""

import pytest
import torch
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import Accuracy, StringAccuracy
from tests.metrics.cases import single, tasks


def test_top_k_is_that_of_scikit_learn() -> None:
    logits, targets = single()
    # Without ties: scikit-learn has another order of equal scores.
    logits = logits + torch.linspace(0, 0.1, logits.numel()).view_as(logits)
    found = Accuracy(topk=(1, 2, 3)).eval(logits, targets)
    expected = {
        f"acc{k}": 100 * top_k_accuracy_score(targets, logits, k=k, labels=range(6)) for k in (1, 2, 3)
    }
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_threshold_is_on_the_softmax_score_of_the_right_class() -> None:
    logits, targets = single()
    found = Accuracy(topk=[1, 2], thrs=[None, 0.0, 0.3]).eval(logits, targets)
    scores = logits.double().exp() / logits.double().exp().sum(1, keepdim=True)
    for k in (1, 2):
        hits = [
            sorted(range(6), key=lambda number: (-row[number], number)).index(target) < k
            for row, target in zip(logits.tolist(), targets.tolist(), strict=True)
        ]
        right = scores[range(61), targets] > 0.3
        assert found[f"acc{k}"] == found[f"acc{k}_thr0"] == pytest.approx(100 * sum(hits) / 61)
        above = sum(hit and bool(over) for hit, over in zip(hits, right, strict=True))
        assert found[f"acc{k}_thr0.3"] == pytest.approx(100 * above / 61)
    assert found["acc1_thr0.3"] < found["acc1"]
    assert Accuracy(topk=[1, 2], thrs=[None, 0.3]).primary == "acc1"


def test_with_fewer_classes_all_are_counted_and_a_note_says_so() -> None:
    metric = Accuracy(topk=(1, 5))
    assert metric.eval(torch.eye(3), torch.tensor([0, 2, 1]))["acc5"] == 100.0
    assert metric.note == "acc5 counts all of the 3 classes: there are no more"


def test_a_string_is_right_when_all_its_characters_are() -> None:
    logits, targets = tasks()
    found = StringAccuracy().eval(logits, targets)
    guesses = logits.argmax(2)
    positions = [100 * accuracy_score(targets[:, k], guesses[:, k]) for k in range(3)]
    assert found["acc_position"] == pytest.approx(positions)
    assert found["acc_character"] == pytest.approx(sum(positions) / 3)
    assert found["acc_string"] == pytest.approx(100 * (guesses == targets).all(1).float().mean().item())
    assert 0 < found["acc_string"] < found["acc_character"] < 100


@pytest.mark.parametrize(
    "arguments",
    [{"topk": 0}, {"topk": ()}, {"topk": [True]}, {"thrs": 1.0}, {"thrs": []}, {"primary": "acc7"}],
)
def test_what_cannot_be_counted_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"it must be a|the results are acc1"):
        Accuracy(**arguments)


def test_targets_of_another_form_say_which_metric_takes_them() -> None:
    with pytest.raises(DataError, match=r"float32 \(3, 3\); for several labels a sample: metrics=\['mAP'"):
        Accuracy().eval(torch.eye(3), torch.ones(3, 3).tril())
    with pytest.raises(DataError, match=r"for several tasks: metrics=\['string_accuracy'\]"):
        Accuracy().eval(*tasks())
    with pytest.raises(DataError, match=r"takes logits \(N, K, C\)"):
        StringAccuracy().eval(*single())


@pytest.mark.parametrize("bad", [-1, 4])
def test_a_label_outside_the_classes_is_refused(bad: int) -> None:
    logits, targets = tasks()
    targets[3, 1] = bad
    with pytest.raises(DataError, match="1 of 61 labels lie outside"):
        StringAccuracy().eval(logits, targets)
