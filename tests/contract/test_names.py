"""The names, parameters, keys, tags and files that users know. A change here is a change of contract."""

import dataclasses
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from easydict import EasyDict
from tensorboardX import SummaryWriter

import ding_cls
from ding_cls.config import compile_config, read_config
from ding_cls.config.merge import plain_copy
from ding_cls.policy import ImageClassificationPolicy, Policy
from ding_cls.worker import BaseLearner, IMetric, LearnerHook, MetricSerialEvaluator
from ding_cls.worker.learner.learner_hook import ImageClsLogShowHook, LoadCkptHook, SaveCkptHook, show_hooks
from dizoo.image_classification.entry import imagenet_res18_config as config_module
from tests.conftest import TinyNet

PUBLIC_NAMES = {
    "BaseLearner",
    "DingError",
    "DistributedSampler",
    "IMetric",
    "ImageClassificationMetric",
    "ImageClassificationPolicy",
    "ImageNetDataset",
    "LearnerHook",
    "MetricSerialEvaluator",
    "Policy",
    "Preprocessing",
    "TrainResult",
    "__version__",
    "build_eval_loader",
    "build_model",
    "build_train_loader",
    "compile_config",
    "dist_finalize",
    "dist_init",
    "evaluate",
    "kfold",
    "load",
    "load_rgb",
    "read_config",
    "train",
}

# (module, name, parameters as a call would read them)
HOOK_PARAMETERS = "(name, priority=20, *, position={position!r}, ext_args=None)"
SIGNATURES = [
    (
        "ding_cls.worker",
        "BaseLearner",
        "(cfg, policy=None, tb_logger=None, dist_info=None, exp_name='default_experiment', "
        "instance_name='learner')",
    ),
    ("ding_cls.worker", "LearnerHook", "(name, priority=100, *, position)"),
    (
        "ding_cls.worker",
        "MetricSerialEvaluator",
        "(cfg, env=None, policy=None, tb_logger=None, exp_name='default_experiment', "
        "instance_name='evaluator')",
    ),
    ("ding_cls.worker", "IMetric", "()"),
    ("ding_cls.worker.learner", "LearnerHook", "(name, priority=100, *, position)"),
    ("ding_cls.worker", "Hook", "()"),
    ("ding_cls.worker.learner", "Hook", "()"),
    ("ding_cls.worker.learner", "learner_hooks", "(cfg, *, world_size=1)"),
    ("ding_cls.metrics", "build_metric", "(cfg=None)"),
    ("ding_cls.worker.learner", "register_learner_hook", "(name, hook_type)"),
    ("ding_cls.worker.learner", "add_learner_hook", "(hooks, hook)"),
    ("ding_cls.worker.learner", "build_learner_hook_by_cfg", "(cfg)"),
    ("ding_cls.worker.learner", "merge_hooks", "(hooks1, hooks2)"),
    ("ding_cls.worker.learner", "show_hooks", "(hooks)"),
    ("ding_cls.worker.learner", "create_learner", "(cfg, **kwargs)"),
    ("ding_cls.worker.learner.learner_hook", "LoadCkptHook", HOOK_PARAMETERS.format(position="before_run")),
    ("ding_cls.worker.learner.learner_hook", "SaveCkptHook", HOOK_PARAMETERS.format(position="after_iter")),
    ("ding_cls.worker.learner.learner_hook", "LogShowHook", HOOK_PARAMETERS.format(position="after_iter")),
    (
        "ding_cls.worker.learner.learner_hook",
        "LogReduceHook",
        HOOK_PARAMETERS.format(position="after_iter").replace("20", "10"),
    ),
    ("ding_cls.worker.learner.learner_hook", "add_learner_hook", "(hooks, hook)"),
    ("ding_cls.worker.learner.learner_hook", "merge_hooks", "(hooks1, hooks2)"),
    ("ding_cls.worker.learner.learner_hook", "show_hooks", "(hooks)"),
    ("ding_cls.config", "read_config", "(path)"),
    (
        "ding_cls.config",
        "compile_config",
        "(cfg, seed=None, policy=None, learner=None, evaluator=None, save_cfg=True, *, origins=None, "
        "env=None, env_manager=None, collector=None, buffer=None, auto=False, create_cfg=None)",
    ),
    ("ding_cls.policy", "Policy", "(cfg, model=None, enable_field=None)"),
    ("ding_cls.model", "model_wrap", "(model, wrapper_name='base')"),
    ("ding_cls.torch_utils", "resnet18", "(num_classes=1000, *, zero_init_residual=False)"),
    ("ding_cls.torch_utils", "to_tensor", "(item, dtype=None)"),
    ("ding_cls.torch_utils", "to_device", "(item, device, non_blocking=True)"),
    ("ding_cls.torch_utils", "to_ndarray", "(item, dtype=None)"),
    ("ding_cls.torch_utils", "CountVar", "(init_val=0)"),
    ("ding_cls.utils", "set_pkg_seed", "(seed, use_cuda=True)"),
    ("ding_cls.utils", "get_rank", "()"),
    ("ding_cls.utils", "get_world_size", "()"),
    (
        "ding_cls.utils",
        "dist_init",
        "(backend=None, addr=None, port=None, rank=None, world_size=None, "
        "timeout=datetime.timedelta(seconds=300))",
    ),
    ("ding_cls.utils", "dist_finalize", "()"),
    ("ding_cls.utils", "allreduce", "(tensor)"),
    ("ding_cls.utils", "broadcast", "(tensor, src=0)"),
    ("ding_cls.utils", "EasyTimer", "(cuda=True)"),
    ("ding_cls.utils", "build_logger", "(path, name=None, need_tb=True, need_text=True)"),
    ("ding_cls.utils", "deep_merge_dicts", "(original, new_dict)"),
    (
        "dizoo.image_classification.policy",
        "ImageClassificationPolicy",
        "(cfg, model=None, enable_field=None)",
    ),
    (
        "dizoo.image_classification.data",
        "ImageNetDataset",
        "(root, is_training, transform=None, *, classes=None)",
    ),
    (
        "dizoo.image_classification.data",
        "DistributedSampler",
        "(dataset, world_size=None, rank=None, round_up=True, *, seed=0, shuffle=True)",
    ),
    (
        "dizoo.image_classification.entry.imagenet_res18_main",
        "main",
        "(cfg, seed=None, *, resume=False, allow_changed_data=False)",
    ),
    (
        "dizoo.image_classification.entry.imagenet_res18_main",
        "ImageClassificationMetric",
        "(primary='acc1')",
    ),
    (
        "dizoo.image_classification.entry.imagenet_res18_main",
        "ImageClsLogShowHook",
        "(name, priority=20, position='after_iter', freq=1)",
    ),
    (
        "ding_cls",
        "train",
        "(config=None, *, data=None, model=None, pretrained=False, epochs=None, seed=None, resume=False, "
        "synthetic=False, exp_name=None, overrides=(), allow_code=False, check_images=False, "
        "allow_changed_data=False)",
    ),
    (
        "ding_cls",
        "load",
        "(source=None, *, model=None, pretrained=False, classes=None, threshold=None, device=None, "
        "allow_code=False, calibrated=False, max_risk=None, tta=False)",
    ),
    ("ding_cls.inference", "init_model", "(config, checkpoint=None, device=None, options=None)"),
    ("ding_cls.inference", "inference_model", "(model, img)"),
    (
        "ding_cls.inference",
        "show_result_pyplot",
        "(model, img, result, fig_size=(15, 10), title='result', wait_time=0)",
    ),
    (
        "ding_cls",
        "evaluate",
        "(checkpoint, *, config=None, data=None, split=None, batch_size=None, metric=None, overrides=(), "
        "model=None, out=None, allow_code=False, max_bad=None, calibrated=False, tta=False)",
    ),
]

METHODS = [
    (BaseLearner, "train", "(data, envstep=-1, policy_kwargs=None)"),
    (BaseLearner, "start", "(loader, *, max_epochs, evaluator=None)"),
    (BaseLearner, "call_hook", "(name)"),
    (BaseLearner, "register_hook", "(hook)"),
    (BaseLearner, "save_checkpoint", "(ckpt_name=None)"),
    (BaseLearner, "close", "()"),
    (BaseLearner, "info", "(message)"),
    (BaseLearner, "debug", "(message)"),
    (MetricSerialEvaluator, "should_eval", "(train_iter)"),
    (MetricSerialEvaluator, "eval", "(save_ckpt_fn=None, train_iter=-1, envstep=-1)"),
    (MetricSerialEvaluator, "reset", "(policy=None, env=None)"),
    (MetricSerialEvaluator, "reset_env", "(env)"),
    (MetricSerialEvaluator, "reset_policy", "(policy)"),
    (MetricSerialEvaluator, "close", "()"),
    (IMetric, "eval", "(inputs, label)"),
    (IMetric, "reduce_mean", "(inputs)"),
    (IMetric, "gt", "(metric1, metric2)"),
    (LearnerHook, "__call__", "(engine)"),
    (Policy, "sync_gradients", "(model)"),
    (Policy, "default_model", "()"),
    (Policy, "_init_learn", "()"),
    (Policy, "_forward_learn", "(data)"),
    (Policy, "_monitor_vars_learn", "()"),
    (Policy, "_state_dict_learn", "()"),
    (Policy, "_load_state_dict_learn", "(state)"),
    (Policy, "_reset_learn", "(**kwargs)"),
    (Policy, "_init_eval", "()"),
    (Policy, "_forward_eval", "(data)"),
    (Policy, "_reset_eval", "(**kwargs)"),
    (Policy, "_get_attribute", "(name)"),
    (Policy, "_set_attribute", "(name, value)"),
]

LEARN_MODE = [
    "forward",
    "reset",
    "info",
    "monitor_vars",
    "get_attribute",
    "set_attribute",
    "state_dict",
    "load_state_dict",
]
POSITIONS = [
    "before_run",
    "after_run",
    "before_iter",
    "after_iter",
    "before_epoch",
    "after_epoch",
    "after_eval",
]
CONFIG = {
    "exp_name": "imagenet_res18",
    "policy": {
        "cuda": "auto",
        "multi_gpu": "auto",
        "model": {"name": "resnet18"},
        "learn": {
            "bp_update_sync": True,
            "train_epoch": 200,
            "batch_size": 32,
            "learning_rate": 0.01,
            "decay_epoch": 30,
            "decay_rate": 0.1,
            "warmup_lr": 1e-4,
            "warmup_epoch": 3,
            "weight_decay": 1e-4,
            "learner": {
                "log_show_freq": 10,
                "hook": {"log_show_after_iter": 1000000000, "save_ckpt_after_iter": 1000},
            },
        },
        "collect": {"learn_data_path": "data/imagenet/train", "eval_data_path": "data/imagenet/val"},
        "eval": {
            "batch_size": 32,
            "evaluator": {"eval_freq": 1, "stop_value": {"loss": 0.5, "acc1": 75.0, "acc5": 95.0}},
        },
    },
    "env": {},
}
LABELS = ["Epoch", "Loss", "Data Time", "Forward Time", "Backward Time", "GradSync Time", "LR"]


def parameters(function: Any, *, is_method: bool = False) -> str:
    """Return a signature's names and defaults, without ``self`` and annotations."""
    signature = inspect.signature(function)
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()][is_method:]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


class Writer(SummaryWriter):
    """A TensorBoard writer that also remembers the tags."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.tags: list[str] = []
        write = self.file_writer.add_summary

        def remember(summary: Any, *args: Any) -> None:
            self.tags += [value.tag for value in summary.value]
            write(summary, *args)

        self.file_writer.add_summary = remember


@pytest.fixture
def policy(tiny_net: TinyNet) -> ImageClassificationPolicy:
    cfg = compile_config({"policy": {"cuda": False}}, seed=0, save_cfg=False)
    return ImageClassificationPolicy(cfg.policy, model=tiny_net)


def batch() -> list[torch.Tensor]:
    return [torch.rand(4, 3, 8, 8), torch.arange(4)]


def test_the_package_has_at_most_25_public_names() -> None:
    assert set(ding_cls.__all__) == PUBLIC_NAMES
    assert len(ding_cls.__all__) == len(PUBLIC_NAMES) <= 25
    assert all(hasattr(ding_cls, name) for name in PUBLIC_NAMES)
    assert set(dir(ding_cls)) >= PUBLIC_NAMES
    with pytest.raises(AttributeError, match="'ding_cls' has no attribute 'training'"):
        ding_cls.training  # noqa: B018


@pytest.mark.parametrize(("module", "name", "expected"), SIGNATURES)
def test_an_import_path_and_its_parameters_stay(module: str, name: str, expected: str) -> None:
    home = importlib.import_module(module)
    assert parameters(getattr(home, name)) == expected
    assert name in getattr(home, "__all__", [name])


@pytest.mark.parametrize(("owner", "name", "expected"), METHODS)
def test_a_method_and_its_parameters_stay(owner: type, name: str, expected: str) -> None:
    assert parameters(getattr(owner, name), is_method=True) == expected


def test_the_same_name_is_the_same_object_everywhere() -> None:
    homes: dict[str, set[int]] = {}
    for module, name, _ in SIGNATURES:
        homes.setdefault(name, set()).add(id(getattr(importlib.import_module(module), name)))
    for name in PUBLIC_NAMES & homes.keys():
        homes[name].add(id(getattr(ding_cls, name)))
    assert {name: len(objects) for name, objects in homes.items() if len(objects) > 1} == {}


def test_the_abstract_methods_of_a_metric_are_three() -> None:
    assert IMetric.__abstractmethods__ == {"eval", "reduce_mean", "gt"}
    assert Policy.__abstractmethods__ == {"_init_learn", "_forward_learn", "_init_eval", "_forward_eval"}


def test_the_modes_are_frozen_records_built_once(policy: ImageClassificationPolicy) -> None:
    assert [each.name for each in dataclasses.fields(policy.learn_mode)] == LEARN_MODE
    without = [name for name in LEARN_MODE if name not in ("info", "monitor_vars")]
    assert [each.name for each in dataclasses.fields(policy.eval_mode)] == without
    assert policy.learn_mode is policy.learn_mode
    assert policy.eval_mode is policy.eval_mode
    for mode in (policy.learn_mode, policy.eval_mode):
        with pytest.raises(dataclasses.FrozenInstanceError):
            mode.forward = None  # type: ignore[misc]


def test_members_that_a_subclass_uses_stay(policy: ImageClassificationPolicy) -> None:
    assert isinstance(policy._cfg, EasyDict)
    assert isinstance(policy._model, torch.nn.Module)
    assert (policy._cuda, policy._device) == (False, torch.device("cpu"))
    assert isinstance(ImageClassificationPolicy.config, dict)
    copied = ImageClassificationPolicy.default_config()
    assert isinstance(copied, EasyDict)
    copied.learn.batch_size = -1
    assert ImageClassificationPolicy.default_config().learn.batch_size == 32
    assert policy.learn_mode.monitor_vars()[:5] == [
        "cur_lr",
        "total_loss",
        "forward_time",
        "backward_time",
        "sync_time",
    ]


def test_what_a_hook_touches_stays(policy: ImageClassificationPolicy, workdir: Path) -> None:
    writer = Writer(workdir / "tb")
    learner = BaseLearner({}, policy.learn_mode, writer, exp_name="run")
    seen: dict[str, Any] = {}

    class Hook(LearnerHook):
        def __call__(self, engine: BaseLearner) -> None:
            seen["buffer"] = {name: set(values) for name, values in engine.log_buffer.items()}
            for name, value in engine.log_buffer["scalar"].items():
                setattr(engine.monitor, name, value)
            engine.monitor.time.step()
            seen["avg"] = {name: getattr(engine.monitor, "avg")[name]() for name in engine.monitor.names()}  # noqa: B009
            seen["iter"] = (engine.last_iter.val, engine.train_iter)
            engine.tb_logger.add_scalar(f"{engine.instance_name}/own", 1.0, engine.last_iter.val)
            engine.tb_logger.add_histogram(f"{engine.instance_name}/all", [1.0, 2.0], engine.last_iter.val)
            engine.logger.info("a line")

    learner.register_hook(Hook("own", 0, position="after_iter"))
    learner.data_time, learner.epoch_info = 0.5, (0, 0, 1)
    learner.train(batch(), 7)
    learner.close()
    writer.close()
    names = {"cur_lr", "total_loss", "forward_time", "backward_time", "sync_time", "acc1"}
    assert seen["buffer"] == {"scalar": names, "scalars": set(), "histogram": set()}
    assert all(type(value) is float for value in seen["avg"].values())
    assert seen["iter"] == (1, 1)
    assert (learner.rank, learner.world_size, learner.ckpt_name) == (0, 1, None)
    assert (learner.exp_name, learner.instance_name) == ("run", "learner")
    assert learner.policy is policy.learn_mode
    assert writer.tags == ["learner/own", "learner/all"]


def test_log_labels_and_tensorboard_tags_stay(
    policy: ImageClassificationPolicy, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Writer(workdir / "tb")
    learner = BaseLearner({}, policy.learn_mode, writer, exp_name="run")
    learner.register_hook(ImageClsLogShowHook("log_show", 15, "after_iter", freq=1))
    learner.data_time, learner.epoch_info = 0.25, (3, 7, 1234)
    learner.train(batch())
    learner.close()
    writer.close()
    (line,) = capsys.readouterr().out.splitlines()
    fields = line.split("\t")
    assert [field.split(":")[0] for field in fields[:7]] == LABELS
    assert fields[0] == "Epoch: 3 [   7/1234]"
    assert fields[2] == "Data Time: 0.250"
    assert fields[6] == "LR: 1.000e-04"
    names = ["cur_lr_avg", "total_loss_avg", "forward_time_avg", "backward_time_avg", "sync_time_avg"]
    assert writer.tags == [f"learner/{each}" for each in [*names, "acc1_avg", "data_time_val", "epoch_val"]]
    row = json.loads(Path("run/log/metrics.jsonl").read_text())
    assert {"kind", "train_iter", "epoch", *names} <= row.keys()


def test_files_and_checkpoint_keys_stay(policy: ImageClassificationPolicy, workdir: Path) -> None:
    learner = BaseLearner({}, policy.learn_mode, exp_name="a/run", instance_name="mine")
    learner.train(batch(), 5)
    learner.save_checkpoint()
    learner.save_checkpoint("ckpt_best.pth.tar")
    learner.close()
    compile_config({"exp_name": "other"})
    files = {str(path.relative_to(workdir)) for path in workdir.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("a/run/log/mine/events.out.tfevents.")}
    assert len(events) == 1
    assert files - events == {
        "a/run/ckpt/iteration_1.pth.tar",
        "a/run/ckpt/ckpt_best.pth.tar",
        "a/run/log/mine/mine.txt",
        "other/total_config.py",
    }
    state = torch.load("a/run/ckpt/iteration_1.pth.tar", weights_only=True)
    assert {"model", "optimizer", "last_iter", "last_step"} <= state.keys()
    assert (state["last_iter"], state["last_step"]) == (1, 5)


def test_positions_and_both_forms_of_hooks_stay() -> None:
    from ding_cls.worker.learner import build_learner_hook_by_cfg

    short = build_learner_hook_by_cfg(
        {
            "load_ckpt_before_run": "some.pth.tar",
            "log_show_after_iter": 10,
            "save_ckpt_after_iter": 1000,
            "save_ckpt_after_run": True,
            "log_reduce_after_iter": True,
        }
    )
    assert list(short) == POSITIONS
    assert show_hooks(short).splitlines() == [
        "before_run: load_ckpt_before_run (20)",
        "after_run: save_ckpt_after_run (20)",
        "after_iter: log_reduce_after_iter (10), log_show_after_iter (20), save_ckpt_after_iter (20)",
    ]
    (long,) = build_learner_hook_by_cfg(
        {
            "x": {
                "name": "keep",
                "type": "save_ckpt",
                "priority": 5,
                "position": "after_iter",
                "ext_args": {"freq": 3},
            }
        }
    )["after_iter"]
    assert isinstance(long, SaveCkptHook)
    assert (long.name, long.priority, long.position) == ("keep", 5, "after_iter")
    assert LoadCkptHook("x").position == "before_run"


def test_the_config_is_the_same_as_a_module_and_as_data() -> None:
    assert isinstance(config_module.imagenet_res18_config, EasyDict)
    assert plain_copy(config_module.imagenet_res18_config) == CONFIG
    assert config_module.main_config is config_module.imagenet_res18_config
    as_data = read_config(config_module.__file__)
    assert isinstance(as_data, EasyDict)
    assert plain_copy(as_data) == CONFIG


def test_one_switch_has_two_spellings() -> None:
    for cfg in ({"policy": {"multi_gpu": True}}, {"policy": {"learn": {"multi_gpu": True}}}):
        compiled = compile_config(cfg, save_cfg=False)
        assert compiled.policy.multi_gpu is compiled.policy.learn.multi_gpu is True
    compiled = compile_config(config_module.imagenet_res18_config, seed=3, save_cfg=False)
    assert compiled.policy.multi_gpu is compiled.policy.learn.multi_gpu is False
    assert compiled.seed == 3


def test_the_registries_of_hooks_and_metrics_stay() -> None:
    from ding_cls import metrics, worker
    from ding_cls.worker import learner

    assert worker.HOOKS is learner.HOOKS
    assert worker.Priority is learner.Priority
    assert {"load_ckpt", "save_ckpt", "log_show", "log_reduce"} <= set(worker.HOOKS.names())
    assert "ImageClassificationMetric" in metrics.METRICS


def test_the_names_of_priorities_stay_and_a_priority_is_an_int() -> None:
    from ding_cls.worker import Priority

    assert {each.name: int(each) for each in Priority} == {
        "HIGHEST": 0,
        "VERY_HIGH": 10,
        "HIGH": 30,
        "ABOVE_NORMAL": 40,
        "NORMAL": 50,
        "BELOW_NORMAL": 60,
        "LOW": 70,
        "VERY_LOW": 90,
        "LOWEST": 100,
    }
    for priority in (30, "HIGH", "high", Priority.HIGH):
        assert type(SaveCkptHook("x", priority).priority) is int
        assert SaveCkptHook("x", priority).priority == 30


def test_the_methods_that_hooks_of_mmcv_have_stay() -> None:
    from ding_cls.worker import Hook

    positions = ["run", "epoch", "iter", "train_epoch", "train_iter"]
    methods = [f"{when}_{what}" for what in positions for when in ("before", "after")]
    for name in [*methods, "after_val_epoch"]:
        assert parameters(getattr(Hook, name), is_method=True) == "(engine)"
    for name in ("every_n_iters", "every_n_epochs", "every_n_inner_iters"):
        assert parameters(getattr(Hook, name), is_method=True) == "(engine, n)"
    for name in ("is_last_iter", "is_last_epoch"):
        assert parameters(getattr(Hook, name), is_method=True) == "(engine)"
