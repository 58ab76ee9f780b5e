"""Training and evaluation never wait for the device on their way: counted on a CPU, refused on a GPU."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ding_cls.data import SyntheticDataset, build_eval_loader
from ding_cls.metrics import METRICS, ClassificationMetrics, ImageClassificationMetric, SumMetric
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner, MetricSerialEvaluator
from ding_cls.worker.learner.hooks.builtin import LogRowHook

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "bincount", "equal")
LINE = 10


class Waits(TorchDispatchMode):
    """Counts what would wait for a GPU: reads of values, sizes that depend on values, copies of host data."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITING:
            self.found[name] += 1
        if name == "index" and any(each is not None and each.dtype is torch.bool for each in args[1]):
            self.found["index by bool"] += 1
        if name == "_to_copy" and is_blocking_copy(args[0], kwargs or {}):
            self.found["copy from the host"] += 1
        return func(*args, **(kwargs or {}))


def is_blocking_copy(tensor: torch.Tensor, kwargs: dict[str, Any]) -> bool:
    device = kwargs.get("device")
    is_moved = device is not None and torch.device(device).type != tensor.device.type
    return is_moved and not kwargs.get("non_blocking")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(images).mean((2, 3)))


class Loader:
    """Yields one batch again and again, and keeps what was counted in each update."""

    def __init__(self, count: int, batch: Batch, counter: Waits) -> None:
        self.count, self.batch, self.counter = count, batch, counter
        self.per_update: list[Counter[str]] = []

    def __len__(self) -> int:
        return self.count

    def set_position(self, epoch: int, first_batch: int) -> None: ...

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.count):
            before = self.counter.found.copy()
            try:
                yield self.batch
            finally:
                self.per_update.append(self.counter.found - before)


def batch_of(count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, 4, 4, generator=generator)
    return Batch(images, torch.arange(count) % 4, torch.arange(count))


def learner_of(cuda: bool = False) -> BaseLearner:
    torch.manual_seed(0)
    policy = ImageClassificationPolicy({"cuda": cuda, "learn": {"learning_rate": 0.01}}, model=Net())
    learner = BaseLearner({}, policy.learn_mode, exp_name="waits")
    learner.register_hook(LogRowHook("log_show", 15, freq=LINE))
    return learner


def test_an_update_reads_nothing_unless_a_line_is_due(workdir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    learner, counter = learner_of(), Waits()
    loader = Loader(2 * LINE, batch_of(), counter)

    def counted(original: Any) -> Any:
        def read(*args: Any, **kwargs: Any) -> Any:
            counter.found["read"] += 1
            return original(*args, **kwargs)

        return read

    for name in ("tolist", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, counted(getattr(torch.Tensor, name)))
    with counter:
        learner.start(loader, max_epochs=1)  # type: ignore[arg-type]
    learner.close()
    assert len(loader.per_update) == 2 * LINE
    due = [number for number, found in enumerate(loader.per_update, 1) if found]
    assert due == [LINE, 2 * LINE]
    assert loader.per_update[LINE - 1]["read"] > 0, "the counter does not count"


class ByPixel:
    """Guesses from one pixel."""

    def forward(self, batch: Batch) -> torch.Tensor:
        return batch.images[:, 0, 0].float().repeat(1, 2)[:, :4]

    def get_attribute(self, name: str) -> None: ...

    def reset(self) -> None: ...


def test_an_evaluation_reads_as_often_however_many_batches_it_has() -> None:
    found = []
    for num_samples in (8, 80):
        loader = build_eval_loader(SyntheticDataset(num_samples, 4, 6), 8)
        metric = ClassificationMetrics(["loss", "accuracy", "f1", "confusion", "ece"])
        evaluator = MetricSerialEvaluator({}, [loader, metric], ByPixel(), exp_name=None)  # type: ignore[arg-type]
        with Waits() as counter:
            evaluator.eval()
        found.append(counter.found)
    assert found[0] == found[1]
    assert found[0]["_local_scalar_dense"] > 0, "the counter does not count"


def sum_metrics() -> list[str]:
    kinds = {METRICS.get(name) for name in METRICS}
    names = [each.__name__ for each in kinds if isinstance(each, type) and issubclass(each, SumMetric)]
    # torchmetrics' own code and the metric of K tasks take other targets.
    return sorted(set(names) - {"StringAccuracy", "TorchMetric"})


@pytest.mark.parametrize("name", sum_metrics())
def test_the_sums_of_a_batch_on_a_gpu_wait_for_nothing(name: str) -> None:
    try:
        metric = METRICS.get(name)()
    except TypeError:
        pytest.skip("it needs arguments")
    with FakeTensorMode() as fake, Waits() as counter:
        logits, targets = (fake.from_tensor(each) for each in (torch.randn(6, 4), torch.arange(6) % 4))
        logits, targets = (each.to("cuda", non_blocking=True) for each in (logits, targets))
        sums = metric.sums(logits, targets)
        totals = dict(metric.zeros())
        totals = {
            key: (value.to(sums[key].device, non_blocking=True) if value.dim() else value) + sums[key]
            for key, value in totals.items()
        }
    assert not counter.found
    assert totals["count"].device.type == "cpu"


def test_the_counter_sees_a_copy_from_the_host() -> None:
    with FakeTensorMode(), Waits() as counter:
        torch.tensor(5, device="cuda")
    assert counter.found["copy from the host"] == 1


@contextmanager
def no_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for_between_lines(workdir: Any) -> None:
    learner = learner_of(cuda=True)
    batches = [batch_of().pin_memory() for _ in range(LINE - 1)]
    learner.train(batches[0])
    with no_waits():
        for batch in batches[1:-1]:
            learner.train(batch)
    learner.train(batches[-1])
    learner.close()
    assert os.path.isdir("waits")


def normalised(batch: Batch) -> Batch:
    return batch.with_images(batch.images.permute(0, 3, 1, 2).float())


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for_between_evaluation_batches() -> None:
    policy = ImageClassificationPolicy({"cuda": True}, model=Net())
    policy.eval_mode.set_attribute("prepare_batch", normalised)
    dataset = SyntheticDataset(64, 4, 6)
    env = [build_eval_loader(dataset, 8), ImageClassificationMetric()]
    evaluator = MetricSerialEvaluator({}, env, policy.eval_mode, exp_name=None)
    first = evaluator.eval()[1]
    batches = [each.pin_memory() for each in build_eval_loader(dataset, 8)]

    class Refusing:
        """Refuses waits from its first batch on to its last."""

        dataset = env[0].dataset

        def __iter__(self) -> Iterator[Batch]:
            with no_waits():
                yield from batches

        def __len__(self) -> int:
            return len(batches)

    evaluator.reset_env([Refusing(), ImageClassificationMetric()])
    assert evaluator.eval()[1] == first
