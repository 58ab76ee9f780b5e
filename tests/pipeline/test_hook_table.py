"""The hooks are shown as a run calls them."""

import re
from pathlib import Path

import pytest

import ding_cls
from ding_cls.config import checked_config
from ding_cls.errors import ConfigError
from ding_cls.pipeline.hook_table import hook_table

CUSTOM = [
    {"type": "log_reduce", "name": "early", "priority": "VERY_HIGH", "position": "after_iter"},
    {"type": "save_ckpt", "name": "late", "priority": 60, "position": "after_epoch"},
]
HOOK = {"save_ckpt_after_iter": 7, "save_ckpt_after_epoch": 1}


def test_the_order_is_that_of_the_loop() -> None:
    learner = {"hook": HOOK, "custom_hooks": CUSTOM}
    cfg = checked_config({"policy": {"learn": {"learner": learner}}})
    assert (
        hook_table(cfg)
        == """\
POSITION      PRIORITY      HOOK                       CLASS
before_run
before_epoch
before_iter
                            - the update -             ImageClassificationPolicy
after_iter    10 VERY_HIGH  early                      LogReduceHook
              15            log_show                   LogRowHook
              20            save_ckpt_after_iter       SaveCkptHook
after_epoch   20            save_ckpt_after_epoch      SaveCkptHook
              60            late                       SaveCkptHook
                            - evaluation, where due -  MetricSerialEvaluator
after_eval
after_run     20            save_ckpt_after_run        SaveCkptHook"""
    )


def test_several_processes_reduce_what_is_logged() -> None:
    table = hook_table(checked_config({}), world_size=2)
    assert re.search(r"after_iter +10 +log_reduce_after_iter +LogReduceHook", table)
    assert "log_reduce" not in hook_table(checked_config({}))


def test_a_run_calls_the_same_hooks_in_the_same_order(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    words += ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.model.num_classes=3"]
    words += ["policy.model.name=squeezenet1_1", "policy.learn.train_epoch=0", "policy.cuda=False"]
    learner = {"hook": HOOK, "custom_hooks": CUSTOM, "dataloader": {"num_workers": 0}}
    cfg = {"policy": {"learn": {"learner": learner}}}
    result = ding_cls.train(cfg, synthetic=True, overrides=words)
    # 'after_iter: log_reduce (10 VERY_HIGH), log_show (15)'
    logged = re.findall(r"^(\w+): (.+ \(\d+.*\))$", capsys.readouterr().out, re.M)
    said = {position: re.findall(r"(\w+) \((\d+[\w ]*)\)", line) for position, line in logged}
    shown: dict[str, list[tuple[str, str]]] = {}
    position = ""
    saved = ding_cls.read_config(result.run_folder / "total_config.py")
    for row in hook_table(saved).splitlines()[1:]:
        position = row.split()[0] if row[0] != " " else position
        if found := re.search(r"(\d+(?: [A-Z_]+)?) +(\w+) +\w+$", row):
            shown.setdefault(position, []).append((found[2], found[1]))
    assert said == shown
    assert sum(map(len, shown.values())) == 6


def test_a_hook_that_does_not_exist_is_named() -> None:
    cfg = checked_config({"policy": {"learn": {"learner": {"custom_hooks": [{"type": "log_shop"}]}}}})
    with pytest.raises(ConfigError, match="there is no hook named 'log_shop'; did you mean log_show"):
        hook_table(cfg)
