"""Answers of two networks: where they differ, and where a tie or rounding explains it."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ding_cls.export.checking.tally import BATCH_SIZES, Candidate, Tally, differs


def logits(*rows: list[float]) -> npt.NDArray[np.float32]:
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("wanted", "found", "is_several", "expected"),
    [
        ([1.0, 2.0], [2.0, 1.0], False, True),
        ([1.0, 1.000005], [1.000005, 1.0], False, False),
        ([1.0, 1.00002], [1.00002, 1.0], False, True),
        ([7.0], [7.0], False, False),
        ([5e-6, 1.0], [-5e-6, 1.0], True, False),
        ([2e-5, 1.0], [-2e-5, 1.0], True, True),
        ([3.0, 1.0], [1.0, 3.0], True, False),
        ([1.0, 2.0], [np.nan, 2.0], False, True),
        ([1.0, np.inf], [1.0, np.inf], False, True),
        ([-1.0, np.nan], [-1.0, np.nan], True, True),
        # A class that both mask; one that only one does; all of them.
        ([1.0, -np.inf], [1.0, -np.inf], False, False),
        ([1.0, -np.inf], [1.0, -np.inf], True, False),
        ([1.0, -np.inf], [1.0, -9e9], False, True),
        ([1.0, -9e9], [1.0, -np.inf], True, True),
        ([-np.inf, -np.inf], [-np.inf, -np.inf], False, True),
        ([np.nan, -np.inf], [np.nan, -np.inf], False, True),
    ],
)
def test_an_answer_differs_where_no_tie_explains_it(
    wanted: list[float], found: list[float], is_several: bool, expected: bool
) -> None:
    assert differs(logits(wanted), logits(found), has_several_labels=is_several).tolist() == [expected]


def test_of_several_tasks_each_counts() -> None:
    wanted = np.array([[[1, 2], [3, 1]], [[1, 2], [3, 1]]], np.float32)
    found = np.array([[[1, 2], [3, 1]], [[1, 2], [1, 3]]], np.float32)
    assert differs(wanted, found, has_several_labels=False).tolist() == [False, True]


def count(images: torch.Tensor) -> npt.NDArray[np.float32]:
    """Logits of an image: its value, and zero."""
    return np.stack([images.flatten(1)[:, 0].numpy(), np.zeros(len(images))], 1).astype(np.float32)


@pytest.mark.parametrize("size", [1, 9, 10, 32])
def test_the_first_batch_goes_through_in_batches_of_1_2_and_7(size: int) -> None:
    seen: list[int] = []

    def candidate(images: torch.Tensor) -> npt.NDArray[np.float32]:
        seen.append(len(images))
        return count(images)

    tally = Tally(has_several_labels=False)
    for begin in (1, 1 + size):
        pixels = torch.arange(begin, begin + size).reshape(-1, 1).float()
        tally.add(count, candidate, pixels, [str(each) for each in range(size)])
    assert tuple(seen[:3]) == BATCH_SIZES
    assert seen[3:] == ([size - 10] if size > 10 else []) + [size]
    assert (tally.num_images, tally.num_different, tally.max_difference) == (2 * size, 0, 0.0)
    assert tally.max_logit == 2 * size


def test_an_image_that_differs_is_counted_once_and_the_worst_is_named() -> None:
    def candidate(images: torch.Tensor) -> npt.NDArray[np.float32]:
        found = count(images)
        found[found[:, 0] == 2] = [-5, 0]
        return found

    tally = Tally(has_several_labels=False)
    tally.add(count, candidate, torch.tensor([[1.0], [2.0]]), ["a.jpg", "b.jpg"])
    assert (tally.num_images, tally.num_different, tally.max_difference, tally.worst) == (2, 1, 7.0, "b.jpg")


def test_a_class_that_both_mask_is_no_distance() -> None:
    def masked(images: torch.Tensor) -> npt.NDArray[np.float32]:
        found = count(images)
        found[:, 1] = -np.inf
        return found

    tally = Tally(has_several_labels=False)
    tally.add(masked, masked, torch.arange(1.0, 13)[:, None], [""] * 12)
    assert (tally.num_different, tally.max_difference, tally.max_logit) == (0, 0.0, 12.0)
    assert tally.fault(masked) == ""
    tally.add(masked, count, torch.arange(1.0, 13)[:, None], [""] * 12)
    assert (tally.num_different, tally.max_difference) == (12, np.inf)


def test_a_network_that_counts_its_calls_is_told_in_one_batch_too() -> None:
    calls = 0

    def counting(images: torch.Tensor) -> npt.NDArray[np.float32]:
        nonlocal calls
        calls += 1
        return count(images) + np.float32(calls)

    tally = Tally(has_several_labels=False)
    tally.add(counting, lambda images: count(images) + np.float32(1), torch.ones(12, 1), [""] * 12)
    assert tally.max_difference == 0
    assert "it counts" in tally.fault(counting)


@pytest.mark.parametrize(
    ("candidate", "problem"),
    [
        (lambda images: count(images)[:1], "it turns images (2, 1) into (1, 2), not (2, 2)"),
        (lambda images: count(images[:1] if len(images) == 1 else 1 / 0), "it does not take images (2, 1): "),
    ],
)
def test_a_frozen_batch_is_a_problem(candidate: object, problem: str) -> None:
    tally = Tally(has_several_labels=False)
    tally.add(count, candidate, torch.ones(32, 1), [""] * 32)  # type: ignore[arg-type]
    assert tally.problem.startswith(problem)
    assert tally.num_images == 0


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        (
            lambda images: count(images) + np.random.default_rng().random(2, np.float32),
            "something in it is random",
        ),
        (lambda images: count(images - images.mean()), "where others are in its batch"),
        (lambda images: count(images) + np.float32(np.nan), "gives logits that are NaN or infinite"),
        (lambda images: count(images) + np.float32(np.inf), "gives logits that are NaN or infinite"),
        (lambda images: count(images) + 3e-4, ""),
        # Rounding with another batch size, of a network with large values inside: the file may be wrong.
        (lambda images: count(images) + np.float32(3e-4 + 5e-5 * (len(images) > 1)), ""),
    ],
)
def test_a_network_that_no_file_can_agree_with_is_told(reference: Candidate, fault: str) -> None:
    tally = Tally(has_several_labels=False)
    tally.add(reference, lambda images: count(images), torch.arange(1.0, 13)[:, None], [""] * 12)
    assert tally.max_difference > 1e-4
    assert tally.fault(reference).endswith(fault)
    assert bool(tally.fault(reference)) == bool(fault)
    assert tally.max_logit < 100


def test_rounding_is_not_put_down_to_the_batch() -> None:
    """Of logits of thousands it is larger than the bound; the report says so itself."""

    def reference(images: torch.Tensor) -> npt.NDArray[np.float32]:
        return count(images) + np.float32(3000 + 6e-4 * (len(images) > 1))

    tally = Tally(has_several_labels=False)
    tally.add(reference, lambda images: count(images) + 2999, torch.arange(1.0, 13)[:, None], [""] * 12)
    assert tally.max_difference > 0.9
    assert float(np.ptp([reference(torch.ones(size, 1))[0, 0] for size in (1, 2)])) > 1e-4
    assert tally.fault(reference) == ""
