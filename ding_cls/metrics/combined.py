"""Several metrics in one: each by its short name, or by ``dict(type=, ...)``."""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from difflib import get_close_matches
from typing import Any

import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics.accuracy import Accuracy, StringAccuracy
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.calibration import BrierScore, CalibrationError, NegativeLogLikelihood
from ding_cls.metrics.multilabel import KEYS, ExactMatch, MultiLabelMetric
from ding_cls.metrics.per_class import ITEMS, ConfusionMatrix, SingleLabelMetric
from ding_cls.metrics.ranking import Auroc, AveragePrecision

_SCORES = ("confusion", "mAP", *KEYS, "exact_match", "string_accuracy", "auroc", "nll", "ece", "brier")
SHORT_NAMES = ("loss", "accuracy", *ITEMS, *_SCORES)
_SYNONYMS = {"acc": "accuracy", "f1": "f1", "f1_score": "f1", "map": "mAP", "confusion_matrix": "confusion"}
_SYNONYMS |= {name.lower(): name for name in KEYS}


@METRICS.register_module()
class ClassificationMetrics(SumMetric):
    """Several metrics of one evaluation, each with the keys that it has alone.

    Args:
        metrics: of 'loss', 'accuracy', 'precision', 'recall', 'f1', 'support', 'confusion', 'auroc', 'nll',
            'ece', 'brier'; of several labels a sample 'mAP', 'CP', 'CR', 'CF1', 'OP', 'OR', 'OF1', 'auroc',
            'exact_match'; of several tasks 'string_accuracy'; or ``dict(type=, ...)`` of any metric made of
            sums. 'acc', 'F1', 'f1_score' and 'confusion_matrix' are understood.
        primary: the key that decides which checkpoint is best, also by mmclassification's names
            ('accuracy_top-1', 'f1_score'); None: acc1, or else the first but the loss.
        topk: as in ``Accuracy``.
        thrs: as in ``Accuracy``.
        average: as in ``SingleLabelMetric``.
        thr: as in ``MultiLabelMetric``.
        k: its ``topk``.
        mode: as in ``AveragePrecision``.
        num_bins: as in ``CalibrationError``.

    Raises:
        ConfigError: no such metric or key, or an argument that one of them refuses.
    """

    def __init__(
        self,
        metrics: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = ("loss", "accuracy"),
        primary: str | None = None,
        topk: int | Sequence[int] = (1, 5),
        thrs: float | Sequence[float | None] | None = None,
        average: str | Sequence[str | None] | None = "macro",
        thr: float | None = None,
        k: int | None = None,
        mode: str = "integral",
        num_bins: int = 15,
    ) -> None:
        wanted = [metrics] if isinstance(metrics, str | Mapping) else list(metrics)
        described = [each for each in wanted if isinstance(each, Mapping)]
        names = [_known_name(each) for each in wanted if not isinstance(each, Mapping)]
        of_labels = {*KEYS, "exact_match"}
        for argument, value, users in (
            ("thrs", thrs, {"accuracy"}),
            ("thr", thr, of_labels),
            ("k", k, of_labels),
        ):
            if value is not None and not users & set(names):
                raise ConfigError(
                    f"{argument} is {value!r}, and none of metrics={metrics!r} uses it: those are "
                    f"{', '.join(sorted(users))}"
                )
        items = [each for each in names if each in ITEMS]
        builders: dict[tuple[str, ...], Callable[[], SumMetric]] = {
            ("loss",): lambda: NegativeLogLikelihood("loss"),
            ("accuracy",): lambda: Accuracy(topk, thrs),
            ITEMS: lambda: SingleLabelMetric(items, average),
            ("confusion",): ConfusionMatrix,
            ("mAP",): lambda: AveragePrecision(mode),
            KEYS: lambda: MultiLabelMetric(thr, k),
            ("exact_match",): lambda: ExactMatch(thr, k),
            ("string_accuracy",): StringAccuracy,
            ("auroc",): Auroc,
            ("nll",): NegativeLogLikelihood,
            ("ece",): lambda: CalibrationError(num_bins),
            ("brier",): BrierScore,
        }
        self._parts = [build() for own, build in builders.items() if set(own) & set(names)]
        self._parts += [_described(each) for each in described]
        # Those of the family that are not asked for.
        self._hidden = {name for name in KEYS if set(KEYS) & set(names) and name not in names}
        directions = {name: way for part in self._parts for name, way in part.directions.items()}
        self.directions: Mapping[str, Direction] = {
            name: way for name, way in directions.items() if name not in self._hidden
        }
        if not self.directions:
            raise ConfigError(f"metrics is {metrics!r}, of which none gives a number; add 'accuracy'")
        self.needs_scores = any(part.needs_scores for part in self._parts)
        self.primary = self._chosen(primary)

    @property
    def note(self) -> str:
        """The parts' notes."""
        return "; ".join(note for part in self._parts if (note := getattr(part, "note", "")))

    def zeros(self) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(0), **self._joined(part.zeros() for part in self._parts)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        count = torch.tensor(len(targets))
        return {"count": count, **self._joined(part.sums(logits, targets) for part in self._parts)}

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        scores = {name: totals[name] for name in ("logits", "targets") if name in totals}
        found: dict[str, Any] = {}
        for number, part in enumerate(self._parts):
            begin = f"{number}."
            own = {name.removeprefix(begin): each for name, each in totals.items() if name.startswith(begin)}
            found |= {name: value for name, value in part.result(own | scores).items() if name not in found}
        return {name: value for name, value in found.items() if name not in self._hidden}

    def lean(self, *, has_scores: bool) -> SumMetric | None:
        found = copy(self)
        found._parts = [own for part in self._parts if (own := part.lean(has_scores=has_scores)) is not None]
        found.needs_scores = any(part.needs_scores for part in found._parts)
        return found if found._parts else None

    @property
    def proportions(self) -> Mapping[str, str]:  # type: ignore[override]
        """The parts' own."""
        found: dict[str, str] = {}
        for number, part in enumerate(self._parts):
            found = {**{name: f"{number}.{key}" for name, key in part.proportions.items()}, **found}
        return found

    @staticmethod
    def _joined(parts: Any) -> dict[str, torch.Tensor]:
        return {f"{number}.{name}": each for number, own in enumerate(parts) for name, each in own.items()}

    def _chosen(self, primary: str | None) -> str:
        if primary is None:
            others = [name for name in self.directions if name != "loss"]
            return "acc1" if "acc1" in others else (others or ["loss"])[0]
        if (native := native_key(primary, self.directions)) is None:
            raise ConfigError(f"primary is '{primary}', but the results are {', '.join(self.directions)}")
        return native


def native_key(name: str, keys: Sequence[str] | Mapping[str, Any]) -> str | None:
    """Return which of ``keys`` a result's name means, also one of mmclassification's; None: none of them.

    ``accuracy_top-1`` is ``acc1``, with ``_thr_0.50`` behind it ``acc1_thr0.5``; ``accuracy`` is the first
    accuracy, ``f1_score`` or ``precision`` the first average of it.
    """
    if name in keys:
        return name
    if match := re.fullmatch(r"accuracy_top-(\d+)(?:_thr_([\d.]+))?", name):
        found = f"acc{match[1]}" + (f"_thr{float(match[2]):g}" if match[2] else "")
        return found if found in keys else None
    word = _SYNONYMS.get(name.lower(), name.lower())
    begin = "acc" if word == "accuracy" else f"{word}_"
    return next((key for key in keys if key == word or key.startswith(begin)), None)


def known_metrics(cfg: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a metric's description without the ``metrics`` that are no short names; None: none is left.

    A dataset's own ``evaluate`` may know more.
    """
    if cfg.get("type") != "ClassificationMetrics" or "metrics" not in cfg:
        return dict(cfg)
    named = cfg["metrics"]
    wanted = [named] if isinstance(named, str | Mapping) else list(named)
    kept = [each for each in wanted if isinstance(each, Mapping) or short_name(str(each))]
    return {**cfg, "metrics": kept} if kept else None


def short_name(name: str) -> str | None:
    """Return which of ``ClassificationMetrics``' short names a word means, 'f1' for 'F1'; None: none."""
    word = _SYNONYMS.get(name.lower(), name)
    return next((each for each in (word, word.lower()) if each in SHORT_NAMES), None)


def _known_name(name: Any) -> str:
    if word := short_name(str(name)):
        return word
    near = get_close_matches(str(name), SHORT_NAMES, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(SHORT_NAMES)}"
    raise ConfigError(f"metrics holds {name!r}, which is none; {hint}")


def _described(cfg: Mapping[str, Any]) -> SumMetric:
    metric = METRICS.build(dict(cfg))
    if not isinstance(metric, SumMetric):
        raise ConfigError(
            f"metric {cfg.get('type')} is not made of sums; give it as policy.eval.metric alone"
        )
    return metric
