"""The hooks that options of training bring along."""

from collections.abc import Iterator
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.hooks.implied import ObserveEvaluation, PreciseBatchNorm


class Loader:
    sizes = (4, 4)

    def __init__(self) -> None:
        self.epoch = -1

    def __len__(self) -> int:
        return 5

    def set_position(self, epoch: int, first_batch: int) -> None:
        assert first_batch == 0
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, number) for number in range(5))


class Engine:
    """What the hooks ask of a learner."""

    def __init__(self, train_iter: int) -> None:
        self.train_iter, self.policy, self.seen = train_iter, self, []
        self.eval_result = {"acc1": 50.0}

    def get_attribute(self, name: str) -> Any:
        return {"recompute_statistics": self.take, "lr_scheduler": self}[name]

    def take(self, batches: Any) -> None:
        self.seen += list(batches)

    def observe(self, result: Any) -> None:
        self.seen.append(result)


@pytest.mark.parametrize(
    ("train_iter", "settings", "expected"),
    [
        (5, {"num_samples": 8}, [(0, 0), (0, 1)]),
        (10, {"num_samples": 9}, [(1, 0), (1, 1), (1, 2)]),
        (10, {}, [(1, number) for number in range(5)]),
        (7, {"num_samples": 1}, [(1, 0)]),
        (5, {"interval": 2}, []),
        (10, {"interval": 2, "num_samples": 4}, [(1, 0)]),
    ],
)
def test_the_first_batches_of_the_epoch_are_shown_again(
    train_iter: int, settings: dict[str, int], expected: list[tuple[int, int]]
) -> None:
    engine: Any = Engine(train_iter)
    PreciseBatchNorm(Loader(), **settings)(engine)
    assert engine.seen == expected


def test_it_comes_before_the_hooks_that_save() -> None:
    hook = PreciseBatchNorm(None)
    assert (hook.position, hook.priority) == ("after_epoch", 5)


@pytest.mark.parametrize("settings", [{"num_samples": 0}, {"interval": 0}, {"interval": 1.5}])
def test_numbers_are_checked(settings: Any) -> None:
    with pytest.raises(ConfigError, match=r"policy\.learn\.precise_bn\.\w+ is .*; it must be 1 or more"):
        PreciseBatchNorm(None, **settings)


def test_evaluations_are_passed_on_but_the_first() -> None:
    for train_iter, expected in ((0, []), (5, [{"acc1": 50.0}])):
        engine: Any = Engine(train_iter)
        ObserveEvaluation()(engine)
        assert engine.seen == expected
