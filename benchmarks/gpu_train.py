"""Training on one GPU beside a bare loop: ``python benchmarks/gpu_train.py [--write]``; four minutes at most.

ResNet-18 and ResNet-50, bf16, eager and compiled, on synthetic images that lie on the device. The two loops
take turns in one process: the same network, optimizer, batch and precision. ``ding_cls`` is
``BaseLearner.start`` with its default hooks and a line every ten updates; the bare loop is forward, loss,
``zero_grad``, ``backward``, ``step``. The device is waited for at the end of each turn only. A case that does
not begin before the time is up is left out with a line.

``--cpu`` runs two updates of a small ResNet-18 on a CPU: it shows that the script works, and no more.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torchvision
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.page import write_block
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.hooks.builtin import LogRowHook

LIMIT_S = 230.0
CASES = [(name, is_compiled) for is_compiled in (False, True) for name in ("resnet18", "resnet50")]
LR, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4


class Batches:
    """One batch again and again; the time from the first to the end of the last update is kept."""

    def __init__(self, batch: Batch, count: int) -> None:
        self.batch, self.count = batch, count
        self.seconds = 0.0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        wait(self.batch.images.device)
        began = time.perf_counter()
        try:
            for _ in range(self.count):
                yield self.batch
        finally:
            wait(self.batch.images.device)
            self.seconds = time.perf_counter() - began

    def set_position(self, epoch: int, first_batch: int) -> None:
        """Begin an epoch, as our learner asks for."""


def bare(network: nn.Module, is_compiled: bool) -> Callable[[Batches], None]:
    device = next(network.parameters()).device
    optimizer = torch.optim.SGD(
        network.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, fused=device.type == "cuda"
    )
    forward = torch.compile(network) if is_compiled else network
    network.train()

    def run(batches: Batches) -> None:
        for batch in batches:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = forward(batch.images)
            loss = functional.cross_entropy(logits.float(), batch.targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def ours(network: nn.Module, is_compiled: bool) -> Callable[[Batches], None]:
    is_cuda = next(network.parameters()).is_cuda
    if is_compiled:
        network.compile()
    learn = {"precision": "bf16", "learning_rate": LR, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
    policy = ImageClassificationPolicy({"cuda": is_cuda, "learn": learn}, model=network)

    def run(batches: Batches) -> None:
        # No checkpoint: a file of 200 MB is no part of an update.
        hook = {"save_ckpt_after_iter": False, "save_ckpt_after_run": False}
        learner = BaseLearner({"hook": hook}, policy.learn_mode, exp_name="ours")
        learner.register_hook(LogRowHook("log_show", 15, freq=10))
        learner.start(batches, max_epochs=1)
        learner.close()

    return run


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(name: str, is_compiled: bool, device: torch.device, chosen: Any) -> list[list[float]]:
    """Return milliseconds an update of each round: the bare loop's, and ours."""
    loops = []
    for make in (bare, ours):
        torch.manual_seed(0)
        network = torchvision.models.get_model(name, num_classes=1000).to(device)
        loops.append(make(network, is_compiled))
    size = chosen.size
    images = torch.randn(chosen.batch, 3, size, size, device=device)
    targets = torch.randint(0, 1000, (chosen.batch,), device=device)
    batch = Batch(images, targets, torch.arange(chosen.batch))
    times: list[list[float]] = [[], []]
    for number in range(chosen.rounds + 1):
        for place in (0, 1) if number % 2 else (1, 0):
            batches = Batches(batch, chosen.updates)
            with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
                loops[place](batches)
            # The first round compiles and allocates.
            if number:
                times[place].append(batches.seconds * 1e3 / chosen.updates)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=224, help="side of the images in px")
    parser.add_argument("--cpu", action="store_true", help="see that it works; the times mean nothing")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args()
    cases = CASES
    if chosen.cpu:
        chosen.rounds, chosen.updates, chosen.batch, chosen.size, cases = 1, 2, 2, 32, CASES[:1]
    elif not torch.cuda.is_available():
        print("not run: there is no GPU here")
        return
    device = torch.device("cpu" if chosen.cpu else "cuda:0")
    card = "CPU" if chosen.cpu else torch.cuda.get_device_name()
    lines = [
        f"`python benchmarks/gpu_train.py --write`; {card}, torch {torch.__version__}, bf16, batch "
        f"{chosen.batch}, {chosen.size} px; medians of {chosen.rounds} rounds of {chosen.updates} updates.",
        "",
        "| network | bare loop, ms an update | ding_cls | ratio (lowest to highest round) |",
        "|---|---|---|---|",
    ]
    began, home = time.perf_counter(), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, is_compiled in cases:
            if time.perf_counter() - began > LIMIT_S * 0.6:
                print(f"{name}, compiled={is_compiled}: left out, the time is up")
                continue
            plain, own = measure(name, is_compiled, device, chosen)
            ratios = sorted(a / b for a, b in zip(own, plain, strict=True))
            way = "compiled" if is_compiled else "eager"
            lines.append(
                f"| {name}, {way} | {median(plain):.2f} | {median(own):.2f} | {median(ratios):.4f} "
                f"({ratios[0]:.4f} to {ratios[-1]:.4f}) |"
            )
            print(lines[-1], flush=True)
        os.chdir(home)
    if chosen.write:
        write_block("gpu", "benchmarks/gpu_train.py", lines)


if __name__ == "__main__":
    main()
