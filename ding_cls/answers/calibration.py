"""What a checkpoint knows of its own scores: a temperature, a coverage / risk curve, thresholds.

It must not know how they were measured.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.answers.risk_curve import RiskCurve, RiskPoint
from ding_cls.errors import CheckpointError, ConfigError

KEY = "calibration"
FITTED_ON_THESE = (
    "the calibration was fitted on these images: on others ece and nll are not as low; evaluate another split"
)
"""What an evaluation warns of."""

NEVER = float("inf")
"""The threshold of a class that none makes precise enough."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The entry ``calibration`` of a checkpoint.

    Attributes:
        temperatures: what logits are divided by; of several tasks one for each.
        fitted_on: ``split`` (None: data without splits), ``digest`` of names and labels, ``num_samples``.
        before: ``ece`` and ``nll`` of the scores as they are, on these samples.
        after: the same of the calibrated ones.
        held_out: the same, each half of the samples with the temperature of the other half; empty where
            there are too few.
        curve: coverage and risk of the calibrated scores; None where images have several labels.
        precision: a threshold for each class; None where none were asked for.
        precision_held_out: what the thresholds of each half do on the other: ``kept``, ``right``, and
            ``num_answers`` in all; empty where there are none.
    """

    temperatures: tuple[float, ...]
    fitted_on: Mapping[str, Any]
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    held_out: Mapping[str, float] = field(default_factory=dict)
    curve: RiskCurve | None = None
    precision: ClassThresholds | None = None
    precision_held_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        state: Mapping[str, Any],
        checkpoint: str | os.PathLike[str],
        *,
        num_classes: int,
        num_tasks: int | None,
    ) -> Calibration:
        """Return what a checkpoint holds, whose form has been checked.

        Args:
            state: the checkpoint.
            checkpoint: how errors name it.
            num_classes: how many classes it has.
            num_tasks: how many tasks; None: one.

        Raises:
            CheckpointError: it holds none, or one of other classes or tasks.
        """
        name, entry = os.fspath(checkpoint), state.get(KEY)
        if not entry:
            raise CheckpointError(
                f"'{name}' has no calibration yet; make one: ding-cls calibrate {quote(name)}"
            )
        curve, precision = entry["curve"], entry["precision"]
        lengths = [
            {len(curve[each]) for each in _OF_CURVE if curve},
            {num_classes, *(len(precision[each]) for each in _BY_CLASS if precision)},
            {num_tasks or 1, len(entry["temperature"])},
        ]
        if any(len(each) > 1 for each in lengths):
            raise CheckpointError(
                f"the calibration in '{name}' is not of its {num_classes} classes; make it again: "
                f"ding-cls calibrate {quote(name)}"
            )
        fitted_on = entry["fitted_on"]
        columns = (tuple(curve[each]) for each in _OF_CURVE if curve)
        by_class = (tuple(precision[each]) for each in _BY_CLASS if precision)
        return cls(
            tuple(entry["temperature"]),
            fitted_on,
            before=entry["before"],
            after=entry["after"],
            held_out=entry["held_out"],
            curve=RiskCurve(fitted_on["num_samples"], *columns) if curve else None,
            precision=ClassThresholds(precision["wanted"], *by_class) if precision else None,
            precision_held_out=precision.get("held_out", {}),
        )

    def entry(self) -> dict[str, Any]:
        """Return it as plain values, for the checkpoint."""
        curve = {each: list(getattr(self.curve, each)) for each in _OF_CURVE if self.curve}
        precision: dict[str, Any] = {}
        if self.precision:
            columns = {each: list(getattr(self.precision, each)) for each in _BY_CLASS}
            held_out = dict(self.precision_held_out)
            precision = {"wanted": self.precision.wanted, **columns, "held_out": held_out}
        return {
            "temperature": list(self.temperatures),
            "fitted_on": dict(self.fitted_on),
            "before": dict(self.before),
            "after": dict(self.after),
            "held_out": dict(self.held_out),
            "curve": curve,
            "precision": precision,
        }

    def problem(self) -> str:
        """Return which value cannot be, for an entry whose form has not been checked; empty where all can."""
        num_samples = self.fitted_on["num_samples"]
        curve, precision = self.curve, self.precision
        checks = {
            "temperature": all(_is_number(each) and 0 < each < NEVER for each in self.temperatures),
            "fitted_on": type(num_samples) is int and num_samples > 0,
            "curve": curve is None or _are_points(curve, num_samples),
            "precision": precision is None or _are_thresholds(precision),
        }
        return ", ".join(name for name, is_right in checks.items() if not is_right)

    def scaled(self, logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Return logits over their temperatures, in float64: two that differ still do, in the same order.

        Args:
            logits: float ``(N, C)``, of K tasks ``(N, K, C)``.
        """
        divisor = np.array(self.temperatures)
        scaled: npt.NDArray[np.float64] = logits.astype(np.float64) / (
            divisor[:, None] if logits.ndim == 3 else divisor
        )
        return scaled

    def at_risk(self, max_risk: float) -> RiskPoint:
        """Return the point of the curve with the largest coverage at a risk, in percent.

        Raises:
            ConfigError: there is no curve, a percentage that is none, or a risk that it does not reach.
        """
        if not 0 < max_risk <= 100:
            raise ConfigError(f"a risk of {max_risk:g} % cannot be: it is above 0 and at most 100 percent")
        if self.curve is None:
            raise ConfigError(
                "a risk is for images with one label, or one for each task; where an image may have several, "
                "each label has a threshold of its own: ding-cls calibrate CKPT --precision P"
            )
        point = self.curve.at_risk(max_risk)
        if point is None:
            raise ConfigError(
                f"no score brings the risk down to {max_risk:g} %: the least that {self.curve.num_samples:,} "
                f"images show is {self.curve.least_risk():.2g} %; allow so much, or calibrate on more images"
                + ("; it is percent: 5, not 0.05" if max_risk < 1 else "")
            )
        return point

    def thresholds(self) -> npt.NDArray[np.float64] | None:
        """Return the threshold of each class for the wanted precision, float64 ``(C,)``; `NEVER` where there
        is none. None where no precision was asked for."""
        if self.precision is None:
            return None
        values = [NEVER if each is None else each for each in self.precision.thresholds]
        return np.array(values, np.float64)


_OF_CURVE = ("thresholds", "kept", "wrong")
_BY_CLASS = ("thresholds", "kept", "right")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _are_points(curve: RiskCurve, num_samples: Any) -> bool:
    counts = [num_samples, *curve.kept, *curve.wrong]
    points = zip(curve.kept, curve.wrong, strict=True)
    return (
        all(type(each) is int for each in counts)
        and bool(curve.kept)
        and all(_is_number(each) and 0 <= each <= 1 for each in curve.thresholds)
        and all(0 <= wrong <= kept and 0 < kept <= num_samples for kept, wrong in points)
    )


def _are_thresholds(precision: ClassThresholds) -> bool:
    values = [each for each in precision.thresholds if each is not None]
    return _is_number(precision.wanted) and all(_is_number(each) and 0 <= each <= 1 for each in values)
