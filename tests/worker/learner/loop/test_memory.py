"""An update that does not fit: what is named, and what is advised."""

from typing import Any

import pytest
import torch

from ding_cls.worker.learner.loop.memory import memory_error


def facts(**learn: Any) -> dict[str, Any]:
    return {"config": {"policy": {"learn": learn}}}


OURS = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total of 1")


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("can't allocate memory")])
def test_other_errors_are_none_of_its_own(error: Exception) -> None:
    assert memory_error(error, facts(batch_size=32)) is None


@pytest.mark.parametrize(
    "error",
    [OURS, MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you")],
)
def test_a_batch_of_half_the_size_is_advised(error: Exception) -> None:
    line = str(memory_error(error, facts(batch_size=32, accumulation_steps=None)))
    assert line.startswith("out of memory")
    assert "policy.learn.batch_size is 32" in line
    assert "policy.learn.accumulation_steps=2" in line
    assert "policy.learn.batch_size=16" in line


def test_pieces_become_smaller_yet() -> None:
    assert "accumulation_steps=8" in str(memory_error(OURS, facts(batch_size=32, accumulation_steps=4)))


@pytest.mark.parametrize("known", [{}, facts(batch_size=1)])
def test_without_a_batch_to_halve_the_advice_is_in_words(known: dict[str, Any]) -> None:
    line = str(memory_error(OURS, known))
    assert line == "out of memory (CUDA out of memory); use smaller batches or images"


def test_a_worker_without_memory_points_at_the_workers() -> None:
    error = RuntimeError("Caught an error in DataLoader worker process 0.\ncan't allocate memory: 5 bytes")
    assert "policy.learn.learner.dataloader.num_workers" in str(memory_error(error, {}))
