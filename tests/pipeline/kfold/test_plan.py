"""What a cross-validation is to do, before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.kfold.files import CONFIG_NAME, SETTINGS_NAME
from ding_cls.pipeline.kfold.plan import (
    DivisionOptions,
    Plan,
    kfold_folder,
    make_plan,
    open_folder,
    wanted_folds,
)
from tests.conftest import write_pictures

WORDS = ("policy.collect.synthetic_samples=12", "policy.model.num_classes=4", "policy.collect.image_size=8")


def settings(*words: str, **changes: Any) -> dict[str, Any]:
    usual = {"data": None, "model": "resnet18", "pretrained": False, "epochs": 1, "synthetic": True}
    return {**usual, "exp_name": "exp", "overrides": [*WORDS, *words], **changes}


def planned(*words: str, resume: bool = False, given: dict[str, Any] | None = None, **options: Any) -> Plan:
    wanted = DivisionOptions(**options)
    return make_plan(None, settings(*words, **(given or {})), wanted, is_resumed=resume, allow_code=False)


def opened(plan: Plan, *folds: int, resume: bool = False, part: bool = False) -> Plan:
    return open_folder(plan, folds, is_resumed=resume, is_part=part)


@pytest.mark.parametrize(
    ("fold", "start", "folds"), [(None, 0, [0, 1, 2]), (None, 1, [1, 2]), (2, 0, [2]), (0, 0, [0])]
)
def test_all_folds_the_rest_of_them_or_one(fold: int | None, start: int, folds: list[int]) -> None:
    assert wanted_folds(3, fold, start) == folds


@pytest.mark.parametrize(
    ("fold", "start", "message"),
    [(3, 0, "fold is 3; the 3 folds are numbered 0 to 2"), (-1, 0, "fold is -1"), (0, 1, "either fold")],
)
def test_folds_that_are_not_there_are_refused(fold: int, start: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wanted_folds(3, fold, start)


def test_a_plan_writes_nothing_and_has_defaults(workdir: Path) -> None:
    plan = planned(seed=3)
    assert list(workdir.iterdir()) == []
    assert (plan.division.num_splits, plan.division.seed, plan.division.stratified) == (5, 3, True)
    assert (plan.division.grouped, plan.division.group_pattern) == (False, None)
    assert (plan.record["num_samples"], len(plan.record["classes"]), plan.test) == (12, 4, (False, None))


def test_a_folder_is_named_or_that_of_a_run_with_a_word_behind_it(workdir: Path) -> None:
    assert kfold_folder(None, **settings()) == Path("exp")
    unnamed = settings(exp_name=None)
    assert kfold_folder(None, **unnamed) == Path("runs/synthetic_resnet18_kfold")
    assert kfold_folder(None, **settings("exp_name=mine", exp_name=None)) == Path("mine")


def test_a_new_one_takes_the_next_free_name_and_parts_share_one(workdir: Path) -> None:
    plan = planned()
    assert [str(opened(plan).folder) for _ in range(2)] == ["exp", "exp_2"]
    assert sorted(each.name for each in Path("exp").iterdir()) == ["data_index", SETTINGS_NAME, CONFIG_NAME]
    assert json.loads(Path("exp", SETTINGS_NAME).read_text()) == plan.record
    assert opened(plan, 0, part=True).folder == Path("exp")
    Path("exp/fold_0").mkdir()
    with pytest.raises(ConfigError, match="'exp/fold_0' is there already; go on with --resume"):
        opened(plan, 0, part=True)
    assert opened(plan, 1, part=True).folder == Path("exp")


def test_a_resume_takes_what_is_not_given_from_the_folder(workdir: Path) -> None:
    opened(planned(num_splits=3, seed=4, stratified=False))
    again = planned(resume=True)
    assert (again.division.num_splits, again.division.seed, again.division.stratified) == (3, 4, False)
    assert opened(again, resume=True).folder == Path("exp")


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([], {"num_splits": 4}, "num_splits was 3 when the folds in 'exp' were begun and is 4 now"),
        ([], {"stratified": False}, "stratified was True .* is False now"),
        (["policy.learn.batch_size=7"], {}, r"policy\.learn\.batch_size was None .* is 7 now"),
        (["policy.learn.learner.dataloader.drop_last=True"], {}, "drop_last was False .* is True now"),
        (["policy.learn.learner.checkpoint.out_dir=o"], {}, "out_dir was None .* is 'o' now"),
    ],
)
def test_another_setting_is_refused_by_its_key(
    workdir: Path, words: list[str], options: dict[str, Any], message: str
) -> None:
    opened(planned(num_splits=3))
    with pytest.raises(ConfigError, match=f"{message}.*name another --work-dir"):
        opened(planned(*words, resume=True, **options), resume=True)


def test_lines_hooks_and_machine_may_be_others(workdir: Path) -> None:
    opened(planned(num_splits=3))
    words = ("policy.learn.learner.log_show_freq=3", "policy.cuda=False")
    assert opened(planned(*words, resume=True), resume=True).folder == Path("exp")


def test_other_data_are_refused_with_the_counts(workdir: Path) -> None:
    write_pictures(Path("d/train"), classes=("a", "b"), per_class=3)
    given = {"data": "d", "synthetic": False, "overrides": ["policy.collect.image_size=8"]}
    opened(planned(given=given, num_splits=2))
    write_pictures(Path("d/train"), classes=("b",), per_class=4)
    with pytest.raises(DataError, match=r"1 added, 0 removed.* 6 samples then, 7 now; put them back"):
        opened(planned(given=given, resume=True), resume=True)
    write_pictures(Path("d/train"), classes=("c",), per_class=1)
    changed = planned(given=given, resume=True)
    with pytest.raises(DataError, match="put them back, or name another --work-dir"):
        open_folder(changed, [0], is_resumed=True, is_part=False, allow_changed_data=True)


def test_small_classes_are_warned_of(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(Path("d/train"), classes=("a", "b"), per_class=5)
    write_pictures(Path("d/train"), classes=("c",), per_class=2)
    planned(given={"data": "d", "synthetic": False, "overrides": ["policy.collect.image_size=8"]})
    assert "1 classes have fewer samples than there are folds, as 'c' with 2" in capsys.readouterr().out


def test_a_run_without_a_cross_validation_is_not_resumed(workdir: Path) -> None:
    with pytest.raises(ConfigError, match="there is no cross-validation 'exp' to resume here"):
        planned(resume=True)
    with pytest.raises(ConfigError, match="not both"):
        DivisionOptions(grouped=False, group_pattern="x")
    with pytest.raises(ConfigError, match="max_bad is 2, and cross-validation predicts every sample"):
        planned("policy.learn.learner.dataloader.max_bad=2")


def test_splits_by_other_names_are_not_divided_unasked(tmp_path: Path, workdir: Path) -> None:
    for name in ("Training", "Testing"):
        write_pictures(tmp_path / "set" / name, classes=("a", "b"), per_class=5)
    given = {"data": str(tmp_path / "set"), "synthetic": False}
    with pytest.raises(
        DataError, match=r"'Training' and 'Testing', by name splits; pass .*: '.*/set/Training'"
    ):
        planned(given=given)
    plan = planned(given={**given, "data": str(tmp_path / "set" / "Training")})
    assert (plan.record["classes"], plan.test) == (["a", "b"], (True, str(tmp_path / "set")))


@pytest.mark.parametrize("names", [("dev", "ops"), ("eating", "training"), ("cat", "test"), ("bus", "train")])
def test_classes_with_names_of_splits_are_divided(workdir: Path, names: tuple[str, ...]) -> None:
    write_pictures(Path("d"), classes=names, per_class=2)
    given = {"data": "d", "synthetic": False, "overrides": ["policy.collect.image_size=8"]}
    assert planned(given=given, num_splits=2).record["classes"] == list(names)
