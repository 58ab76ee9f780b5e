"""One row an epoch: what training and evaluation came to."""

import math
import time
from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.common.late import Reading
from ding_cls.distributed.comm import all_reduce_sums, get_rank, get_world_size
from ding_cls.metrics import plain_totals
from ding_cls.worker.learner.state.bad_updates import BadUpdates

# Updates whose numbers are read together.
_AT_ONCE = 128
_AVERAGED = ("total_loss", "acc1")


class SampleSums:
    """Loss and accuracy times samples, summed over updates in their order, in float64.

    The numbers of an update are kept as they are, and read many at a time: what a device has still to compute
    is waited for only where the sums are asked for.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0
        # Of each update its loss and accuracy, None where it has none; whether it was skipped; its samples.
        self._pending: list[tuple[Any, Any, bool | torch.Tensor, int]] = []
        self._readings: list[tuple[Reading, list[tuple[Any, Any, bool | torch.Tensor, int]]]] = []

    def add(
        self,
        values: Mapping[str, Any],
        num_samples: int,
        *,
        is_skipped: bool | torch.Tensor,
        copies: bool = True,
    ) -> None:
        """Add an update.

        Args:
            values: what it returned.
            num_samples: what its means are over.
            is_skipped: as in ``History.add``: of a skipped update nothing is added, and no sample counted.
            copies: somebody may write into the tensors before they are read.
        """
        loss, acc1 = values.get("total_loss"), values.get("acc1")
        if copies:
            loss, acc1 = _copied(loss), _copied(acc1)
        self._pending.append((loss, acc1, is_skipped, num_samples))
        if len(self._pending) == _AT_ONCE:
            # The newer half may still wait for its mean over the ranks; the pack before is there long since.
            self._read_pending(_AT_ONCE // 2)
            self._fold(all_but=1)

    def totals(self) -> tuple[dict[str, float], int]:
        """Return the sums by name, and the number of samples; what is under way is waited for."""
        self._read_pending(len(self._pending))
        self._fold(all_but=0)
        return dict(self._sums), self._count

    def set(self, sums: Mapping[str, float], count: int) -> None:
        """Continue with these sums alone."""
        self._sums, self._count = dict(sums), count
        self._pending, self._readings = [], []

    def _read_pending(self, count: int) -> None:
        """Begin to read the oldest ``count`` updates that wait for it."""
        updates, self._pending = self._pending[:count], self._pending[count:]
        if updates:
            losses, accuracies, skipped, _ = zip(*updates, strict=True)
            # Of most runs the host knows of every update that it was applied.
            flags = skipped if any(each is not False for each in skipped) else ()
            values = [0.0 if each is None else each for each in (*losses, *accuracies, *flags)]
            self._readings.append((Reading(values), updates))

    def _fold(self, *, all_but: int) -> None:
        while len(self._readings) > all_but:
            reading, updates = self._readings.pop(0)
            floats, size = reading.floats(), len(updates)
            counts = [update[3] for update in updates]
            if len(floats) > 2 * size:
                # What is not finite stays so times 0.
                counts = [
                    0 if flag > 0 else count for flag, count in zip(floats[2 * size :], counts, strict=True)
                ]
            self._count += sum(counts)
            for place, name in enumerate(_AVERAGED):
                means = floats[place * size : (place + 1) * size]
                for update, mean, count in zip(updates, means, counts, strict=True):
                    if update[place] is not None:
                        self._sums[name] = self._sums.get(name, 0.0) + (mean * count if count else 0.0)


class History:
    """Sums up the open epoch and keeps the rows of the closed ones.

    Attributes:
        rows: for each closed epoch a dict with ``epoch`` (from 0), ``train_iter``, ``lr``, ``train_loss``,
            ``train_acc1`` (percent), ``seconds``, and where it was evaluated what the metric gave:
            ``val_loss``, ``val_acc1``, ...
        bad_updates: those with numbers that are not finite; ``train_skipped`` in rows counts the skipped.
        is_skipped: whether the latest update was not applied; 0-dim, above 0, where only the device knows.
        copies: whether somebody else may write into the tensors of an update.
        n_bad: training samples that are left out, since their images cannot be read; ``train_n_bad`` in rows.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.n_bad, self.copies = 0, True
        self.bad_updates = BadUpdates()
        self._sums = SampleSums()
        self._lr: Any = None
        self.is_skipped: bool | torch.Tensor = False
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
        self._sums.add(values, num_samples, is_skipped=is_skipped, copies=self.copies)
        self._lr = values.get("cur_lr", 0.0)
        self._is_open = True

    def note(self, name: str, value: float) -> None:
        """Give the open epoch's row a further value."""
        self._notes[name] = value

    def close(self, *, epoch: int, train_iter: int, evaluation: Mapping[str, float]) -> dict[str, Any]:
        """Turn the open epoch, summed over the ranks, into a row, and return it; all ranks call it."""
        self._stop_clock()
        row = {"epoch": epoch, "train_iter": train_iter, "lr": float(self._lr or 0.0)}
        sums, count = self._shared_totals()
        for name, total in sums.items():
            mean = total / count if count else math.nan
            row["train_loss" if name == "total_loss" else f"train_{name}"] = mean
        row |= {"train_n_bad": self.n_bad} if self.n_bad else {}
        row |= self.bad_updates.close_epoch()
        row |= self._notes
        row |= {f"val_{name}": value for name, value in evaluation.items()}
        row["seconds"] = self._seconds
        self.rows.append(row)
        self._closed = {
            "sums": {"lr": row["lr"], **sums},
            "count": count,
            "is_open": True,
            "processes": get_world_size(),
            "seconds": self._seconds,
        }
        self._sums.set({}, 0)
        self._lr, self._seconds, self._is_open, self._notes = None, 0.0, False, {}
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
        sums, count = self._shared_totals()
        self._set_of_rank_0(sums, count)

    def state_dict(self) -> dict[str, Any]:
        """Return closed rows and the open sums; tensors stay exact."""
        self._stop_clock()
        self.resume_clock()
        sums, count = self._sums.totals()
        return {
            "rows": [dict(row) for row in self.rows],
            "sums": sums if self._lr is None else {**sums, "lr": float(self._lr)},
            "count": count,
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
        self._lr, self._seconds = state["sums"].get("lr"), state["seconds"]
        sums = {name: value * times for name, value in state["sums"].items() if name != "lr"}
        count = round(state["count"] * times)
        self._is_open = state.get("is_open", count > 0)
        self._set_of_rank_0(sums, count)

    def _shared_totals(self) -> tuple[dict[str, float], int]:
        """Return the sums over the ranks, which call this together."""
        sums, count = self._sums.totals()
        totals = {name: torch.tensor(total, dtype=torch.float64) for name, total in sums.items()}
        shared = plain_totals(all_reduce_sums({**totals, "count": torch.tensor(count)}))
        return shared, shared.pop("count")

    def _set_of_rank_0(self, sums: Mapping[str, float], count: int) -> None:
        """Continue with these sums on rank 0, and with zeros on the others."""
        if get_rank() > 0:
            sums, count = dict.fromkeys(sums, 0.0), 0
        self._sums.set(sums, count)

    def _stop_clock(self) -> None:
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since
            self._since = None


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
