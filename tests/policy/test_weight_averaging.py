"""Averages of weights against their formulas and torch's own, and that training never sees them."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ding_cls.checkpoint import write_checkpoint
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.weight_averaging import Ema, Swa, WeightAverage
from tests.harness import assert_same, in_older_layout
from tests.policy.test_classification import assert_equal, assert_near, batch, build, network

STEPS = 6


def weights_over(policy: ImageClassificationPolicy, steps: int = STEPS) -> list[dict[str, torch.Tensor]]:
    """Return the network's state before the first update and after each."""
    states = [deepcopy(policy._model.state_dict())]
    for step in range(steps):
        policy.learn_mode.forward(batch(step))
        states.append(deepcopy(policy._model.state_dict()))
    return states


def assert_averages(policy: ImageClassificationPolicy, expected: dict[str, torch.Tensor]) -> None:
    found = policy.learn_mode.get_attribute("eval_model").state_dict()
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("ema", "decay_at"),
    [
        ({"decay": 0.75, "warm_up": 0}, lambda n: 0.75),
        ({"momentum": 0.25, "warm_up": 0}, lambda n: 0.75),
        ({"decay": 0.75, "warm_up": 1}, lambda n: 0.75),
        ({"decay": 0.75, "warm_up": 10}, lambda n: min(0.75, (1 + n) / (10 + n))),
        ({"decay": 0.2, "warm_up": 10}, lambda n: min(0.2, (1 + n) / (10 + n))),
        ({}, lambda n: min(0.9998, (1 + n) / (100 + n))),
    ],
)
def test_the_moving_average_is_the_formulas(ema: dict[str, Any], decay_at: Any) -> None:
    policy = build(network(), ema=ema)
    first, *later = weights_over(policy)
    for name, average in first.items():
        for number, weights in enumerate(later):
            if average.is_floating_point():
                average = decay_at(number) * average + (1 - decay_at(number)) * weights[name]
            else:
                average = weights[name]
        first[name] = average
    assert_averages(policy, first)
    assert "norm.running_var" in first


def test_it_is_torchs_moving_average() -> None:
    policy = build(network(), ema={"decay": 0.75, "warm_up": 0})
    # torch takes the first weights it is given as they are.
    torchs = AveragedModel(network(), multi_avg_fn=get_ema_multi_avg_fn(0.75), use_buffers=True)
    torchs.update_parameters(network())
    for step in range(STEPS):
        policy.learn_mode.forward(batch(step))
        torchs.update_parameters(policy._model)
    assert_near(policy.learn_mode.get_attribute("eval_model"), torchs.module)


def test_an_interval_leaves_updates_out() -> None:
    policy = build(network(), ema={"decay": 0.5, "warm_up": 0, "interval": 3})
    states = weights_over(policy, 7)
    expected = {
        name: 0.25 * states[0][name] + 0.25 * states[3][name] + 0.5 * states[6][name]
        if states[0][name].is_floating_point()
        else states[6][name]
        for name in states[0]
    }
    assert_averages(policy, expected)


def test_swa_is_the_mean_of_the_last_epochs_ends_and_torchs() -> None:
    policy = build(network(), swa={"start_epoch": 1}, train_epoch=3)
    policy.learn_mode.set_attribute("updates_per_epoch", 2)
    torchs = AveragedModel(network(), use_buffers=True)
    for step in range(6):
        policy.learn_mode.forward(batch(step))
        has_begun = step >= 3
        if step in (3, 5):
            torchs.update_parameters(policy._model)
        network_now = policy.learn_mode.get_attribute("eval_model")
        assert (network_now is policy._model) is not has_begun
    assert_near(policy.learn_mode.get_attribute("eval_model"), torchs.module)


def test_swa_needs_an_epochs_length() -> None:
    policy = build(network(), swa={"start_epoch": 1})
    with pytest.raises(ConfigError, match=r"set_attribute\('updates_per_epoch', len\(loader\)\)"):
        policy.learn_mode.forward(batch(0))


@pytest.mark.parametrize(
    "average",
    [
        {"ema": {"decay": 0.5, "warm_up": 0}},
        {"swa": {"start_epoch": 0}},
        {"optimizer": {"type": "ScheduleFreeAdamW"}},
        {"optimizer": {"type": "ScheduleFreeSGD"}},
    ],
    ids=str,
)
def test_evaluation_takes_the_average_and_training_never_sees_it(average: dict[str, Any]) -> None:
    if "optimizer" in average:
        pytest.importorskip("pytorch_optimizer")
    judged, alone = [build(network(), **average) for _ in range(2)]
    plain = build(network()) if "optimizer" not in average else None
    images = batch(9).images
    for step in range(4):
        for policy in (judged, alone):
            policy.learn_mode.set_attribute("updates_per_epoch", 2)
            policy.learn_mode.forward(batch(step))
        judged.eval_mode.reset()
        logits = judged.eval_mode.forward(images)
        assert_equal(judged._model, alone._model)
    raw = network()
    raw.load_state_dict(judged._model.state_dict())
    assert not torch.equal(logits, raw.eval()(images))
    if plain is not None:
        for step in range(4):
            plain.learn_mode.forward(batch(step))
        assert_equal(judged._model, plain._model)

    # A checkpoint holds both: what goes on training, and what was judged.
    state = deepcopy(judged.learn_mode.state_dict())
    settings = {"learn": {"optimizer": {"type": "SGD"}}, "cuda": False}
    for fields in (["eval"], None):
        other = ImageClassificationPolicy(settings, model=network(), enable_field=fields)
        other.eval_mode.load_state_dict(state)
        assert torch.equal(other.eval_mode.forward(images), logits)
    resumed = build(network(), **average)
    resumed.learn_mode.set_attribute("updates_per_epoch", 2)
    resumed.learn_mode.load_state_dict(state)
    assert torch.equal(resumed.eval_mode.forward(images), logits)
    for policy in (alone, resumed):
        policy.learn_mode.forward(batch(4))
        policy.learn_mode.forward(batch(5))
    assert_equal(resumed._model, alone._model)
    assert_equal(resumed.learn_mode.get_attribute("eval_model"), alone.learn_mode.get_attribute("eval_model"))


def test_a_schedule_free_average_is_the_optimizers_own() -> None:
    library = pytest.importorskip("pytorch_optimizer")
    policy = build(network(), optimizer={"type": "ScheduleFreeSGD", "momentum": 0.9}, weight_decay=0.0)
    model = network()
    optimizer = library.ScheduleFreeSGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(3):
        policy.learn_mode.forward(batch(step))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch(step).images), batch(step).targets).backward()
        optimizer.step()
    assert_equal(policy._model, model)
    optimizer.eval()
    assert_equal(policy.learn_mode.get_attribute("eval_model"), model)


@pytest.mark.parametrize("kind", ["SPlus", "ScheduleFreeAdamW"])
def test_before_the_first_step_the_network_itself_is_saved_and_evaluated(kind: str) -> None:
    pytest.importorskip("pytorch_optimizer")
    # SPlus cannot turn to its average before it has one.
    policy = build(network(), optimizer={"type": kind})
    saved = deepcopy(policy.learn_mode.state_dict())
    assert policy.learn_mode.get_attribute("eval_model") is policy._model
    policy.learn_mode.forward(batch(0))
    assert policy.learn_mode.get_attribute("eval_model") is not policy._model
    other = build(network(), optimizer={"type": kind})
    other.learn_mode.load_state_dict(saved)
    other.learn_mode.forward(batch(0))
    assert_equal(other._model, policy._model)


def test_a_checkpoint_without_an_average_begins_one() -> None:
    source, policy = build(network()), build(network(), ema={"decay": 0.5, "warm_up": 0})
    source.learn_mode.forward(batch(0))
    policy.learn_mode.load_state_dict(deepcopy(source.learn_mode.state_dict()))
    assert_equal(policy.learn_mode.get_attribute("eval_model"), source._model)
    before = deepcopy(policy._model.state_dict())
    policy.learn_mode.forward(batch(1))
    after = policy._model.state_dict()
    assert_averages(
        policy,
        {k: (before[k] + after[k]) / 2 if after[k].is_floating_point() else after[k] for k in before},
    )


def test_an_average_keeps_buffers_that_are_no_floats() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, Ema(decay=0.5, warm_up=0))
    model(torch.randn(4, 2))
    average.update(1, None)
    assert average.network().num_batches_tracked.item() == 1
    assert not average.network().training
    assert not any(each.requires_grad for each in average.network().parameters())


@pytest.mark.parametrize(
    ("learn", "expected"),
    [
        ({"ema": {"decay": 0.9, "momentum": 0.1}}, r"decay=0\.9 and momentum=0\.1, which is 1 - decay"),
        ({"ema": {"decay": 1.0}}, r"policy\.learn\.ema\.decay is 1\.0; it must be at least 0, less than 1"),
        ({"ema": {"momentum": 0.0}}, r"ema\.momentum is 0\.0"),
        ({"ema": {"interval": 0}}, r"ema\.interval is 0; it must be 1 or more"),
        ({"ema": {"dcay": 0.9}}, "has no argument 'dcay'; did you mean 'decay'"),
        ({"swa": {}}, "lacks the argument 'start_epoch'"),
        ({"swa": {"start_epoch": -1}}, r"swa\.start_epoch is -1"),
        ({"swa": {"start_epoch": 200}}, r"swa\.start_epoch is 200, .*0 to 199: nothing would be averaged"),
        (
            {"swa": {"start_epoch": 1}, "ema": {}},
            r"policy\.learn\.ema and policy\.learn\.swa each say what is evaluated; keep one",
        ),
    ],
)
def test_what_cannot_be_used_is_named(learn: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build(network(), **learn)


def test_the_shares_of_a_rule() -> None:
    ema = Ema(decay=0.999, warm_up=10)
    assert [ema(n + 1, n, None) for n in (0, 1, 90)] == [9 / 10, 9 / 11, 9 / 100]
    assert ema(10**6, 10**6, None) == pytest.approx(0.001, rel=1e-12)
    swa = Swa(start_epoch=1)
    assert [swa(train_iter, 0, 2) for train_iter in range(1, 5)] == [None, None, None, 1.0]
    assert swa(6, 1, 2) == 0.5


def judged_by(evaluate: str) -> tuple[ImageClassificationPolicy, torch.Tensor]:
    """Return a policy after four updates, and its logits."""
    policy = build(network(), ema={"decay": 0.5, "warm_up": 0, "evaluate": evaluate})
    for step in range(4):
        policy.learn_mode.forward(batch(step))
    policy.eval_mode.reset()
    return policy, policy.eval_mode.forward(batch(9).images)


def test_the_weights_in_training_may_be_evaluated_alone_or_too() -> None:
    (ema, of_ema), (raw, of_raw), (both, of_both) = map(judged_by, ("ema", "raw", "both"))
    assert torch.equal(of_ema, of_both)
    assert not torch.equal(of_ema, of_raw)
    assert (ema.eval_mode.get_attribute("also_evaluated"), raw.eval_mode.get_attribute("also_evaluated")) == (
        {},
        {},
    )
    ((prefix, chosen),) = both.eval_mode.get_attribute("also_evaluated").items()
    with chosen():
        assert torch.equal(both.eval_mode.forward(batch(9).images), of_raw)
    assert prefix == "raw_"
    assert torch.equal(both.eval_mode.forward(batch(9).images), of_both)
    for policy in (raw, both):
        assert_equal(policy._model, ema._model)
        assert_equal(policy.learn_mode.get_attribute("networks")[1], ema._evaluated.network())


@pytest.mark.parametrize("evaluate", ["raw", "both"])
def test_a_checkpoint_is_loaded_for_what_was_judged_and_goes_on_with_all(evaluate: str) -> None:
    policy, logits = judged_by(evaluate)
    state = deepcopy(policy.learn_mode.state_dict())
    plain = ImageClassificationPolicy({"cuda": False}, model=network(), enable_field=["eval"])
    plain.eval_mode.load_state_dict(state)
    assert torch.equal(plain.eval_mode.forward(batch(9).images), logits)
    again = build(network(), ema={"decay": 0.5, "warm_up": 0, "evaluate": "ema"})
    again.learn_mode.load_state_dict(state)
    assert torch.equal(again.eval_mode.forward(batch(9).images), judged_by("ema")[1])


def test_what_is_evaluated_is_one_of_three() -> None:
    with pytest.raises(ConfigError, match=r"policy\.learn\.ema\.evaluate is 'all'; it must be 'ema', 'raw'"):
        Ema(evaluate="all")


EMA = {"decay": 0.5, "warm_up": 0}
# What is set, whether an average is judged after three updates, and what the file says of it beside weights.
LAYOUTS: dict[str, tuple[dict[str, Any], bool, set[str]]] = {
    "none": ({}, False, set()),
    "ema": ({"ema": EMA}, True, {"num_averaged"}),
    "both": ({"ema": {**EMA, "evaluate": "both"}}, True, {"num_averaged"}),
    "raw": ({"ema": {**EMA, "evaluate": "raw"}}, False, {"num_averaged", "kept"}),
    "ema, not yet begun": ({"ema": {**EMA, "interval": 5}}, False, {"num_averaged", "kept"}),
    "swa": ({"swa": {"start_epoch": 0}}, True, {"num_averaged"}),
    "swa, not yet begun": ({"swa": {"start_epoch": 3}}, False, {"num_averaged", "kept"}),
    "schedule-free": ({"optimizer": {"type": "ScheduleFreeAdamW"}}, True, set()),
}


def trained(learn: dict[str, Any], steps: int = 3) -> ImageClassificationPolicy:
    """Return a policy after some updates, two of which make an epoch."""
    if "optimizer" in learn:
        pytest.importorskip("pytorch_optimizer")
    policy = build(network(), **learn)
    policy.learn_mode.set_attribute("updates_per_epoch", 2)
    for step in range(steps):
        policy.learn_mode.forward(batch(step))
    return policy


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_checkpoints_model_is_what_was_judged(name: str, tmp_path: Path) -> None:
    learn, is_average, rest = LAYOUTS[name]
    policy = trained(learn)
    write_checkpoint(tmp_path / "state", policy.learn_mode.state_dict())
    state = torch.load(tmp_path / "state", weights_only=True)
    policy.eval_mode.reset()
    plain = network()
    plain.load_state_dict(state["model"])
    images = batch(9).images
    assert torch.equal(plain.eval()(images), policy.eval_mode.forward(images))
    assert ("training_model" in state) is is_average
    in_training = state.get("training_model", state["model"])
    assert_equal(policy._model, network_with(in_training))
    assert any(not torch.equal(state["model"][key], in_training[key]) for key in in_training) is is_average
    assert state["averaged"].keys() == (rest and rest | {"rule"})
    # No weights lie there more often than needed.
    assert len(copies_of_weights(state)) == 1 + (is_average or "kept" in rest)


def network_with(weights: Mapping[str, torch.Tensor]) -> nn.Module:
    loaded = network()
    loaded.load_state_dict(weights)
    return loaded


def copies_of_weights(tree: Any) -> list[Any]:
    """Return the state dicts of the whole network in a checkpoint."""
    if not isinstance(tree, Mapping):
        return []
    if set(network().state_dict()) <= set(tree):
        return [tree]
    return [found for each in tree.values() for found in copies_of_weights(each)]


@pytest.mark.parametrize("steps", [1, 3, 4])
@pytest.mark.parametrize("name", LAYOUTS)
def test_new_and_older_files_go_on_to_the_last_bit(name: str, steps: int) -> None:
    learn, *_ = LAYOUTS[name]
    whole = trained(learn, steps)
    state = deepcopy(whole.learn_mode.state_dict())
    older = in_older_layout(state)
    assert ("model" in older["averaged"]) is ("training_model" in state)
    others = []
    for each in (state, older):
        policy = trained(learn, 0)
        policy.learn_mode.load_state_dict(deepcopy(each))
        assert_equal(policy.learn_mode.get_attribute("eval_model"), network_with(state["model"]))
        others.append(policy)
    for policy in (whole, *others):
        for step in range(steps, steps + 3):
            policy.learn_mode.forward(batch(step))
    expected = whole.learn_mode.state_dict()
    for policy in others:
        assert_same(policy.learn_mode.state_dict(), expected, where=name)


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_policy_judges_and_goes_on_with_the_right_weights_of_a_file(name: str) -> None:
    state = deepcopy(trained(LAYOUTS[name][0]).learn_mode.state_dict())
    for each in (state, in_older_layout(state)):
        plain = build(network(), optimizer={"type": "SGD"})
        plain.eval_mode.load_state_dict(deepcopy(each))
        assert_equal(plain._model, network_with(state["model"]))
    plain = build(network(), optimizer={"type": "SGD"})
    plain.learn_mode.load_state_dict({key: value for key, value in state.items() if key != "optimizer"})
    assert_equal(plain._model, network_with(state.get("training_model", state["model"])))


class WithNote(ImageClassificationPolicy):
    """A user's policy with more to keep."""

    def _state_dict_learn(self) -> dict[str, Any]:
        return {**super()._state_dict_learn(), "note": 7}

    def _load_state_dict_learn(self, state: Mapping[str, Any]) -> None:
        super()._load_state_dict_learn(state)
        self.note = state["note"]


def test_a_policy_that_keeps_more_has_the_same_layout() -> None:
    policies = [WithNote({"cuda": False, "learn": {"ema": EMA}}, model=network()) for _ in range(2)]
    first, second = policies
    for step in range(2):
        first.learn_mode.forward(batch(step))
    state = deepcopy(first.learn_mode.state_dict())
    assert {"note", "training_model", "averaged"} < state.keys()
    second.learn_mode.load_state_dict(state)
    assert second.note == 7
    for policy in policies:
        policy.learn_mode.forward(batch(2))
    assert_same(second.learn_mode.state_dict(), first.learn_mode.state_dict(), where="note")


def test_a_file_without_weights_of_one_kind_is_refused() -> None:
    state = trained({"ema": EMA}).learn_mode.state_dict()
    for key in ("model", "training_model"):
        other = trained({"ema": EMA}, 0)
        broken = {**state, key: 3}
        with pytest.raises(CheckpointError, match=f"holds no weights under '{key}'"):
            other.learn_mode.load_state_dict(broken)
        assert_equal(other._model, network())
