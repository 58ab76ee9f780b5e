"""``evaluate`` of a dataset in mmclassification's form, against values by hand and scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from ding_cls.data import ArrayDataset, BaseDataset
from ding_cls.data.datasets.openmmlab import evaluate_scores
from ding_cls.errors import ConfigError

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.integers(0, 4, 40)
SCORES = RANDOM.dirichlet(np.ones(4), 40)


class Listed(BaseDataset):
    CLASSES = ("a", "b", "c", "d")

    def load_annotations(self):
        return [{"img": np.zeros((2, 2, 3), np.uint8), "gt_label": np.array(each)} for each in TARGETS]


def test_accuracy_of_several_guesses_by_mmclassifications_names():
    order = np.argsort(-SCORES, axis=1)
    hits = order == TARGETS[:, None]
    found = Listed("", []).evaluate(list(SCORES), metric="accuracy", metric_options={"topk": (1, 2)})
    assert found == {
        "accuracy_top-1": pytest.approx(hits[:, :1].any(1).mean() * 100),
        "accuracy_top-2": pytest.approx(hits[:, :2].any(1).mean() * 100),
    }
    assert Listed("", []).evaluate(SCORES, metric_options={"topk": 1}) == {
        "accuracy": found["accuracy_top-1"]
    }
    assert list(Listed("", []).evaluate(SCORES)) == ["accuracy_top-1", "accuracy_top-5"]


def test_a_guess_counts_above_its_threshold():
    options = {"topk": (1,), "thrs": (0.0, 0.6, None)}
    found = evaluate_scores(SCORES, TARGETS, ["accuracy"], options)
    is_right = SCORES.argmax(1) == TARGETS
    assert found["accuracy_top-1_thr_0.60"] == pytest.approx((is_right & (SCORES.max(1) > 0.6)).mean() * 100)
    assert found["accuracy_top-1_thr_0.00"] == pytest.approx(is_right.mean() * 100)
    with_f1 = evaluate_scores(SCORES, TARGETS, ["f1_score"], {"thrs": (0.0, 0.6)})
    assert list(with_f1) == ["f1_score_thr_0.00", "f1_score_thr_0.60"]


@pytest.mark.parametrize("average", ["macro", "micro", None])
def test_what_is_counted_for_each_class(average):
    names = ["precision", "recall", "f1_score", "support"]
    found = evaluate_scores(SCORES, TARGETS, names, {"average_mode": average})
    wanted = precision_recall_fscore_support(TARGETS, SCORES.argmax(1), average=average, zero_division=0)
    for name, value in zip(names[:3], wanted[:3], strict=True):
        assert np.asarray(found[name]) == pytest.approx(np.asarray(value) * 100)
    assert np.sum(found["support"]) == 40


def test_some_of_the_samples():
    dataset = Listed("", [])
    found = dataset.evaluate(SCORES[5:9], indices=range(5, 9), logger="silent")
    assert found == evaluate_scores(SCORES[5:9], TARGETS[5:9], "accuracy", None)
    with pytest.raises(ConfigError, match="evaluate: there are 4 results for 40 samples"):
        dataset.evaluate(SCORES[5:9])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "mAP"}, "evaluate: metric has 'mAP'; there are accuracy, precision"),
        ({"metric_options": {"topK": 1}}, "evaluate: metric_options has 'topK'; there are topk, thrs, aver"),
    ],
)
def test_what_is_not_known_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Listed("", []).evaluate(SCORES, **arguments)


def test_a_dataset_in_memory_has_it_too():
    dataset = ArrayDataset(images=np.zeros((40, 2, 2, 3), np.uint8), labels=TARGETS, pipeline=[])
    assert dataset.evaluate(SCORES) == Listed("", []).evaluate(SCORES)
