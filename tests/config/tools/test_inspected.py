"""A config as the tools look at it: what it comes to, and where each value came from."""

from pathlib import Path

import pytest

from ding_cls.config.origins import DEFAULT, DERIVED
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.errors import ConfigError
from dizoo.image_classification.entry import digits_res18_config, imagenet_res18_config

RECIPES = [Path(str(module.__file__)) for module in (digits_res18_config, imagenet_res18_config)]


def test_the_full_tree_tells_defaults_from_what_was_said(tmp_path: Path) -> None:
    inspected = inspect_config(RECIPES[1], ["policy.learn.batch_size=16", "policy.multi_gpu=auto"])
    assert inspected.origin("policy.learn.batch_size") == "override policy.learn.batch_size=16"
    assert inspected.origin("policy.learn.train_epoch") == "imagenet_res18_config.py:16"
    assert inspected.origin("policy.learn.momentum") == DEFAULT
    assert inspected.origin("policy.eval.evaluator.stop_value.acc1") == "imagenet_res18_config.py:39"
    # 'auto' by default, False where no launcher is.
    assert inspected.origin("policy.learn.multi_gpu") == DERIVED
    assert inspected.tree["policy"]["learn"]["multi_gpu"] is False


def test_an_emptied_section_does_not_claim_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "empty.py"
    file.write_text("policy = dict(learn=dict(train_epoch=1, learner=dict(hook={})))\n")
    assert inspect_config(file).origin("policy.learn.learner.hook.save_ckpt_after_iter") == DEFAULT


def test_a_runs_folder_stands_for_its_total_config(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError, match=r"is no run's folder: there is no total_config\.py in it"):
        inspect_config(tmp_path / "run")
    (tmp_path / "run" / "total_config.py").write_text("main_config = dict(seed=5)\n")
    inspected = inspect_config(tmp_path / "run")
    assert (inspected.tree["seed"], inspected.origin("seed")) == (5, "total_config.py:1")


def test_what_a_schedule_by_name_sets_back_has_its_default_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("policy = dict(learn=dict(warmup_epoch=1, lr_schedule='cosine'))\n")
    inspected = inspect_config(file, ["policy.learn.lr_schedule={type: Step, step: [3]}"])
    assert inspected.tree["policy"]["learn"]["warmup_epoch"] == 3
    assert inspected.origin("policy.learn.warmup_epoch") == "default"


def test_a_translated_value_has_the_place_of_its_old_key(tmp_path: Path) -> None:
    file = tmp_path / "mm.py"
    file.write_text("optimizer = dict(\n    type='SGD', lr=0.1)\ntotal_epochs = 3\n")
    inspected = inspect_config(file, ["total_epochs=4"])
    assert inspected.origin("policy.learn.learning_rate") == "mm.py:2"
    assert inspected.origin("policy.learn.train_epoch") == "override total_epochs=4"
    assert inspected.written_origin("total_epochs") == "override total_epochs=4"
