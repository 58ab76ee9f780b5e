"""compile_config: defaults, classes and the user's values become one checked config."""

import copy
from pathlib import Path
from typing import Any

import pytest
from easydict import EasyDict

from ding_cls.config import apply_overrides, compile_config, read_config
from ding_cls.config.defaults import EVALUATOR, ROOT, defaults
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import ConfigError

LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID")


@pytest.fixture(autouse=True)
def _in_an_empty_folder_without_a_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in LAUNCHER:
        monkeypatch.delenv(name, raising=False)


def _launch(monkeypatch: pytest.MonkeyPatch, world_size: int, *, rank: int = 0) -> None:
    values = (str(rank), str(world_size), str(rank), "127.0.0.1", "29500")
    for name, value in zip(LAUNCHER, values, strict=False):
        monkeypatch.setenv(name, value)


def _compiled(cfg: dict[str, Any], **arguments: Any) -> EasyDict:
    return compile_config(cfg, save_cfg=False, **arguments)


def _problems(cfg: dict[str, Any], **arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _compiled(cfg, **arguments)
    return str(caught.value).split("\n")


def _learn(**values: Any) -> dict[str, Any]:
    return {"policy": {"learn": values}}


def _collect(**values: Any) -> dict[str, Any]:
    return {"policy": {"collect": values}}


def test_an_empty_config_compiles_to_the_defaults_on_one_process() -> None:
    expected = defaults(ROOT)
    expected["policy"]["multi_gpu"] = expected["policy"]["learn"]["multi_gpu"] = False
    cfg = _compiled({})
    assert cfg == expected
    assert isinstance(cfg.policy.learn.learner.hook, EasyDict)
    assert cfg.policy.cuda == "auto"


def test_compiling_twice_gives_the_same_and_leaves_the_input_alone() -> None:
    cfg = EasyDict(exp_name="x", policy={"learn": {"learning_rate": 1}, "collect": {"mean": (0, 0, 0)}})
    before = copy.deepcopy(cfg)
    first, second = compile_config(cfg, seed=3), _compiled(cfg, seed=3)
    assert first == second
    assert cfg == before
    assert repr(_compiled(second)) == repr(second)


def test_numbers_are_brought_to_the_declared_type() -> None:
    cfg = _compiled(
        {
            "policy": {
                "learn": {"learning_rate": 1, "batch_size": 64.0, "decay_epoch": 2.5},
                "collect": {"mean": (0, 0, 1)},
            }
        }
    )
    assert repr(cfg.policy.learn.learning_rate) == "1.0"
    assert repr(cfg.policy.learn.batch_size) == "64"
    assert cfg.policy.learn.decay_epoch == 2.5
    assert repr(cfg.policy.collect.mean) == "[0.0, 0.0, 1.0]"
    assert (
        repr(_compiled({"policy": {"learn": {"train_epoch": 1e9}}}).policy.learn.train_epoch) == "1000000000"
    )


@pytest.mark.parametrize(("argument", "expected"), [(None, 7), (0, 0), (5, 5)])
def test_the_seed_argument_wins_where_it_is_given(argument: int | None, expected: int) -> None:
    assert _compiled({"seed": 7}, seed=argument).seed == expected


def test_an_unknown_key_names_the_nearest_one_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "resnet18.py").write_text(
        "policy = dict(\n    learn=dict(\n        lr_rate=0.1,\n    ),\n)\n"
    )
    cfg, origins = read_config_with_origins(tmp_path / "resnet18.py")
    assert _problems(cfg, origins=origins) == [
        "policy.learn.lr_rate is not a known key; did you mean policy.learn.learning_rate? (resnet18.py:3)"
    ]


@pytest.mark.parametrize(
    ("cfg", "nearest"),
    [
        ({"policyy": {"cuda": True}}, "policy"),
        ({"policy": {"batch_size": 3}}, "policy.learn.batch_size"),
        ({"learning_rate": 3}, "policy.learn.learning_rate"),
        ({"policy": {"eval": {"evaluator": {"eval_frequency": 3}}}}, "policy.eval.evaluator.eval_freq"),
        ({"policy": {"learn": {"learner": {"Hook": {}}}}}, "policy.learn.learner.hook"),
    ],
)
def test_the_nearest_key_is_found_across_sections(cfg: dict[str, Any], nearest: str) -> None:
    (problem,) = _problems(cfg)
    assert problem.endswith(f"is not a known key; did you mean {nearest}?")


def test_a_key_like_no_other_lists_the_keys_of_its_section() -> None:
    (problem,) = _problems({"policy": {"eval": {"zzz": 1}}})
    assert problem == "policy.eval.zzz is not a known key; the keys here are batch_size, metric, evaluator"


def test_all_problems_come_together_each_in_a_line_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "policy = dict(\n    cuda='yes',\n    learn=dict(\n        batch_size=0,\n"
        "        momentum='a'),\n    wrong={'a': 1},\n)\n"
    )
    cfg, origins = read_config_with_origins(tmp_path / "bad.py")
    cfg = apply_overrides(cfg, ["policy.learn.precision=fp8"], origins=origins)
    assert _problems(cfg, origins=origins) == [
        "policy.cuda is 'yes' (str); it must be one of 'auto', True or False (bad.py:2)",
        "policy.learn.batch_size is 0; the smallest accepted value is 1 (bad.py:4)",
        "policy.learn.momentum is 'a' (str); it must be a number (bad.py:5)",
        "policy.learn.precision is 'fp8' (str); it must be one of 'fp32', 'bf16' or 'fp16' "
        "(override policy.learn.precision=fp8)",
        "policy.wrong is not a known key; the keys here are "
        "type, cuda, multi_gpu, model, learn, collect, eval (bad.py:6)",
    ]


@pytest.mark.parametrize(
    ("cfg", "problem"),
    [
        (_learn(batch_size=True), "policy.learn.batch_size is True (bool); it must be a whole number"),
        (_learn(batch_size=1.5), "policy.learn.batch_size is 1.5 (float); it must be a whole number"),
        (_learn(batch_size="32"), "policy.learn.batch_size is '32' (str); it must be a whole number"),
        (_learn(batch_size=None), "policy.learn.batch_size is None (NoneType); it must be a whole number"),
        (_learn(learning_rate=False), "policy.learn.learning_rate is False (bool); it must be a number"),
        (_learn(learning_rate=float("nan")), "policy.learn.learning_rate is nan; it must be a finite number"),
        (_learn(momentum=float("inf")), "policy.learn.momentum is inf; it must be a finite number"),
        (_learn(weight_decay=-1), "policy.learn.weight_decay is -1; the smallest accepted value is 0"),
        (_learn(decay_epoch=0), "policy.learn.decay_epoch is 0; the smallest accepted value is 1e-09"),
        (_learn(nesterov=1), "policy.learn.nesterov is 1 (int); it must be True or False"),
        (_learn(label_smoothing=1.5), "policy.learn.label_smoothing is 1.5; the largest accepted value is 1"),
        (_learn(learner=3), "policy.learn.learner is 3 (int); it must be a dict"),
        (_learn(learner={"hook": []}), "policy.learn.learner.hook is [] (list); it must be a dict"),
        (
            _learn(batch_size=4, accumulation_steps=5),
            "policy.learn.accumulation_steps is 5; "
            "a batch of policy.learn.batch_size=4 has no more pieces than that",
        ),
        (
            _learn(nesterov=True, momentum=0),
            "policy.learn.nesterov is True; it needs policy.learn.momentum greater than 0",
        ),
        ({"policy": {"cuda": 1}}, "policy.cuda is 1 (int); it must be one of 'auto', True or False"),
        ({"policy": 3}, "policy is 3 (int); it must be a dict"),
        ({"exp_name": ""}, "exp_name is ''; it must be the name of a folder to create"),
        ({"exp_name": "a/.."}, "exp_name is 'a/..'; it must be the name of a folder to create"),
        ({"exp_name": 3}, "exp_name is 3 (int); it must be a string"),
        (
            {"policy": {"eval": {"evaluator": {"stop_value": "x"}}}},
            "policy.eval.evaluator.stop_value is 'x' (str); it must be a number, None or a dict",
        ),
        (
            {"env": {"f": len}},
            "env.f is a builtin_function_or_method; "
            "a config holds strings, numbers, booleans, None, lists and dicts",
        ),
        (
            _collect(mean=[0.5] * 2),
            "policy.collect.mean is [0.5, 0.5] (list); it must be a list of 3 numbers",
        ),
        (
            _collect(mean=[0, 0, True]),
            "policy.collect.mean is [0, 0, True] (list); it must be a list of 3 numbers",
        ),
        (_collect(std=[1, 1, 10**400]), None),
        (
            _collect(std=(1, 1, 0)),
            "policy.collect.std is (1, 1, 0) (tuple); its numbers must be greater than 0",
        ),
        (
            _collect(crop_scale=0.08),
            "policy.collect.crop_scale is 0.08 (float); it must be a list or a tuple",
        ),
        (
            _collect(crop_scale=[1, 0.5]),
            "policy.collect.crop_scale is [1, 0.5] (list); the smaller number must come first",
        ),
        (
            _collect(crop_scale=[0.5, 2]),
            "policy.collect.crop_scale is [0.5, 2] (list); a crop covers at most the whole image, 1.0",
        ),
        (
            _collect(crop_ratio=[0, 1]),
            "policy.collect.crop_ratio is [0, 1] (list); its numbers must be greater than 0",
        ),
        (
            _collect(image_size=448, resize_size=256),
            "policy.collect.resize_size is 256; it must be at least policy.collect.image_size=448",
        ),
    ],
)
def test_a_bad_value_is_one_clear_line(cfg: dict[str, Any], problem: str | None) -> None:
    problems = _problems(cfg)
    assert len(problems) == 1
    assert problem is None or problems == [problem]


@pytest.mark.parametrize("stop_value", [None, 75, 75.5, {"acc1": 75.5, "mine": 3}])
def test_a_stop_value_is_a_number_or_a_dict_of_any_keys(stop_value: object) -> None:
    cfg = _compiled({"policy": {"eval": {"evaluator": {"stop_value": stop_value}}}})
    assert cfg.policy.eval.evaluator.stop_value == stop_value


def test_hooks_are_free_and_merge_with_the_default_ones() -> None:
    hook = {
        "mine": {
            "name": "m",
            "type": "my_hook",
            "priority": 3,
            "position": "after_iter",
            "ext_args": {"freq": 2},
        }
    }
    merged = _compiled(
        _learn(learner={"hook": {**hook, "save_ckpt_after_iter": 5}})
    ).policy.learn.learner.hook
    assert merged.mine.ext_args.freq == 2
    assert merged.save_ckpt_after_iter == 5
    assert merged.save_ckpt_after_run is True


class _UserPolicy:
    @classmethod
    def default_config(cls) -> EasyDict:
        return EasyDict(
            cfg_type="UserPolicyDict",
            multi_gpu=False,
            learn={"mixing": {"alpha": 0.2}, "learning_rate": 1},
            extra={},
        )


class _UserLearner:
    @staticmethod
    def default_config() -> dict[str, Any]:
        return {"log_show_freq": 3, "beep": False}


class _UserEvaluator:
    @staticmethod
    def default_config() -> dict[str, Any]:
        return {"tta": 1}


class _Silent:
    pass


def test_keys_and_defaults_of_the_users_classes_count() -> None:
    user = _learn(mixing={"alpha": 0.4})
    user["policy"]["extra"] = {"any": 1}
    cfg = _compiled(user, policy=_UserPolicy, learner=_UserLearner, evaluator=_UserEvaluator)
    assert cfg.policy.cfg_type == "UserPolicyDict"
    assert cfg.policy.learn.mixing == {"alpha": 0.4}
    assert repr(cfg.policy.learn.learning_rate) == "1.0"
    assert cfg.policy.learn.learner.log_show_freq == 3
    assert cfg.policy.learn.learner.beep is False
    evaluator = cfg.policy.eval.evaluator
    assert (evaluator.eval_freq, evaluator.stop_value, evaluator.tta) == (50, None, 1)
    assert evaluator.keys() == {*defaults(EVALUATOR), "tta"}
    assert cfg.policy.extra == {"any": 1}


def test_a_misspelled_key_of_a_users_class_names_the_right_one() -> None:
    user = _learn(mixing={"alphaa": 0.4})
    assert _problems(user, policy=_UserPolicy) == [
        "policy.learn.mixing.alphaa is not a known key; did you mean policy.learn.mixing.alpha?"
    ]


def test_classes_without_a_default_config_add_nothing() -> None:
    assert _compiled({}, policy=_Silent, learner=_Silent, evaluator=_Silent, env=3, collector=4) == _compiled(
        {}
    )


def test_a_default_config_that_is_no_dict_names_its_class() -> None:
    class Broken:
        @staticmethod
        def default_config() -> int:
            return 3

    with pytest.raises(ConfigError, match=r"^Broken\.default_config\(\) returned 3; it must return a dict$"):
        _compiled({}, policy=Broken)


@pytest.mark.parametrize(
    ("here", "there", "world_size", "switch"),
    [
        ("auto", "auto", 1, False),
        ("auto", "auto", 2, True),
        (True, "auto", 1, True),
        ("auto", True, 2, True),
        (False, "auto", 1, False),
        (False, False, 1, False),
    ],
)
def test_both_spellings_of_multi_gpu_become_one_boolean(
    monkeypatch: pytest.MonkeyPatch, here: object, there: object, world_size: int, switch: bool
) -> None:
    _launch(monkeypatch, world_size)
    cfg = _compiled({"policy": {"multi_gpu": here, "learn": {"multi_gpu": there}}})
    assert (cfg.policy.multi_gpu, cfg.policy.learn.multi_gpu) == (switch, switch)


def test_two_different_values_of_the_one_switch_are_an_error() -> None:
    assert _problems({"policy": {"multi_gpu": True, "learn": {"multi_gpu": False}}}) == [
        "policy.learn.multi_gpu contradicts policy.multi_gpu; they are one switch: set one of them"
    ]


@pytest.mark.parametrize("path", ["policy.multi_gpu", "policy.learn.multi_gpu"])
def test_multi_gpu_false_under_a_launcher_is_an_error(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    _launch(monkeypatch, 2)
    assert _problems(apply_overrides({}, [f"{path}=False"])) == [
        f"{path} is False, but a launcher started 2 processes; start one, or set it to 'auto'"
    ]


def test_the_users_switch_goes_before_a_class_default(monkeypatch: pytest.MonkeyPatch) -> None:
    _launch(monkeypatch, 2)
    assert _compiled(_learn(multi_gpu=True), policy=_UserPolicy).policy.multi_gpu is True


def test_the_config_is_saved_in_a_folder_of_its_own() -> None:
    first, second = compile_config({"exp_name": "runs/a"}), compile_config({"exp_name": "runs/a"}, 4)
    assert (first.exp_name, second.exp_name) == ("runs/a", "runs/a_2")
    for cfg in (first, second):
        saved = read_config(f"{cfg.exp_name}/total_config.py")
        # How many processes there were is the launch's choice: the file serves any number.
        assert (saved.policy.pop("multi_gpu"), saved.policy.learn.pop("multi_gpu")) == ("auto", "auto")
        assert (cfg.policy.pop("multi_gpu"), cfg.policy.learn.pop("multi_gpu")) == (False, False)
        assert repr(saved) == repr(cfg)


def test_other_ranks_and_save_cfg_false_write_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert _compiled({"exp_name": "a"}).exp_name == "a"
    _launch(monkeypatch, 2, rank=1)
    assert compile_config({"exp_name": "a"}).exp_name == "a"
    assert list(tmp_path.iterdir()) == []


def test_a_config_with_problems_claims_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        compile_config({"exp_name": "a", "typo": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^exp_name is 'file/run'; the run's folder cannot be written"):
        compile_config({"exp_name": "file/run"})
