"""What users bring of their own: a data set, hooks with a state, a metric, a step of a pipeline."""

import random
from typing import Any

import numpy as np
import torch

from ding_cls.data import DATASETS, PIPELINES, CustomDataset
from ding_cls.metrics import METRICS, IMetric
from ding_cls.worker import HOOKS, BaseLearner, Hook, LearnerHook


@DATASETS.register_module()
class ResumeWeighted(CustomDataset):
    """Class folders whose samples count more and more."""

    @property
    def sample_weights(self) -> list[float]:
        return [1.0 + index / 7 for index in range(len(self))]


@HOOKS.register_module()
class NudgeWeights(LearnerHook):
    """Moves the weights after each update, by as much as the losses so far say."""

    def __init__(
        self, name: str, priority: Any = "NORMAL", *, position: Any = "after_iter", step: float
    ) -> None:
        super().__init__(name, priority, position=position)
        self.step, self.total = step, 0.0

    def __call__(self, engine: BaseLearner) -> None:
        self.total += float(engine.outputs["total_loss"])
        nudge(engine.policy.get_attribute("model"), self.step * self.total)

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total}

    def load_state_dict(self, state: Any) -> None:
        self.total = state["total"]


@HOOKS.register_module()
class NudgeAtPositions(Hook):
    """Does so at every position whose calls a run has once, and keeps which they were."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def before_train_iter(self, engine: Any) -> None:
        self._nudge(engine, f"before {engine.train_iter}")

    def after_train_iter(self, engine: Any) -> None:
        if self.every_n_iters(engine, 2):
            self._nudge(engine, f"after {engine.train_iter}")

    def after_train_epoch(self, engine: Any) -> None:
        self._nudge(engine, f"epoch {engine.epoch}")

    def after_val_epoch(self, engine: Any) -> None:
        self._nudge(engine, f"evaluation {sorted(engine.eval_result)}")

    def _nudge(self, engine: Any, call: str) -> None:
        self.calls.append(call)
        nudge(engine.policy.get_attribute("model"), 0.001 * len(self.calls))

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Any) -> None:
        self.calls = list(state["calls"])


@METRICS.register_module()
class ErrorCount(IMetric):
    """A user's metric: three methods, arguments, a result that is no number, and its own idea of the best."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
        return {"errors": self.scale * (inputs.argmax(1) != label).sum(), "guesses": inputs.argmax(1)}

    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        guesses = torch.cat([each["guesses"] for each in inputs])
        return {"errors": sum(each["errors"] for each in inputs), "guesses": guesses.bincount(minlength=4)}

    def gt(self, metric1: dict[str, Any], metric2: dict[str, Any] | None) -> bool:
        return metric2 is None or metric1["errors"] <= metric2["errors"]


@torch.no_grad()
def nudge(model: torch.nn.Module, step: float) -> None:
    for parameter in model.parameters():
        parameter.add_(step)


@PIPELINES.register_module()
class ResumeSpeckle:
    """A user's own step, which draws from NumPy and from Python."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = results["img"].copy()
        results["img"][np.random.randint(8), random.randrange(8)] = np.random.randint(256, size=3)
        return results
