"""Which result is better by which key, and when patience ends."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.metrics import ImageClassificationMetric, build_metric
from ding_cls.worker.evaluation.best import EarlyStopping, Ranking
from tests.worker.tables import ScriptedMetric, scripted

OURS = ImageClassificationMetric()
NAN = float("nan")


def result(loss: float, acc1: float, acc5: float = 90.0) -> dict[str, float]:
    return {"loss": loss, "acc1": acc1, "acc5": acc5}


@pytest.mark.parametrize("key", [None, True, False, "auto", "acc1", "acc", "accuracy", "accuracy_top-1"])
def test_names_of_the_accuracy(key: Any) -> None:
    ranking = Ranking(OURS, key=key)
    assert ranking.is_better(result(2.0, 60.0), result(1.0, 50.0))
    assert ranking.score(result(2.0, 60.0)) == ("acc1", 60.0)


@pytest.mark.parametrize("key", ["accuracy/top1", "top1", "val_acc1", "ACC1"])
def test_more_names_of_it(key: str) -> None:
    assert Ranking(OURS, key=key).score(result(2.0, 60.0)) == ("acc1", 60.0)


@pytest.mark.parametrize(
    ("key", "found"), [("loss", "loss"), ("accuracy_top-5", "acc5"), ("val_loss", "loss")]
)
def test_other_keys(key: str, found: str) -> None:
    assert Ranking(OURS, key=key).score(result(2.0, 60.0, 80.0)) == (found, result(2.0, 60.0, 80.0)[found])


def test_the_accuracy_of_any_number_has_its_name_there() -> None:
    ranking = Ranking(ScriptedMetric([]), key="accuracy_top-3")
    assert ranking.score({"acc1": 1.0, "acc3": 2.0}) == ("acc3", 2.0)


@pytest.mark.parametrize(
    ("key", "given"), [("F1", "f1_score"), ("f1", "macro_f1"), ("mAP", "map"), ("mAP", "mAP")]
)
def test_a_users_metric_is_searched_too(key: str, given: str) -> None:
    ranking = Ranking(ScriptedMetric([]), key=key)
    assert ranking.score({"other": 1.0, given: 2.0}) == (given, 2.0)
    assert ranking.is_better({given: 2.0}, {given: 1.0})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (1.0, "nothing says whether more or less of 'novelty' is better"),
        (NAN, "nothing says whether more or less of 'novelty' is better"),
        ([1.0], "the result 'novelty' is a list; save_best names a number"),
    ],
)
def test_what_cannot_be_compared_is_told_at_the_first_result(given: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Ranking(ScriptedMetric([]), key="novelty").is_better({"novelty": given}, None)
    for rule, is_better in (("greater", True), ("less", False)):
        ranking = Ranking(ScriptedMetric([]), key="novelty", rule=rule)
        assert ranking.is_better({"novelty": 2.0}, None)
        assert ranking.is_better({"novelty": 2.0}, {"novelty": 1.0}) is is_better


def test_the_loss_is_better_when_smaller() -> None:
    ranking = Ranking(OURS, key="loss")
    assert ranking.is_better(result(1.0, 0.0), result(2.0, 100.0))
    assert not ranking.is_better(result(2.0, 100.0), result(1.0, 0.0))


@pytest.mark.parametrize("key", [None, "acc1", "acc5"])
def test_ties_go_to_the_lower_loss(key: str | None) -> None:
    ranking = Ranking(OURS, key=key)
    assert ranking.is_better(result(1.0, 50.0), result(2.0, 50.0))
    assert not ranking.is_better(result(2.0, 50.0), result(1.0, 50.0))
    # Equal in both: the earlier one stays.
    assert not ranking.is_better(result(1.0, 50.0), result(1.0, 50.0))
    # By less than a smallest gain nothing is better.
    assert not ranking.is_better(result(1.0, 50.0), result(2.0, 50.0), min_delta=0.1)


def test_ties_of_the_loss_itself_stay_and_a_rule_does_not_turn_them() -> None:
    for rule in (None, "less", "greater"):
        assert not Ranking(OURS, key="loss", rule=rule).is_better(result(1.0, 60.0), result(1.0, 50.0))
    ranking = Ranking(OURS, key="acc1", rule="less")
    assert ranking.is_better(result(1.0, 50.0), result(2.0, 50.0))
    assert ranking.is_better(result(2.0, 40.0), result(1.0, 50.0))


def test_ties_of_a_part_go_to_the_lower_loss_of_that_part() -> None:
    ranking = Ranking(OURS, key="1_acc1", num_parts=2)
    equal = {**further(2.0, 60.0), "0_loss": 9.0, "loss": 9.0, "1_loss": 1.0}
    assert ranking.is_better(equal, further(2.0, 60.0))
    assert not ranking.is_better(further(2.0, 60.0), equal)


def test_a_users_key_ties_by_the_loss_where_the_result_has_one() -> None:
    ranking = Ranking(ScriptedMetric([]), key="score", rule="greater")
    assert ranking.is_better({"score": 1.0, "loss": 1.0}, {"score": 1.0, "loss": 2.0})
    assert not ranking.is_better({"score": 1.0, "loss": 2.0}, {"score": 1.0, "loss": 1.0})
    for loss in ({}, {"loss": [1.0]}, {"loss": None}):
        assert not ranking.is_better({"score": 1.0, **loss}, {"score": 1.0, "loss": 2.0})
        assert not ranking.is_better({"score": 1.0, "loss": 1.0}, {"score": 1.0, **loss})


def test_a_rule_turns_the_direction() -> None:
    ranking = Ranking(OURS, key="loss", rule="greater")
    assert ranking.is_better(result(2.0, 0.0), result(1.0, 0.0))
    # mmcv's pages write it beside save_best='auto' too.
    assert Ranking(OURS, key="auto", rule="greater").is_better(result(9.0, 2.0), result(0.0, 1.0))


def test_a_users_key_has_the_direction_of_its_list_or_of_its_name() -> None:
    metric = ScriptedMetric([])
    low, high = {"depth": 1.0}, {"depth": 2.0}
    with pytest.raises(ConfigError, match=r"whether more or less of 'depth' is better; set .*rule=greater"):
        Ranking(metric, key="depth").is_better(low, high)
    assert Ranking(metric, key="depth", less_keys=["depth"]).is_better(low, high)
    assert Ranking(metric, key="depth", greater_keys=["depth"]).is_better(high, low)
    for name, is_greater in (("my_loss", False), ("my_acc", True), ("auc", True), ("error_rate", False)):
        assert Ranking(metric, key=name).is_better({name: 2.0}, {name: 1.0}) is is_greater


@pytest.mark.parametrize("name", ["precision", "recall", "f1_score"])
def test_mmclassifications_names_are_those_over_all_classes(name: str) -> None:
    metric = build_metric({"type": "ClassificationMetrics", "metrics": [name]})
    key, _ = Ranking(metric, key=name).score(dict.fromkeys(metric.directions, 1.0))
    assert key == f"{name.removesuffix('_score')}_macro"


def test_an_unknown_key_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match=r"save_best names 'mAP'; .* gives loss, acc1, acc5"):
        Ranking(OURS, key="mAP")
    with pytest.raises(ConfigError, match=r"rule='less' is the direction of save_best; name a key"):
        Ranking(ScriptedMetric([]), rule="less")


def test_a_key_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the result 'f1' is a list"):
        Ranking(ScriptedMetric([]), key="f1").score({"f1": [1.0, 2.0]})


def test_only_the_key_must_be_finite() -> None:
    ranking = Ranking(OURS, key="acc1")
    assert ranking.is_better(result(NAN, 60.0), result(1.0, 50.0))
    assert not Ranking(OURS).is_better(result(NAN, 60.0), result(1.0, 50.0))
    assert not ranking.is_better(result(1.0, NAN), None)


def test_the_evaluator_saves_by_the_key() -> None:
    evaluator, _ = scripted([3.0, 2.0, 4.0, 1.0], save_best="score", rule="less")
    saved: list[int] = []
    for number in range(4):
        evaluator.eval(lambda name, at=number: saved.append(at), number)
    assert saved == [0, 1, 3]
    assert evaluator.best == {"score": 1.0}


# (patience, min_delta, scores at updates 0, 1, 2 ..., after which update it stops)
SEQUENCES = [
    (1, 0.0, [1.0, 2.0, 2.0], 2),
    (2, 0.0, [1.0, 2.0, 2.0, 1.5], 3),
    (2, 0.0, [1.0, 2.0, 2.0, 3.0, 1.0, 3.0], 5),
    (2, 0.5, [1.0, 1.4, 1.5], None),
    (2, 0.5, [1.0, 1.4, 1.6, 1.7, 1.8], 3),
    (2, 0.5, [0.0, 1.4, 1.8, 2.0, 2.0, 2.5], 5),
    (1, 0.0, [5.0, 1.0], None),
    (1, 0.0, [5.0, 1.0, 1.0], 2),
    (2, 0.0, [5.0, 1.0, 2.0, 3.0, 2.0, 2.0], 5),
    (2, 0.0, [NAN, NAN, NAN], 2),
    (2, 0.0, [5.0, NAN, NAN], 2),
    (3, 0.0, [1.0, 1.0, 1.0], None),
]


@pytest.mark.parametrize(("patience", "min_delta", "scores", "stops_at"), SEQUENCES)
def test_it_stops_after_so_many_evaluations_without_a_better_one(
    patience: int, min_delta: float, scores: list[float], stops_at: int | None
) -> None:
    evaluator, _ = scripted(
        scores,
        save_best="score",
        rule="greater",
        early_stop_patience=patience,
        early_stop_min_delta=min_delta,
    )
    stops = [evaluator.eval(None, number)[0] for number in range(len(scores))]
    assert [number for number, each in enumerate(stops) if each][:1] == (
        [] if stops_at is None else [stops_at]
    )


def test_its_count_survives_a_checkpoint() -> None:
    settings = {"save_best": "score", "rule": "greater", "early_stop_patience": 3}
    evaluator, _ = scripted([2.0, 1.0, 1.0], **settings)
    for number in range(1, 4):
        assert not evaluator.eval(None, number)[0]
    again, _ = scripted([2.0], **settings)
    again.load_state_dict(evaluator.state_dict())
    assert again.eval(None, 4)[0]
    # A run that was stopped by it is still over when it is looked at again, unless patience has grown.
    over, _ = scripted([], **settings)
    over.load_state_dict(again.state_dict())
    assert over.should_stop
    longer, _ = scripted([], **{**settings, "early_stop_patience": 5})
    longer.load_state_dict(again.state_dict())
    assert not longer.should_stop


def test_without_patience_nothing_is_counted() -> None:
    stopping = EarlyStopping()
    stopping.add({"acc1": 1.0}, Ranking(OURS), is_trained=True)
    assert stopping.state_dict() == {"num_bad": 0, "best": None, "compared_by": None}
    assert not stopping.is_over


def test_a_result_that_is_not_finite_may_end_the_run_at_once() -> None:
    stopping = EarlyStopping(5, check_finite=True)
    ranking = Ranking(OURS, key="loss")
    stopping.add(result(1.0, 1.0), ranking, is_trained=True)
    stopping.add(result(NAN, 1.0), ranking, is_trained=True)
    assert stopping.is_over


def test_a_smallest_gain_needs_a_key() -> None:
    stopping = EarlyStopping(2, min_delta=0.1)
    ranking = Ranking(ScriptedMetric([]))
    stopping.add({"score": 1.0}, ranking, is_trained=True)
    with pytest.raises(
        ConfigError, match=r"name the key that counts: policy\.eval\.evaluator\.save_best=KEY"
    ):
        stopping.add({"score": 1.0}, ranking, is_trained=True)


def further(loss: float, acc1: float) -> dict[str, float]:
    """Return results of everything, of two data sets, and of the weights in training."""
    prefixes = ("", "0_", "1_", "raw_", "raw_0_", "raw_1_")
    return {
        f"{each}{name}": value + number
        for number, each in enumerate(prefixes)
        for name, value in result(loss, acc1).items()
    }


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("1_acc1", "1_acc1"),
        ("0_accuracy_top-1", "0_acc1"),
        ("1_loss", "1_loss"),
        ("raw_acc1", "raw_acc1"),
        ("accuracy/top1_origin", "raw_acc1"),
        ("raw_1_loss", "raw_1_loss"),
        ("acc1", "acc1"),
        (None, "acc1"),
    ],
)
def test_results_of_a_part_can_decide(key: Any, found: str) -> None:
    ranking = Ranking(OURS, key=key, num_parts=2)
    more, less = further(2.0, 60.0), further(1.0, 50.0)
    assert ranking.score(more) == (found, more[found])
    assert ranking.is_better(more, less) is not found.endswith("loss")
    # What does not decide need not be finite.
    assert ranking.not_finite({**more, "0_acc5": NAN, "raw_acc5": NAN}) == []
    assert ranking.not_finite({**more, found: NAN}) == [found]


@pytest.mark.parametrize(
    ("key", "num_parts", "message"),
    [
        ("2_acc1", 2, "of data set 2; the evaluation data are 2 data sets, counted from 0"),
        ("raw_0_acc1", 0, "of data set 0; the evaluation data are one data set, or judged as one"),
        ("0_f1", 2, "save_best names '0_f1'"),
    ],
)
def test_a_part_that_is_not_there_is_refused(key: str, num_parts: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ranking(OURS, key=key, num_parts=num_parts)
