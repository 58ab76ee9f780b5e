"""What the tests of the learner share: a policy mode without a network, a loader of plain batches."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ding_cls.policy import LearnMode
from ding_cls.types import Batch
from ding_cls.worker import BaseLearner, LearnerHook


class Counting:
    """A learn mode that only counts: its loss is the number of its update, from 1."""

    def __init__(self) -> None:
        self.count = 0
        self.attributes: dict[str, Any] = {}
        self.seen: list[Any] = []
        self.mode = LearnMode(
            forward=self.forward,
            reset=lambda: None,
            info=lambda: "a counter",
            monitor_vars=lambda: ["total_loss"],
            get_attribute=self.attributes.__getitem__,
            set_attribute=self.attributes.__setitem__,
            state_dict=lambda: {"model": {}, "count": self.count},
            load_state_dict=self.load,
        )

    def forward(self, data: Any, **kwargs: Any) -> dict[str, Any]:
        self.count += 1
        self.seen.append((data, kwargs))
        return {"total_loss": torch.tensor(float(self.count)), "cur_lr": 0.5, "acc1": torch.tensor(50.0)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]


class Loader:
    """Yields ``length`` batches of four an epoch; their ids say epoch and number."""

    def __init__(self, length: int = 3) -> None:
        self._length = length
        self._position = (0, 0)
        self.positions: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self._length

    def set_position(self, epoch: int, first_batch: int) -> None:
        self._position = (epoch, first_batch)
        self.positions.append((epoch, first_batch))

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = self._position
        self._position = (epoch + 1, 0)
        for number in range(first, self._length):
            ids = torch.full((4,), 100 * epoch + number)
            yield Batch(torch.zeros(4, 3, 2, 2), torch.tensor([3, 1, 2, 0]), ids)


class Note(LearnerHook):
    """Writes its name and the update into a list."""

    def __init__(self, notes: list[Any], name: str, priority: int = 50, *, position: Any) -> None:
        super().__init__(name, priority, position=position)
        self._notes = notes

    def __call__(self, engine: BaseLearner) -> None:
        self._notes.append((self.name, engine.train_iter))


QUIET = {"hook": {"save_ckpt_after_iter": False, "save_ckpt_after_run": False}}


def learner(exp_name: str = "run", **cfg: Any) -> tuple[BaseLearner, Counting]:
    """Return a learner without hooks of its own, and the policy that it runs."""
    policy = Counting()
    return BaseLearner({**QUIET, **cfg}, policy.mode, exp_name=exp_name), policy
