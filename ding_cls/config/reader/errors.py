"""The problems of a config, gathered so that one report names them all. It must not know their kinds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ding_cls.config.reader.namespace import UnknownValueError
from ding_cls.config.reader.safe_ops import Budget
from ding_cls.errors import ConfigError

MAX_PROBLEMS = 50


class TooManyProblemsError(Exception):
    """There is no point in reading on; the list says why."""


class Problems:
    """The lines of a report.

    Args:
        budget: what reading may cost; nothing is read on when it is spent.
    """

    def __init__(self, budget: Budget) -> None:
        self.lines: list[str] = []
        self._budget = budget

    def add(self, line: str) -> None:
        """Note a problem, once.

        Raises:
            TooManyProblemsError: it is one too many, or nothing more can be read.
        """
        if line not in self.lines:
            self.lines.append(line)
        if self._budget.is_spent:
            raise TooManyProblemsError
        if len(self.lines) == MAX_PROBLEMS:
            self.lines.append(f"... and perhaps more: reading stopped after {MAX_PROBLEMS} problems")
            raise TooManyProblemsError

    @contextmanager
    def gathered(self, on_error: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Note the ConfigError that ends the block, call ``on_error`` and go on behind the block."""
        try:
            yield
        except UnknownValueError:
            on_error()
        except ConfigError as error:
            on_error()
            self.add(str(error))
