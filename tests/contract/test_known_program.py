"""A program against DI-engine's names runs unchanged, alone and under torchrun; so does its policy."""

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from easydict import EasyDict
from tensorboardX.proto.event_pb2 import Event
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torchvision.models import resnet18

from ding_cls.config import compile_config, read_config
from ding_cls.distributed import get_rank
from ding_cls.errors import ConfigError
from ding_cls.model import model_wrap
from ding_cls.policy import Policy
from ding_cls.torch_utils import to_device
from ding_cls.utils import EasyTimer
from ding_cls.worker import BaseLearner, MetricSerialEvaluator
from dizoo.image_classification.data import ImageNetDataset
from dizoo.image_classification.policy import ImageClassificationPolicy
from tests.conftest import TinyNet, write_pictures
from tests.distributed.ranks import run_ranks

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("known_program.py")
CLASSES = ("ash", "birch", "cedar", "elm", "fir", "yew")
LABELS = ["Epoch", "Loss", "Data Time", "Forward Time", "Backward Time", "GradSync Time", "LR"]
TAGS = ["cur_lr_avg", "total_loss_avg", "forward_time_avg", "backward_time_avg", "sync_time_avg"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes: two training pictures and one validation picture of each."""
    folder = tmp_path_factory.mktemp("known") / "pictures"
    write_pictures(folder / "train", classes=CLASSES, per_class=2, size_px=40)
    write_pictures(folder / "val", classes=CLASSES, per_class=1, size_px=40)
    return folder


def run_program(launcher: list[str], arguments: list[str], cwd: Path) -> str:
    """Run the program and return what it printed; its stderr must hold no error."""
    done = subprocess.run(
        [sys.executable, *launcher, str(PROGRAM), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def evaluations(printed: str) -> dict[tuple[int, int], dict[str, float]]:
    """Return the results that the program printed, by (rank, train_iter)."""
    lines = re.findall(r"evaluated by (\d) of \d at (\d+): False \{(.*)\}", printed)
    found = {}
    for rank, train_iter, pairs in lines:
        values = re.findall(r"'(\w+)': ([\d.]+)", pairs)
        found[int(rank), int(train_iter)] = {name: float(value) for name, value in values}
    assert len(found) == len(lines)
    return found


def recount(checkpoint: Path, pictures: Path) -> dict[str, float]:
    """Return the metrics of a checkpoint's weights in torchvision's own network."""
    state = torch.load(checkpoint, weights_only=True)
    network = resnet18(num_classes=len(CLASSES)).eval()
    network.load_state_dict(state["model"])
    samples = list(ImageNetDataset(pictures / "val", is_training=False))
    targets = torch.tensor([target for _, target in samples])
    with torch.no_grad():
        logits = network(torch.stack([image for image, _ in samples]))
    order = logits.argsort(1, descending=True)
    hits = order == targets[:, None]
    return {
        "acc1": 100.0 * int(hits[:, 0].sum()) / len(targets),
        "acc5": 100.0 * int(hits[:, :5].sum()) / len(targets),
        "loss": float(nn.functional.cross_entropy(logits, targets)),
    }


def tensorboard_scalars(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Yield (tag, step, value) of the one event file in a folder."""
    (file,) = folder.glob("events.out.tfevents.*")
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        yield from ((each.tag, event.step, each.simple_value) for each in event.summary.value)
        data = data[16 + length :]


def log_lines(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines() if "GradSync Time" in line]


@pytest.mark.slow
def test_a_known_program_runs_unchanged(pictures: Path, tmp_path: Path) -> None:
    printed = run_program(
        ["-W", "error", "-W", "ignore::ResourceWarning"], [str(pictures), "known"], tmp_path
    )
    folder = tmp_path / "known"

    lines = log_lines(printed)
    assert [line[0] for line in lines] == [f"Epoch: {e} [{i:>4d}/2]" for e in (0, 1) for i in (0, 1)]
    assert all([field.split(":")[0] for field in line] == LABELS for line in lines)
    assert all(line[-1] == "LR: 1.000e-02" for line in lines)
    assert "comes sorted by class" in printed
    written = log_lines((folder / "log" / "learner" / "learner.txt").read_text())
    assert [line[1:] for line in written] == [line[1:] for line in lines]

    results = evaluations(printed)
    assert sorted(results) == [(0, 0), (0, 2)]
    expected = recount(folder / "ckpt" / "iteration_2.pth.tar", pictures)
    assert results[0, 2] == pytest.approx(expected, rel=1e-5)
    best = min(results.values(), key=lambda result: result["loss"])
    assert recount(folder / "ckpt" / "ckpt_best.pth.tar", pictures) == pytest.approx(best, rel=1e-5)
    assert "Evaluation after 1 updates, 6 samples" in (folder / "log/evaluator/evaluator.txt").read_text()

    scalars = list(tensorboard_scalars(folder / "log" / "serial"))
    wanted = {f"learner/{name}" for name in [*TAGS, "data_time_val", "epoch_val", "acc1_avg"]}
    assert {tag for tag, _, _ in scalars if tag.startswith("learner/")} == wanted
    assert [(step, value) for tag, step, value in scalars if tag == "learner/epoch_val"] == [
        (1, 0.0),
        (2, 0.0),
        (3, 1.0),
        (4, 1.0),
    ]
    assert sorted(path.name for path in (folder / "ckpt").iterdir()) == [
        "ckpt_best.pth.tar",
        "iteration_2.pth.tar",
        "iteration_3.pth.tar",
        "iteration_4.pth.tar",
    ]
    last = torch.load(folder / "ckpt" / "iteration_4.pth.tar", weights_only=True)
    assert {"model", "optimizer", "last_iter", "last_step"} <= last.keys()
    assert last["last_iter"] == 4
    assert read_config(folder / "total_config.py").policy.learn.batch_size == 8


@pytest.mark.dist
@pytest.mark.slow
def test_a_known_program_runs_unchanged_under_torchrun(pictures: Path, tmp_path: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    printed = run_program(launcher, [str(pictures), "known", "multi_gpu"], tmp_path)
    folder = tmp_path / "known"

    # Six pictures a rank are one batch of eight; only rank 0 writes lines.
    assert [line[0] for line in log_lines(printed)] == ["Epoch: 0 [   0/1]", "Epoch: 1 [   0/1]"]
    results = evaluations(printed)
    assert sorted(results) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert results[0, 0] == results[1, 0]
    assert results[0, 1] == results[1, 1]
    expected = recount(folder / "ckpt" / "iteration_1.pth.tar", pictures)
    assert results[0, 1] == pytest.approx(expected, rel=1e-5)
    assert not [path for path in tmp_path.iterdir() if path.name != "known"]
    assert torch.load(folder / "ckpt" / "iteration_2.pth.tar", weights_only=True)["last_iter"] == 2
    epochs = [row for row in tensorboard_scalars(folder / "log" / "serial") if row[0] == "learner/epoch_val"]
    assert epochs == [("learner/epoch_val", 1, 0.0), ("learner/epoch_val", 2, 1.0)]
    assert read_config(folder / "total_config.py").policy.multi_gpu is True


class OldPolicy(Policy):
    """A policy as DI-engine's users wrote them: its own keys, optimizer and schedule, and unused methods."""

    config = dict(type="image_classification", on_policy=False, margin=0.5)  # noqa: C408

    def _init_learn(self) -> None:
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), lr=self._cfg.learn.learning_rate, momentum=0.9
        )
        self._timer = EasyTimer(cuda=True)
        self._lr_scheduler = LambdaLR(self._optimizer, lambda epoch: 0.5**epoch)
        self._learn_model = model_wrap(self._model, "base")
        self._learn_model.reset()
        self._ce_loss = nn.CrossEntropyLoss()

    def _forward_learn(self, data: Any) -> dict[str, Any]:
        data = to_device(data, self._device)
        self._learn_model.train()
        with self._timer:
            images, targets = data
            loss = self._ce_loss(self._learn_model.forward(images), targets) * self._cfg.margin
        forward_time = self._timer.value
        self._optimizer.zero_grad()
        loss.backward()
        if self._cfg.learn.multi_gpu:
            self.sync_gradients(self._learn_model)
        self._optimizer.step()
        lr = self._optimizer.param_groups[0]["lr"]
        return {"cur_lr": lr, "total_loss": loss.item(), "forward_time": forward_time, "[histogram]lrs": [lr]}

    def _init_eval(self) -> None:
        self._eval_model = model_wrap(self._model, "base")

    def _forward_eval(self, data: Any) -> torch.Tensor:
        self._eval_model.eval()
        with torch.no_grad():
            return self._eval_model.forward(to_device(data, self._device))

    def _init_collect(self) -> None:
        raise AssertionError("nothing here collects")

    _forward_collect = _process_transition = _get_train_sample = _reset_collect = _init_collect


def old_config(**own: Any) -> EasyDict:
    cfg = {"policy": {"cuda": False, "learn": {"learning_rate": 0.1}, **own}}
    return compile_config(cfg, seed=0, policy=OldPolicy, save_cfg=False)


def old_batch(seed: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.rand(6, 3, 8, 8, generator=draw), torch.arange(6) % 4]


def test_keys_of_a_subclass_are_known_and_others_are_not() -> None:
    assert old_config().policy.margin == 0.5
    assert old_config(margin=0.25).policy.margin == 0.25
    with pytest.raises(
        ConfigError, match=r"policy\.margins is not a known key; did you mean policy\.margin\?"
    ):
        old_config(margins=0.25)


def test_a_policy_with_old_collect_methods_trains(workdir: Path, tiny_net: TinyNet) -> None:
    policy = OldPolicy(old_config().policy, model=tiny_net, enable_field=["learn", "eval"])
    learner = BaseLearner({}, policy.learn_mode, exp_name="old")
    before = tiny_net.head.weight.clone()
    learner.train(old_batch(0))
    learner.train(old_batch(1))
    learner.policy.get_attribute("lr_scheduler").step()
    learner.train(old_batch(2))
    learner.close()
    assert learner.train_iter == 3
    assert policy.learn_mode.get_attribute("optimizer").param_groups[0]["lr"] == pytest.approx(0.05)
    assert not torch.equal(before, tiny_net.head.weight)
    assert policy.eval_mode.forward(old_batch(0)[0]).shape == (6, 4)


def test_the_state_of_an_old_policy_holds_its_optimizer(workdir: Path, tiny_net: TinyNet) -> None:
    policy = OldPolicy(old_config().policy, model=tiny_net)
    learner = BaseLearner({}, policy.learn_mode, exp_name="old")
    learner.train(old_batch(0))
    learner.save_checkpoint()
    learner.close()
    state = torch.load("old/ckpt/iteration_1.pth.tar", weights_only=True)
    assert set(state["model"]) == set(TinyNet().state_dict())
    again = OldPolicy(old_config().policy, model=TinyNet())
    resumed = BaseLearner({}, again.learn_mode, exp_name="again")
    resumed.load_checkpoint("old/ckpt/iteration_1.pth.tar")
    torch.manual_seed(1)
    policy.learn_mode.forward(old_batch(1))
    torch.manual_seed(1)
    again.learn_mode.forward(old_batch(1))
    resumed.close()
    for name, tensor in policy.learn_mode.state_dict()["model"].items():
        assert torch.equal(tensor, again.learn_mode.state_dict()["model"][name]), name


def train_old_policy() -> dict[str, list[Any]]:
    torch.manual_seed(get_rank())
    cfg = old_config(multi_gpu=True)
    policy = OldPolicy(cfg.policy, model=TinyNet())
    for number in range(3):
        policy.learn_mode.forward(old_batch(10 * number + get_rank()))
    return {name: value.tolist() for name, value in policy._model.named_parameters()}


@pytest.mark.dist
@pytest.mark.slow
def test_sync_gradients_of_an_old_policy_keeps_the_ranks_equal() -> None:
    first, second = run_ranks(train_old_policy, 2)
    assert first == second


def test_data_parallel_is_accepted_and_its_keys_are_unwrapped(workdir: Path, tiny_net: TinyNet) -> None:
    cfg = compile_config({"policy": {"cuda": False}}, save_cfg=False)
    policy = ImageClassificationPolicy(cfg.policy, model=nn.DataParallel(tiny_net))
    learner = BaseLearner({}, policy.learn_mode, exp_name="parallel")
    learner.train(old_batch(0))
    learner.save_checkpoint()
    learner.close()
    state = torch.load("parallel/ckpt/iteration_1.pth.tar", weights_only=True)
    assert list(state["model"]) == list(TinyNet().state_dict())

    wrapped = {f"module.{name}": value for name, value in state["model"].items()}
    other = ImageClassificationPolicy(cfg.policy, model=TinyNet())
    other.eval_mode.load_state_dict({"model": wrapped})
    for name, value in other.eval_mode.state_dict()["model"].items():
        assert torch.equal(value, state["model"][name]), name


def test_an_evaluator_takes_its_config_without_multi_gpu(picture_folder: Path, workdir: Path) -> None:
    cfg = compile_config({"policy": {"cuda": False}}, evaluator=MetricSerialEvaluator, save_cfg=False)
    assert cfg.policy.eval.evaluator.multi_gpu is None
    assert MetricSerialEvaluator({"eval_freq": 1}, exp_name=None).should_eval(0) is True
