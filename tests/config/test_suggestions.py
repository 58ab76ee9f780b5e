"""A key that is not known gets the nearest known one, or the keys beside it."""

import pytest

from ding_cls.config.suggestions import is_alike, key_paths, keys_named, likeness, unknown_key

KNOWN = ["policy.learn.batch_size", "policy.eval.batch_size", "policy.learn.momentum", "seed"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("policy.eval.batchsize", "is not a known key; did you mean policy.eval.batch_size?"),
        ("policy.learn.batchsize", "is not a known key; did you mean policy.learn.batch_size?"),
        ("MOMENTUM", "is not a known key; did you mean policy.learn.momentum?"),
        # What others call it.
        ("policy.learn.lr", "is not a known key; did you mean policy.learn.learning_rate?"),
        ("zzz", "is not a known key; the keys here are seed, policy"),
        ("seed", "is one flat key; write it nested, a dict in a dict"),
    ],
)
def test_the_nearest_key_is_named(path: str, text: str) -> None:
    assert unknown_key(path, KNOWN, ["seed", "policy"]) == text


def test_keys_by_their_last_name() -> None:
    assert keys_named("batch_size") == ["policy.learn.batch_size", "policy.eval.batch_size"]
    assert keys_named("policy.learn.batch_size") == ["policy.learn.batch_size"]
    assert keys_named("wd") == ["policy.learn.weight_decay"]
    assert keys_named("zzz") == []


def test_the_paths_of_a_schema() -> None:
    assert [*key_paths({"a": {"b": 1, "c": {}}, "d": 2})] == ["a", "a.b", "a.c", "d"]


@pytest.mark.parametrize("pair", [("momentum", "Momentum"), ("a", "b"), ("", "a"), ("lr", "learning_rate")])
@pytest.mark.parametrize("least", [0.1, 0.6, 0.9])
def test_the_quick_answer_is_the_exact_one(pair: tuple[str, str], least: float) -> None:
    assert is_alike(*pair, least) == (likeness(*pair) >= least)
