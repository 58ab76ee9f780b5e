"""Numbers that are not finite: no update applies them, a row of them ends the run, no file holds them."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import NumbersError
from ding_cls.pipeline import kfold
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from ding_cls.worker.learner.state.finite_weights import non_finite
from tests.conftest import TinyNet, write_pictures
from tests.harness import SETTINGS, UPDATES, assert_resumes_exactly, run_tiny
from tests.programs import run_forked

ROOT = Path(__file__).parents[2]
ALONE = "policy.learn.learner.dataloader.num_workers=0"
EACH = "policy.learn.learner.hook.save_ckpt_after_iter=1"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for split, per_class in (("train", 10), ("val", 5)):
        write_pictures(root / split, classes=("ash", "birch", "cedar", "fir"), per_class=per_class)
    return root


class Spoil(LearnerHook):
    """Makes the images of some updates NaN, on one rank or on all."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._rank = ext_args["at"], ext_args.get("rank")
        self._clean: Any = None

    def __call__(self, engine: BaseLearner) -> None:
        self._clean = self._clean or engine.policy.get_attribute("prepare_batch")
        is_here = self._rank is None or self._rank == engine.rank
        is_spoilt = is_here and engine.train_iter + 1 in self._at
        engine.policy.set_attribute("prepare_batch", self._spoilt if is_spoilt else self._clean)

    def _spoilt(self, batch: Batch) -> Batch:
        batch = self._clean(batch)
        return batch.with_images(batch.images * float("nan")) if torch.is_grad_enabled() else batch


class Poison(LearnerHook):
    """Makes a weight infinite after an update, as too high a rate does; and may ask for a stop."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._stops = ext_args["at"], ext_args["stops"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == self._at:
            next(iter(engine.policy.get_attribute("model").parameters())).data.fill_(math.inf)
            if self._stops:
                engine.request_stop("SIGTERM")


register_learner_hook("spoil", Spoil)
register_learner_hook("poison", Poison)


def spoil(*at: int, rank: int | None = None) -> str:
    args = {"at": list(at), "rank": rank}
    hook = {"type": "spoil", "position": "before_iter", "priority": 5, "ext_args": args}
    return f"policy.learn.learner.hook.spoil={hook}"


def poison(*, at: int, stops: bool = False) -> str:
    args = {"at": at, "stops": stops}
    hook = {"type": "poison", "position": "after_iter", "priority": 5, "ext_args": args}
    return f"policy.learn.learner.hook.poison={hook}"


def rows(exp_name: str, kind: str) -> list[dict[str, Any]]:
    lines = Path(exp_name, "log", "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def assert_all_finite(folder: Path) -> None:
    files = list(folder.glob("*.pth.tar"))
    assert files
    for file in files:
        assert non_finite(read_checkpoint(file)) == [], file


def test_bad_updates_are_counted_and_resume_to_the_last_bit(pictures: Path, workdir: Path) -> None:
    settings = (ALONE, spoil(1, 2, 7), "policy.learn.ema={'decay': 0.9}", "policy.learn.max_bad_steps=3")
    assert assert_resumes_exactly(pictures, *settings, stops=(2, 3, 6)) == 3
    found = [row.get("train_skipped") for row in rows("whole", "epoch")]
    assert found == [2, 1], "the fault did not happen"
    log = Path("whole", "log", "learner", "learner.txt").read_text()
    assert log.count("not finite, and it is not applied") == 1
    assert "update 1: the loss" in log
    # The means are over the others.
    assert all(row["train_loss"] is not None for row in rows("whole", "epoch"))


def test_a_row_and_an_epoch_without_any_update(pictures: Path, workdir: Path) -> None:
    run_tiny(pictures, "run", ALONE, spoil(*range(1, 6), 7), "policy.learn.learner.log_show_freq=5")
    assert [row["train_loss"] is None for row in rows("run", "epoch")] == [True, False]
    shown = Path("run", "log", "learner", "learner.txt").read_text()
    assert "Epoch 0 5/5  loss nan  acc1 nan" in shown
    assert "Epoch 1 5/5  loss nan" not in shown
    assert "Epoch 1 5/5  loss " in shown


@pytest.mark.parametrize("stops", [False, True])
def test_weights_that_are_not_finite_at_the_end(stops: bool, pictures: Path, workdir: Path) -> None:
    how = "stopped by SIGTERM after 8" if stops else f"training ended after {UPDATES}"
    with pytest.raises(
        NumbersError, match=rf"^{how} updates, and .* of the weights are not finite; the last"
    ):
        run_tiny(pictures, "run", ALONE, EACH, poison(at=8, stops=stops))
    assert read_checkpoint("run/ckpt/iteration_7.pth.tar")["last_iter"] == 7
    assert_all_finite(Path("run/ckpt"))


def test_bad_updates_that_are_counted_late_end_a_run_too(workdir: Path) -> None:
    policy = OwnOnDevice({"cuda": False, "learn": {"max_bad_steps": 3}}, model=TinyNet())
    with pytest.raises(NumbersError, match="of 3 updates in a row, up to 6"):
        own_loop(policy, num_updates=6)


def test_a_row_of_them_ends_the_run_and_the_newest_file_is_finite(pictures: Path, workdir: Path) -> None:
    with pytest.raises(NumbersError) as ended:
        run_tiny(pictures, "run", ALONE, EACH, spoil(2, 4, 5, 6, 7), "policy.learn.max_bad_steps=3")
    assert ended.value.exit_code == 4
    message = str(ended.value)
    assert "\n" not in message
    assert "of 3 updates in a row, up to 6," in message
    assert (
        "lower policy.learn.learning_rate (it is 0.1), or tighten policy.learn.grad_clip (it is {" in message
    )
    assert "images of update 4" in message
    named = message.partition("where it began: ")[2]
    assert named.count(".png'") == 5
    assert named.endswith("and 3 more")
    assert Path(named.split("'")[1]).is_file()
    # Nothing is saved on the way while updates are bad.
    assert sorted(each.name for each in Path("run/ckpt").glob("iteration_*")) == [
        "iteration_1.pth.tar",
        "iteration_3.pth.tar",
    ]
    assert_all_finite(Path("run/ckpt"))
    with pytest.raises(NumbersError, match="up to 6,"):
        run_tiny(pictures, "run", resume=True)


def test_where_all_were_bad_from_the_start(pictures: Path, workdir: Path) -> None:
    with pytest.raises(NumbersError, match="images of update 1,"):
        run_tiny(pictures, "run", ALONE, EACH, spoil(*range(1, UPDATES + 1)))
    assert [each.name for each in Path("run/ckpt").iterdir()] == ["ckpt_best.pth.tar"]
    assert_all_finite(Path("run/ckpt"))


def test_a_run_too_short_for_a_row_of_them_fails_too(pictures: Path, workdir: Path) -> None:
    with pytest.raises(NumbersError, match=f"of 6 updates in a row, up to {UPDATES},"):
        run_tiny(pictures, "run", ALONE, spoil(*range(5, UPDATES + 1)))
    # One bad batch at the end is none.
    run_tiny(pictures, "fine", ALONE, spoil(UPDATES))
    assert read_checkpoint(f"fine/ckpt/iteration_{UPDATES}.pth.tar")["last_iter"] == UPDATES


@pytest.mark.parametrize("rate", ["1e30", "1e38"])
def test_a_rate_that_is_far_too_high(rate: str, pictures: Path, workdir: Path) -> None:
    with pytest.raises(NumbersError, match="1e\\+3"):
        run_tiny(
            pictures, "run", ALONE, EACH, f"policy.learn.learning_rate={rate}", "policy.learn.max_bad_steps=4"
        )
    assert_all_finite(Path("run/ckpt"))


def test_fp16_that_finds_its_scale_is_no_fault(pictures: Path, workdir: Path) -> None:
    scale = "policy.learn.loss_scale={'init_scale': 1e30}"
    run_tiny(pictures, "run", ALONE, "policy.learn.precision=fp16", scale, "policy.learn.max_bad_steps=1")
    assert [row["train_skipped"] for row in rows("run", "epoch")] == [5, 5], "the fault did not happen"


def test_a_fold_is_named(pictures: Path, workdir: Path) -> None:
    overrides = [*SETTINGS, ALONE, spoil(*range(1, 20)), "policy.learn.max_bad_steps=2"]
    with pytest.raises(NumbersError, match=r"^fold 0: the loss or gradients of 2 updates"):
        kfold(data=pictures, model=TinyNet(), epochs=2, num_splits=2, exp_name="folds", overrides=overrides)


def own_loop(policy: Any, exp_name: str = "run", *, num_updates: int = 20) -> BaseLearner:
    """Return the learner of a program whose own loop has come to its end, or to an error."""
    learner = BaseLearner({"hook": {"save_ckpt_after_iter": 1}}, policy.learn_mode, exp_name=exp_name)
    torch.manual_seed(0)
    learner.call_hook("before_run")
    for number in range(num_updates):
        images = torch.randn(8, 3, 6, 6) * (float("nan") if number >= 3 else 1.0)
        learner.train([images, torch.arange(8) % 4])
    learner.call_hook("after_run")
    return learner


class Own(ImageClassificationPolicy):
    """Has an update of its own, which looks at nothing."""

    def _forward_learn(self, data: Any) -> dict[str, Any]:
        loss = nn.functional.cross_entropy(self._model(data[0]), data[1])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return {"cur_lr": 0.1, "total_loss": loss.item()}


class OwnOnDevice(Own):
    """Leaves its loss on the device."""

    def _forward_learn(self, data: Any) -> dict[str, Any]:
        found = super()._forward_learn(data)
        return found | {"total_loss": torch.tensor(found["total_loss"])}


@pytest.mark.parametrize("kind", [ImageClassificationPolicy, Own, OwnOnDevice])
def test_a_loop_and_an_update_of_the_users_own(kind: type, workdir: Path) -> None:
    policy = kind({"cuda": False, "learn": {"warmup_epoch": 0}}, model=TinyNet())
    with pytest.raises(NumbersError, match="of 10 updates in a row, up to 13, are not finite; lower"):
        own_loop(policy)
    is_own = kind is not ImageClassificationPolicy
    is_poisoned = not all(each.isfinite().all() for each in policy._model.parameters())
    assert is_poisoned == is_own, "the fault did not happen"
    assert_all_finite(Path("run/ckpt"))
    newest = max(int(each.name[10:].split(".")[0]) for each in Path("run/ckpt").glob("iteration_*"))
    assert newest == 3


CONFIG = """exp_name = 'run'
seed = 5
policy = dict(
    cuda=False,
    model=dict(type='ImageClassifier',
               backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
               neck=dict(type='GlobalAveragePooling'),
               head=dict(type='LinearClsHead', in_channels=32, num_classes=4)),
    learn=dict(train_epoch=4, batch_size=8, learning_rate=1e30, warmup_epoch=0,
               learner=dict(hook=dict(save_ckpt_after_iter=2), dataloader=dict(num_workers=0))),
    collect=dict(learn_data_path='{data}/train', eval_data_path='{data}/val', image_size=8, resize_size=8),
)
"""


def command(launcher: list[str], data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    Path("config.py").write_text(CONFIG.replace("{data}", str(data)))
    return subprocess.run(
        [sys.executable, *launcher, "-m", "ding_cls", "train", "config.py", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_command_ends_with_one_line_and_4(pictures: Path, workdir: Path) -> None:
    Path("config.py").write_text(CONFIG.replace("{data}", str(pictures)))
    done = run_forked("-m", "ding_cls", "train", "config.py")
    assert done.returncode == 4, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "lower policy.learn.learning_rate (it is 1e+30)" in errors[0]
    assert "Traceback" not in done.stderr
    assert_all_finite(Path("run/ckpt"))


@pytest.mark.slow
@pytest.mark.dist
def test_ranks_end_alike(pictures: Path, workdir: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = command(launcher, pictures, "policy.multi_gpu=True", "policy.learn.batch_size=4")
    assert done.returncode == 1, "torchrun says 1 for every code"
    assert done.stderr.count("error: ") == 1, done.stderr
    assert "exitcode  : 4" in done.stderr
    assert "exitcode  : 1" not in done.stderr
    assert (done.stdout + done.stderr).count("and it is not applied") == 1
    assert_all_finite(Path("run/ckpt"))
