"""The errors a user can cause, and the one that stops a run on purpose.

Each carries one line: what was given and where it came from, what is allowed, what to do. The command line
prints that line and leaves with the class's ``exit_code``.
"""

from typing import TypeVar

Found = TypeVar("Found", bound=BaseException)


class DingError(Exception):
    """Base of the family; catch it to catch every error that the user can mend.

    Args:
        message: the line.
        is_on_all_ranks: every rank ends with the same line: one prints it. None: as its kind mostly is.

    Attributes:
        exit_code: what the command line leaves with.
    """

    exit_code = 2
    is_on_all_ranks = False

    def __init__(self, message: str = "", *, is_on_all_ranks: bool | None = None) -> None:
        super().__init__(message)
        if is_on_all_ranks is not None:
            self.is_on_all_ranks = is_on_all_ranks


class ConfigError(DingError):
    """A config file, an override or an argument that cannot be used."""

    is_on_all_ranks = True


class PartError(ConfigError):
    """A ``type='Name'`` that no registry knows, or an argument that its constructor does not take.

    Args:
        message: the line.
        name: what stands behind ``type``, so that whoever has the config can say where.
        argument: the argument that the constructor does not take.
    """

    def __init__(self, message: str, name: str = "", argument: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.argument = argument


class DataError(DingError):
    """A data folder, a picture or a class list that cannot be used."""


class ImageError(DataError):
    """An image that cannot be read.

    Args:
        reason: which, and why.
        remedy: what whoever has it in a data set is to do; empty: nothing.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason


class CheckpointError(DingError):
    """A checkpoint that is missing, damaged, or made for another model."""


class ExportError(DingError):
    """A network that cannot be exported, or an exported file that does not say the same."""


class ChangedRunError(CheckpointError):
    """A run that was changed so that it cannot go on from its checkpoint; the weights alone can be used.

    Args:
        what: what differs, and both values.
        remedy: what to do but to resume with the same; None: use its weights in a new run.
    """

    is_on_all_ranks = True

    def __init__(self, what: str, remedy: str | None = None) -> None:
        named = remedy or "begin a new run with these weights: policy.model.pretrained=FILE"
        super().__init__(f"{what}; resume with the same, or {named}")
        self.what, self.remedy = what, remedy


class ModelError(DingError):
    """An unknown model, or weights that do not fit it."""


class DistributedError(DingError):
    """Environment variables of a launcher that are missing, stale or contradict each other."""


class RankLostError(DistributedError):
    """Another process of the run ended, or does not answer any more."""


class WorkerError(DingError):
    """A data loading worker was killed, or ended on its own."""


class OutOfMemoryError(DingError):
    """An update needs more memory than there is."""


class DiskError(DingError):
    """Checkpoints could not be written: the disk is full, or fails."""

    exit_code = 3


class NumbersError(DingError):
    """Training gave numbers that are not finite, update after update."""

    exit_code = 4


class RunStopped(SystemExit):
    """A signal ended the run at a step boundary, after a checkpoint was written.

    It is a ``SystemExit`` with code 75 (``EX_TEMPFAIL``: try again), so that any program that leaves it alone
    tells its scheduler that the run can be resumed.

    Args:
        message: what was saved, and how to go on.
        cause: the signal's name.
    """

    def __init__(self, message: str, *, cause: str = "") -> None:
        super().__init__(75)
        self.message, self.cause = message, cause

    def __str__(self) -> str:
        return self.message


def behind(error: BaseException, kind: type[Found]) -> Found | None:
    """Return the nearest exception of a kind that an error is, or was raised because of or in handling."""
    each: BaseException | None = error
    seen: set[int] = set()
    while each is not None and id(each) not in seen:
        if isinstance(each, kind):
            return each
        seen.add(id(each))
        each = each.__cause__ or each.__context__
    return None
