"""Which configs are laid over a recipe that ships, what comes of it, and that it can be inherited."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.config import checked_config, deep_merge_dicts, read_config, to_native
from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.reader.files import RECIPES, recipe_names
from ding_cls.config.recipe import (
    FINE_TUNE,
    FROM_SCRATCH,
    SCHEDULE_KEYS,
    recipe_line,
    recipe_under,
    resolve_run,
)
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint
from ding_cls.config.tree import at, leaves, put
from tests.config.reader.files import write_files

SCRATCH, TUNE = read_config(RECIPES / FROM_SCRATCH), read_config(RECIPES / FINE_TUNE)
# What a config may say of each key that counts in epochs or rates.
SAYS = {
    "train_epoch": 3,
    "max_iters": 3,
    "learning_rate": 0.1,
    "lr_schedule": "step",
    "decay_epoch": 30,
    "decay_rate": 0.1,
    "min_lr": 0.0,
    "warmup_lr": 0.1,
    "warmup_epoch": 1,
    "weight_decay": 1e-4,
    "optimizer": {"type": "SGD"},
    "momentum": 0.9,
    "nesterov": True,
    "auto_scale_lr": {"base_batch_size": 32},
    "momentum_schedule": {"type": "CosineAnnealing"},
    "weight_decay_schedule": {"type": "CosineAnnealing"},
}
# These say what is trained, on what, and how it is watched; not how long or how fast.
SILENT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a name": {"exp_name": "mine", "seed": 3},
    "the network": {"policy": {"model": {"name": "resnet50", "zero_init_residual": True}}},
    "a composed network": {
        "model": {
            "type": "ImageClassifier",
            "backbone": {"type": "ResNet", "depth": 18},
            "neck": {"type": "GlobalAveragePooling"},
            "head": {"type": "LinearClsHead", "num_classes": 4, "in_channels": 512},
        }
    },
    "data": {"policy": {"collect": {"learn_data_path": "a", "image_size": 64}}},
    "data in the other spelling": {"data": {"samples_per_gpu": 8, "workers_per_gpu": 0}},
    "what fits the memory": {"policy": {"learn": {"batch_size": 4, "accumulation_steps": 2}}},
    "a loss": {"policy": {"learn": {"loss": {"type": "FocalLoss"}}}},
    "hooks": {"policy": {"learn": {"learner": {"hook": {"save_ckpt_after_epoch": 7}}}}},
    "evaluation in the other spelling": {"evaluation": {"interval": 2}},
}
# What mmclassification's configs say of training, one key alone.
TRAINING = {
    "optimizer": {"type": "SGD", "lr": 0.1},
    "lr_config": {"policy": "step", "step": [3]},
    "runner": {"type": "EpochBasedRunner", "max_epochs": 3},
    "total_epochs": 3,
}


def test_the_shipped_recipes_are_these() -> None:
    assert recipe_names() == ["ding_cls::fine_tune.py", "ding_cls::from_scratch.py"]
    assert set(SAYS) == {path.rpartition(".")[2] for path in SCHEDULE_KEYS}
    for recipe in (SCRATCH, TUNE):
        # A fold's config holds its recipe, and must not be laid over another.
        assert any(at(recipe, path) is not None for path in SCHEDULE_KEYS)
        checked_config(recipe)


@pytest.mark.parametrize("name", SILENT)
def test_a_config_that_says_nothing_of_how_to_train_is_laid_over_the_recipe(name: str) -> None:
    cfg = SILENT[name]
    plain = resolve_run(cfg, []).cfg
    for path, value in leaves(SCRATCH):
        expected = 7 if name == "hooks" and path.endswith("save_ckpt_after_epoch") else value
        assert at(plain, path) == expected, path


@pytest.mark.parametrize("name", SAYS)
def test_a_config_that_sets_a_schedule_key_has_the_defaults_of_the_tree(name: str) -> None:
    cfg: dict[str, Any] = {}
    put(cfg, f"policy.learn.{name}", SAYS[name])
    assert recipe_under(cfg) is None
    compiled = resolve_run(cfg, []).cfg
    assert compiled == {"policy": {"learn": {name: SAYS[name]}}}


@pytest.mark.parametrize("name", TRAINING)
def test_a_config_in_the_other_spelling_keeps_its_own_defaults(name: str) -> None:
    cfg = {name: TRAINING[name], "model": SILENT["a composed network"]["model"]}
    assert recipe_under(to_native(cfg)[0].cfg) is None
    assert not any(place.startswith("ding_cls::") for place in resolve_run(cfg).origins.values())


@pytest.mark.parametrize(
    ("cfg", "words", "given", "name"),
    [
        ({}, [], {}, FROM_SCRATCH),
        ({}, [], {"policy.model.pretrained": True}, FINE_TUNE),
        ({}, [], {"policy.model.pretrained": "weights.pth"}, FINE_TUNE),
        ({}, ["policy.model.pretrained=true"], {}, FINE_TUNE),
        ({"policy": {"model": {"name": "resnet18", "pretrained": True}}}, [], {}, FINE_TUNE),
        (
            {"policy": {"model": {"name": "resnet18", "pretrained": True}}},
            ["policy.model.pretrained=false"],
            {},
            FROM_SCRATCH,
        ),
        ({"load_from": "weights.pth"}, [], {}, FINE_TUNE),
        (
            {
                "model": {
                    "type": "ImageClassifier",
                    "backbone": {
                        "type": "ResNet",
                        "depth": 18,
                        "init_cfg": {"type": "Pretrained", "checkpoint": "weights.pth"},
                    },
                }
            },
            [],
            {},
            FINE_TUNE,
        ),
    ],
)
def test_weights_to_begin_with_decide_which_recipe(
    cfg: dict[str, Any], words: list[str], given: dict[str, Any], name: str
) -> None:
    under = recipe_under(to_native(cfg)[0].cfg, words, given=given)
    assert under is not None
    assert under.cfg == read_config(RECIPES / name)


def test_words_and_arguments_come_on_top_and_do_not_switch_it_off() -> None:
    words = ["policy.learn.learning_rate=0.5", "policy.learn.warmup_epoch=2"]
    resolved = resolve_run({}, words, given={"policy.learn.train_epoch": 7})
    said = {"learn": {"learning_rate": 0.5, "warmup_epoch": 2, "train_epoch": 7}}
    assert resolved.cfg == deep_merge_dicts(SCRATCH, {"policy": said})
    assert resolved.origins["policy.learn.learning_rate"] == "override policy.learn.learning_rate=0.5"
    assert resolved.origins["policy.learn.lr_schedule"].startswith("ding_cls::from_scratch.py:")


def test_clipping_of_ones_own_replaces_the_recipes() -> None:
    assert at(SCRATCH, "policy.learn.grad_clip") == {"max_norm": 1}
    by_value = {"clip_value": 0.5}
    for cfg, words in (
        ({}, ["policy.learn.grad_clip={clip_value: 0.5}"]),
        ({}, ["policy.learn.grad_clip.clip_value=0.5"]),
        ({"policy": {"learn": {"grad_clip": by_value}}}, []),
    ):
        assert at(resolve_run(cfg, words).cfg, "policy.learn.grad_clip") == by_value
    assert at(resolve_run({}, ["policy.learn.grad_clip=none"]).cfg, "policy.learn.grad_clip") is None


def test_a_freezing_of_ones_own_is_what_it_says() -> None:
    words = ["policy.learn.freeze={patterns: body}"]
    learn = resolve_run({}, words, given={"policy.model.pretrained": True}).cfg["policy"]["learn"]
    assert learn["freeze"] == {"patterns": "body"}


@pytest.mark.parametrize("words", [[], ["policy.model.pretrained=w.pth"]])
def test_lint_finds_nothing_in_a_recipe(tmp_path: Path, words: list[str]) -> None:
    leaf = write_files(tmp_path, "--- leaf.py\npolicy = dict(model=dict(name='resnet50'))\n")
    assert lint(inspect_config(leaf, [*words, "policy.learn.train_epoch=1"]), processes=1) == []


def test_a_config_inherits_a_recipe_by_its_name(tmp_path: Path) -> None:
    text = "_base_ = 'ding_cls::fine_tune.py'\npolicy = dict(learn=dict(train_epoch=3))\n"
    for header in (text, text.replace("policy =", "main_config = dict(policy=") + ")\n"):
        leaf = write_files(tmp_path, f"--- leaf.py\n{header}")
        config = read_config(leaf)
        assert config == deep_merge_dicts(TUNE, {"policy": {"learn": {"train_epoch": 3}}})
        inspected = inspect_config(leaf)
        assert inspected.origin("policy.learn.train_epoch") == "leaf.py:2"
        assert inspected.origin("policy.learn.lr_schedule").startswith("ding_cls::from_scratch.py:")
    # YAML and JSON do too, and a base of a base.
    write_files(tmp_path, '--- base.json\n{"_base_": ["ding_cls::from_scratch.py"]}\n')
    leaf = write_files(tmp_path, "--- sub/leaf.yaml\n_base_: ../base.json\nseed: 3\n")
    assert read_config(leaf) == {**SCRATCH, "seed": 3}


def test_a_recipe_can_be_computed_with(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        "--- leaf.py\n_base_ = 'ding_cls::from_scratch.py'\n"
        "policy = dict(learn=dict(learning_rate=_base_.policy.learn.learning_rate * 2))\n",
    )
    rate = SCRATCH.policy.learn.learning_rate
    assert read_config(leaf).policy.learn.learning_rate == 2 * rate


def test_the_full_tree_of_a_config_with_a_network_alone_shows_the_recipe(tmp_path: Path) -> None:
    leaf = write_files(tmp_path, "--- leaf.py\npolicy = dict(model=dict(name='resnet50'))\n")
    inspected = inspect_config(leaf)
    assert inspected.written == {"policy": {"model": {"name": "resnet50"}}}
    for path, value in leaves(SCRATCH):
        assert at(inspected.tree, path) == value
        assert inspected.origin(path).startswith("ding_cls::from_scratch.py:"), path


def test_the_line_says_what_the_run_does() -> None:
    def line(*words: str, **given: Any) -> str | None:
        resolved = resolve_run({}, words, given={f"policy.{path}": value for path, value in given.items()})
        return recipe_line(checked_config(resolved.cfg, origins=resolved.origins), resolved.origins)

    words = ("policy.learn.optimizer.type=Adam", "policy.learn.learning_rate=0.003")
    head = "policy.learn.freeze={patterns: body, until_epoch: 2}"
    assert (
        line(*words, head, "policy.learn.train_epoch=5")
        == "ding_cls::from_scratch.py: the head alone for 2 epochs, then all layers; Adam, learning rate "
        "0.003, cosine; 5 epochs"
    )
    assert line(*words, "policy.learn.max_iters=1") == (
        "ding_cls::from_scratch.py: all layers; Adam, learning rate 0.003, cosine; 1 update"
    )
    assert line(*words, "policy.learn.freeze={patterns: body}", "policy.learn.train_epoch=1") == (
        "ding_cls::from_scratch.py: part of the layers; Adam, learning rate 0.003, cosine; 1 epoch"
    )
    assert line("policy.model.pretrained=true", "policy.learn.learning_rate=0.25") == (
        "ding_cls::fine_tune.py: all layers; AdamW, learning rate 0.25, in each layer 0.8 of the one above, "
        "cosine; 30 epochs"
    )
    own = {"policy": {"learn": {"train_epoch": 3}}}
    origins = {"policy.learn.train_epoch": "leaf.py:1"}
    assert recipe_line(checked_config(own), origins) == (
        "none, since leaf.py:1 sets policy.learn.train_epoch: learning rate and schedule are the defaults; "
        "for the recipe add _base_ = 'ding_cls::from_scratch.py'"
    )
    assert recipe_line(checked_config(own), {**origins, "policy.learn.learning_rate": "leaf.py:2"}) is None
    assert recipe_line(checked_config(own), {}) is None


def test_the_defaults_of_the_tree_are_the_contracts() -> None:
    learn = defaults(ROOT)["policy"]["learn"]
    assert (learn["train_epoch"], learn["lr_schedule"], learn["decay_epoch"]) == (200, "step", 30)
