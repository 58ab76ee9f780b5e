"""Every loss trains, in pieces too; losses by short forms, with counts, of several tasks and of mixtures."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models import LOSSES, ImageClassifier, LinearClsHead
from ding_cls.models.losses.class_weight import balanced_weights
from ding_cls.policy.losses import BatchLoss, build_batch_loss, right_samples
from ding_cls.types import Batch
from tests.policy.test_classification import NoReads
from tests.policy.test_losses import CLASSES, Stem, batch, build, near, parts, plain, same, weights_of

HOT = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1]])
COUNTS = torch.tensor([5, 1, 2])
# Those of ours; the kind of targets each takes.
LOSSES_OF_OURS: dict[str, tuple[Any, str]] = {
    "CE": ("CE", "numbers"),
    "BCE": ("BCE", "labels"),
    "CEV2-1": ("CEV2-1", "numbers"),
    "Focalloss-2": ("Focalloss-2", "numbers"),
    "CrossEntropyLoss": ({"type": "CrossEntropyLoss"}, "shares"),
    "CrossEntropyLoss use_soft": ({"type": "CrossEntropyLoss", "use_soft": True}, "shares"),
    "CrossEntropyLoss class_weight": (
        {"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0, 3.0]},
        "numbers",
    ),
    "CrossEntropyLoss auto": ({"type": "CrossEntropyLoss", "class_weight": "auto"}, "numbers"),
    "CrossEntropyLoss pos_weight": (
        {"type": "CrossEntropyLoss", "use_sigmoid": True, "pos_weight": [1.0, 2.0, 3.0]},
        "labels",
    ),
    **{
        f"LabelSmoothLoss {mode}": (
            {"type": "LabelSmoothLoss", "label_smooth_val": 0.1, "mode": mode},
            "numbers",
        )
        for mode in ("original", "classy_vision", "multi_label")
    },
    "FocalLoss": ({"type": "FocalLoss"}, "labels"),
    "SoftmaxFocalLoss": ({"type": "SoftmaxFocalLoss", "class_weight": "auto"}, "shares"),
    "AsymmetricLoss": ({"type": "AsymmetricLoss"}, "labels"),
    "SeesawLoss": ({"type": "SeesawLoss", "num_classes": CLASSES}, "numbers"),
    "NLLLoss": ({"type": "NLLLoss", "weight": "auto"}, "numbers"),
    "MultiLabelSoftMarginLoss": ({"type": "MultiLabelSoftMarginLoss"}, "labels"),
}


def of_kind(number: int, kind: str, *, weights: bool = False) -> Batch:
    each = batch(number, weights=weights)
    shares = torch.rand(8, CLASSES, generator=torch.Generator().manual_seed(number)).softmax(1)
    targets = {"numbers": each.targets, "labels": HOT, "shares": shares}[kind]
    return Batch(each.images, targets, each.sample_ids, each.weights)


def test_every_loss_of_ours_has_a_case() -> None:
    cases = {
        cfg["type"] if isinstance(cfg, dict) else "CrossEntropyLoss" for cfg, _ in LOSSES_OF_OURS.values()
    }
    ours = {name for name in LOSSES if LOSSES.get(name).__module__.startswith("ding_cls.")}
    assert ours == cases - {"NLLLoss", "MultiLabelSoftMarginLoss"}
    assert len(LOSSES_OF_OURS) == 18


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", LOSSES_OF_OURS)
def test_every_loss_trains_two_steps_without_a_read_and_in_pieces(name: str, weights: bool) -> None:
    cfg, kind = LOSSES_OF_OURS[name]
    # Seesaw counts the first piece before the second.
    pieces = 1 if name == "SeesawLoss" else 3
    # With classes of different weights torch's own NLL divides by the sum of the piece's.
    pieces = 1 if name == "NLLLoss" else pieces
    whole, split = build(plain(), loss=cfg), build(plain(), loss=cfg, accumulation_steps=pieces)
    for policy in (whole, split):
        policy.learn_mode.set_attribute("class_counts", lambda: COUNTS)
    before = weights_of(whole)
    for step in range(2):
        each = of_kind(step, kind, weights=weights)
        expected = whole.learn_mode.forward(each)
        with NoReads() as reads:
            found = split.learn_mode.forward(each)
        assert reads.count == 0
        assert expected["total_loss"].isfinite()
        assert found["total_loss"].item() == pytest.approx(expected["total_loss"].item(), abs=1e-5)
        assert near(weights_of(split), weights_of(whole))
    assert not same(before, weights_of(whole))


@pytest.mark.parametrize("name", [name for name, (cfg, _) in LOSSES_OF_OURS.items() if isinstance(cfg, dict)])
def test_a_loss_of_the_policy_and_of_the_head_learn_the_same(name: str) -> None:
    cfg, kind = LOSSES_OF_OURS[name]
    one, other = build(plain(), loss=cfg), build(parts(loss=cfg))
    for policy in (one, other):
        policy.learn_mode.set_attribute("class_counts", lambda: COUNTS)
    for step in range(2):
        expected = one.learn_mode.forward(of_kind(step, kind))
        found = other.learn_mode.forward(of_kind(step, kind))
        assert torch.equal(found["total_loss"], expected["total_loss"])
    assert same(weights_of(other), weights_of(one))


def test_counts_are_asked_for_only_by_a_loss_that_needs_them() -> None:
    asked: list[int] = []

    def count() -> torch.Tensor:
        asked.append(1)
        return COUNTS

    build(plain(), loss="CE").learn_mode.set_attribute("class_counts", count)
    assert asked == []
    policy = build(plain(), loss={"type": "CrossEntropyLoss", "class_weight": "auto"})
    with pytest.raises(ConfigError, match="class_weight='auto' needs the number"):
        policy.learn_mode.forward(batch(0))
    policy.learn_mode.set_attribute("class_counts", count)
    assert asked == [1]
    logits = policy._model(batch(0).images)
    each = functional.cross_entropy(logits, batch(0).targets, balanced_weights(COUNTS), reduction="none")
    assert torch.equal(policy.learn_mode.forward(batch(0))["total_loss"], each.sum() / 8)


def test_the_counts_of_a_loss_are_in_the_checkpoint_and_go_on() -> None:
    cfg = {"type": "SeesawLoss", "num_classes": CLASSES}
    one, other = build(plain(), loss=cfg), build(plain(), loss=cfg)
    one.learn_mode.forward(batch(0))
    state = one.learn_mode.state_dict()
    assert state["loss"]["cum_samples"].tolist() == torch.bincount(batch(0).targets, minlength=3).tolist()
    other.learn_mode.load_state_dict(deepcopy(state))
    for policy in (one, other):
        policy.learn_mode.forward(batch(1))
    assert same(weights_of(other), weights_of(one))
    without = build(plain())
    assert without.learn_mode.state_dict()["loss"] == {}


def test_a_skipped_update_counts_nothing() -> None:
    policy = build(plain(), loss={"type": "SeesawLoss", "num_classes": CLASSES}, precision="fp16")
    each = batch(0)
    policy.learn_mode.forward(Batch(each.images * float("inf"), each.targets, each.sample_ids))
    assert policy.learn_mode.state_dict()["loss"]["cum_samples"].sum() == 0


def test_several_tasks_are_the_mean_of_their_losses() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, 4, generator=draw)
    targets = torch.randint(4, (6, 3), generator=draw)
    weights = torch.rand(6, generator=draw)
    each = functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    for loss in (
        BatchLoss(),
        build_batch_loss(nn.Linear(1, 1), {"loss": "CE", "label_smoothing": 0}, torch.device("cpu")),
    ):
        assert loss is not None
        assert loss(logits, targets, None).item() == pytest.approx(each.mean().item())
        expected = (each.mean(1) * weights).sum() / weights.sum()
        assert loss(logits, targets, weights).item() == pytest.approx(expected.item())


class TwoTasks(Stem):
    """Logits ``(N, 2, 3)``."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.fc(super().forward(images)[-1]).view(-1, 2, CLASSES)


def test_a_network_of_several_tasks_trains_and_counts_whole_strings() -> None:
    torch.manual_seed(0)
    policy, each = build(TwoTasks()), batch(0)
    targets = torch.stack([each.targets, each.targets.flip(0)], 1)
    logits = policy._model(each.images)
    found = policy.learn_mode.forward(Batch(each.images, targets, each.sample_ids))
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert found["total_loss"].item() == pytest.approx(expected.item())
    assert found["acc1"].item() == pytest.approx(
        100 * (logits.argmax(2) == targets).all(1).float().mean().item()
    )


def test_a_mixture_is_hit_by_the_class_with_the_largest_share() -> None:
    logits = torch.eye(3)
    shares = torch.tensor([[0.6, 0.4, 0.0], [0.5, 0.3, 0.2], [0.5, 0.0, 0.5]])
    assert right_samples(logits, shares).sum() == 2
    assert right_samples(logits, torch.tensor([0, 1, 1])).sum() == 2
    assert right_samples(torch.eye(3)[None], torch.tensor([[0, 1, 2]])).tolist() == [True]


def test_a_network_that_brings_its_loss_refuses_a_short_form_too() -> None:
    model = ImageClassifier(Stem(), None, LinearClsHead(CLASSES, 4))
    with pytest.raises(ConfigError, match=r"policy\.learn\.loss is Focalloss-2, but ImageClassifier brings"):
        build(model, loss="Focalloss-2")
    with pytest.raises(ConfigError, match="short forms are CE"):
        build(plain(), loss="Focallos")
