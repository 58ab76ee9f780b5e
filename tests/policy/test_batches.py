"""Every form of a batch becomes the same record."""

import torch

from ding_cls.policy.batches import as_batch
from ding_cls.types import Batch

IMAGES, TARGETS = torch.rand(3, 3, 2, 2), torch.tensor([2, 0, 1])


def test_a_batch_stays_and_pairs_and_images_become_one() -> None:
    batch = Batch(IMAGES, TARGETS, torch.tensor([7, 8, 9]))
    assert as_batch(batch) is batch
    for pair in ([IMAGES, TARGETS], (IMAGES, TARGETS, "more")):
        found = as_batch(pair)
        assert (found.images is IMAGES, found.targets is TARGETS) == (True, True)
        assert found.sample_ids.tolist() == [0, 1, 2]
    assert as_batch(IMAGES).targets.tolist() == [0, 0, 0]
