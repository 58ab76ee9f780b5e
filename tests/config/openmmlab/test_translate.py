"""mmclassification's spelling of a config: every row of the table, what is left out, conflicts, origins."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ding_cls.config import checked_config, resolve
from ding_cls.config.merge import plain_copy
from ding_cls.config.openmmlab.key_table import LATER, NO_EFFECT, TABLE, Row
from ding_cls.config.openmmlab.translate import MM_DEFAULT, to_native
from ding_cls.config.origins import NativeConfig
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.tree import leaves, place_of
from ding_cls.errors import ConfigError

ASSETS = Path(__file__).parents[1] / "assets"
MM = ASSETS / "mm" / "resnet"
PLACE = "f.py:7"

LEARN, LEARNER = "policy.learn", "policy.learn.learner"
HOOK = f"{LEARNER}.hook"
FILES, EVALUATOR = f"{LEARNER}.checkpoint", "policy.eval.evaluator"
TEXT = {"type": "TextLoggerHook"}
SELDOM = {**TEXT, "interval": 3}
ITERS = {"runner": {"type": "IterBasedRunner"}}
COSINE = {"lr_config": {"policy": "CosineAnnealing"}}
A = {"type": "A"}

# (row, what stands beside it, its value, what comes out), one at least for each row that has a native key.
MOVED: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("model", {}, A, {"policy.model.type": "A"}),
    ("model.pretrained", {}, "x.pth", {"policy.model.pretrained": "x.pth"}),
    ("model.init_cfg", {}, [A], {"policy.model.init_cfg": [A]}),
    ("model.train_cfg", {}, {"mine": 1}, {"policy.model.train_cfg.mine": 1}),
    ("model.train_cfg.augments", {}, A, {f"{LEARN}.batch_augments.type": "A"}),
    ("model.train_cfg.augments", {}, [A, A], {f"{LEARN}.batch_augments": [A, A]}),
    ("optimizer", {}, {"type": "AdamW"}, {f"{LEARN}.optimizer.type": "AdamW"}),
    ("optimizer.lr", {}, 0.3, {f"{LEARN}.learning_rate": 0.3}),
    ("optimizer.weight_decay", {}, 0.2, {f"{LEARN}.weight_decay": 0.2}),
    ("optimizer.momentum", {}, 0.8, {f"{LEARN}.momentum": 0.8}),
    ("optimizer.momentum", {"optimizer": {"type": "RMSprop"}}, 0.8, {f"{LEARN}.optimizer.momentum": 0.8}),
    ("optimizer.nesterov", {}, True, {f"{LEARN}.nesterov": True}),
    ("optimizer.betas", {}, (0.9, 0.9), {f"{LEARN}.optimizer.betas": (0.9, 0.9)}),
    ("optimizer.paramwise_cfg", {}, {"a": 1}, {f"{LEARN}.optimizer.paramwise_cfg": {"a": 1}}),
    ("optimizer.constructor", {}, "C", {f"{LEARN}.optimizer.constructor": "C"}),
    ("paramwise_cfg", {}, {"a": 1}, {f"{LEARN}.optimizer.paramwise_cfg": {"a": 1}}),
    ("optimizer_config.cumulative_iters", {}, 4, {f"{LEARN}.accumulation_steps": 4}),
    ("optimizer_config.loss_scale", {}, "dynamic", {f"{LEARN}.loss_scale": "dynamic"}),
    ("lr_config", {}, {"gamma": 0.1}, {f"{LEARN}.lr_schedule.gamma": 0.1}),
    ("lr_config.policy", {}, "step", {f"{LEARN}.lr_schedule.type": "Step"}),
    ("lr_config.policy", {}, "cosineannealing", {f"{LEARN}.lr_schedule.type": "CosineAnnealing"}),
    ("lr_config.policy", {}, "OneCycle", {f"{LEARN}.lr_schedule.type": "OneCycle"}),
    ("lr_config.policy", {}, "my_own", {f"{LEARN}.lr_schedule.type": "my_own"}),
    ("fp16.loss_scale", {}, "dynamic", {f"{LEARN}.loss_scale": "dynamic"}),
    ("fp16.loss_scale", {}, 512.0, {f"{LEARN}.loss_scale": 512.0}),
    ("fp16.loss_scale", {}, {"init_scale": 8.0}, {f"{LEARN}.loss_scale": {"init_scale": 8.0}}),
    ("optimizer_config.detect_anomalous_params", {}, True, {f"{LEARN}.detect_anomalous_params": True}),
    ("find_unused_parameters", {}, True, {f"{LEARN}.find_unused_parameters": True}),
    ("optimizer_config.grad_clip", {}, {"max_norm": 5}, {f"{LEARN}.grad_clip": {"max_norm": 5}}),
    ("momentum_config", {}, {"gamma": 0.5}, {f"{LEARN}.momentum_schedule.gamma": 0.5}),
    ("momentum_config.policy", {}, "cyclic", {f"{LEARN}.momentum_schedule.type": "Cyclic"}),
    ("auto_scale_lr", {}, {"enable": True}, {f"{LEARN}.auto_scale_lr": {"enable": True}}),
    ("runner.max_epochs", {}, 9, {f"{LEARN}.train_epoch": 9}),
    ("runner.max_iters", {}, 9, {f"{LEARN}.max_iters": 9}),
    ("runner.max_iters", {"lr_config": {"policy": "OneCycle"}}, 9, {f"{LEARN}.max_iters": 9}),
    ("total_epochs", {}, 9, {f"{LEARN}.train_epoch": 9}),
    ("checkpoint_config.interval", {}, 2, {f"{HOOK}.save_ckpt_after_epoch": 2}),
    ("checkpoint_config.interval", {}, -1, {f"{HOOK}.save_ckpt_after_epoch": False}),
    (
        "checkpoint_config.interval",
        {"checkpoint_config": {"by_epoch": False}},
        50,
        {f"{HOOK}.save_ckpt_after_iter": 50},
    ),
    ("checkpoint_config.interval", ITERS, 50, {f"{HOOK}.save_ckpt_after_iter": 50}),
    ("checkpoint_config.max_keep_ckpts", {}, 4, {f"{LEARNER}.keep_checkpoints": 4}),
    ("checkpoint_config.max_keep_ckpts", {}, -1, {f"{LEARNER}.keep_checkpoints": 0}),
    ("checkpoint_config.save_last", {}, False, {f"{HOOK}.save_ckpt_after_run": False}),
    ("checkpoint_config.save_optimizer", {}, False, {f"{FILES}.save_optimizer": False}),
    ("checkpoint_config.out_dir", {}, "a/b", {f"{FILES}.out_dir": "a/b"}),
    ("checkpoint_config.filename_tmpl", {}, "epoch_{}.pth", {f"{FILES}.file_name": "epoch_{}.pth"}),
    ("checkpoint_config.filename_tmpl", ITERS, "i_{}.pth", {f"{FILES}.file_name": "i_{train_iter}.pth"}),
    ("log_config.interval", {}, 50, {f"{LEARNER}.log_show_freq": 50}),
    ("log_config.hooks", {}, [TEXT, A], {f"{LEARNER}.loggers": [A]}),
    ("log_level", {}, "DEBUG", {f"{LEARNER}.log_level": "DEBUG"}),
    ("workflow", {}, [("train", 3), ("val", 1)], {f"{EVALUATOR}.loss_interval": 3}),
    ("custom_hooks", {}, [A], {f"{LEARNER}.custom_hooks": [A]}),
    ("work_dir", {}, "runs/a", {"exp_name": "runs/a"}),
    ("resume_from", {}, "a.pth", {f"{HOOK}.load_ckpt_before_run": "a.pth"}),
    ("load_from", {}, "a.pth", {"policy.model.pretrained": "a.pth"}),
    ("data.samples_per_gpu", {}, 8, {f"{LEARN}.batch_size": 8, "policy.eval.batch_size": 8}),
    ("data.workers_per_gpu", {}, 3, {f"{LEARNER}.dataloader.num_workers": 3}),
    ("data.train_dataloader.samples_per_gpu", {}, 8, {f"{LEARN}.batch_size": 8}),
    ("data.drop_last", {}, True, {f"{LEARNER}.dataloader.drop_last": True}),
    ("data.train_dataloader.drop_last", {}, False, {f"{LEARNER}.dataloader.drop_last": False}),
    ("data.train_dataloader.workers_per_gpu", {}, 3, {f"{LEARNER}.dataloader.num_workers": 3}),
    ("data.val_dataloader.samples_per_gpu", {}, 8, {"policy.eval.batch_size": 8}),
    ("data.sampler_cfg", {}, A, {"policy.collect.sampler": A}),
    ("data.train_dataloader.sampler_cfg", {}, A, {"policy.collect.sampler": A}),
    ("sampler", {}, A, {"policy.collect.sampler": A}),
    ("data.train", {}, A, {"policy.collect.train.type": "A"}),
    ("data.train", {}, [A, A], {"policy.collect.train": {"type": "ConcatDataset", "datasets": [A, A]}}),
    ("data.val", {}, A, {"policy.collect.val": A}),
    ("data.val", {}, (A,), {"policy.collect.val": {"type": "ConcatDataset", "datasets": [A]}}),
    ("data.test", {}, A, {"policy.collect.test": A}),
    ("data.train.data_prefix", {}, "a/b", {"policy.collect.learn_data_path": "a/b"}),
    ("data.val.data_prefix", {}, "a/b", {"policy.collect.eval_data_path": "a/b"}),
    ("evaluation", {}, None, {f"{EVALUATOR}.validate": False}),
    ("evaluation.interval", {}, 2, {f"{EVALUATOR}.eval_interval": 2}),
    ("evaluation.start", {}, 2, {f"{EVALUATOR}.start": 2}),
    ("evaluation.save_best", {}, "mAP", {f"{EVALUATOR}.save_best": "mAP"}),
    ("evaluation.rule", {}, "less", {f"{EVALUATOR}.rule": "less"}),
    ("evaluation.greater_keys", {}, ["a"], {f"{EVALUATOR}.greater_keys": ["a"]}),
    ("evaluation.less_keys", {}, ["a"], {f"{EVALUATOR}.less_keys": ["a"]}),
    ("evaluation.out_dir", {}, "a/b", {f"{FILES}.out_dir": "a/b"}),
    ("evaluation.metric", {}, ["accuracy", "mAP"], {"policy.eval.metric.metrics": ["accuracy", "mAP"]}),
    ("evaluation.metric_options.topk", {}, [1, 3], {"policy.eval.metric.topk": [1, 3]}),
    ("evaluation.metric_options.thrs", {}, [0.1, 0.5], {"policy.eval.metric.thrs": [0.1, 0.5]}),
    ("evaluation.metric_options.average_mode", {}, "none", {"policy.eval.metric.average": "none"}),
    ("evaluation.metric_options.thr", {}, 0.3, {"policy.eval.metric.thr": 0.3}),
    ("evaluation.metric_options.k", {}, 3, {"policy.eval.metric.k": 3}),
    ("device", {}, "cuda", {"policy.cuda": True}),
    ("device", {}, "cpu", {"policy.cuda": False}),
]
# What makes a row's condition hold, or goes with it.
BESIDE: dict[str, dict[str, Any]] = {
    "lr_config asks where the run ends": COSINE,
    "the runner is an IterBasedRunner": ITERS,
    "by_epoch=False": {"checkpoint_config": {"by_epoch": False}},
    "optimizer_config.type": {"optimizer_config": {"loss_scale": "dynamic"}},
}


def nested(path: str, value: Any, beside: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the config that has ``value`` at a dotted path; ``*`` is the only element of a list."""
    cfg = copy.deepcopy(beside or {})
    *sections, last = path.split(".")
    node: Any = cfg
    for name, following in zip(sections, [*sections, last][1:], strict=True):
        if name == "*":
            node.append({})
            node = node[0]
        else:
            node = node.setdefault(name, [] if following == "*" else {})
    if last == "*":
        node.append(value)
    else:
        node[last] = value
    return cfg


def translate(cfg: dict[str, Any], origins: dict[str, str] | None = None) -> NativeConfig:
    return to_native(cfg, (), origins)[0]


def said(path: str, value: Any, beside: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return the native values that come from ``path`` alone, and the problems."""
    cfg, origins, problems = translate(nested(path, value, beside), {path: PLACE})
    flat = dict(leaves(cfg))
    return {name: flat[name] for name in flat if place_of(name, origins) == PLACE}, problems


def compiled(cfg: dict[str, Any], origins: dict[str, str] | None = None, problems: Sequence[str] = ()) -> Any:
    native = translate(cfg, origins)
    return checked_config(native.cfg, origins=native.origins, problems=[*problems, *native.problems])


def problems_of(cfg: dict[str, Any], **arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compiled(cfg, **arguments)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(("path", "beside", "value", "expected"), MOVED)
def test_a_value_comes_out_under_its_native_key(
    path: str, beside: dict[str, Any], value: Any, expected: dict[str, Any]
) -> None:
    wanted = {name: each for target, item in expected.items() for name, each in leaves(item, target)}
    assert said(path, value, beside) == (wanted, [])


def test_every_row_with_a_native_key_has_an_example() -> None:
    names = {row.old for row in TABLE if row.targets}
    assert {path for path, *_ in MOVED} - {"optimizer.betas"} == names
    assert len(names) == 71
    for row in TABLE:
        outputs = {name for path, _, _, out in MOVED if path == row.old for name in out}
        assert all(any(f"{each}.".startswith(f"{new}.") for each in outputs) for new in row.targets), row


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.old)
def test_each_row_does_what_it_says(row: Row) -> None:
    beside = BESIDE.get(row.when.words if row.when else row.old, {})
    for value in row.nothing:
        assert said(row.old, value, beside) == ({}, []), value
    strange: Any = True if bool in row.types else {"strange": 1} if row.new is NO_EFFECT else "strange"
    if row.new is NO_EFFECT:
        assert said(row.old, strange, beside) == ({}, [])
    elif row.new is LATER:
        found, (problem,) = said(row.old, strange, beside)
        assert found == {}
        assert problem.startswith(f"{row.old.replace('*', '0')} is known but not supported yet")
        assert problem.endswith(f"({PLACE})")
    for value in row.only:
        assert said(row.old, value, beside)[1] == []
    if row.only:
        found, (problem,) = said(row.old, "strange", beside)
        assert found == {}
        assert "is known but not supported yet; possible now: " in problem


def test_a_feature_that_comes_later_is_one_line_with_its_place() -> None:
    cfg = {"optimizer_config": {"update_interval": 2}}
    origins = {"optimizer_config.update_interval": "a.py:3"}
    assert translate(cfg, origins).problems == [
        "optimizer_config.update_interval is known but not supported yet; possible now: 1 (a.py:3)"
    ]


@pytest.mark.parametrize(
    ("cfg", "problem"),
    [
        ({"optimizer": "SGD"}, "policy.learn.optimizer is 'SGD' (str); it must be a dict"),
        ({"runner": 3}, "runner is 3 (int); it must be a dict"),
        ({"evaluation": []}, "evaluation is [] (list); it must be a dict"),
        ({"log_config": {"hooks": "x"}}, "log_config.hooks is 'x' (str); it must be a list or a tuple"),
        ({"data": {"train": 3}}, "data.train is 3 (int); it must be a list, a tuple or a dict"),
        ({"lr_config": {"policy": 3}}, "lr_config.policy is 3 (int); it must be a string"),
        ({"checkpoint_config": {"interval": "a"}}, "checkpoint_config.interval is 'a' (str)"),
        ({"checkpoint_config": {"interval": True}}, "checkpoint_config.interval is True (bool)"),
        ({"checkpoint_config": {"by_epoch": 1}}, "checkpoint_config.by_epoch is 1 (int)"),
        ({"runner": {"max_epochs": "a"}}, "policy.learn.train_epoch is 'a' (str)"),
        ({"model": 3}, "policy.model is 3 (int); it must be a dict"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line_and_no_crash(cfg: dict[str, Any], problem: str) -> None:
    assert [line for line in problems_of(cfg) if line.startswith(problem)]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("optimizer_config.grad_clips", "did you mean optimizer_config.grad_clip?"),
        ("runner.max_epoch", "did you mean runner.max_epochs?"),
        ("data.sample_per_gpu", "did you mean data.samples_per_gpu?"),
        ("evaluation.metric_options.top_k", "did you mean evaluation.metric_options.topk?"),
        ("evaluation.metric_options.zzz", "the keys here are topk, thrs, average_mode, thr, k"),
        ("optimiserr", "did you mean optimizer?"),
        ("policyy", "did you mean policy?"),
    ],
)
def test_an_unknown_key_names_the_nearest_of_the_table(path: str, hint: str) -> None:
    _, problems = said(path, 1, {"log_level": "INFO"})
    assert problems == [f"{path} is not a known key; {hint} ({PLACE})"]


def test_variables_of_the_file_are_let_go() -> None:
    names = ("dataset_type", "img_norm_cfg", "train_pipeline", "policies", "num_classes", "max_epochs")
    cfg, origins, problems = translate(
        {"total_epochs": 3, **dict.fromkeys(names, 1)}, dict.fromkeys(names, "a.py:1")
    )
    assert cfg.keys() == {"policy"}
    assert problems == []
    assert "a.py:1" not in origins.values()


def test_an_unknown_name_in_a_native_config_stays_an_error() -> None:
    assert problems_of({"num_classes": 10, "policy": {}}) == [
        "num_classes is not a known key; the keys here are exp_name, seed, env, custom_imports, policy"
    ]


def test_a_native_config_comes_back_as_it_is() -> None:
    native, origins = read_config_with_origins(ASSETS / "native_resnet18.py")
    del native["policy"]["collect"]["train"]["data_prefix"]
    # Without effect here: left out of both spellings.
    del native["policy"]["model"]["head"]["topk"]
    before = copy.deepcopy(native)
    assert translate(native, origins).cfg == before == native


def test_translating_twice_changes_nothing() -> None:
    for path in sorted(MM.glob("*.py")):
        once = translate(*read_config_with_origins(path))
        assert translate(once.cfg, once.origins) == (once.cfg, once.origins, [])


def test_both_spellings_of_a_run_compile_to_the_same_tree() -> None:
    trees = []
    for path in (MM / "resnet18_8xb32_in1k.py", ASSETS / "native_resnet18.py"):
        cfg, origins = read_config_with_origins(path)
        trees.append(plain_copy(compiled(cfg, origins)))
    first, second = (dict(leaves(tree)) for tree in trees)
    assert first == second
    assert {path: type(value) for path, value in first.items()} == {
        path: type(value) for path, value in second.items()
    }
    assert len(first) > 60


@pytest.mark.parametrize("path", sorted(MM.glob("*.py")), ids=lambda path: path.stem)
def test_a_known_config_compiles_or_names_what_is_not_supported_yet(path: Path) -> None:
    cfg, origins = read_config_with_origins(path)
    later = translate(cfg, origins).problems
    for line in later:
        assert " is known but not supported yet" in line
        assert f"({path.name}:" in line
    if later:
        assert problems_of(cfg, origins=origins) == later
    else:
        assert compiled(cfg, origins).policy.model.type == "ImageClassifier"


def test_there_are_four_known_configs_which_compile() -> None:
    files = sorted(MM.glob("*.py"))
    assert [translate(*read_config_with_origins(path)).problems for path in files] == [[]] * 4


@pytest.mark.parametrize("path", sorted(MM.glob("*.py")), ids=lambda path: path.stem)
def test_every_translated_value_knows_the_line_that_set_it(path: Path) -> None:
    cfg, origins = read_config_with_origins(path)
    native, moved, _ = translate(cfg, origins)
    own = [name for name, _ in leaves(native) if moved.get(name) != MM_DEFAULT]
    assert len(own) > 25
    for name in own:
        assert (place_of(name, moved) or "").partition(":")[0].endswith(".py"), name


def test_the_places_are_those_of_the_old_keys(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(
        "model = dict(\n    type='A',\n    head=dict(\n        num_classes=3))\n"
        "optimizer = dict(\n    type='SGD',\n    lr=0.1)\n"
        "lr_config = dict(\n    policy='step',\n    step=[1, 2])\n"
        "data = dict(\n    samples_per_gpu=4,\n    train=dict(\n        type='F',\n        data_prefix='a',\n"
        "        pipeline=[\n            dict(type='P'),\n            dict(\n                type='Q')]),\n"
        "    val=dict(type='F'))\n"
        "runner = dict(max_epochs=3)\n"
        "seed = 5\n"
    )
    assert translate(*read_config_with_origins(file)).origins == {
        "policy.model.type": "a.py:2",
        "policy.model.head.num_classes": "a.py:4",
        f"{LEARN}.optimizer.type": "a.py:6",
        f"{LEARN}.learning_rate": "a.py:7",
        f"{LEARN}.lr_schedule.type": "a.py:9",
        f"{LEARN}.lr_schedule.step": "a.py:10",
        f"{LEARN}.batch_size": "a.py:12",
        "policy.eval.batch_size": "a.py:12",
        "policy.collect.train.type": "a.py:14",
        "policy.collect.learn_data_path": "a.py:15",
        "policy.collect.train.pipeline": "a.py:16",
        "policy.collect.train.pipeline.0.type": "a.py:17",
        "policy.collect.train.pipeline.1.type": "a.py:19",
        "policy.collect.val.type": "a.py:20",
        f"{LEARN}.train_epoch": "a.py:21",
        "seed": "a.py:22",
        f"{LEARN}.weight_decay": MM_DEFAULT,
        f"{LEARN}.momentum": MM_DEFAULT,
        f"{LEARN}.nesterov": MM_DEFAULT,
        "policy.eval.evaluator.eval_freq": MM_DEFAULT,
    }


def test_a_config_in_both_spellings_is_an_error_that_names_both_places() -> None:
    cfg = {
        "optimizer": {"type": "SGD", "lr": 0.1},
        "load_from": "a.pth",
        "model": {"type": "A", "pretrained": "b.pth"},
        "policy": {"cuda": False},
        "exp_name": "x",
        "seed": 3,
        "custom_imports": {"imports": ["mine"]},
    }
    origins = {path: f"a.py:{line}" for line, (path, _) in enumerate(leaves(cfg), 1)}
    two = "are two spellings in one config; write all of it in one (ding-cls config convert"
    assert translate(cfg, origins).problems == [
        f"optimizer (a.py:1) and policy (a.py:6) {two} translates a file of mmclassification's)",
        f"optimizer (a.py:1) and exp_name (a.py:7) {two} translates a file of mmclassification's)",
        "load_from (a.py:3) and model.pretrained (a.py:5) mean one thing and differ; keep one of them",
    ]


def test_keys_of_both_spellings_are_kept() -> None:
    shared = {"seed": 3, "custom_imports": {"imports": ["mine"]}}
    native, origins, problems = translate({"work_dir": "x", **shared}, {"seed": "a.py:2"})
    assert (native, problems) == ({"exp_name": "x", **shared}, [])
    assert origins["seed"] == "a.py:2"


def test_true_is_not_the_number_one() -> None:
    (problem,) = translate({"evaluation": {"interval": True}}).problems
    assert problem == "evaluation.interval is True (bool); it must be a whole number"
    assert translate({"find_unused_parameters": 0}).problems != []


def test_a_list_of_data_sets_has_the_place_of_the_list() -> None:
    cfg = {"data": {"train": [A, A]}}
    origins = {"data.train": "a.py:1", "data.train.0.type": "a.py:2", "data.train.1.type": "a.py:3"}
    assert translate(cfg, origins).origins == {"policy.collect.train": "a.py:1"}


def test_one_value_twice_in_the_second_spelling_may_agree() -> None:
    agreeing = {"runner": {"max_epochs": 3}, "total_epochs": 3}
    assert translate(agreeing).problems == []
    assert translate({**agreeing, "total_epochs": 4}).problems == [
        "runner.max_epochs and total_epochs mean one thing and differ; keep one of them"
    ]


@pytest.mark.parametrize("is_general_first", [True, False])
def test_a_phases_own_loader_settings_win(is_general_first: bool) -> None:
    general = {"samples_per_gpu": 8, "workers_per_gpu": 2}
    own = {
        "train_dataloader": {"samples_per_gpu": 16, "workers_per_gpu": 4},
        "val_dataloader": {"samples_per_gpu": 32},
    }
    data = {**general, **own} if is_general_first else {**own, **general}
    native, _, problems = translate({"data": data})
    policy = native["policy"]
    assert problems == []
    assert policy["learn"]["batch_size"] == 16
    assert policy["eval"]["batch_size"] == 32
    assert policy["learn"]["learner"]["dataloader"]["num_workers"] == 4


SGD = {"optimizer": {"type": "SGD", "lr": 0.1}}


def test_what_is_left_out_has_mmclassifications_default() -> None:
    flat = dict(leaves(translate(SGD).cfg))
    assert flat == {
        f"{LEARN}.optimizer.type": "SGD",
        f"{LEARN}.learning_rate": 0.1,
        f"{LEARN}.momentum": 0.0,
        f"{LEARN}.nesterov": False,
        f"{LEARN}.weight_decay": None,
        f"{LEARN}.lr_schedule": "constant",
        f"{LEARN}.warmup_epoch": 0,
        "policy.eval.evaluator.eval_freq": 1,
    }


def test_metrics_by_mmclassifications_names_are_one_metric() -> None:
    evaluation = {"metric": ["accuracy", "f1_score"], "metric_options": {"topk": [1, 3]}}
    metric = translate({"evaluation": evaluation}).cfg["policy"]["eval"]["metric"]
    assert metric == {"type": "ClassificationMetrics", "metrics": ["accuracy", "f1_score"], "topk": [1, 3]}
    assert "metric" not in translate({"evaluation": {"metric": "accuracy"}}).cfg.get("policy", {}).get(
        "eval", {}
    )


def test_another_optimizer_gets_no_momentum() -> None:
    flat = dict(leaves(translate({"optimizer": {"type": "AdamW", "lr": 0.1}}).cfg))
    assert flat[f"{LEARN}.weight_decay"] is None
    assert f"{LEARN}.momentum" not in flat


def test_a_schedule_brings_no_native_warm_up_along() -> None:
    flat = dict(leaves(translate({**SGD, "lr_config": {"policy": "fixed"}}).cfg))
    assert flat[f"{LEARN}.lr_schedule.type"] == "Fixed"
    assert f"{LEARN}.warmup_epoch" not in flat


@pytest.mark.parametrize("cfg", [{"model": A}, {"data": {"samples_per_gpu": 2}}, {"log_level": "INFO"}])
def test_a_config_that_does_not_say_how_to_train_keeps_our_defaults(cfg: dict[str, Any]) -> None:
    flat = dict(leaves(translate(cfg).cfg))
    assert not {f"{LEARN}.lr_schedule", f"{LEARN}.momentum", "policy.eval.evaluator.eval_freq"} & set(flat)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"interval": 1}, {"save_ckpt_after_epoch": 1, "save_ckpt_after_iter": False}),
        ({"save_last": True}, {"save_ckpt_after_run": True, "save_ckpt_after_iter": False}),
        (None, {"save_ckpt_after_iter": False}),
    ],
)
def test_checkpoints_come_when_mmcv_says_and_not_when_we_do(
    section: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    learner = translate({"checkpoint_config": section}).cfg["policy"]["learn"]["learner"]
    assert learner["hook"] == expected
    assert learner.get("keep_checkpoints") == (None if section is None else 0)


def test_an_optimizer_without_a_learning_rate_is_an_error() -> None:
    cfg = {"optimizer": {"type": "Adam"}}
    assert problems_of(cfg, origins={"optimizer.type": "a.py:1"}) == [
        f"{LEARN}.learning_rate is None (NoneType); it must be a number (optimizer has no lr, a.py:1)"
    ]
    for word in (f"{LEARN}.learning_rate=0.1", f"{LEARN}.optimizer.lr=0.1", "optimizer.lr=0.1"):
        native, origins, problems = resolve(cfg, [word])
        assert problems == []
        assert checked_config(native, origins=origins).policy.learn.learning_rate == 0.1


@pytest.mark.parametrize(
    ("cfg", "scale"),
    [
        ({"fp16": {}}, 512.0),
        ({"fp16": {"loss_scale": 64.0}}, 64.0),
        ({"optimizer_config": {"type": "Fp16OptimizerHook"}}, 512.0),
        ({"optimizer_config": {"loss_scale": "dynamic"}}, "dynamic"),
    ],
)
def test_a_loss_scale_is_mmcvs(cfg: dict[str, Any], scale: Any) -> None:
    learn = translate(cfg).cfg["policy"]["learn"]
    assert (learn["precision"], learn["loss_scale"]) == ("fp16", scale)


def test_no_schedule_is_a_constant_rate() -> None:
    learn = translate({**SGD, "lr_config": None}).cfg["policy"]["learn"]
    assert (learn["lr_schedule"], learn["warmup_epoch"]) == ("constant", 0)


def test_accumulated_batches_are_one_update_of_the_whole_batch() -> None:
    cfg = {
        **SGD,
        "data": {"samples_per_gpu": 8},
        "optimizer_config": {"type": "GradientCumulativeOptimizerHook", "cumulative_iters": 4},
        "log_config": {"interval": 50},
        "checkpoint_config": {"interval": 100, "by_epoch": False},
        "lr_config": {"policy": "step", "by_epoch": False, "step": [10, 12], "warmup_iters": 9},
        "runner": {"type": "IterBasedRunner", "max_iters": 101},
        "evaluation": {"interval": 40, "start": 10},
    }
    native, _, problems = translate(cfg)
    learn = native["policy"]["learn"]
    assert problems == []
    assert (learn["batch_size"], learn["accumulation_steps"]) == (32, 4)
    assert native["policy"]["eval"]["batch_size"] == 8
    assert learn["learner"]["log_show_freq"] == 13
    assert learn["learner"]["hook"]["save_ckpt_after_iter"] == 25
    assert learn["max_iters"] == 26
    assert native["policy"]["eval"]["evaluator"] == {
        "eval_interval": 10,
        "start": 3,
        "by_epoch": False,
        "eval_freq": 1,
    }
    assert learn["lr_schedule"] == {"type": "Step", "by_epoch": False, "step": [2, 3], "warmup_iters": 3}


def test_accumulation_counts_the_steps_of_other_schedules_too() -> None:
    cfg = {
        **SGD,
        "lr_config": {"policy": "OneCycle", "max_lr": 0.4, "total_steps": 41},
        "momentum_config": {"policy": "step", "by_epoch": False, "step": [12], "warmup_iters": 9},
        "optimizer_config": {"cumulative_iters": 4},
    }
    learn = translate(cfg).cfg["policy"]["learn"]
    assert learn["lr_schedule"]["total_steps"] == 11
    assert learn["momentum_schedule"] == {
        "type": "Step",
        "by_epoch": False,
        "step": [3],
        "warmup_iters": 3,
    }


def test_accumulation_leaves_epochs_alone() -> None:
    schedule = {"policy": "step", "step": [30], "warmup_iters": 5, "warmup_by_epoch": True}
    cfg = {**SGD, "lr_config": schedule, "optimizer_config": {"cumulative_iters": 4}}
    assert translate(cfg).cfg["policy"]["learn"]["lr_schedule"] == {
        "type": "Step",
        "step": [30],
        "warmup_iters": 5,
        "warmup_by_epoch": True,
    }


def test_the_first_update_with_a_new_rate_is_mmcvs() -> None:
    for count in range(2, 6):
        for step in range(count, 40):
            cfg = {
                "lr_config": {"policy": "step", "by_epoch": False, "step": [step]},
                "optimizer_config": {"cumulative_iters": count},
            }
            # mmcv steps with the last of the update's batches.
            expected = next(update for update in range(40) if update * count + count - 1 >= step)
            assert translate(cfg).cfg["policy"]["learn"]["lr_schedule"]["step"] == [expected]


def test_a_schedule_of_iterations_that_cannot_be_accumulated_is_refused() -> None:
    cfg = {
        "lr_config": {"policy": "exp", "gamma": 0.9, "by_epoch": False},
        "optimizer_config": {"cumulative_iters": 2},
    }
    (problem,) = translate(cfg).problems
    assert problem == (
        "lr_config.by_epoch is known but not supported yet; possible now beside cumulative_iters: True"
    )


def test_a_run_by_iterations_counts_its_schedule_by_iterations() -> None:
    runner = {"type": "IterBasedRunner", "max_iters": 500}
    native, _, problems = translate({**SGD, "runner": runner, "lr_config": {"policy": "step", "step": 100}})
    assert problems == []
    assert native["policy"]["learn"]["lr_schedule"] == {"type": "Step", "step": 100, "by_epoch": False}
    assert native["policy"]["learn"]["max_iters"] == 500
    assert "by_epoch" not in native["policy"]["eval"]["evaluator"]
    counted = translate({"runner": runner, "evaluation": {"interval": 50}}).cfg["policy"]["eval"]["evaluator"]
    assert (counted["eval_interval"], counted["by_epoch"]) == (50, False)


@pytest.mark.parametrize(
    "workflow",
    [
        [("train", 1), ("val", 2)],
        [("val", 1), ("train", 1)],
        [("train", 0), ("val", 1)],
        [("train", True), ("val", 1)],
        [("train", 2)],
        ["train", "val"],
        "train",
    ],
)
def test_other_workflows_are_refused(workflow: Any) -> None:
    (problem,) = translate({"workflow": workflow}).problems
    assert problem == "workflow is known but not supported yet; possible now: [['train', 1]]"


def test_loggers_whose_work_is_always_done_are_let_go() -> None:
    cfg, _, problems = translate({"log_config": {"hooks": [TEXT, {"type": "TensorboardLoggerHook"}]}})
    assert (cfg["policy"]["learn"]["learner"]["loggers"], problems) == ([], [])
    (problem,) = translate({"log_config": {"hooks": [TEXT, SELDOM]}}).problems
    assert problem.startswith(f"{LEARNER}.loggers.1: TextLoggerHook has interval=3; one interval holds")


@pytest.mark.parametrize("key", ["_base_", "_delete_"])
@pytest.mark.parametrize("rest", [{"total_epochs": 3}, {"policy": {}}])
def test_what_only_a_file_can_mean_is_refused(key: str, rest: dict[str, Any]) -> None:
    (problem,) = translate({key: "a.py", **rest}).problems
    assert problem.startswith(f"{key} has a meaning in a config file alone")


@pytest.mark.parametrize("text", ["runs/{{ fileBasename }}", "{{fileDirname}}", "{{ _base_.model.depth }}"])
def test_what_a_file_would_have_filled_in_is_refused(text: str) -> None:
    for cfg in ({"work_dir": text}, {"exp_name": text}):
        (problem,) = translate(cfg).problems
        assert "which has a meaning in a config file alone" in problem


def test_overrides_come_in_either_spelling() -> None:
    cfg, origins = read_config_with_origins(MM / "resnet18_8xb32_in1k.py")
    words = ["optimizer.lr=0.3", "data.samples_per_gpu=8", "model.backbone.depth=34"]
    native, places, problems = resolve(cfg, words, origins)
    assert problems == []
    assert native["policy"]["learn"]["learning_rate"] == 0.3
    assert native["policy"]["learn"]["batch_size"] == 8
    assert native["policy"]["model"]["backbone"]["depth"] == 34
    assert places[f"{LEARN}.learning_rate"] == "override optimizer.lr=0.3"
    assert places["policy.model.backbone.depth"] == "override model.backbone.depth=34"


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        (f"{LEARN}.learning_rate=0.3", f"{LEARN}.learning_rate", 0.3),
        (f"{LEARN}.optimizer.lr=0.3", f"{LEARN}.learning_rate", 0.3),
        (f"{LEARN}.optimizer=dict(lr=0.3)", f"{LEARN}.learning_rate", 0.3),
        (f"{LEARN}.optimizer.momentum=0.3", f"{LEARN}.momentum", 0.3),
        (f"{LEARN}.lr_schedule=cosine", f"{LEARN}.lr_schedule", "cosine"),
        (f"{LEARN}.train_epoch=3", f"{LEARN}.train_epoch", 3),
        ("policy.collect.learn_data_path=x", "policy.collect.learn_data_path", "x"),
        ("policy.collect.train.data_prefix=x", "policy.collect.learn_data_path", "x"),
        ("policy.model.name=resnet50", "policy.model.name", "resnet50"),
        ("exp_name=x", "exp_name", "x"),
    ],
)
def test_a_native_override_wins_over_the_second_spelling(word: str, path: str, value: Any) -> None:
    cfg, origins = read_config_with_origins(MM / "resnet18_8xb32_in1k.py")
    native, places, problems = resolve({**cfg, "work_dir": "runs/a"}, [word], origins)
    assert problems == []
    assert dict(leaves(plain_copy(checked_config(native, origins=places))))[path] == value
    assert places[path] == f"override {word}"


def test_an_override_wins_over_a_native_argument_of_a_part() -> None:
    cfg = {"policy": {"learn": {"optimizer": {"type": "SGD", "lr": 0.1}}}}
    native, places, problems = resolve(
        cfg, [f"{LEARN}.learning_rate=0.3"], {f"{LEARN}.optimizer.lr": "a.py:1"}
    )
    assert problems == []
    assert native == {"policy": {"learn": {"optimizer": {"type": "SGD"}, "learning_rate": 0.3}}}
    assert places == {f"{LEARN}.learning_rate": f"override {LEARN}.learning_rate=0.3"}


def test_a_networks_name_replaces_one_of_parts() -> None:
    cfg, _ = read_config_with_origins(MM / "resnet18_8xb32_in1k.py")
    native = resolve({**cfg, "load_from": "a.pth"}, ["policy.model.name=resnet50"]).cfg
    assert native["policy"]["model"] == {"name": "resnet50", "pretrained": "a.pth"}


def test_given_values_win_over_the_file_and_give_way_to_words() -> None:
    given = {f"{LEARN}.train_epoch": 5, "exp_name": "3", f"{LEARN}.batch_size": 4}
    native = resolve({**SGD, "total_epochs": 9}, [f"{LEARN}.batch_size=6"], given=given).cfg
    assert native["exp_name"] == "3"
    assert native["policy"]["learn"]["train_epoch"] == 5
    assert native["policy"]["learn"]["batch_size"] == 6


def test_an_override_that_is_neither_spelling_is_an_error() -> None:
    cfg = {**SGD, "data_root": "a"}
    for word, name in (("data_root=b", "data_root"), ("warmup=b", "warmup")):
        (problem,) = resolve(cfg, [word]).problems
        assert problem.startswith(f"{name} is not a known key; ")
        assert problem.endswith(f"(override {word})")


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("optimizer.lr=0.3", f"write {LEARN}.learning_rate"),
        ("optimizer.betas=[0.9, 0.99]", f"write {LEARN}.optimizer.betas"),
        ("data.samples_per_gpu=4", f"write {LEARN}.batch_size and policy.eval.batch_size"),
        ("work_dir=x", "write exp_name"),
        ("fp16.zzz=1", "docs/second-spelling.md has our keys"),
    ],
)
def test_a_word_of_the_second_spelling_is_no_word_for_a_native_config(word: str, remedy: str) -> None:
    for cfg in ({}, {"policy": {"cuda": False}}):
        native, _, problems = resolve(cfg, [word, "seed=3"])
        assert native == {**cfg, "seed": 3}
        name = word.partition("=")[0]
        spelling = "is mmclassification's spelling, and the config is in ours"
        assert problems == [f"{name} {spelling}; {remedy} (override {word})"]


def test_native_words_are_set_after_the_translation() -> None:
    cfg = {**SGD, "data": {"samples_per_gpu": 8}, "optimizer_config": {"cumulative_iters": 4}}
    words = [f"{LEARN}.batch_size=6", "data.samples_per_gpu=10", "optimizer.lr=0.3"]
    native, origins, problems = resolve(cfg, words, given={f"{LEARN}.learning_rate": 0.5})
    assert problems == []
    assert native["policy"]["learn"]["batch_size"] == 6
    assert native["policy"]["eval"]["batch_size"] == 10
    assert native["policy"]["learn"]["learning_rate"] == 0.5
    assert origins["policy.eval.batch_size"] == "override data.samples_per_gpu=10"


def test_resolving_leaves_its_arguments_alone() -> None:
    cfg, origins = read_config_with_origins(MM / "resnet18_8xb32_in1k.py")
    before = copy.deepcopy((cfg, origins))
    resolve(cfg, ["optimizer.lr=1", "policy.cuda=False"], origins)
    assert (cfg, origins) == before


def test_problems_of_resolving_join_the_one_report() -> None:
    cfg, origins, problems = resolve(
        {**SGD, "optimizer_config": {"grad_clip": 1}}, ["policy.cuda=maybe", "policy.learn.zzz=1"]
    )
    lines = problems_of(cfg, origins=origins, problems=problems)
    assert len(lines) == 3
    assert lines[0] == "optimizer_config.grad_clip is 1 (int); it must be a dict"
    assert lines[1].startswith("policy.cuda is 'maybe'")
    assert lines[2].startswith("policy.learn.zzz is not a known key")


NORMAL = {"type": "Normal", "layer": "Linear", "std": 0.01}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"type": "LinearClsHead"}, NORMAL),
        ({"type": "MultiLabelLinearClsHead"}, NORMAL),
        ({"type": "CSRAClsHead"}, NORMAL),
        ({"type": "VisionTransformerClsHead"}, {"type": "Constant", "layer": "Linear", "val": 0.0}),
        (
            {"type": "VisionTransformerClsHead", "hidden_dim": 8},
            {"type": "Constant", "layer": "Linear", "val": 0.0},
        ),
        ({"type": "LinearClsHead", "init_cfg": None}, None),
        ({"type": "StackedLinearClsHead"}, "nothing"),
    ],
)
def test_a_silent_head_is_drawn_as_there(head: dict[str, Any], expected: Any) -> None:
    cfg = {"model": {"type": "ImageClassifier", "head": head}, "optimizer": {"type": "SGD", "lr": 0.1}}
    found = translate(cfg).cfg["policy"]["model"]["head"]
    assert found.get("init_cfg", "nothing") == expected


@pytest.mark.parametrize("cfg", [{"seed": 1}, {"optimizer": {"type": "SGD", "lr": 0.1}}])
@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("policy.collect.learn_data_path={{ fileDirname }}/x", "policy.collect.learn_data_path"),
        ("_base_=x.py", "_base_"),
        ("_delete_=True", "_delete_"),
    ],
)
def test_a_word_cannot_hold_what_only_the_reader_of_a_file_resolves(
    cfg: dict[str, Any], word: str, key: str
) -> None:
    (problem,) = resolve(cfg, [word]).problems
    assert problem.startswith(key)
    assert "in a config file alone" in problem
    assert problem.endswith(f"(override {word})" if key.startswith("policy") else ")")


def test_such_a_word_on_the_only_key_is_that_problem_alone() -> None:
    (problem,) = resolve({"work_dir": "runs/x"}, ["work_dir={{ fileBasename }}"]).problems
    assert problem.startswith("work_dir holds")


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("evaluation.metrc=precision", "docs/second-spelling.md"),
        ("evaluation={interval: 3}", "docs/second-spelling.md"),
        ("checkpoint_config.interval=3", "policy.learn.learner.hook.save_ckpt_after_epoch"),
        ("data.train.type=CIFAR10", "policy.collect.train.type"),
        ("optimizer.momentum=0.5", "policy.learn.momentum"),
    ],
)
def test_a_refused_word_names_a_key_that_exists(word: str, remedy: str) -> None:
    (problem,) = resolve({"seed": 1}, [word]).problems
    assert remedy in problem
    assert "validate" not in problem
