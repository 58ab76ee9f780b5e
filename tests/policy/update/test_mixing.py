"""Updates on mixed batches against the same update written out with torch and the mixing alone."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from ding_cls.common.seed import Stream, derive_seed, torch_randomness
from ding_cls.data import BatchMixing
from ding_cls.errors import ConfigError
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from tests.policy.test_classification import LR, Normless, build, network

AUGMENTS = [{"type": "Mixup", "alpha": 1.0, "prob": 0.5}, {"type": "CutMix", "alpha": 1.0, "prob": 0.5}]
SEED = 11


def images_and_targets(number: int, count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(number)
    images = torch.randn(count, 3, 6, 6, generator=generator)
    targets = torch.randint(4, (count,), generator=generator)
    return Batch(images, targets, torch.arange(count))


def mixing_policy(augments: Any = AUGMENTS, max_epochs: int = 10, **learn: Any) -> ImageClassificationPolicy:
    policy = build(network(Normless), batch_augments=augments, **learn)
    policy.learn_mode.set_attribute("seed", SEED)
    mixing = BatchMixing(augments, num_classes=4, max_epochs=max_epochs)
    policy.learn_mode.set_attribute("mix_batch", mixing)
    return policy


def mixed(batch: Batch, train_iter: int) -> Batch:
    with torch_randomness(derive_seed(Stream.STEP, SEED, train_iter, 0)):
        return BatchMixing(AUGMENTS, num_classes=4)(batch)


def test_updates_equal_a_plain_loop_on_mixed_batches() -> None:
    policy, model = mixing_policy(momentum=0.0, weight_decay=0.0), network(Normless)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for train_iter in range(4):
        batch = images_and_targets(train_iter)
        found = policy.learn_mode.forward(batch)
        plain = mixed(batch, train_iter)
        logits = model(plain.images)
        loss = functional.cross_entropy(logits, plain.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.equal(found["total_loss"], loss.detach())
        hits = logits.argmax(1) == plain.targets.argmax(1)
        assert found["acc1"].item() == pytest.approx(100 * hits.float().mean().item())
        assert not torch.equal(plain.images, batch.images)
    for ours, theirs in zip(policy._model.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_batch_is_mixed_before_it_is_cut_into_pieces() -> None:
    whole, pieces = mixing_policy(), mixing_policy(accumulation_steps=3)
    for number in range(3):
        first, second = (each.learn_mode.forward(images_and_targets(number)) for each in (whole, pieces))
        torch.testing.assert_close(first["total_loss"], second["total_loss"])
        assert first["acc1"].item() == pytest.approx(second["acc1"].item())
    for ours, theirs in zip(whole._model.parameters(), pieces._model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_evaluation_sees_pictures_as_they_are() -> None:
    policy, batch = mixing_policy(), images_and_targets(0)
    with torch.no_grad():
        assert torch.equal(policy.eval_mode.forward(batch), network(Normless).eval()(batch.images))


@pytest.mark.parametrize("is_told", [True, False])
def test_a_mixture_ends_with_its_epoch_in_our_loop_and_in_a_users(is_told: bool) -> None:
    augments = [{"type": "Mixup", "until_epoch": 2}]
    policy, plain = mixing_policy(augments), build(network(Normless))
    if is_told:
        policy.learn_mode.set_attribute("updates_per_epoch", 2)
    same = []
    for epoch in range(4):
        for number in range(2):
            plain.learn_mode.load_state_dict(policy.learn_mode.state_dict())
            batch = images_and_targets(10 * epoch + number)
            losses = [each.learn_mode.forward(batch)["total_loss"] for each in (policy, plain)]
            same.append(torch.allclose(*losses))
        policy.learn_mode.get_attribute("lr_scheduler").step()
    assert same == [False] * 4 + [True] * 4


def test_nothing_that_mixes_is_an_error_that_says_what_to_do() -> None:
    policy = build(network(Normless), batch_augments=AUGMENTS)
    with pytest.raises(ConfigError, match=r"batch_augments is set .* set the attribute 'mix_batch'"):
        policy.learn_mode.forward(images_and_targets(0))
