"""Batches mixed by chance: exact for what was drawn, honest about how often."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from ding_cls.common.seed import torch_randomness
from ding_cls.data import BATCH_AUGMENTS, BatchMixing
from ding_cls.data.batch_augment import CutMix, Identity, Mixture, Mixup, ResizeMix
from ding_cls.errors import ConfigError
from ding_cls.types import Batch

N, CLASSES, HEIGHT, WIDTH = 6, 4, 20, 30
TARGETS = torch.tensor([0, 1, 2, 3, 1, 0])


def batch(*, targets: torch.Tensor = TARGETS, weights: torch.Tensor | None = None) -> Batch:
    # Every picture has one value of its own, so that each pixel says whose it is.
    images = torch.arange(1.0, N + 1).view(N, 1, 1, 1).expand(N, 3, HEIGHT, WIDTH).clone()
    return Batch(images, targets, torch.arange(N), weights)


def mixing(*augments: dict, **arguments) -> BatchMixing:
    return BatchMixing(augments, num_classes=CLASSES, **arguments)


def drawn(mixer, images, seed) -> Mixture:
    with torch_randomness(seed):
        return mixer(images)


def one_hot(targets):
    return functional.one_hot(targets, CLASSES).float()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha):
    images = torch.zeros(2, 1, 1, 1)
    with torch_randomness(0):
        shares = np.array([Mixup(alpha=alpha)(images).share for _ in range(4000)])
    # Of Beta(a, a): mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_mixup_is_a_weighted_mean_of_pictures_and_targets():
    given = batch()
    with torch_randomness(3):
        mixed = mixing({"type": "Mixup", "alpha": 1.0})(given)
    with torch_randomness(3):
        torch.rand((), dtype=torch.float64)
        mixture = Mixup(1.0)(given.images)
    share, partners = mixture.share, mixture.partners
    assert sorted(partners.tolist()) == list(range(N))
    images, targets = given.images.double(), one_hot(TARGETS).double()
    wanted = share * images + (1 - share) * images[partners]
    torch.testing.assert_close(mixed.images, wanted.float(), rtol=0, atol=1e-6)
    wanted = share * targets + (1 - share) * targets[partners]
    torch.testing.assert_close(mixed.targets, wanted.float(), rtol=0, atol=1e-6)
    assert (mixed.sample_ids is given.sample_ids, mixed.weights) == (True, None)
    assert torch.equal(given.images, batch().images)


@pytest.mark.parametrize("mixer", [CutMix(), CutMix(cutmix_minmax=[0.3, 0.7]), CutMix(alpha=0.3)])
def test_cutmix_counts_the_pixels_that_it_cut(mixer):
    images = batch().images
    for seed in range(50):
        mixture = drawn(mixer, images, seed)
        own = mixture.images == images
        others = mixture.images == images[mixture.partners]
        assert bool((own | others).all())
        for number in range(N):
            if mixture.partners[number] != number:
                outside = own[number].float().mean().item()
                assert outside == pytest.approx(mixture.share, abs=1e-6)
                rows = others[number, 0].any(1)
                columns = others[number, 0].any(0)
                assert int(rows.sum() * columns.sum()) == int(others[number, 0].sum())


def test_without_the_correction_the_share_is_the_one_that_was_drawn():
    images, ours = batch().images, Counter()
    for seed in range(50):
        exact, plain = (drawn(CutMix(correct_lam=each), images, seed) for each in (True, False))
        assert torch.equal(exact.images, plain.images)
        with torch_randomness(seed):
            assert plain.share == Mixup()(images).share
        ours[exact.share > plain.share + 0.01] += 1
    # The box is cut off at the border more often than not.
    assert ours[True] > 20


def test_boxes_between_two_sides_lie_inside_and_reach_both_ends():
    images, sides = torch.zeros(2, 1, 20, 30), set()
    mixer = ResizeMix(cutmix_minmax=[0.2, 0.4], interpolation="nearest")
    images[1] = 1.0
    for seed in range(300):
        mixture = drawn(mixer, images, seed)
        if mixture.partners.tolist() == [1, 0]:
            box = mixture.images[0, 0] == 1
            sides.add((int(box.any(1).sum()), int(box.any(0).sum())))
    assert {height for height, _ in sides} == set(range(4, 9))
    assert {width for _, width in sides} == set(range(6, 13))


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
def test_resizemix_lays_the_whole_partner_over_the_box(mode):
    images = torch.rand(N, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    for seed in range(20):
        mixture = drawn(ResizeMix(interpolation=mode), images, seed)
        boxed = drawn(
            ResizeMix(interpolation=mode), torch.arange(1.0, N + 1).view(N, 1, 1, 1) + images * 0, seed
        )
        number = next(each for each in range(N) if boxed.partners[each] != each)
        inside = boxed.images[number, 0] != number + 1
        height, width = int(inside.any(1).sum()), int(inside.any(0).sum())
        assert mixture.share == pytest.approx(1 - height * width / (HEIGHT * WIDTH))
        top, left = (int(inside.any(axis).int().argmax()) for axis in (1, 0))
        wanted = functional.interpolate(
            images[mixture.partners[number]][None], size=(height, width), mode=mode
        )
        found = mixture.images[number, :, top : top + height, left : left + width]
        torch.testing.assert_close(found, wanted[0], rtol=0, atol=1e-6)
        assert torch.equal(mixture.images[number][:, ~inside], images[number][:, ~inside])


def test_resizemix_keeps_the_share_between_its_ends():
    images = torch.zeros(2, 1, 1000, 1000)
    shares = [
        drawn(ResizeMix(correct_lam=False, lam_min=0.3, lam_max=0.5), images, seed).share
        for seed in range(40)
    ]
    assert min(shares) >= 0.3
    assert max(shares) <= 0.5
    assert max(shares) - min(shares) > 0.15


def test_a_box_without_pixels_leaves_everything_as_it_is():
    images = torch.rand(4, 3, 2, 2)
    mixture = drawn(ResizeMix(lam_min=0.95, lam_max=1.0), images, 0)
    assert (mixture.share, torch.equal(mixture.images, images)) == (1.0, True)
    mixture = drawn(CutMix(cutmix_minmax=[0.0, 0.0]), images, 0)
    assert (mixture.share, torch.equal(mixture.images, images)) == (1.0, True)


def test_probabilities_are_kept_and_the_rest_leaves_the_pictures_alone():
    given, counts = batch(), Counter()
    mix = mixing({"type": "Mixup", "prob": 0.3}, {"type": "CutMix", "cutmix_minmax": [0.5, 0.5], "prob": 0.2})
    for seed in range(2000):
        with torch_randomness(seed):
            mixed = mix(given)
        assert mixed.targets.dtype == torch.float32
        if torch.equal(mixed.images, given.images):
            assert torch.equal(mixed.targets, one_hot(TARGETS))
            counts["alone"] += 1
        else:
            is_whole = bool(((mixed.images - mixed.images.round()).abs() < 1e-6).all())
            counts["CutMix" if is_whole else "Mixup"] += 1
    # Three standard deviations of 2000 draws are below 67.
    assert abs(counts["Mixup"] - 600) < 67
    assert abs(counts["CutMix"] - 400) < 67
    assert sum(counts.values()) == 2000


def test_without_probabilities_all_are_as_likely():
    given = batch()
    mix, count = mixing({"type": "Identity"}, {"type": "Mixup"}), 0
    for seed in range(1000):
        with torch_randomness(seed):
            count += torch.equal(mix(given).images, given.images)
    assert abs(count - 500) < 50
    alone = BatchMixing({"type": "Mixup"}, num_classes=CLASSES)
    with torch_randomness(1):
        assert not torch.equal(alone(given).images, given.images)


@pytest.mark.parametrize(("until", "last"), [(3, 2), (-2, 7), (None, 9), (0, -1)])
def test_an_augmentation_ends_where_it_should(until, last):
    given = batch()
    mix = mixing({"type": "Mixup", "until_epoch": until}, max_epochs=10)
    on = []
    for epoch in range(10):
        with torch_randomness(0):
            mixed = mix(given, epoch)
        on.append(not torch.equal(mixed.images, given.images))
        assert mixed.targets.shape == (N, CLASSES)
    assert on == [epoch <= last for epoch in range(10)]


def test_the_same_seed_mixes_alike_and_another_does_not():
    mix = mixing({"type": "ResizeMix"}, {"type": "CutMix"}, {"type": "Mixup"})
    results = []
    for seed in (1, 1, 2):
        with torch_randomness(seed):
            results.append(mix(batch()))
    assert torch.equal(results[0].images, results[1].images)
    assert torch.equal(results[0].targets, results[1].targets)
    assert not torch.equal(results[0].images, results[2].images)


def test_several_labels_and_soft_targets_are_mixed_as_they_are():
    labels = torch.tensor(
        [[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0.2, 0.8, 0, 0]]
    )
    with torch_randomness(3):
        mixed = mixing({"type": "Mixup"})(batch(targets=labels))
    with torch_randomness(3):
        torch.rand((), dtype=torch.float64)
        mixture = Mixup()(batch().images)
    wanted = mixture.share * labels + (1 - mixture.share) * labels[mixture.partners]
    torch.testing.assert_close(mixed.targets, wanted)


def test_a_sample_without_weight_teaches_its_class_nowhere():
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0, 0.0])
    logits = torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1))
    for seed in range(10):
        with torch_randomness(seed):
            mixed = mixing({"type": "Mixup"})(batch(weights=weights))
        with torch_randomness(seed):
            torch.rand((), dtype=torch.float64)
            _, partners, share = Mixup()(batch().images)
        ours = (mixed.weights * functional.cross_entropy(logits, mixed.targets, reduction="none")).sum()
        own, other = (
            functional.cross_entropy(logits, TARGETS[i], reduction="none") for i in (range(N), partners)
        )
        wanted = (share * weights * own + (1 - share) * weights[partners] * other).sum()
        torch.testing.assert_close(ours, wanted)
        torch.testing.assert_close(mixed.weights.sum(), weights.sum())
        assert math.isfinite(ours)


def test_every_name_is_found():
    names = {
        "Mixup",
        "MixUp",
        "BatchMixup",
        "CutMix",
        "BatchCutMix",
        "ResizeMix",
        "BatchResizeMix",
        "Identity",
    }
    assert set(BATCH_AUGMENTS.names()) == names
    for name in names:
        mixed = mixing({"type": name, "num_classes": CLASSES, "prob": 1.0})(batch())
        assert mixed.targets.sum(1).tolist() == pytest.approx([1.0] * N)
    images = batch().images
    assert Identity()(images).images is images


@pytest.mark.parametrize(
    ("augments", "reason"),
    [
        ([{"type": "Mixup", "prob": 0.6}, {"type": "CutMix", "prob": 0.5}], "sum to 1.1"),
        ([{"type": "Mixup", "prob": 0.6}, {"type": "CutMix"}], "sum to 1.6"),
        ([{"type": "Mixup", "prob": 1.5}], r"Mixup: prob=1.5 must lie in \[0, 1\]"),
        ([{"type": "Mixup", "num_classes": 9}], "Mixup: num_classes=9, but there are 4 classes"),
        ([{"type": "Mixup", "until_epoch": 0.5}], "until_epoch=0.5"),
        ([{"type": "Mixup", "alpha": 0}], "Mixup: alpha=0 must be above 0"),
        ([{"type": "CutMix", "alpha": "1"}], "CutMix: alpha='1'"),
        ([{"type": "CutMix", "cutmix_minmax": [0.7, 0.3]}], "CutMix: cutmix_minmax="),
        ([{"type": "ResizeMix", "cutmix_minmax": [0.3]}], "ResizeMix: cutmix_minmax="),
        ([{"type": "ResizeMix", "lam_min": 0.9}], "lam_min=0.9 and lam_max=0.8"),
        ([{"type": "ResizeMix", "interpolation": "best"}], "interpolation='best' is none of nearest"),
        ([{"type": "MixUpp"}], "there is no batch augmentation named 'MixUpp'; did you mean Mix"),
        ([{"type": "Mixup", "beta": 1}], "beta"),
        (["Mixup"], "not 'Mixup'"),
    ],
)
def test_what_cannot_be_used_is_named(augments, reason):
    with pytest.raises(ConfigError, match=reason):
        mixing(*augments)


@pytest.mark.parametrize("targets", [torch.zeros(N, 2, dtype=torch.int64), torch.zeros(N)])
def test_targets_that_cannot_be_mixed_are_refused(targets):
    with pytest.raises(ConfigError, match=r"mixes class numbers \(N,\) or shares \(N, C\)"):
        mixing({"type": "Mixup"})(batch(targets=targets))


@pytest.mark.parametrize("name", ["Mixup", "CutMix", "ResizeMix"])
def test_nothing_waits_for_the_device(name):
    # Whoever reads a number of a tensor without memory gets an error.
    on_device = batch(weights=torch.ones(N)).to(torch.device("meta"))
    with torch_randomness(0):
        mixed = mixing({"type": name})(on_device)
    assert (mixed.images.device.type, mixed.targets.device.type) == ("meta", "meta")
    with pytest.raises((RuntimeError, NotImplementedError)):
        mixed.targets.sum().item()


def test_a_difficult_label_does_not_cancel_a_sure_one():
    targets = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    mixing = BatchMixing({"type": "Mixup", "prob": 1.0}, num_classes=2)
    batch = Batch(images=torch.rand(2, 3, 4, 4), targets=targets, sample_ids=torch.arange(2))
    for seed in range(4):
        torch.manual_seed(seed)
        assert torch.allclose(mixing(batch).targets, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
