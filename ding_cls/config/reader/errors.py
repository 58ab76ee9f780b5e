"""The problems of a config, collected so that one report names them all. It must not know their kinds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ding_cls.config.reader.limits import Work
from ding_cls.errors import ConfigError

MAX_PROBLEMS = 50


class UnknownValueError(ConfigError):
    """The value depends on a statement that was refused before; it is no problem of its own."""


class TooManyProblemsError(Exception):
    """There is no point in reading on; the list says why."""


class Problems:
    """The lines of a report.

    Args:
        work: what reading has computed; nothing more is read once it is exceeded.
    """

    def __init__(self, work: Work) -> None:
        self.lines: list[str] = []
        self._work = work

    def add(self, line: str) -> None:
        """Note a problem, once.

        Raises:
            TooManyProblemsError: it is one too many, or nothing more can be read.
        """
        if line not in self.lines:
            self.lines.append(line)
        if self._work.is_exceeded:
            raise TooManyProblemsError
        if len(self.lines) == MAX_PROBLEMS:
            self.lines.append(f"... and perhaps more: reading stopped after {MAX_PROBLEMS} problems")
            raise TooManyProblemsError

    @contextmanager
    def collect(self, on_error: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Note the ConfigError that ends the block, call ``on_error`` and go on behind the block."""
        try:
            yield
        except UnknownValueError:
            on_error()
        except ConfigError as error:
            on_error()
            self.add(str(error))


@contextmanager
def located(place: str) -> Iterator[None]:
    """Turn what fails in the block into a ConfigError that names the place."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{error} ({place})") from error
