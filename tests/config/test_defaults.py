"""The schema: its own defaults pass it, and every key that users know is in it with the known default."""

from collections.abc import Iterator
from typing import Any

import pytest

from ding_cls.config import checked_config, resolve
from ding_cls.config.defaults import EVALUATOR, LEARNER, POLICY, ROOT, Either, Free, Key, defaults
from ding_cls.config.validate import Validator
from ding_cls.errors import ConfigError

CONTRACT = {
    "exp_name": "default_experiment",
    "policy.cuda": "auto",
    "policy.multi_gpu": "auto",
    "policy.learn.multi_gpu": "auto",
    "policy.learn.train_epoch": 200,
    "policy.learn.batch_size": 32,
    "policy.learn.learning_rate": 0.01,
    "policy.learn.decay_epoch": 30,
    "policy.learn.decay_rate": 0.1,
    "policy.learn.warmup_lr": 1e-4,
    "policy.learn.warmup_epoch": 3,
    "policy.learn.weight_decay": 1e-4,
    "policy.learn.bp_update_sync": True,
    "policy.learn.learner.log_show_freq": 10,
    "policy.learn.learner.hook": {
        "load_ckpt_before_run": "",
        "log_show_after_iter": 10**9,
        "save_ckpt_after_iter": 1000,
        "save_ckpt_after_run": True,
    },
    "policy.collect.learn_data_path": "",
    "policy.collect.eval_data_path": "",
    "policy.eval.batch_size": 32,
    "policy.eval.evaluator.eval_freq": 50,
    "policy.eval.evaluator.stop_value": None,
}


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Key | Free | Either]]:
    for name, entry in tree.items():
        if isinstance(entry, dict):
            yield from _leaves(entry, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


LEAVES = dict(_leaves(ROOT))


@pytest.mark.parametrize("path", CONTRACT)
def test_a_contract_key_is_in_the_schema_with_its_known_default(path: str) -> None:
    assert LEAVES[path].default == CONTRACT[path]


def test_every_default_passes_its_own_check_unchanged() -> None:
    values = defaults(ROOT)
    validator = Validator(ROOT, declared={}, origins={})
    validator.check(values)
    assert validator.problems == []
    assert repr(values) == repr(defaults(ROOT))


@pytest.mark.parametrize("path", LEAVES)
def test_every_key_says_what_it_is_in_one_line(path: str) -> None:
    assert LEAVES[path].help
    assert "\n" not in LEAVES[path].help


EXAMPLES = {path: entry.example for path, entry in LEAVES.items() if entry.example}


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_is_shown_where_the_value_is_of_the_wrong_kind_and_can_be_typed(path: str) -> None:
    first, *others = EXAMPLES[path].split(" or ")
    with pytest.raises(ConfigError, match=f"^{path} is 3.*; for example ['\"]?{path}[.=]"):
        checked_config(resolve({}, [f"{path}=3"]).cfg)
    for word in (f"{path}{first}", *(f"{path}={each}" for each in others)):
        described = resolve({}, [word])
        assert checked_config(described.cfg, problems=described.problems)


def test_what_is_no_plain_value_has_an_example() -> None:
    plain = {"policy.learn.loss", "policy.learn.loss_scale", "policy.eval.evaluator.stop_value"}
    sets = {f"policy.collect.{name}" for name in ("train", "val", "test")}
    dicts = {path for path, entry in LEAVES.items() if isinstance(entry, Either)}
    assert dicts - EXAMPLES.keys() == plain | sets


def test_a_choice_is_of_an_accepted_type() -> None:
    keys = {path: entry for path, entry in LEAVES.items() if isinstance(entry, Key)}
    assert len(keys) > 40
    for path, key in keys.items():
        assert all(type(choice) in key.types for choice in key.choices), path


def test_defaults_are_copies() -> None:
    first = defaults(ROOT)
    first["policy"]["collect"]["mean"].append(1)
    first["policy"]["learn"]["learner"]["hook"]["mine"] = 1
    assert defaults(ROOT)["policy"]["collect"]["mean"] == [0.485, 0.456, 0.406]
    assert "mine" not in defaults(ROOT)["policy"]["learn"]["learner"]["hook"]


def test_the_parts_of_the_tree_are_the_classes_own() -> None:
    whole = defaults(ROOT)
    assert whole["policy"] == defaults(POLICY)
    assert whole["policy"]["learn"]["learner"] == defaults(LEARNER)
    assert whole["policy"]["eval"]["evaluator"] == defaults(EVALUATOR)
