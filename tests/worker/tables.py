"""Networks that know their logits by heart, and metrics as users write them.

The logits come from a table, looked up by the sample's number in its pixels, so they are the same bits at any
batch size and every expected number can be recounted.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ding_cls.common.seed import generator
from ding_cls.metrics import ImageClassificationMetric, IMetric
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch
from ding_cls.worker import MetricSerialEvaluator


class NumberedSamples(Dataset[tuple[torch.Tensor, int]]):
    """Pictures of one pixel that hold their own number."""

    def __init__(self, targets: Sequence[int], classes: tuple[str, ...] | None = None) -> None:
        self.targets = list(targets)
        if classes is not None:
            self.classes = classes

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((3, 1, 1), float(index)), self.targets[index]


class TablePolicy:
    """The eval mode of a network that knows its logits by heart, and how it was asked."""

    def __init__(self, logits: torch.Tensor, class_names: tuple[str, ...] | None = None) -> None:
        self.logits, self.class_names = logits, class_names
        self.batch_sizes: list[int] = []
        self.num_resets = 0

    def mode(self) -> EvalMode:
        return EvalMode(
            forward=self.forward,
            reset=self.reset,
            get_attribute={"class_names": self.class_names}.__getitem__,
            set_attribute=lambda name, value: None,
            state_dict=dict,
            load_state_dict=lambda state: None,
        )

    def forward(self, batch: Any) -> torch.Tensor:
        images = batch.images if isinstance(batch, Batch) else batch
        self.batch_sizes.append(len(images))
        return self.logits[images[:, 0, 0, 0].long()]

    def reset(self) -> None:
        self.num_resets += 1


class DingStyleMetric(IMetric):
    """A metric as users of this design write it: floats of a batch, the plain mean, better in every key."""

    def __init__(self) -> None:
        self.loss = torch.nn.CrossEntropyLoss()
        self.calls: list[list[dict[str, float]]] = []

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
        top = inputs.topk(5, dim=1).indices
        hits = top == label.view(-1, 1)
        return {
            "loss": self.loss(inputs, label).item(),
            "acc1": hits[:, :1].any(1).float().mean().item() * 100,
            "acc5": hits.any(1).float().mean().item() * 100,
        }

    def reduce_mean(self, inputs: list[dict[str, float]]) -> dict[str, float]:
        self.calls.append(inputs)
        return {name: sum(each[name] for each in inputs) / len(inputs) for name in inputs[0]}

    def gt(self, metric1: dict[str, float], metric2: dict[str, float] | None) -> bool:
        return metric2 is None or all(metric1[name] >= metric2[name] for name in metric2)


class ScriptedMetric(IMetric):
    """Returns the results it was given, one an evaluation, and records what ``gt`` is asked."""

    def __init__(self, results: Sequence[Any], name: str = "score") -> None:
        self._results, self._name = iter(results), name
        self.asked: list[tuple[Any, Any]] = []

    def eval(self, inputs: Any, label: Any) -> dict[str, Any]:
        return {}

    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return {self._name: next(self._results)}

    def gt(self, metric1: Any, metric2: Any) -> bool:
        self.asked.append((metric1[self._name], metric2[self._name]))
        return bool(metric1[self._name] > metric2[self._name])


class CountingMetric(DingStyleMetric):
    """One whose mean is exact, because it asks for the counts."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def reduce_mean(self, inputs: list[dict[str, float]], counts: list[int]) -> dict[str, float]:  # type: ignore[override]
        self.counts = counts
        total = sum(counts)
        return {
            name: sum(each[name] * n for each, n in zip(inputs, counts, strict=True)) / total
            for name in inputs[0]
        }


def numbered(num_samples: int, num_classes: int = 8) -> tuple[NumberedSamples, TablePolicy]:
    """Return a data set and a policy that is right about one sample in two or three."""
    source = generator(num_samples, num_classes)
    targets = torch.randint(num_classes, (num_samples,), generator=source)
    logits = torch.randn(num_samples, num_classes, generator=source)
    # Rounded to quarters: ties are common.
    logits = ((logits + torch.nn.functional.one_hot(targets, num_classes)) * 4).round() / 4
    return NumberedSamples(targets.tolist()), TablePolicy(logits)


def evaluator_of(loader: Any, policy: TablePolicy, metric: IMetric | None = None, **cfg: Any) -> Any:
    env = [loader, metric or ImageClassificationMetric()]
    return MetricSerialEvaluator(cfg, env, policy.mode(), exp_name=None)


def scripted(results: Sequence[Any], **cfg: Any) -> tuple[MetricSerialEvaluator, ScriptedMetric]:
    samples, policy = numbered(3)
    metric = ScriptedMetric(results)
    return evaluator_of(DataLoader(samples, 3), policy, metric, **cfg), metric


def recount(logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Hits by a stable sort, loss by log-sum-exp in float64: nothing of torch, nothing of ours."""
    order = np.argsort(-logits.astype(np.float64), axis=1, kind="stable")
    places = (order == targets[:, None]).argmax(1)
    wide = logits.astype(np.float64)
    losses = np.log(np.exp(wide).sum(1)) - wide[np.arange(len(targets)), targets]
    return {"top1": int((places < 1).sum()), "top5": int((places < 5).sum()), "loss": float(losses.mean())}
