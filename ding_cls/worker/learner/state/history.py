"""One row an epoch: what training and evaluation came to."""

import math
import time
from collections.abc import Mapping
from typing import Any, cast

import torch

from ding_cls.distributed.comm import all_reduce_sums, get_rank, get_world_size
from ding_cls.worker.learner.loop.bad_updates import BadUpdates


class History:
    """Sums up the open epoch and keeps the rows of the closed ones.

    Attributes:
        rows: for each closed epoch a dict with ``epoch`` (from 0), ``train_iter``, ``lr``, ``train_loss``,
            ``train_acc1`` (percent), ``seconds``, and where it was evaluated what the metric gave:
            ``val_loss``, ``val_acc1``, ...
        bad_updates: those with numbers that are not finite; ``train_skipped`` in rows counts the skipped.
        is_skipped: whether the latest update was not applied; 0-dim, above 0, where only the device knows.
        n_bad: training samples that are left out, since their images cannot be read; ``train_n_bad`` in rows.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.n_bad = 0
        self.bad_updates = BadUpdates()
        self._sums: dict[str, Any] = {}
        self.is_skipped: bool | torch.Tensor = False
        self._count: Any = 0
        self._is_open = False
        # The sums of the last row, should its epoch go on after all.
        self._closed: dict[str, Any] = {}
        self._notes: dict[str, float] = {}
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether updates were added since the last row was closed."""
        return self._is_open

    def know_dataset(self, dataset: Any) -> None:
        """Take notice of the training data, where somebody knows them."""
        self.n_bad, self.bad_updates.dataset = getattr(dataset, "n_bad", 0), dataset

    def resume_clock(self) -> None:
        """Begin to count the open epoch's seconds."""
        self._since = time.perf_counter()

    def add(
        self, values: Mapping[str, Any], num_samples: int, *, is_skipped: bool | torch.Tensor = False
    ) -> None:
        """Add one update; loss and accuracy stay on the device.

        Args:
            values: what the update returned; the mean over the ranks is that over its samples.
            num_samples: samples of all ranks, the same number on each: what means are weighted by.
            is_skipped: it was not applied, and counts in no mean; 0-dim, above 0, where the device decides.
        """
        self.is_skipped = is_skipped
        self._count += add_terms(self._sums, values, num_samples, is_skipped=is_skipped)
        self._sums["lr"] = values.get("cur_lr", 0.0)
        self._is_open = True

    def note(self, name: str, value: float) -> None:
        """Give the open epoch's row a further value."""
        self._notes[name] = value

    def close(self, *, epoch: int, train_iter: int, evaluation: Mapping[str, float]) -> dict[str, Any]:
        """Turn the open epoch, summed over the ranks, into a row, and return it; all ranks call it."""
        self._stop_clock()
        row = {"epoch": epoch, "train_iter": train_iter, "lr": float(self._sums.pop("lr", 0.0))}
        shared = self._totals()
        count = int(shared.pop("count"))
        for name, total in shared.items():
            mean = float(total) / count if count else math.nan
            row["train_loss" if name == "total_loss" else f"train_{name}"] = mean
        row |= {"train_n_bad": self.n_bad} if self.n_bad else {}
        row |= self.bad_updates.close_epoch()
        row |= self._notes
        row |= {f"val_{name}": value for name, value in evaluation.items()}
        row["seconds"] = self._seconds
        self.rows.append(row)
        sums = {name: float(total) for name, total in shared.items()}
        self._closed = {
            "sums": {"lr": row["lr"], **sums},
            "count": count,
            "is_open": True,
            "processes": get_world_size(),
            "seconds": self._seconds,
        }
        self._sums, self._count, self._seconds, self._is_open = {}, 0, 0.0, False
        self._notes = {}
        return row

    def reopen(self, train_iter: int) -> bool:
        """Take back the row closed at this update, if there is one: its epoch goes on after all."""
        if not self.rows or self.rows[-1]["train_iter"] != train_iter:
            return False
        self.bad_updates.reopen_epoch(self.rows.pop())
        self._open(self._closed)
        return True

    def pool(self) -> None:
        """Move the open sums of all ranks to rank 0, whose checkpoint then holds them; all ranks call it."""
        if get_world_size() == 1:
            return
        shared = self._totals()
        count = int(shared.pop("count"))
        if get_rank() == 0:
            self._sums |= shared
            self._count = count
        else:
            self._forget_sums()

    def state_dict(self) -> dict[str, Any]:
        """Return closed rows and the open sums; tensors stay exact."""
        self._stop_clock()
        self.resume_clock()
        sums = {name: float(value) for name, value in self._sums.items()}
        return {
            "rows": [dict(row) for row in self.rows],
            "sums": sums,
            "count": int(self._count),
            "is_open": self._is_open,
            "processes": get_world_size(),
            "notes": dict(self._notes),
            "seconds": self._seconds,
            "closed": self._closed,
            "bad_updates": self.bad_updates.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken; the open sums are rank 0's."""
        self.rows = [dict(row) for row in state["rows"]]
        self._closed = dict(state["closed"])
        self._notes = dict(state.get("notes", {}))
        self.bad_updates.load_state_dict(state.get("bad_updates", {}))
        self._open(state)

    def _open(self, state: Mapping[str, Any]) -> None:
        # Each rank counts the samples of all: a resume on more ranks counts them more often.
        times = get_world_size() / state.get("processes", 1)
        sums = state["sums"].items()
        self._sums = {name: value if name == "lr" else value * times for name, value in sums}
        self._count, self._seconds = round(state["count"] * times), state["seconds"]
        self._is_open = state.get("is_open", self._count > 0)
        if get_rank() > 0:
            self._forget_sums()

    def _totals(self) -> dict[str, torch.Tensor]:
        sums = {name: value for name, value in self._sums.items() if name != "lr"}
        totals = {name: torch.as_tensor(total, dtype=torch.float64) for name, total in sums.items()}
        return all_reduce_sums({**totals, "count": torch.as_tensor(self._count)})

    def _forget_sums(self) -> None:
        self._count = 0
        self._sums = {name: value if name == "lr" else 0.0 for name, value in self._sums.items()}

    def _stop_clock(self) -> None:
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since
            self._since = None


def add_terms(
    sums: dict[str, Any], values: Mapping[str, Any], num_samples: int, *, is_skipped: bool | torch.Tensor
) -> Any:
    """Add an update's loss and accuracy, times its samples, to sums; return how many samples these are.

    Args:
        sums: by name.
        values: what the update returned.
        num_samples: what its means are over.
        is_skipped: as in ``History.add``: of a skipped update nothing is added, and no sample counted.
    """
    if not isinstance(is_skipped, torch.Tensor):
        num_samples = 0 if is_skipped else num_samples
    for name in ("total_loss", "acc1"):
        if name not in values:
            continue
        value, term = values[name], cast(Any, 0.0)
        # What is not finite stays so times 0.
        if num_samples:
            term = (value.double() if isinstance(value, torch.Tensor) else float(value)) * num_samples
        if isinstance(is_skipped, torch.Tensor):
            term = torch.where(is_skipped > 0, 0.0, term)
        sums[name] = sums.get(name, 0.0) + term
    return (
        torch.where(is_skipped > 0, 0, num_samples) if isinstance(is_skipped, torch.Tensor) else num_samples
    )
