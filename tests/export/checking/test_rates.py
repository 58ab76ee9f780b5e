"""Images per second of two networks, in turns."""

import time

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.export.checking.rates import rates


def test_they_run_in_turns_and_the_slower_one_is_slower() -> None:
    order: list[str] = []

    def runs(name: str, seconds: float) -> object:
        def run(images: torch.Tensor) -> npt.NDArray[np.float32]:
            order.append(name)
            time.sleep(seconds)
            return np.zeros((len(images), 2), np.float32)

        return run

    first, second = rates(runs("a", 0.02), runs("b", 0.002), torch.zeros(4, 1))  # type: ignore[arg-type]
    assert order == ["a", "b"] * 10
    assert 0 < first < 4 / 0.02
    assert first < second < 4 / 0.002
