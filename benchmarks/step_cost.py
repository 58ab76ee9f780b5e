"""What it costs to see that an update is finite: ``python benchmarks/step_cost.py``.

Two policies make the same updates in turn, one with the guard of ``ding_cls.policy.update.finite``, one with
a stand-in that does none of its work; the order changes from round to round. Time is this process's own, on
one thread, so that others on the machine count little. The figure of a round is the mean of its updates; that
of a network is the median of the rounds, and the spread is their quartiles.
"""

import argparse
import platform
import time
from statistics import median, quantiles
from typing import Any

import torch
import torchvision
from torch import nn

from ding_cls.policy import ImageClassificationPolicy


class Unguarded:
    """Does an update's own work alone."""

    verdict = None
    buffers: list[torch.Tensor] = []
    before: list[torch.Tensor] = []

    def begin(self) -> None: ...

    def backward(self, loss: torch.Tensor) -> None:
        torch.autograd.backward(loss)

    def inspect(self, *losses: torch.Tensor) -> None: ...

    def allows(self, grad_norm: Any = None) -> bool:
        return True

    def end(self) -> None: ...

    def take_verdict(self) -> None: ...


class Null(nn.Module):
    """The least that there is to train: one layer, and with ``normed`` BatchNorm before it."""

    def __init__(self, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3) if normed else nn.Identity()
        self.head = nn.Linear(3, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(images).mean((2, 3)))


def policy_of(network: nn.Module, *, is_guarded: bool) -> ImageClassificationPolicy:
    policy = ImageClassificationPolicy(
        {"cuda": False, "learn": {"learning_rate": 1e-4, "warmup_epoch": 0, "lr_schedule": "constant"}},
        model=network,
    )
    if not is_guarded:
        policy._finite = Unguarded()  # type: ignore[assignment]
    return policy


def seconds_of(policy: ImageClassificationPolicy, batch: list[torch.Tensor], updates: int) -> float:
    forward = policy.learn_mode.forward
    began = time.process_time()
    for _ in range(updates):
        forward(batch)
    return (time.process_time() - began) / updates


def compare(name: str, make: Any, batch: list[torch.Tensor], *, rounds: int, updates: int) -> None:
    policies = []
    for is_guarded in (False, True):
        torch.manual_seed(0)
        policies.append(policy_of(make(), is_guarded=is_guarded))
    for each in policies:
        seconds_of(each, batch, max(updates // 10, 2))
    times: list[list[float]] = [[], []]
    for number in range(rounds):
        order = (0, 1) if number % 2 else (1, 0)
        for position in order:
            times[position].append(seconds_of(policies[position], batch, updates))
    differences = [(guarded - plain) * 1e6 for plain, guarded in zip(*times, strict=True)]
    ratios = [guarded / plain for plain, guarded in zip(*times, strict=True)]
    low, _, high = quantiles(differences, n=4)
    plain, guarded = (median(each) * 1e6 for each in times)
    print(
        f"{name:24} {plain:10.1f} us  {guarded:10.1f} us  + {median(differences):8.1f} us "
        f"({low:.1f} to {high:.1f})  ratio {median(ratios):.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--skip-resnet", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.processor() or platform.machine()}, one thread")
    print(f"{'network':24} {'plain':>13}  {'guarded':>13}  difference (quartiles of {chosen.rounds} rounds)")
    images, targets = torch.randn(4, 3, 4, 4), torch.arange(4)
    for normed in (False, True):
        name = "null loop, BatchNorm" if normed else "null loop"
        compare(
            name,
            lambda normed=normed: Null(normed=normed),
            [images, targets],
            rounds=chosen.rounds,
            updates=200,
        )
    if not chosen.skip_resnet:
        batch = [torch.randn(32, 3, 64, 64), torch.randint(0, 10, (32,))]
        compare(
            "ResNet-18, 32 x 64 px",
            lambda: torchvision.models.resnet18(num_classes=10),
            batch,
            rounds=max(chosen.rounds // 4, 4),
            updates=3,
        )


if __name__ == "__main__":
    main()
