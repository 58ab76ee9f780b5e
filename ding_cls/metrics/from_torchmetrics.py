"""Any metric of torchmetrics by its class name."""

import importlib
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch

from ding_cls.answers.evaluation.files import plain
from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.targets import guessed_classes

_INPUTS = ("scores", "logits", "classes")


@METRICS.register_module()
class TorchMetric(SumMetric):
    """A metric of torchmetrics, which is given the whole evaluation at once, in the order of the data.

    So it is exact at any batch size and on any number of ranks, each of which holds all scores.

    Args:
        metric: the class, such as 'MulticlassF1Score'.
        inputs: what it is given: 'scores' (softmax, or sigmoid where targets are ``(N, C)``; of a ``Binary``
            metric those of class 1), 'logits' as they are, or the guessed 'classes'.
        name: the result's key; None: the class's name in lower case with underlines.
        direction: 'max' or 'min'; None: the metric's own.
        **arguments: those of the class, such as ``num_classes``.

    Raises:
        ConfigError: torchmetrics is missing, or has no such class; the metric declares no direction.
    """

    needs_scores = True

    def __init__(
        self,
        metric: str,
        inputs: str = "scores",
        name: str | None = None,
        direction: Direction | None = None,
        **arguments: Any,
    ) -> None:
        if inputs not in _INPUTS:
            raise ConfigError(f"inputs is {inputs!r}; it must be one of {', '.join(_INPUTS)}")
        if direction not in (None, "max", "min"):
            raise ConfigError(f"direction is {direction!r}; it must be 'max' or 'min'")
        self._inputs, self._is_binary = inputs, metric.startswith("Binary")
        self._kind, self._arguments = _kind(metric), arguments
        try:
            higher = self._kind(**arguments).higher_is_better
        except (TypeError, ValueError) as error:
            raise ConfigError(f"torchmetrics' {metric} cannot be built with {arguments}: {error}") from error
        self.primary = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower()
        way: Direction | None = direction or (None if higher is None else "max" if higher else "min")
        self.directions: Mapping[str, Direction] = {} if way is None else {self.primary: way}

    def zeros(self) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(0)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(len(targets))}

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        metric = self._kind(**self._arguments)
        targets = totals["targets"]
        try:
            metric.update(self._given(totals["logits"], targets), targets.long())
            return {self.primary: plain(metric.compute())}
        except (ValueError, RuntimeError, TypeError) as error:
            raise ConfigError(
                f"torchmetrics' {self._kind.__name__} with {self._arguments} cannot judge logits "
                f"{tuple(totals['logits'].shape)} and targets {tuple(targets.shape)}: {error}"
            ) from error

    def _given(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        has_labels = targets.is_floating_point()
        if self._inputs == "classes":
            return (logits >= 0).long() if has_labels else guessed_classes(logits)
        scores = logits
        if self._inputs == "scores":
            scores = logits.sigmoid() if has_labels else logits.softmax(-1)
        if logits.dim() == 3:
            # torchmetrics has the classes in the second axis.
            scores = scores.transpose(1, 2)
        return scores[:, 1] if self._is_binary and scores.dim() == 2 and not has_labels else scores


def _kind(name: str) -> Any:
    try:
        library = importlib.import_module("torchmetrics")
    except ImportError as error:
        raise ConfigError(
            "the metric TorchMetric needs torchmetrics; install it: pip install 'ding_cls[torchmetrics]'"
        ) from error
    for module in (library.classification, library):
        if isinstance(kind := getattr(module, name, None), type) and issubclass(kind, library.Metric):
            return kind
    names = [each for each in dir(library.classification) if each[:1].isupper()]
    near = get_close_matches(name, names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ConfigError(f"torchmetrics has no metric '{name}'{hint}")
