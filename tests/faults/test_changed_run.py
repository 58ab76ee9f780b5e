"""A run that is resumed with something changed: it goes on as is said, or is refused in one line."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import ChangedRunError, CheckpointError
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker.learner import create_learner
from tests.conftest import TinyNet
from tests.harness import assert_same, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
MORE = "policy.learn.train_epoch=3"
SEESAW = "policy.learn.loss={'type': 'SeesawLoss', 'num_classes': 4}"
EMA = "policy.learn.ema={'decay': 0.9}"
PLATEAU = "policy.learn.lr_schedule={{'type': 'ReduceLROnPlateau', 'monitor': '{}'}}"
F1 = "policy.eval.metric={'type': 'ClassificationMetrics', 'metrics': ['f1'], 'primary': 'f1_macro'}"
STOPPING = (
    "policy.learn.learner.custom_hooks=[{{'type': 'EarlyStoppingHook', 'monitor': '{}', 'patience': 2}}]"
)
OTHERS = (
    "policy.learn.optimizer.paramwise_cfg={'custom_keys': {'norm.weight': {'lr_mult': 1.0}, "
    "'norm.bias': {'lr_mult': 0.1}}}"
)
SGD = "policy.learn.optimizer.type=SGD"
ADAMW = ("policy.learn.optimizer.type=AdamW",)

# What the run had, and has when it is resumed.
REFUSED = {
    "SGD to AdamW": ((SGD,), ADAMW, "optimizer is SGD, this run's is AdamW"),
    "AdamW to SGD": (ADAMW, (SGD,), "optimizer is AdamW, this run's is SGD"),
    "AdamW to Adam": (ADAMW, ("policy.learn.optimizer.type=Adam",), "is AdamW, this run's is Adam"),
    "SGD to RMSprop": ((SGD,), ("policy.learn.optimizer.type=RMSprop",), "is SGD, this run's is RMSprop"),
    "groups": ((), ("policy.learn.optimizer.paramwise_cfg={'bias_decay_mult': 0.0}",), "groups of 6 para"),
    "groups of one size": (
        ("policy.learn.optimizer.paramwise_cfg={'custom_keys': {'norm.weight': {'lr_mult': 0.1}}}",),
        (OTHERS,),
        "in its groups where this run's has",
    ),
    "batch size": ((), ("policy.learn.batch_size=4",), "global_batch_size differs"),
}
GOES_ON = {
    "average added": ((), (EMA,), None),
    "average dropped": ((EMA,), ("policy.learn.ema=None",), None),
    "ema to swa": (
        (EMA,),
        ("policy.learn.ema=None", "policy.learn.swa.start_epoch=0"),
        "by ema: that by swa",
    ),
    "plateau added": ((), (PLATEAU.format("loss"),), None),
    "plateau dropped": ((PLATEAU.format("loss"),), ("policy.learn.lr_schedule=cosine",), None),
    "plateau of another": ((PLATEAU.format("loss"),), (PLATEAU.format("acc1"),), None),
    "loss dropped": ((SEESAW,), ("policy.learn.loss=None",), None),
    "loss added": ((), (SEESAW,), None),
    "fp16": ((), ("policy.learn.precision=fp16",), None),
    "fp32": (("policy.learn.precision=fp16",), ("policy.learn.precision=fp32",), None),
    "sam": ((), ("policy.learn.sam={'rho': 0.05}",), None),
    "frozen": ((), ("policy.learn.freeze.patterns=stem",), None),
    "not frozen": (("policy.learn.freeze.patterns=stem",), ("policy.learn.freeze=None",), None),
    "metric": ((), (F1,), "has no f1_macro to compare: the best counts anew"),
    "metric back": ((F1,), ("policy.eval.metric=None",), "to compare: the best counts anew"),
    "best by loss": ((), ("policy.eval.evaluator.save_best=loss",), "compared by acc1 and are by loss now"),
    "stop by loss": ((STOPPING.format("acc1"),), (STOPPING.format("loss"),), None),
    "stop by f1": ((STOPPING.format("acc1"),), (F1, STOPPING.format("f1_macro")), "the best counts anew"),
    "goal": (("policy.eval.evaluator.stop_value=1",), (F1, "policy.eval.evaluator.stop_value=999"), None),
    "momentum": ((), ("policy.learn.momentum=0.5",), None),
    "hooks added": ((), ("policy.learn.learner.custom_hooks=[{'type': 'EmptyCacheHook'}]",), None),
    "no more epochs": ((), ("policy.learn.train_epoch=1",), None),
    "no epochs": ((), ("policy.learn.train_epoch=0",), None),
}


QUICK = ("SGD to AdamW", "metric")
ALL = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in (*REFUSED, *GOES_ON)]


@pytest.mark.parametrize("name", ALL)
def test_a_changed_run_goes_on_or_is_refused(
    name: str, picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, expected = (REFUSED | GOES_ON)[name]
    run_tiny(picture_folder, "run", ALONE, *before)
    file = max(Path("run/ckpt").glob("iteration_*"), key=lambda each: len(each.name))
    content = file.read_bytes()
    capsys.readouterr()
    changed = [ALONE, MORE, *after]
    if name in REFUSED:
        with pytest.raises(ChangedRunError) as refused:
            run_tiny(picture_folder, "run", *changed, resume=True)
        assert str(expected) in str(refused.value)
        assert str(refused.value).endswith(
            f"; resume with the same, or begin a new run with these weights: policy.model.pretrained={file}"
        )
        assert "\n" not in str(refused.value)
        assert file.read_bytes() == content
        assert not Path("run/ckpt/iteration_15.pth.tar").exists()
        return
    run_tiny(picture_folder, "run", *changed, resume=True)
    shown = capsys.readouterr()
    told = shown.out + shown.err
    assert expected is None or expected in told
    # What was changed is a line.
    keys = [each.partition("=")[0] for each in after]
    assert all(f"{key}" in told for key in keys)
    ends = 10 if any("train_epoch" in key for key in keys) else 15
    assert read_checkpoint(f"run/ckpt/iteration_{ends}.pth.tar")["last_iter"] == ends


def test_a_refused_checkpoint_leaves_learner_and_policy_as_they_were(workdir: Path) -> None:
    def parts(kind: str) -> tuple[ImageClassificationPolicy, object]:
        torch.manual_seed(len(kind))
        settings = {"cuda": False, "learn": {"optimizer": {"type": kind}, "ema": {"decay": 0.5}}}
        policy = ImageClassificationPolicy(settings, model=TinyNet())
        engine = create_learner({"log_show_freq": 1}, exp_name=kind, policy=policy.learn_mode)
        batch = [torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])]
        engine.train(batch)
        return policy, engine

    policy, engine = parts("AdamW")
    _, other = parts("SGD")
    other.save_checkpoint("other.pth.tar")  # type: ignore[attr-defined]
    file = "SGD/ckpt/other.pth.tar"
    before = {**policy.learn_mode.state_dict(), "model": dict(policy._model.state_dict())}
    copied = {key: value.clone() for key, value in before["model"].items()}
    with pytest.raises(ChangedRunError, match=rf"is SGD, .* is AdamW: .*policy\.model\.pretrained={file}$"):
        engine.load_checkpoint(file)  # type: ignore[attr-defined]
    with pytest.raises(ChangedRunError, match=r"pretrained=FILE$"):
        policy.learn_mode.load_state_dict(read_checkpoint(file))
    assert_same(dict(policy._model.state_dict()), copied, where="network")
    assert engine.train_iter == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("before", "after"), [("SGD", "AdamW"), ("AdamW", "SGD"), ("AdamW", "Adam"), ("Adam", "AdamW")]
)
def test_an_older_file_is_told_by_its_settings(before: str, after: str) -> None:
    def policy(kind: str) -> ImageClassificationPolicy:
        return ImageClassificationPolicy(
            {"cuda": False, "learn": {"optimizer": {"type": kind}}}, model=TinyNet()
        )

    batch = [torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])]
    old = policy(before)
    old.learn_mode.forward(batch)
    state = {key: value for key, value in old.learn_mode.state_dict().items() if key != "optimizer_layout"}
    policy(before).learn_mode.load_state_dict(state)
    with pytest.raises(ChangedRunError, match=f"is no {after}, as this run's is"):
        policy(after).learn_mode.load_state_dict(state)


def test_a_hook_that_refuses_its_state_is_one_line(workdir: Path) -> None:
    class Counts:
        def __init__(self) -> None:
            self.count = 3

        def state_dict(self) -> dict[str, int]:
            return {"count": self.count}

        def load_state_dict(self, state: dict[str, int]) -> None:
            self.count = state["count"]

    policy = ImageClassificationPolicy({"cuda": False}, model=TinyNet())
    engine = create_learner({"log_show_freq": 1}, exp_name="run", policy=policy.learn_mode)
    engine.save_checkpoint("own.pth.tar")
    state = read_checkpoint("run/ckpt/own.pth.tar")
    first, second = Counts(), Counts()
    engine.register_state("first", first)
    engine.register_state("second", second)
    state["parts"] |= {"first": {"count": 8}, "second": {}}
    write_checkpoint("odd.pth.tar", {**state, "last_iter": 7})
    with pytest.raises(CheckpointError, match=r"parts\.second is no state of .*Counts \(KeyError: 'count'\)"):
        engine.load_checkpoint("odd.pth.tar")
    assert (first.count, engine.train_iter) == (3, 0)


@pytest.mark.slow
def test_the_command_that_the_refusal_names_works(picture_folder: Path, workdir: Path) -> None:
    Path("tiny.py").write_text(
        "exp_name = 'run'\n"
        "policy = dict(cuda=False, model=dict(type='ImageClassifier', backbone=dict(type='ResNet_CIFAR', "
        "depth=18, base_channels=4, stem_channels=4), neck=dict(type='GlobalAveragePooling'), "
        "head=dict(type='LinearClsHead', in_channels=32, num_classes=4)),\n"
        "    learn=dict(train_epoch=1, batch_size=8, learning_rate=0.05, warmup_epoch=0,\n"
        "               learner=dict(dataloader=dict(num_workers=0))),\n"
        f"    collect=dict(learn_data_path='{picture_folder}/train', image_size=8, resize_size=8,\n"
        f"                 eval_data_path='{picture_folder}/val'))\n"
    )

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "ding_cls", *words], capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return done

    assert typed("train", "tiny.py").returncode == 0
    adamw = ("policy.learn.optimizer.type=AdamW", "policy.learn.learning_rate=0.001")
    for words in (("tiny.py", "--resume", *adamw), ("--resume", "run", *adamw), ("run", "--resume", *adamw)):
        refused = typed("train", *words)
        assert refused.returncode == 2
        (line,) = (each for each in refused.stderr.splitlines() if each.startswith("error: "))
        again = shlex.split(line.partition("these weights: ")[2])
        assert again[-2:] == ["--pretrained", "run/ckpt/iteration_5.pth.tar"]
        done = typed(*again[again.index("train") :])
        assert done.returncode == 0, done.stderr
        assert "from run/ckpt/iteration_5.pth.tar" in done.stdout + done.stderr
