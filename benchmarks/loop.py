"""What a training loop costs beside the bare one: ``python benchmarks/loop.py [--write]``.

Every contestant trains the same network on the same batch, one thread, in one process; they take turns, and
the order changes from round to round. A contestant gets its batches from an iterable that notes the clock
whenever it is asked: an update lasts from one request to the next, without set-up and checkpoints. Times are
the CPU time of this process, its threads included, so that others on the machine count little; the last
column is the wall clock's.

- *bare*: forward, loss, ``zero_grad``, ``backward``, ``step``. It runs twice: the second against the first
  shows the noise.
- *ding_cls*: ``BaseLearner.start`` with its default hooks; with the line, the row and the TensorBoard event
  that a run writes every ten updates; without the guard against updates that are not finite.
- *timm*: the loop of its ``train.py``, which its package lacks, written out here with timm's own meters and
  scheduler, and a line every 50 updates.
- *ignite*, *Lightning*: where they are installed: ``create_supervised_trainer``, and ``Trainer.fit`` of a
  module that logs its loss.

``--write`` puts the tables into ``docs/performance.md``.
"""

import argparse
import logging
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.page import write_block
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.modes import Verdict
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.hooks.builtin import LogRowHook

LR, MOMENTUM, WEIGHT_DECAY = 1e-4, 0.9, 1e-4
# The first updates make the optimizer's state, files and caches.
WARM_UP = 5
BARE, OURS = "bare loop", "ding_cls"


@dataclass
class Batches:
    """One batch again and again; notes the clocks whenever it is asked for the next.

    Attributes:
        batch: ``[images, targets]``.
        count: batches in an epoch.
        as_record: yield our ``Batch``.
    """

    batch: tuple[Tensor, Tensor]
    count: int
    as_record: bool = False
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        each: Any = list(self.batch)
        if self.as_record:
            each = Batch(*self.batch, torch.arange(len(self.batch[1])))
        for _ in range(self.count):
            self._note()
            yield each
        self._note()

    def set_position(self, epoch: int, first_batch: int) -> None:
        """Begin an epoch, as our learner asks for."""

    def times(self) -> tuple[list[float], list[float]]:
        """Return the microseconds of each update but the first, by CPU time and by the wall clock."""
        cpu, wall = (
            [(end - begin) * 1e6 for begin, end in pairwise(clock)][WARM_UP:]
            for clock in (self.cpu, self.wall)
        )
        return cpu, wall

    def _note(self) -> None:
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())


Loop = Callable[[nn.Module, Batches], None]


class Null(nn.Module):
    """The least that there is to train: one layer, and with ``normed`` BatchNorm before it."""

    def __init__(self, *, normed: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3) if normed else nn.Identity()
        self.head = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(images).mean((2, 3)))


def sgd(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def bare(network: nn.Module, batches: Batches) -> None:
    optimizer = sgd(network)
    network.train()
    for images, targets in batches:
        loss = functional.cross_entropy(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def ours(network: nn.Module, batches: Batches, *, is_guarded: bool = True, has_lines: bool = False) -> None:
    learn = {"learning_rate": LR, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
    policy = ImageClassificationPolicy({"cuda": False, "learn": learn}, model=network)
    if not is_guarded:
        policy._finite = Unguarded()  # type: ignore[assignment]
    batches.as_record = True
    learner = BaseLearner({}, policy.learn_mode, exp_name="ours")
    if has_lines:
        learner.register_hook(LogRowHook("log_show", 15, freq=10))
    learner.start(batches, max_epochs=1)
    learner.close()


class Unguarded:
    """Stands in for ``FiniteUpdates``, and does an update's own work alone."""

    verdict = None
    buffers: list[Tensor] = []
    before: list[Tensor] = []

    def begin(self) -> None: ...

    def backward(self, loss: Tensor) -> None:
        torch.autograd.backward(loss)

    def inspect(self, *losses: Tensor) -> None: ...

    def allows(self, grad_norm: Any = None) -> bool:
        return True

    def end(self) -> None: ...

    def take_verdict(self) -> Verdict:
        return Verdict(is_skipped=False, counts=False)


def unguarded(network: nn.Module, batches: Batches) -> None:
    ours(network, batches, is_guarded=False)


def with_lines(network: nn.Module, batches: Batches) -> None:
    ours(network, batches, has_lines=True)


def timm_loop(network: nn.Module, batches: Batches) -> None:
    from timm.scheduler import CosineLRScheduler
    from timm.utils import AverageMeter

    logger = logging.getLogger("timm_loop")
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    optimizer = sgd(network)
    scheduler = CosineLRScheduler(optimizer, t_initial=100)
    batch_time, data_time, losses = AverageMeter(), AverageMeter(), AverageMeter()
    device = torch.device("cpu")
    network.train()
    last, began = len(batches) - 1, time.time()
    for step, (images, targets) in enumerate(batches):
        data_time.update(time.time() - began)
        images, targets = images.to(device), targets.to(device)
        loss = functional.cross_entropy(network(images), targets)
        losses.update(loss.item(), images.size(0))
        optimizer.zero_grad()
        loss.backward(create_graph=False)
        optimizer.step()
        batch_time.update(time.time() - began)
        if step == last or step % 50 == 0:
            rate = images.size(0) / batch_time.val
            rates = [group["lr"] for group in optimizer.param_groups]
            logger.info(
                f"Train: 0 [{step:>4d}/{len(batches)} ({100 * step / last:>3.0f}%)]  "
                f"Loss: {losses.val:#.4g} ({losses.avg:#.3g})  Time: {batch_time.val:.3f}s, {rate:>7.2f}/s  "
                f"({batch_time.avg:.3f}s)  LR: {sum(rates) / len(rates):.3e}  "
                f"Data: {data_time.val:.3f} ({data_time.avg:.3f})"
            )
        scheduler.step_update(num_updates=step + 1, metric=losses.avg)
        began = time.time()
    logger.removeHandler(handler)


def ignite_loop(network: nn.Module, batches: Batches) -> None:
    from ignite.engine import create_supervised_trainer

    trainer = create_supervised_trainer(network, sgd(network), nn.CrossEntropyLoss())
    trainer.run(batches, max_epochs=1)


def lightning_loop(network: nn.Module, batches: Batches) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def training_step(self, batch: list[Tensor], number: int) -> Tensor:
            loss = functional.cross_entropy(self.network(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return sgd(self.network)

    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(Module(), batches)


def contestants(*, is_full: bool) -> dict[str, Loop]:
    """Return who takes part, by name; of what is not installed a line is printed."""
    found: dict[str, Loop] = {BARE: bare, "bare loop again": bare, OURS: ours}
    found |= {"ding_cls, a line every 10 updates": with_lines, "ding_cls without its guard": unguarded}
    if not is_full:
        return found
    others = {"timm's loop, written out": ("timm", timm_loop)}
    others |= {"ignite": ("ignite", ignite_loop), "Lightning": ("lightning", lightning_loop)}
    for name, (package, loop) in others.items():
        if find_spec(package) is None:
            print(f"{name} takes no part: {package} is not installed")
        else:
            found[name] = loop
    return found


@dataclass
class Times:
    """Microseconds of an update: means and medians of each round by CPU time, medians by the wall clock."""

    means: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, batches: Batches) -> None:
        cpu, wall = batches.times()
        self.means.append(mean(cpu))
        self.medians.append(median(cpu))
        self.wall.append(median(wall))


def measure(
    loops: dict[str, Loop], make: Callable[[], nn.Module], batch: Any, *, rounds: int, updates: int
) -> dict[str, Times]:
    """Let the contestants take turns; the first round warms up and is not counted."""
    times = {name: Times() for name in loops}
    names = list(loops)
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            torch.manual_seed(0)
            batches = Batches(batch, updates)
            with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
                loops[name](make(), batches)
            if number:
                times[name].add(batches)
    return times


def over(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the median over the rounds of the difference within a round."""
    return median(value - other for value, other in zip(values, base, strict=True))


def table(times: dict[str, Times], *, rounds: int) -> list[str]:
    """Return the lines of a table: the bare loop's times, and those of others over them, or as a ratio."""
    base = times[BARE]
    is_null = median(base.medians) < 10_000
    unit = "us over the bare loop" if is_null else "ratio to the bare loop"
    lines = [
        f"| {unit}, {rounds} rounds | mean | median | minimum | median, wall clock |",
        "|---|---|---|---|---|",
        f"| {BARE}: us an update | {median(base.means):.0f} | {median(base.medians):.0f} | "
        f"{min(base.medians):.0f} | {median(base.wall):.0f} |",
    ]
    for name, each in times.items():
        if name == BARE:
            continue
        pairs = [(each.means, base.means), (each.medians, base.medians), (each.wall, base.wall)]
        if is_null:
            cells = [f"{over(own, other):+.0f}" for own, other in pairs]
            cells.insert(2, f"{min(each.medians) - min(base.medians):+.0f}")
        else:
            cells = [f"{median(a / b for a, b in zip(own, other, strict=True)):.4f}" for own, other in pairs]
            cells.insert(2, f"{min(each.medians) / min(base.medians):.4f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--updates", type=int, default=300, help="of the null networks, in a round")
    parser.add_argument("--only-null", action="store_true", help="leave out BatchNorm and ResNet-18")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    machine = f"torch {torch.__version__}, {platform.machine()}, one thread"
    small = (torch.randn(4, 3, 4, 4), torch.tensor([2, 0, 3, 1]))
    large = (torch.randn(32, 3, 64, 64), torch.randint(0, 10, (32,)))
    full, few = contestants(is_full=True), contestants(is_full=False)
    r, n = chosen.rounds, chosen.updates
    networks: list[tuple[str, Any]] = [
        ("One linear layer, 4 images of 4 px", lambda: measure(full, Null, small, rounds=r, updates=n))
    ]
    if not chosen.only_null:
        normed, resnet = lambda: Null(normed=True), lambda: torchvision.models.resnet18(num_classes=10)
        networks += [
            ("BatchNorm before it", lambda: measure(few, normed, small, rounds=r, updates=n)),
            (
                "ResNet-18, 32 images of 64 px",
                lambda: measure(few, resnet, large, rounds=r, updates=WARM_UP + 4),
            ),
        ]
    lines = [f"`python benchmarks/loop.py --write`; {machine}."]
    print(lines[0])
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, run in networks:
            times = run()
            found = ["", f"**{name}**", "", *table(times, rounds=len(times[BARE].means))]
            print("\n".join(found), flush=True)
            lines += found
        os.chdir(home)
    if chosen.write:
        write_block("loop", "benchmarks/loop.py", lines)


if __name__ == "__main__":
    main()
