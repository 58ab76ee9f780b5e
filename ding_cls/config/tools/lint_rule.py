"""A finding of lint, and what the rules that look for them see of a config.

It must not read data, nor import what a config names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ding_cls.config.defaults import NEVER
from ding_cls.config.origins import DEFAULT, FileNotes
from ding_cls.config.tree import at


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A setting that is allowed and nearly always a mistake.

    Attributes:
        rule: the name of the rule that found it.
        path: the key to change.
        what: what happens.
        remedy: what to do.
    """

    rule: str
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class LintContext:
    """What the rules look at.

    Attributes:
        tree: the compiled config.
        origin: returns where a value of ``tree`` was set.
        processes: how many processes will train.
        updates_per_epoch: updates in an epoch; None: the data are not known.
        notes: what reading the file has found beside its values.
    """

    tree: Mapping[str, Any]
    origin: Callable[[str], str]
    processes: int
    updates_per_epoch: int | None = None
    notes: FileNotes = field(default_factory=FileNotes)

    def at(self, path: str) -> Any:
        """Return a value of ``tree``; None where there is none."""
        return at(self.tree, path)

    def number(self, path: str) -> float:
        """Return a number of ``tree``; 0 where there is none."""
        value = self.at(path)
        return value if isinstance(value, (int, float)) else 0

    def first_set(self, *paths: str) -> str:
        """Return the first of the paths that the config itself sets: the place to point at."""
        return next((path for path in paths if self.origin(path) != DEFAULT), paths[0])

    @property
    def epochs(self) -> float:
        """Epochs of the run; 0 where that is not known, or nothing is trained."""
        if not self._limit:
            return self.number("policy.learn.train_epoch")
        return self.updates / self.updates_per_epoch if self.updates_per_epoch else 0

    @property
    def updates(self) -> float:
        """Updates of the run; 0 where that is not known, or nothing is trained."""
        in_epochs = self.number("policy.learn.train_epoch") * (self.updates_per_epoch or 0)
        # ``max_iters`` is the length of a run; ``train_iterations`` no more than a limit.
        is_in_epochs = bool(in_epochs) and not self.number("policy.learn.max_iters")
        return min(self._limit or in_epochs, in_epochs) if is_in_epochs else self._limit

    @property
    def _limit(self) -> float:
        limits = map(self.number, ("policy.learn.learner.train_iterations", "policy.learn.max_iters"))
        return min((limit for limit in limits if 0 < limit < NEVER), default=0)


Rule: TypeAlias = Callable[[LintContext], Iterator[LintFinding]]
