"""One place for each value: arguments move, one network is not made of two, both places are named."""

import copy
from typing import Any

import pytest
from easydict import EasyDict

from ding_cls.config import checked_config, resolve
from ding_cls.config.defaults import POLICY, ROOT, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.config.normalize import MOVES, merge_policies, merge_sections, move_arguments, override
from ding_cls.config.tree import at
from ding_cls.errors import ConfigError
from ding_cls.policy import ImageClassificationPolicy

LEARN, COLLECT, MODEL = "policy.learn", "policy.collect", "policy.model"
NETWORK = {"type": "ImageClassifier", "backbone": {"type": "B"}, "head": {"type": "H"}}

KINDS = (
    "it must be one of 'step', 'cosine', 'constant' or a dict; for example "
    "policy.learn.lr_schedule=step-4-0.8 or multi-3,5-0.1 or SGDR-5-2 or default-0.1-3"
)


def tree(**values: Any) -> dict[str, Any]:
    """Return the config with values at dotted paths; ``__`` stands for a dot."""
    cfg: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = ("policy__" + name).split("__")
        node = cfg
        for each in sections:
            node = node.setdefault(each, {})
        node[last] = value
    return cfg


def problems_of(cfg: dict[str, Any], **arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        checked_config(cfg, **arguments)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(("source", "target"), MOVES.items())
def test_an_argument_of_a_part_moves_to_its_key_with_its_place(source: str, target: str) -> None:
    section, _, name = source.rpartition(".")
    cfg = {"policy": {}}
    node: dict[str, Any] = cfg["policy"]
    for each in section.split(".")[1:]:
        node = node.setdefault(each, {})
    node |= {"type": "SGD", name: 0.5}
    origins = {source: "a.py:3"}
    assert move_arguments(cfg, origins) == []
    assert (at(cfg, source), at(cfg, target)) == (None, 0.5)
    assert at(cfg, section) == {"type": "SGD"}
    assert origins == {target: "a.py:3"}
    assert move_arguments(cfg, origins) == []


def test_every_move_leads_to_a_key_of_the_schema() -> None:
    assert len(MOVES) == 6
    missing = object()
    for target in MOVES.values():
        section, _, name = target.rpartition(".")
        assert at(defaults(ROOT), section).get(name, missing) is not missing


def test_momentum_of_another_optimizer_is_its_own_argument() -> None:
    cfg = tree(learn__optimizer={"type": "RMSprop", "momentum": 0.5, "lr": 0.1})
    assert move_arguments(cfg, {}) == []
    assert cfg == tree(learn__optimizer={"type": "RMSprop", "momentum": 0.5}, learn__learning_rate=0.1)


def test_an_argument_and_its_key_are_an_error_that_names_both_places() -> None:
    cfg = tree(
        learn__optimizer={"type": "SGD", "lr": 0.1},
        learn__learning_rate=0.2,
        collect__train={"type": "F", "data_prefix": "a"},
        collect__learn_data_path="b",
    )
    origins = {
        f"{LEARN}.optimizer.lr": "a.py:1",
        f"{LEARN}.learning_rate": "a.py:2",
        f"{COLLECT}.train.data_prefix": "a.py:3",
        f"{COLLECT}.learn_data_path": "a.py:4",
    }
    assert problems_of(cfg, origins=origins) == [
        f"{LEARN}.optimizer.lr (a.py:1) and {LEARN}.learning_rate (a.py:2) mean one thing; keep one of them",
        f"{COLLECT}.train.data_prefix (a.py:3) and {COLLECT}.learn_data_path (a.py:4) mean one thing; "
        "keep one of them",
    ]


def test_an_empty_folder_is_not_said() -> None:
    cfg = tree(collect__train={"type": "F", "data_prefix": "a"}, collect__learn_data_path="")
    assert checked_config(cfg).policy.collect.learn_data_path == "a"


def test_no_weight_decay_may_be_said_at_the_optimizer() -> None:
    cfg = checked_config(tree(learn__optimizer={"type": "SGD", "weight_decay": None}))
    assert cfg.policy.learn.weight_decay is None
    assert cfg.policy.learn.optimizer == {"type": "SGD"}


def test_a_type_replaces_the_default_name() -> None:
    model = checked_config(tree(model=NETWORK)).policy.model
    assert model == {"num_classes": None, "pretrained": False, **NETWORK}


def test_a_name_replaces_the_parts_that_a_class_declares() -> None:
    base = tree(model={**NETWORK, "num_classes": 3})
    assert merge_sections(base, tree(model={"name": "x"})) == tree(model={"num_classes": 3, "name": "x"})


def test_a_name_and_a_type_are_two_networks() -> None:
    cfg = tree(model={**NETWORK, "name": "resnet50"})
    origins = {f"{MODEL}.name": "a.py:1", f"{MODEL}.type": "a.py:2"}
    assert problems_of(cfg, origins=origins) == [
        f"{MODEL}.name (a.py:1) and {MODEL}.type (a.py:2) name two networks; leave one of them out"
    ]


def test_the_policys_own_defaults_bring_no_name_back() -> None:
    compiled = checked_config(tree(model=NETWORK), policy=ImageClassificationPolicy)
    merged = merge_policies(ImageClassificationPolicy.default_config(), compiled.policy)
    assert merged["model"] == {"num_classes": None, "pretrained": False, **NETWORK}
    assert merge_policies(defaults(POLICY), {})["model"]["name"] == "resnet18"


def test_laying_over_leaves_both_alone() -> None:
    base, cfg = defaults(ROOT), EasyDict(tree(model=NETWORK))
    before = copy.deepcopy((base, cfg))
    merge_sections(base, cfg)
    assert (base, cfg) == before


def test_the_head_says_what_is_minimised() -> None:
    cfg = tree(model=NETWORK, learn__loss={"type": "L"}, learn__label_smoothing=0.1)
    origins = {
        f"{MODEL}.head.type": "a.py:1",
        f"{LEARN}.loss.type": "a.py:2",
        f"{LEARN}.label_smoothing": "a.py:3",
    }
    smooths = "say what is minimised; leave label_smoothing out and name a loss that smooths"
    assert problems_of(cfg, origins=origins) == [
        f"{LEARN}.loss (a.py:2) and {MODEL}.head (a.py:1) say what is minimised, and a head always does; "
        "set policy.model.head.loss alone",
        f"{LEARN}.label_smoothing (a.py:3) and {LEARN}.loss (a.py:2) {smooths}",
        f"{LEARN}.label_smoothing (a.py:3) and {MODEL}.head (a.py:1) {smooths}",
    ]


@pytest.mark.parametrize(
    "cfg",
    [
        tree(model=NETWORK, learn__label_smoothing=0.0),
        tree(learn__loss={"type": "L"}),
        tree(learn__label_smoothing=0.1),
        tree(model={**NETWORK, "head": {"type": "H", "loss": {"type": "L"}}}),
        tree(model={"type": "Mine", "backbone": {"depth": 3}}),
    ],
)
def test_what_does_not_contradict_itself_is_accepted(cfg: dict[str, Any]) -> None:
    checked_config(cfg)


@pytest.mark.parametrize("name", ["decay_epoch", "decay_rate", "min_lr", "warmup_lr", "warmup_epoch"])
def test_a_schedule_by_name_does_not_read_the_native_scalars(name: str) -> None:
    cfg = tree(learn={"lr_schedule": {"type": "Step", "step": [3]}, name: 7})
    origins = {f"{LEARN}.{name}": "a.py:1", f"{LEARN}.lr_schedule.type": "a.py:2"}
    (problem,) = problems_of(cfg, origins=origins)
    assert problem.startswith(
        f"{LEARN}.{name} (a.py:1) and {LEARN}.lr_schedule (a.py:2) contradict each other"
    )


def test_a_compiled_config_compiles_to_itself() -> None:
    schedule = {"type": "Step", "step": [3]}
    first = checked_config(
        tree(
            model=NETWORK,
            learn__lr_schedule=schedule,
            learn__optimizer={"type": "SGD", "lr": 0.1, "nesterov": True},
            collect__train={"type": "F", "data_prefix": "a", "pipeline": [{"type": "P"}]},
        )
    )
    assert repr(checked_config(first)) == repr(first)


@pytest.mark.parametrize(
    ("cfg", "path"),
    [
        (tree(learn__lr_schedule={"step": 3}), f"{LEARN}.lr_schedule"),
        (tree(learn__loss={"a": 3}), f"{LEARN}.loss"),
        (tree(collect__train={"a": 3}), f"{COLLECT}.train"),
        (tree(collect__val={}), f"{COLLECT}.val"),
        (tree(collect__test={"a": 3}), f"{COLLECT}.test"),
        (tree(eval__metric={"a": 3}), "policy.eval.metric"),
        (tree(model={**NETWORK, "backbone": {"depth": 18}}), f"{MODEL}.backbone"),
        (tree(model={**NETWORK, "neck": {}}), f"{MODEL}.neck"),
        (tree(model={**NETWORK, "head": {"a": 3}}), f"{MODEL}.head"),
        (tree(model={**NETWORK, "head": {"type": "H", "loss": {}}}), f"{MODEL}.head.loss"),
        (tree(learn__learner={"custom_hooks": [{"type": "A"}, {"a": 3}]}), f"{LEARN}.learner.custom_hooks.1"),
        (tree(collect__val={"type": "F", "pipeline": [{"size": 3}]}), f"{COLLECT}.val.pipeline.0"),
    ],
)
def test_a_part_without_a_type_is_named_with_its_place(cfg: dict[str, Any], path: str) -> None:
    assert problems_of(cfg, origins={path: "a.py:5"}) == [
        f"{path} has no 'type'; a part is described by dict(type='Name', ...) (a.py:5)"
    ]


@pytest.mark.parametrize(
    ("cfg", "problem"),
    [
        (
            tree(learn__learner={"custom_hooks": ["EMAHook"]}),
            f"{LEARN}.learner.custom_hooks.0 is 'EMAHook' (str); it must be a dict",
        ),
        (
            tree(learn__learner={"custom_hooks": {"type": "A"}}),
            f"{LEARN}.learner.custom_hooks is {{'type': 'A'}} (dict); it must be a list or a tuple",
        ),
        (
            tree(learn__learner={"custom_hooks": [{"type": "A", "f": len}]}),
            f"{LEARN}.learner.custom_hooks.0.f is a builtin_function_or_method; "
            "a config holds strings, numbers, booleans, None, lists and dicts",
        ),
        (tree(learn__optimizer={"type": 3}), f"{LEARN}.optimizer.type is 3 (int); it must be a string"),
        (
            tree(learn__lr_schedule="cosin"),
            f"{LEARN}.lr_schedule is 'cosin' (str); {KINDS}",
        ),
        (
            tree(learn__lr_schedule=3),
            f"{LEARN}.lr_schedule is 3 (int); {KINDS}",
        ),
        (tree(learn__loss=5), f"{LEARN}.loss is 5 (int); it must be None, a string or a dict"),
    ],
)
def test_a_part_of_the_wrong_kind_is_one_clear_line(cfg: dict[str, Any], problem: str) -> None:
    assert problems_of(cfg) == [problem]


@pytest.mark.parametrize(
    ("cfg", "word", "expected"),
    [
        (
            tree(learn__learning_rate=0.1, learn__optimizer={"type": "SGD"}),
            f"{LEARN}.optimizer.lr=0.3",
            tree(learn__learning_rate=0.3, learn__optimizer={"type": "SGD"}),
        ),
        (
            tree(learn__momentum=0.1, learn__optimizer={"type": "RMSprop"}),
            f"{LEARN}.optimizer.momentum=0.3",
            tree(learn__momentum=0.1, learn__optimizer={"type": "RMSprop", "momentum": 0.3}),
        ),
        (
            tree(model={**NETWORK, "pretrained": "a"}),
            f"{MODEL}.name=x",
            tree(model={"name": "x", "pretrained": "a"}),
        ),
        (tree(model={"name": "x"}), f"{MODEL}.type=Y", tree(model={"type": "Y"})),
        (tree(model={"name": "x"}), f"{MODEL}.name=y", tree(model={"name": "y"})),
    ],
)
def test_an_override_wins_over_the_other_way_to_say_it(
    cfg: dict[str, Any], word: str, expected: dict[str, Any]
) -> None:
    before = copy.deepcopy(cfg)
    origins: dict[str, str] = {}
    assert override(cfg, word, origins) == expected
    assert cfg == before
    assert set(origins.values()) == {f"override {word}"}


def test_an_override_of_something_else_settles_no_contradiction() -> None:
    cfg = tree(learn__learning_rate=0.1, learn__optimizer={"lr": 0.2})
    changed = override(cfg, "policy.cuda=False", {})
    assert plain_copy(changed["policy"]["learn"]) == cfg["policy"]["learn"]


@pytest.mark.parametrize("path", [f"{LEARN}.lr_schedule", f"{LEARN}.lr_schedule.type"])
def test_an_override_by_a_schedules_name_takes_the_inherited_scalars_back(path: str) -> None:
    cfg = tree(learn={"min_lr": 0.1, "warmup_lr": 0.001, "warmup_epoch": 1, "lr_schedule": {"type": "Fixed"}})
    word = f"{path}=" + ("{type: Step, step: [3]}" if path.endswith("schedule") else "Step")
    changed = override(cfg, word, {f"{LEARN}.warmup_epoch": "a.py:1"})
    assert set(changed["policy"]["learn"]) == {"lr_schedule"}
    typed = override(cfg, word, {f"{LEARN}.warmup_epoch": f"override {LEARN}.warmup_epoch=1"})
    assert typed["policy"]["learn"]["warmup_epoch"] == 1


def test_scalars_beside_a_schedule_by_name_are_refused_with_what_to_type() -> None:
    cfg = tree(learn={"lr_schedule": {"type": "Fixed"}, "warmup_epoch": 7})
    (problem,) = problems_of(cfg)
    assert problem.endswith("; leave it out, or set it back: policy.learn.warmup_epoch=3")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("optimizer.lr", "learning_rate"),
        ("optimizer.weight_decay", "weight_decay"),
        ("optimizer.momentum",) * 2,
    ],
)
def test_two_overrides_that_mean_one_thing_are_an_error(source: str, target: str) -> None:
    target = target.replace("optimizer.", "")
    for first, second in ((source, target), (target, source)):
        words = [f"{LEARN}.{first}=0.1", f"{LEARN}.{second}=0.2"]
        assert resolve({}, words).problems == [
            f"{LEARN}.{source} (override {words[first != source]}) and {LEARN}.{target} (override "
            f"{words[first == source]}) mean one thing; keep one of them"
        ]
    whole = f"{LEARN}.optimizer=" + f"{{type: SGD, {source.partition('.')[2]}: 1}}"
    assert len(resolve({}, [whole, f"{LEARN}.{target}=0.2"]).problems) == 1
    assert resolve({}, [f"{LEARN}.{source}=0.1", f"{LEARN}.{source}=0.2"]).problems == []


def test_momentum_of_another_optimizer_and_the_key_are_two_things() -> None:
    words = [f"{LEARN}.optimizer={{type: RMSprop, momentum: 0.3}}", f"{LEARN}.momentum=0.1"]
    assert resolve({}, words).problems == []
    words = [f"{LEARN}.optimizer.momentum=0.3", f"{LEARN}.momentum=0.1"]
    assert resolve(tree(learn__optimizer={"type": "RMSprop"}), words).problems == []


@pytest.mark.parametrize("value", ["multi-3,5-0.1", "'multi-3,5-0.1'", "multi-3,4,5-0.1"])
def test_a_short_form_with_commas_needs_no_quotes(value: str) -> None:
    described = resolve({}, [f"{LEARN}.lr_schedule={value}"])
    assert checked_config(described.cfg).policy.learn.lr_schedule == value.strip("'")


def test_nothing_to_stop_early_without_evaluations() -> None:
    assert problems_of(tree(eval__evaluator={"validate": False, "early_stop_patience": 2})) == [
        "policy.eval.evaluator.early_stop_patience is 2, and nothing is evaluated (validate=False); "
        "evaluate, or leave early_stop_patience out (None)"
    ]
