"""What a trap is, and what the rules that look for traps see of a config.

It must not read data, nor import what a config names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ding_cls.config.defaults import NEVER
from ding_cls.config.tools.inspected import DEFAULT
from ding_cls.config.validate import at


@dataclass(frozen=True, slots=True)
class Finding:
    """One trap.

    Attributes:
        rule: its name.
        path: the key that springs it.
        what: what happens.
        remedy: what to do.
    """

    rule: str
    path: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules look at.

    Attributes:
        tree: the compiled config.
        written: the config as it is spelt.
        origin: returns where a value of ``tree`` was set.
        processes: how many processes will train.
    """

    tree: Mapping[str, Any]
    written: Mapping[str, Any]
    origin: Callable[[str], str]
    processes: int

    def at(self, path: str) -> Any:
        """Return a value of ``tree``; None where there is none."""
        return at(self.tree, path)

    def number(self, path: str) -> float:
        """Return a number of ``tree``; 0 where there is none."""
        value = self.at(path)
        return value if isinstance(value, (int, float)) else 0

    def said(self, *paths: str) -> str:
        """Return the first of the paths that the config itself sets: the place to point at."""
        return next((path for path in paths if self.origin(path) != DEFAULT), paths[0])

    @property
    def epochs(self) -> float:
        """Epochs of the run; 0 where updates limit it, or nothing is trained."""
        return 0 if self.updates else self.number("policy.learn.train_epoch")

    @property
    def updates(self) -> float:
        """Updates of the run where the config limits these; else 0."""
        limits = map(self.number, ("policy.learn.learner.train_iterations", "policy.learn.max_iters"))
        return min((limit for limit in limits if 0 < limit < NEVER), default=0)


Rule: TypeAlias = Callable[[Checked], Iterator[Finding]]
