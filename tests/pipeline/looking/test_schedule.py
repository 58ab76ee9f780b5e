"""What is foretold of a run is what it logs."""

import json
from pathlib import Path
from typing import Any

import pytest

from ding_cls.pipeline import train
from ding_cls.pipeline.looking import schedule as module
from ding_cls.pipeline.looking.opening import opened_config
from ding_cls.pipeline.looking.schedule import forecast_schedule
from ding_cls.report.schedule import ScheduleForecast, schedule_lines
from tests.harness import tiny_parts
from tests.pipeline.looking.test_pipeline import GIVEN

SETTINGS = [
    "policy.cuda=False",
    "policy.collect.image_size=8",
    "policy.collect.resize_size=8",
    "policy.learn.batch_size=10",
    "policy.learn.learner.log_show_freq=1",
    "policy.learn.train_epoch=3",
    tiny_parts("LinearClsHead", num_classes=4, in_channels=8),
]


def foretold(*overrides: str, samples: int = 40, **given: Any) -> ScheduleForecast:
    size = f"policy.collect.synthetic_samples={samples}"
    arguments = {**GIVEN, "data": None, "synthetic": True, **given}
    with opened_config(None, **arguments, overrides=[*SETTINGS, size, *overrides]) as opened:
        return forecast_schedule(opened)


@pytest.mark.parametrize(
    "overrides",
    [
        ["policy.learn.lr_schedule={type: Step, step: [1, 2]}"],
        ["policy.learn.lr_schedule=cosine", "policy.learn.warmup_epoch=1", "policy.learn.max_iters=9"],
    ],
)
def test_every_rate_is_what_the_run_logs(picture_folder: Path, workdir: Path, overrides: list[str]) -> None:
    words = [*overrides, "policy.learn.momentum_schedule={type: LinearAnnealing, min_momentum: 0.5}"]
    words += ["policy.learn.optimizer={type: SGD}"]
    forecast = foretold(*words, data=picture_folder, synthetic=False)
    result = train(data=picture_folder, overrides=[*SETTINGS, *words])
    rows = map(json.loads, (result.run_folder / "log" / "metrics.jsonl").read_text().splitlines())
    logged = [row["cur_lr_avg"] for row in rows if row["kind"] == "train"]
    assert len(logged) == forecast.num_updates
    # The log has the mean over the last ten updates.
    for number, mean in enumerate(logged, 1):
        last = forecast.rates[max(0, number - 10) : number]
        assert sum(last) / len(last) == pytest.approx(mean, rel=1e-12)
    momenta = forecast.groups[0].momenta
    assert momenta[0] == 0.9
    assert momenta[-1] is not None
    assert 0.5 < momenta[-1] < 0.9


def test_long_runs_are_asked_at_some_updates_and_at_every_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["policy.learn.lr_schedule={type: Step, step: [37, 83], by_epoch: False}"]
    words += ["policy.learn.train_epoch=30"]
    whole = foretold(*words)
    monkeypatch.setattr(module, "MAX_POSITIONS", 12)
    forecast = foretold(*words)
    assert len(forecast.positions) < len(whole.positions) == 120
    assert schedule_lines(forecast) == schedule_lines(whole)


def test_a_schedule_that_follows_results_says_so() -> None:
    forecast = foretold("policy.learn.lr_schedule={type: ReduceLROnPlateau}")
    assert len(set(forecast.rates)) == 1
    assert "follows the results" in forecast.remarks[0]


def test_groups_are_those_of_the_network() -> None:
    words = ["policy.learn.optimizer={type: SGD, paramwise_cfg: {bias_lr_mult: 2.0, bias_decay_mult: 0.0}}"]
    forecast = foretold(*words, "policy.learn.weight_decay=0.1")
    assert sorted((each.lr_mult, each.weight_decays[0]) for each in forecast.groups) == [
        (1.0, 0.1),
        (2.0, 0.0),
    ]
    assert sum(each.num_tensors for each in forecast.groups) == 6
    assert any(each.first.endswith("bias") for each in forecast.groups)


def test_what_recipes_change_is_a_remark() -> None:
    found = foretold("policy.learn.recipes=[{action_epoch: 2, loss: {type: FocalLoss}}]")
    assert found.remarks == ("after 2 epochs: no batch augmentations, loss FocalLoss()",)
    assert schedule_lines(found)[-1] == found.remarks[0]
