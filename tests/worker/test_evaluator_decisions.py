"""What the evaluator decides: which result is best, when an evaluation is due, when to stop; its state."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.data import build_eval_loader
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import ImageClassificationMetric
from ding_cls.worker import MetricSerialEvaluator
from ding_cls.worker.evaluation.batches import EvaluationStoppedError
from tests.worker.tables import (
    DingStyleMetric,
    NumberedSamples,
    ScriptedMetric,
    TablePolicy,
    evaluator_of,
    numbered,
    scripted,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("results", "best_after_each", "saved"),
    [
        ([NAN, 1.0, 2.0], [None, 1.0, 2.0], [1, 2]),
        ([1.0, NAN, 2.0], [1.0, 1.0, 2.0], [0, 2]),
        ([2.0, 1.0, NAN], [2.0, 2.0, 2.0], [0]),
        ([NAN, NAN, NAN], [None, None, None], []),
        ([-INF, -5.0, -INF], [None, -5.0, -5.0], [1]),
        ([INF, 1.0, INF], [None, 1.0, 1.0], [1]),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0]),
        ([0.0, -1.0, 0.5], [0.0, 0.0, 0.5], [0, 2]),
        ([np.float32("nan"), 1.0, 2.0], [None, 1.0, 2.0], [1, 2]),
        ([torch.tensor(NAN), torch.tensor(1.0), torch.tensor(0.0)], [None, 1.0, 1.0], [1]),
        ([5, 4, 6], [5, 5, 6], [0, 2]),
    ],
)
def test_nan_is_never_best_and_the_first_finite_result_is(
    results: list[Any], best_after_each: list[Any], saved: list[int]
) -> None:
    evaluator, metric = scripted(results)
    calls: list[tuple[int, str]] = []
    for number, best in enumerate(best_after_each):
        evaluator.eval(lambda name, at=number: calls.append((at, name)), train_iter=number)
        assert evaluator.best == (None if best is None else {"score": best})
    assert calls == [(number, "ckpt_best.pth.tar") for number in saved]
    assert evaluator.best_iter == (saved[-1] if saved else -1)
    # Only finite results were compared, and the first one without asking.
    assert all(old is not None for _, old in metric.asked)
    assert len(metric.asked) == max(sum(math.isfinite(each) for each in results) - 1, 0)


# (results at updates 0, 1, 2 ..., best after each, which are saved)
AFTER_UNTRAINED = [
    ([9.0], [9.0], [0]),
    ([9.0, 1.0, 0.5], [9.0, 1.0, 1.0], [0, 1]),
    ([9.0, 1.0, 2.0], [9.0, 1.0, 2.0], [0, 1, 2]),
    ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0, 1]),
    ([9.0, NAN, 1.0], [9.0, 9.0, 1.0], [0, 2]),
    ([9.0, NAN, INF], [9.0, 9.0, 9.0], [0]),
    ([NAN, 1.0, 0.5], [None, 1.0, 1.0], [1]),
    ([NAN, NAN, NAN], [None, None, None], []),
]
BY_SCORE = {"save_best": "score", "rule": "greater"}


@pytest.mark.parametrize(("results", "best_after_each", "saved"), AFTER_UNTRAINED)
def test_the_first_finite_trained_result_replaces_the_untrained_one(
    results: list[float], best_after_each: list[float | None], saved: list[int]
) -> None:
    evaluator, metric = scripted(results, **BY_SCORE)
    calls: list[int] = []
    for number, best in enumerate(best_after_each):
        evaluator.eval(lambda name, at=number: calls.append(at), train_iter=number)
        assert evaluator.best == (None if best is None else {"score": best})
        assert evaluator.is_best_untrained is (calls == [0])
    assert calls == saved
    assert evaluator.best_iter == (saved[-1] if saved else -1)
    assert metric.asked == []


def test_a_metric_of_ones_own_decides_about_the_untrained_network_too() -> None:
    class OurSums(ImageClassificationMetric):
        """Ours, but for its gt."""

        def gt(self, metric1: Any, metric2: Any) -> bool:
            return metric2 is None or metric1["loss"] < metric2["loss"]

    samples, policy = numbered(10)
    right = torch.nn.functional.one_hot(torch.tensor(samples.targets), 8)
    for metric, best_iter in ((DingStyleMetric(), 0), (OurSums(), 0), (ImageClassificationMetric(), 1)):
        evaluator = evaluator_of(build_eval_loader(samples, 10), policy, metric)
        for number, sureness in enumerate((9.0, 1.0)):
            # DingStyleMetric wants more of everything, the loss too.
            policy.logits = right * (10 - sureness if isinstance(metric, DingStyleMetric) else sureness)
            evaluator.eval(None, number)
        assert evaluator.best_iter == best_iter, type(metric)


@pytest.mark.parametrize("rule", ["greater", "less"])
def test_a_key_that_decides_leaves_the_untrained_result_out_too(rule: str) -> None:
    for scores in ([9.0, 1.0], [-9.0, 1.0]):
        evaluator, _ = scripted(scores, save_best="score", rule=rule)
        for number in range(2):
            evaluator.eval(None, number)
        assert (evaluator.best, evaluator.best_iter) == ({"score": 1.0}, 1)


def test_an_untrained_result_that_comes_later_replaces_no_trained_one() -> None:
    evaluator, _ = scripted([1.0, 9.0], **BY_SCORE)
    saved: list[str] = []
    for train_iter in (5, 0):
        evaluator.eval(saved.append, train_iter)
    assert (evaluator.best, evaluator.best_iter, len(saved)) == ({"score": 1.0}, 5, 1)


def test_a_program_that_passes_epochs_is_understood_by_the_updates_it_asked_about() -> None:
    evaluator, _ = scripted([9.0, 1.0, 0.5], eval_freq=1, early_stop_patience=1, **BY_SCORE)
    stops = []
    for epoch, train_iter in ((0, 0), (0, 5), (1, 10)):
        assert evaluator.should_eval(train_iter)
        stops.append(evaluator.eval(None, epoch)[0])
    assert (evaluator.best, evaluator.best_iter) == ({"score": 1.0}, 5)
    assert stops == [False, False, True]


def test_results_without_a_position_are_of_trained_weights() -> None:
    evaluator, _ = scripted([2.0, 1.0])
    saved: list[str] = []
    for _ in range(2):
        evaluator.eval(saved.append)
    assert (evaluator.best, len(saved)) == ({"score": 2.0}, 1)


def test_that_all_trained_results_are_not_finite_is_told(workdir: Path) -> None:
    samples, policy = numbered(3)
    env = [DataLoader(samples, 3), ScriptedMetric([1.0, NAN, NAN])]
    evaluator = MetricSerialEvaluator({}, env, policy.mode(), None, "run", "judge")
    for number in range(3):
        evaluator.eval(lambda name: None, number)
    evaluator.close()
    told = "score is not finite at this evaluation; it cannot be the best; the best is still the untrained"
    assert (workdir / "run/log/judge/judge.txt").read_text().count(told) == 1


def test_an_older_state_whose_best_is_untrained_goes_on_without_it() -> None:
    evaluator, _ = scripted([1.0, 0.5, 2.0], **BY_SCORE)
    evaluator.load_state_dict(
        {
            "best": {"score": 9.0},
            "best_iter": 0,
            "last_result": {"score": 9.0},
            "last_eval_iter": 0,
            "has_reached_stop_value": False,
        }
    )
    saved: list[int] = []
    for at in (1, 2, 3):
        evaluator.eval(lambda name, at=at: saved.append(at), at)
    assert saved == [1, 3]


def test_of_equal_accuracies_the_lower_loss_is_best_and_of_equal_losses_the_first() -> None:
    samples, policy = numbered(10)
    evaluator, saved = evaluator_of(build_eval_loader(samples, 4), policy), []
    right = torch.nn.functional.one_hot(torch.tensor(samples.targets), 8)
    for number, sureness in enumerate([9.0, 1.0, 5.0, 5.0, 1.0, 7.0]):
        policy.logits = right * sureness
        _, result = evaluator.eval(lambda name, at=number: saved.append(at), train_iter=number)
        assert result["acc1"] == 100.0
    # The untrained network, at 0, is the surest of all.
    assert saved == [0, 1, 2, 5]


def test_nan_weights_are_never_best_with_our_own_metric() -> None:
    samples, policy = numbered(10)
    good, saved = policy.logits, []
    evaluator = evaluator_of(build_eval_loader(samples, 4), policy)
    for number, logits in enumerate([good * NAN, good, good * NAN, good + 0]):
        policy.logits = logits
        evaluator.eval(lambda name, at=number: saved.append(at), train_iter=number)
    assert saved == [1]


def test_the_result_belongs_to_the_caller() -> None:
    evaluator, _ = scripted([1.0, 0.5])
    _, result = evaluator.eval(None, 1)
    result["score"] = -100.0
    result["epoch"] = 3
    saved: list[str] = []
    evaluator.eval(saved.append, 2)
    assert evaluator.best == {"score": 1.0}
    assert saved == []


def test_the_checkpoint_of_the_best_already_knows_it() -> None:
    evaluator, _ = scripted([1.0])
    seen: list[Any] = []
    evaluator.eval(lambda name: seen.append(evaluator.state_dict()), 4)
    assert seen[0]["best"] == {"score": 1.0}
    assert (seen[0]["best_iter"], seen[0]["last_eval_iter"]) == (4, 4)


@pytest.mark.parametrize(
    ("stop_value", "stops"),
    [
        (None, False),
        (0.0, True),
        (100.0, False),
        ({"acc1": 0.0}, True),
        ({"acc5": 100.0}, True),
        ({"loss": 100.0}, True),
        ({"loss": 0.0}, False),
        ({"loss": 100.0, "acc1": 100.0}, False),
        ({"loss": 100.0, "acc1": 0.0, "acc5": 1.0}, True),
    ],
)
def test_the_stop_value_holds_for_its_keys_and_never_at_update_0(stop_value: Any, stops: bool) -> None:
    samples, policy = numbered(20, num_classes=5)
    evaluator = evaluator_of(build_eval_loader(samples, 7), policy, stop_value=stop_value)
    assert evaluator.eval(None, 0)[0] is False
    assert evaluator.eval(None)[0] is False
    assert evaluator.eval(None, 1)[0] is stops
    assert evaluator.has_reached_stop_value is stops


def test_a_result_equal_to_the_stop_value_reaches_it() -> None:
    samples, policy = numbered(20)
    _, result = evaluator_of(build_eval_loader(samples, 7), policy).eval()
    for name, value in result.items():
        evaluator = evaluator_of(build_eval_loader(samples, 7), policy, stop_value={name: value})
        assert evaluator.eval(None, 1)[0] is True


def test_a_users_metric_decides_about_the_stop_value_by_its_own_gt() -> None:
    samples, policy = numbered(20)
    loader = build_eval_loader(samples, 5)
    for stop_value, stops in (({"acc1": 1.0, "acc5": 1.0}, True), ({"acc1": 99.0}, False)):
        evaluator = evaluator_of(loader, policy, DingStyleMetric(), stop_value=stop_value)
        assert evaluator.eval(None, 1)[0] is stops
        assert evaluator.eval(None, 0)[0] is False


def test_a_stop_value_of_an_unknown_key_is_refused_before_any_work() -> None:
    samples, policy = numbered(3)
    with pytest.raises(ConfigError, match=r"stop_value names 'top1'; .* gives loss, acc1, acc5"):
        evaluator_of(DataLoader(samples), policy, stop_value={"top1": 75.0})


@pytest.mark.parametrize("eval_freq", [1, 2, 3, 7, 50, 2.5])
def test_it_is_due_at_update_0_and_eval_freq_updates_after_the_last(eval_freq: float) -> None:
    evaluator, _ = scripted([1.0] * 200, eval_freq=eval_freq)
    done = []
    for train_iter in range(120):
        if evaluator.should_eval(train_iter):
            evaluator.eval(None, train_iter)
            done.append(train_iter)
            assert evaluator.should_eval(train_iter) is False
    step = math.ceil(eval_freq)
    assert done == list(range(0, 120, step))


def test_epochs_that_do_not_divide_by_eval_freq_are_never_skipped_for_good() -> None:
    evaluator, _ = scripted([1.0] * 20, eval_freq=50)
    done = []
    for train_iter in range(0, 400, 33):
        if evaluator.should_eval(train_iter):
            evaluator.eval(None, train_iter)
            done.append(train_iter)
    assert done == [0, 66, 132, 198, 264, 330, 396]


def test_asking_twice_changes_nothing() -> None:
    evaluator, _ = scripted([1.0] * 3, eval_freq=5)
    assert [evaluator.should_eval(each) for each in (0, 0, 4, 5, 5)] == [True, True, False, True, True]


def test_an_epoch_passed_to_eval_does_not_disturb_when_it_is_due() -> None:
    evaluator, _ = scripted([1.0] * 3, eval_freq=100)
    assert evaluator.should_eval(500)
    evaluator.eval(None, 5, 0)
    assert evaluator.last_eval_iter == 500
    assert not evaluator.should_eval(500)
    assert not evaluator.should_eval(599)
    assert evaluator.should_eval(600)


def test_an_evaluation_that_was_not_due_is_entered_at_its_own_update() -> None:
    evaluator, _ = scripted([1.0] * 3, eval_freq=100)
    evaluator.eval(None, 10)
    assert not evaluator.should_eval(20)
    evaluator.eval(None, 30)
    assert (evaluator.last_eval_iter, evaluator.best_iter) == (30, 10)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (("ash", "fir"), "first 'birch' and 'fir'"),
        (("birch", "ash"), "first 'ash' and 'birch'"),
        (("ash", "birch", "fir"), "2 and 3 in number"),
        (("ash",), "2 and 1 in number"),
    ],
)
def test_another_class_list_is_refused(given: tuple[str, ...], where: str) -> None:
    policy = TablePolicy(torch.zeros(4, 2), class_names=("ash", "birch"))
    evaluator = evaluator_of(build_eval_loader(NumberedSamples([0, 1, 0, 1], given), 2), policy)
    with pytest.raises(DataError, match=where):
        evaluator.eval()
    assert policy.batch_sizes == []


@pytest.mark.parametrize("given", [("ash", "birch"), ["ash", "birch"], None])
def test_the_same_class_list_or_none_is_taken(given: Any) -> None:
    policy = TablePolicy(torch.zeros(4, 2), class_names=("ash", "birch"))
    loader = build_eval_loader(NumberedSamples([0, 1, 0, 1], given), 2)
    assert evaluator_of(loader, policy).eval()[1]["acc1"] == 50.0


def test_its_state_survives_a_checkpoint(tmp_path: Path) -> None:
    evaluator, _ = scripted([1.0, 3.0, 2.0], stop_value={"score": 2.5}, eval_freq=10)
    for train_iter in (10, 20, 30):
        evaluator.should_eval(train_iter)
        evaluator.eval(None, train_iter)
    write_checkpoint(tmp_path / "state", evaluator.state_dict())
    again, metric = scripted([2.9, 3.1], eval_freq=10)
    again.load_state_dict(read_checkpoint(tmp_path / "state"))
    assert again.state_dict() == evaluator.state_dict()
    assert (again.best, again.best_iter, again.last_result) == ({"score": 3.0}, 20, {"score": 2.0})
    assert [again.should_eval(each) for each in (30, 39, 40)] == [False, False, True]
    saved: list[str] = []
    again.eval(saved.append, 40)
    again.eval(saved.append, 50)
    assert saved == ["ckpt_best.pth.tar"]
    # First whether this metric can compare the best that was loaded.
    assert metric.asked == [(3.0, 3.0), (2.9, 3.0), (3.1, 3.0)]


def test_a_fresh_state_survives_a_checkpoint(tmp_path: Path) -> None:
    evaluator, _ = scripted([NAN])
    evaluator.eval(None, 0)
    write_checkpoint(tmp_path / "state", evaluator.state_dict())
    again, _ = scripted([0.5])
    again.load_state_dict(read_checkpoint(tmp_path / "state"))
    assert again.best is None
    saved: list[str] = []
    again.eval(saved.append, 1)
    assert saved == ["ckpt_best.pth.tar"]


def test_reset_forgets_all_results() -> None:
    evaluator, _ = scripted([5.0, 1.0], eval_freq=10)
    fresh = evaluator.state_dict()
    evaluator.eval(None, 10)
    evaluator.reset()
    assert evaluator.state_dict() == fresh
    saved: list[str] = []
    evaluator.eval(saved.append, 20)
    assert evaluator.best == {"score": 1.0}


@pytest.mark.parametrize("metric", [ImageClassificationMetric, DingStyleMetric])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_evaluation_keeps_nothing(metric: Any, after: int) -> None:
    samples, policy = numbered(20)
    evaluator = evaluator_of(build_eval_loader(samples, 4), policy, metric(), eval_freq=5)
    evaluator.keep_predictions = True
    evaluator.eval(None, 0)
    before, kept = evaluator.state_dict(), evaluator.predictions
    policy.logits = policy.logits + 10 * torch.nn.functional.one_hot(torch.tensor(samples.targets), 8)
    assert evaluator.should_eval(5)
    policy.batch_sizes.clear()
    evaluator.is_interrupted = lambda: len(policy.batch_sizes) >= after
    saved: list[str] = []
    with pytest.raises(EvaluationStoppedError):
        evaluator.eval(saved.append, 5)
    assert len(policy.batch_sizes) == after
    assert (evaluator.state_dict(), saved) == (before, [])
    assert evaluator.predictions is kept
    evaluator.is_interrupted = lambda: False
    assert evaluator.should_eval(5)
    assert evaluator.eval(saved.append, 5)[1]["acc1"] == 100.0
    assert evaluator.num_evaluated == 20


class _Tags:
    """Collects what would go to TensorBoard."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float, int]] = []

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self.values.append((tag, value, step))


def test_a_log_line_and_tags_tell_each_result(workdir: Path) -> None:
    samples, policy = numbered(5)
    tags = _Tags()
    env = [build_eval_loader(samples, 2), ImageClassificationMetric()]
    cfg = {"stop_value": {"acc1": 0.0}}
    evaluator = MetricSerialEvaluator(cfg, env, policy.mode(), tags, "run", "judge")
    _, result = evaluator.eval(lambda name: None, 7, 40)
    evaluator.eval(None)
    evaluator.close()
    first, second = (workdir / "run/log/judge/judge.txt").read_text().splitlines()
    values = "\t".join(f"{name}: {value:.4f}" for name, value in result.items())
    assert first.endswith(
        f"Evaluation after 7 updates, step 40, 5 samples\t{values}\tbest so far\tstop value reached"
    )
    assert second.endswith(f"Evaluation now, 5 samples\t{values}")
    assert tags.values == [
        (f"judge/{name}", value, step) for step in (7, 0) for name, value in result.items()
    ]


def test_without_a_run_folder_nothing_is_written(workdir: Path) -> None:
    samples, policy = numbered(5)
    evaluator_of(build_eval_loader(samples, 2), policy).eval()
    assert list(workdir.iterdir()) == []


def test_the_default_config_is_a_copy() -> None:
    MetricSerialEvaluator.default_config().eval_freq = 999
    assert MetricSerialEvaluator.default_config().eval_freq == 50
