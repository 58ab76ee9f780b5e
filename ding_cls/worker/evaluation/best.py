"""Which of two results is better, by the metric or by one key; and when to stop waiting for a better one."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ding_cls.errors import ConfigError
from ding_cls.metrics import IMetric, SumMetric, has_lower_loss
from ding_cls.types import RAW
from ding_cls.worker.evaluation.results import bare_number

# What other systems call a result, as ``_normalized`` writes it, and what it may be called here.
_ALIASES = {
    "acc": ("acc1",),
    "accuracy": ("acc1",),
    "f1": ("f1score", "macrof1", "f1macro"),
    "f1score": ("f1", "macrof1", "f1macro"),
    "precision": ("precisionmacro",),
    "recall": ("recallmacro",),
}
_TOP = re.compile(r"(?:accuracy)?top(\d+)")
# Names that mmcv takes as larger-is-better, and smaller-is-better.
_GREATER, _LESS = ("acc", "top", "auc", "precision", "recall", "f1", "map"), ("loss", "error", "ece", "brier")
_AUTO = (None, False, True, "auto")
# Before results of the weights in training, and of one of several datasets.
_PREFIX = re.compile(rf"(?:{RAW})?(?:\d+_)?")
_RAW_IN_MMPRETRAIN = "_origin"
# Of equal results that with less of it is better.
_LOSS = "loss"


class Ranking:
    """Compares results of a metric.

    A result that is not finite where it is compared is better than none; the first finite one is the best
    without asking. Of results with the same value of the key, or of the primary key of a metric made of sums,
    that with the lower loss is better; of equal losses the earlier one stays.

    Args:
        metric: gives the results.
        key: the one that decides, under its own name or under one that mmclassification or
            easy-classification has for it; None, True, False and 'auto': the metric's own ``gt``. With a
            number in front, ``0_acc1``, that of one of several datasets; ``raw_acc1`` that of the weights in
            training.
        rule: 'greater' or 'less': which is better; None: by the metric or ``greater_keys``.
        greater_keys: keys of which more is better.
        less_keys: keys of which less is better.
        num_parts: how many datasets have results of their own.

    Raises:
        ConfigError: the metric gives no such key, there is no such dataset, or nothing says which direction
            is better.
    """

    def __init__(
        self,
        metric: IMetric,
        *,
        key: str | bool | None = None,
        rule: str | None = None,
        greater_keys: Iterable[str] = (),
        less_keys: Iterable[str] = (),
        num_parts: int = 0,
    ) -> None:
        self._metric = metric
        self._key = None if key in _AUTO else _native_name(str(key))
        if self._key is None and rule is not None and isinstance(metric, SumMetric):
            self._key = metric.primary
        self._rule = rule
        self._named = {"greater": tuple(greater_keys), "less": tuple(less_keys)}
        if rule is not None and self._key is None:
            raise ConfigError(f"rule='{rule}' is the direction of save_best; name a key: save_best='acc1'")
        if self._key is not None and isinstance(metric, SumMetric):
            prefix, _ = _split_prefix(self._key)
            self._check_part(prefix, num_parts)
            self._is_greater(self._found([f"{prefix}{name}" for name in metric.directions]))

    @property
    def is_by_key(self) -> bool:
        """Whether a key was named, and not the metric asked."""
        return self._key is not None

    @property
    def is_of_the_user(self) -> bool:
        """Whether a ``gt`` of one's own compares results, and neither a key nor that of our metrics."""
        return self._key is None and getattr(type(self._metric), "gt", None) is not SumMetric.gt

    @property
    def compares_by(self) -> str:
        """What two results are compared by, as a checkpoint notes it."""
        key = self._key
        if key is None and isinstance(self._metric, SumMetric):
            key = self._metric.primary
        if key is None:
            return type(self._metric).__name__
        return f"{key} {self._rule}" if self._rule is not None else key

    def can_compare(self, result: Any) -> bool:
        """Return whether a result, perhaps of another metric, has what results are compared by."""
        try:
            self.is_better(result, result)
            self.not_finite(result)
        except Exception:  # a gt of the user's raises what it likes
            return False
        return True

    def not_finite(self, result: Mapping[str, Any]) -> list[str]:
        """Return the names of what keeps a result from being compared."""
        names = [each for each in result if not _is_prefixed(each, result)]
        names = names if self._key is None else [self._found(result)]
        return [name for name in names if isinstance(result[name], float) and not math.isfinite(result[name])]

    def is_better(
        self, result: Mapping[str, Any], other: Mapping[str, Any] | None, *, min_delta: float = 0.0
    ) -> bool:
        """Return whether ``result`` is better than ``other``, by more than ``min_delta``; nothing not finite
        is."""
        if self._key is not None:
            # Told at the first evaluation, not at the second.
            self._is_greater(self.score(result)[0])
        if self.not_finite(result):
            return False
        if other is None:
            return True
        if self._key is None and not min_delta:
            given, before = (bare_number(self._metric, each) for each in (result, other))
            return bool(self._metric.gt(given, before))
        name, value = self.score(result)
        gain = value - other[name]
        if gain == 0 and not min_delta:
            prefix, inner = _split_prefix(name)
            return inner != _LOSS and has_lower_loss(result, other, name=f"{prefix}{_LOSS}")
        return bool((gain if self._is_greater(name) else -gain) > min_delta)

    def score(self, result: Mapping[str, Any]) -> tuple[str, float]:
        """Return the key that decides, and its value.

        Raises:
            ConfigError: there is none, or it is no number.
        """
        if self._key is None and not isinstance(self._metric, SumMetric):
            raise ConfigError(
                f"{type(self._metric).__name__} compares results as a whole; name the key that counts: "
                "policy.eval.evaluator.save_best=KEY"
            )
        name = self._metric.primary if isinstance(self._metric, SumMetric) else ""
        name = name if self._key is None else self._found(result)
        value = result[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"the result '{name}' is a {type(value).__name__}; save_best names a number")
        return name, value

    def _found(self, names: Iterable[str]) -> str:
        """Return the one of ``names`` that the key means."""
        prefix, inner = _split_prefix(self._key or "")
        wanted = _normalized(inner)
        top = _TOP.fullmatch(wanted)
        others = (f"acc{top[1]}",) if top else _ALIASES.get(wanted, ())
        for each in (wanted, *others):
            for name in names:
                if name == self._key or (
                    _split_prefix(name)[0] == prefix and _normalized(_split_prefix(name)[1]) == each
                ):
                    return name
        raise ConfigError(
            f"save_best names '{self._key}'; {type(self._metric).__name__} gives {', '.join(map(str, names))}"
        )

    def _check_part(self, prefix: str, num_parts: int) -> None:
        number = prefix.removeprefix(RAW).rstrip("_")
        if number and int(number) >= num_parts:
            there = (
                f"{num_parts} data sets, counted from 0" if num_parts else "one data set, or judged as one"
            )
            raise ConfigError(
                f"save_best names '{self._key}', of data set {number}; the evaluation data are {there}"
            )

    def _is_greater(self, name: str) -> bool:
        if self._rule is not None:
            return self._rule == "greater"
        for rule, names in self._named.items():
            if name in names or self._key in names:
                return rule == "greater"
        inner = _split_prefix(name)[1]
        if isinstance(self._metric, SumMetric) and inner in self._metric.directions:
            return self._metric.directions[inner] == "max"
        for is_greater, marks in ((False, _LESS), (True, _GREATER)):
            if any(mark in _normalized(name) for mark in marks):
                return is_greater
        raise ConfigError(
            f"nothing says whether more or less of '{name}' is better; "
            "set policy.eval.evaluator.rule=greater or less"
        )


def check_stop_value(metric: IMetric, goals: Any) -> None:
    """Refuse a ``stop_value`` that names what a metric does not give, or no number.

    Raises:
        ConfigError: it says which.
    """
    if not isinstance(metric, SumMetric) or not isinstance(goals, Mapping):
        return
    for name in goals.keys() - metric.directions.keys():
        given = ", ".join(metric.directions)
        raise ConfigError(f"stop_value names '{name}'; {type(metric).__name__} gives {given}")
    for name, goal in goals.items():
        if isinstance(goal, bool) or not isinstance(goal, int | float) or not math.isfinite(goal):
            raise ConfigError(f"stop_value.{name} is {goal!r}; it is a number")


def has_reached(metric: IMetric, result: Mapping[str, Any], goals: Any) -> bool:
    """Return whether a result meets a ``stop_value``; a metric that is no ``SumMetric`` decides by ``gt``.

    One number is given to ``gt`` as it is, or where that takes none, under every name of the result.

    Raises:
        ConfigError: ``gt`` can compare a result with neither.
    """
    if goals is None:
        return False
    if isinstance(metric, SumMetric):
        return metric.reached(result, goals)
    forms = [goals]
    if not isinstance(goals, Mapping):
        forms.append(dict.fromkeys(result, goals))
        if [*result.values()] == [goals]:
            return True
    failures: list[Exception] = []
    for form in forms:
        try:
            return bool(metric.gt(bare_number(metric, result), form))
        except (TypeError, LookupError, AttributeError) as error:
            failures.append(error)
    name, first = type(metric).__name__, failures[0]
    raise ConfigError(
        f"policy.eval.evaluator.stop_value is {goals!r}, and {name}.gt cannot compare a result with it "
        f"({type(first).__name__}: {first}); the results of {name} are {', '.join(map(str, result))}"
    ) from first


class EarlyStopping:
    """Counts the evaluations that brought nothing better.

    Attributes:
        patience: so many in a row end the run; None: never.
        min_delta: by how much the key must get better to count as better.
        check_finite: a result that is not finite ends the run at once.
        num_bad: evaluations in a row without a better result.
    """

    def __init__(
        self, patience: int | None = None, *, min_delta: float = 0.0, check_finite: bool = False
    ) -> None:
        self.patience, self.min_delta, self.check_finite = patience, min_delta, check_finite
        self.forget()

    @property
    def is_over(self) -> bool:
        """Whether the patience is at its end."""
        return self.patience is not None and self.num_bad >= self.patience

    def forget(self) -> None:
        """Begin anew."""
        self.num_bad = 0
        self._best: dict[str, Any] | None = None
        self._by: str | None = None

    def count_by(self, ranking: Ranking) -> None:
        """Forget what was counted by another key, or of another metric."""
        is_other = self._by not in (None, ranking.compares_by)
        if is_other or (self._best is not None and not ranking.can_compare(self._best)):
            self.forget()

    def add(self, result: Mapping[str, Any], ranking: Ranking, *, is_trained: bool) -> None:
        """Add an evaluation; that of an untrained network does not count, nor is any compared with it."""
        if self.patience is None or not is_trained:
            return
        self._by = ranking.compares_by
        if ranking.is_better(result, self._best, min_delta=self.min_delta):
            self._best, self.num_bad = dict(result), 0
        else:
            self.num_bad += 1
            if self.check_finite and ranking.not_finite(result):
                self.num_bad = max(self.num_bad, self.patience)

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted; the settings are the config's."""
        return {"num_bad": self.num_bad, "best": self._best, "compared_by": self._by}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from ``state``."""
        self.num_bad, self._best = state["num_bad"], state["best"]
        self._by = state.get("compared_by")


def _native_name(key: str) -> str:
    """Return mmpretrain's name of a result of the weights in training as ours."""
    is_raw = key.endswith(_RAW_IN_MMPRETRAIN)
    return f"{RAW}{key.removesuffix(_RAW_IN_MMPRETRAIN)}" if is_raw else key


def _split_prefix(name: str) -> tuple[str, str]:
    """Return the prefix that names weights and dataset, such as ``raw_`` or ``0_``, and the rest."""
    found = _PREFIX.match(name)
    prefix = found[0] if found else ""
    return prefix, name[len(prefix) :]


def _is_prefixed(name: str, names: Iterable[str]) -> bool:
    """Return whether a name is that of a result beside the one without the prefix."""
    prefix, inner = _split_prefix(name)
    return bool(prefix) and inner in names


def _normalized(name: str) -> str:
    """Return a name without what systems write in different ways: ``val/accuracy_top-1`` is accuracytop1."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].removeprefix("val_").lower())
