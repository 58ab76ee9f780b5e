"""The list of rules: complete, the same in lint and in a run, silent on what ships."""

from pathlib import Path

import pytest

from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import RULES, lint, lint_run, show_findings
from dizoo.image_classification.entry import digits_res18_config, imagenet_res18_config
from tests.config.tools import test_data_rules, test_file_rules, test_training_rules, test_value_rules
from tests.config.tools.lint_cases import learn

ASSETS = Path(__file__).parents[1] / "assets" / "mm" / "resnet"
RECIPES = [Path(str(module.__file__)) for module in (digits_res18_config, imagenet_res18_config)]


def test_every_rule_has_a_case() -> None:
    with_cases = (test_training_rules, test_data_rules, test_value_rules)
    cases = {rule for module in with_cases for rule, *_ in module.CASES}
    assert len({*cases, *test_file_rules.RULES}) == len(RULES) == 30


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_our_recipes_are_clean(recipe: Path) -> None:
    assert lint(inspect_config(recipe), processes=1) == []


@pytest.mark.parametrize("name", ["resnet18_8xb32_in1k", "resnet18_8xb16_cifar10"])
def test_recipes_for_eight_processes_are_clean_with_eight(name: str) -> None:
    inspected = inspect_config(ASSETS / f"{name}.py")
    assert [each.rule for each in lint(inspected, processes=1)] == ["rate-and-batch"]
    assert lint(inspected, processes=8) == []


def test_a_finding_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(learn("batch_size=64, learning_rate=0.1", learner="dataloader=dict(num_workers=0)"))
    inspected = inspect_config(file, ["policy.learn.auto_scale_lr.base_batch_size=256"])
    assert show_findings(lint(inspected, processes=1), inspected) == (
        "mine.py:1: rate-and-batch: policy.learn.learning_rate: 0.1 belongs to a global batch of 256 "
        "(policy.learn.auto_scale_lr.base_batch_size); 1 process x 64 make 64; set "
        "policy.learn.learning_rate=0.025, or train with 4 processes (lint with --processes 4)\n"
        "mine.py:1: loading-in-the-way: policy.learn.learner.dataloader.num_workers: no process reads ahead: "
        "the device waits while each batch of images is decoded; set "
        "policy.learn.learner.dataloader.num_workers to the number of CPU cores per process, at most 8"
    )


def test_a_config_that_cannot_be_used_is_looked_at_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(learn("lr_rate=0.1, train_epoch=3, lr_schedule='cosine'"))
    inspected = inspect_config(file)
    assert [each.rule for each in lint(inspected, processes=1)] == ["warmup-too-long"]
    _, problems = inspected.tree_as_it_is
    assert problems.startswith("policy.learn.lr_rate is not a known key")


@pytest.mark.parametrize(
    ("settings", "per_epoch", "expected"),
    [
        ("train_epoch=3, warmup_epoch=0", 3, ["nothing-saved-between", "no-log-line"]),
        ("train_epoch=3, warmup_epoch=0", 5, ["nothing-saved-between"]),
        ("train_epoch=3, warmup_epoch=0", 800, []),
        ("train_epoch=3, max_iters=60, warmup_epoch=1", 20, ["nothing-saved-between"]),
        ("train_epoch=9, max_iters=60, warmup_epoch=3", 20, ["warmup-too-long", "nothing-saved-between"]),
        ("max_iters=60, warmup_epoch=0, swa=dict(start_epoch=2)", 20, ["nothing-saved-between"]),
        (
            "max_iters=59, warmup_epoch=0, swa=dict(start_epoch=2)",
            20,
            ["nothing-saved-between", "average-too-late"],
        ),
        (
            "train_epoch=1, lr_schedule=dict(type='Fixed', warmup='linear', warmup_iters=40)",
            40,
            ["warmup-too-long"],
        ),
    ],
)
def test_a_run_knows_the_length_of_its_epochs(
    settings: str, per_epoch: int, expected: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    schedule = "" if "lr_schedule" in settings else ", lr_schedule='cosine'"
    file.write_text(learn(settings + schedule))
    tree = inspect_config(file).tree
    rules = [each.rule for each in lint_run(tree, {}, processes=1, updates_per_epoch=per_epoch)]
    assert rules == expected


def test_a_finding_reads_alike_in_lint_and_in_a_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(learn("train_epoch=3, warmup_epoch=3, lr_schedule='cosine'"))
    inspected = inspect_config(file)
    (finding,) = lint(inspected, processes=1)
    found = lint_run(inspected.tree, inspected.resolved.origins, processes=1, updates_per_epoch=5000)
    assert [*map(str, found)] == [str(finding)]
    assert show_findings([finding], inspected) == f"mine.py:1: warmup-too-long: {finding}"
