"""A network of parts: what it computes, the two forms of heads, what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ModelError
from ding_cls.models import (
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    Outputs,
    ResNetBackbone,
    build_model,
)

DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randn(4, 3, 6, 6, generator=DRAW)
TARGETS = torch.tensor([0, 2, 1, 2])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 0.0])


class Stem(nn.Module):
    """A tuple of two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shallow = self.drop(self.norm(self.conv(images)))
        return shallow, torch.relu(shallow)


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)


class TwoLosses(Base):
    def forward(self, vectors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self.fc(vectors[-1])

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": functional.cross_entropy(logits, targets), "aux_loss": logits.square().mean()}


class OneCall(Base):
    """The form of mmclassification 0.x."""

    def forward_train(
        self, x: tuple[torch.Tensor, ...], gt_label: torch.Tensor, **kwargs: Any
    ) -> dict[str, Any]:
        logits = self.fc(x[-1])
        each = functional.cross_entropy(logits, gt_label, reduction="none")
        self.given = kwargs
        return {
            "loss": each,
            "parts_loss": [logits.mean(), logits.square().mean()],
            "accuracy": {"top-1": torch.tensor(50.0)},
            "acc_top1": torch.tensor(50.0),
        }

    def simple_test(
        self, x: tuple[torch.Tensor, ...], softmax: bool = True, post_process: bool = True
    ) -> Any:
        logits = self.fc(x[-1])
        scores = logits.softmax(1) if softmax else logits
        return list(scores.detach().numpy()) if post_process else scores


def network(head: nn.Module | None) -> ImageClassifier:
    torch.manual_seed(1)
    return ImageClassifier(Stem(), GlobalAveragePooling(), head)


def test_without_targets_there_are_logits_with_targets_losses_too() -> None:
    model = network(LinearClsHead(3, 4)).eval()
    logits = model(IMAGES)
    assert logits.shape == (4, 3)
    found = model(IMAGES, TARGETS)
    assert isinstance(found, Outputs)
    assert torch.equal(found.logits, logits)
    assert list(found.losses) == ["loss"]
    assert torch.equal(found.losses["loss"], functional.cross_entropy(logits, TARGETS))


def test_the_parts_are_there_by_name() -> None:
    model = network(LinearClsHead(3, 4))
    assert [name for name, _ in model.named_children()] == ["backbone", "neck", "head"]
    assert (model.with_neck, model.with_head, model.computes_loss) == (True, True, True)
    assert model.CLASSES is None
    bare = ImageClassifier(Stem())
    assert (bare.with_neck, bare.with_head) == (False, False)
    assert [each.shape for each in bare.extract_feat(IMAGES)] == [(4, 4, 4, 4)] * 2
    assert [each.shape for each in model.extract_feat(IMAGES)] == [(4, 4)] * 2
    with pytest.raises(ModelError, match="has no head; extract_feat gives its features"):
        bare(IMAGES)


def test_parts_are_built_from_dicts() -> None:
    model = ImageClassifier(
        backbone={"type": "ResNet", "depth": 18},
        neck={"type": "GlobalAveragePooling"},
        head={"type": "LinearClsHead", "num_classes": 3, "in_channels": 512},
    )
    assert isinstance(model.backbone, ResNetBackbone)
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_every_loss_of_a_head_comes_out_by_its_name() -> None:
    model = network(TwoLosses()).eval()
    found = model(IMAGES, TARGETS)
    assert list(found.losses) == ["loss", "aux_loss"]
    assert torch.equal(found.losses["aux_loss"], found.logits.square().mean())


def test_weights_of_samples_reach_a_head_that_takes_them() -> None:
    model = network(LinearClsHead(3, 4)).eval()
    found = model(IMAGES, TARGETS, WEIGHTS)
    each = functional.cross_entropy(found.logits, TARGETS, reduction="none")
    assert found.losses["loss"].item() == pytest.approx(((each * WEIGHTS).sum() / WEIGHTS.sum()).item())
    with pytest.raises(
        ModelError, match="the head TwoLosses cannot use: its loss takes no argument 'weight'"
    ):
        network(TwoLosses())(IMAGES, TARGETS, WEIGHTS)
    head = OneCall()
    network(head)(IMAGES, TARGETS, WEIGHTS)
    assert head.given["weight"] is WEIGHTS


def test_a_head_with_forward_train_alone_runs_once_and_gives_no_logits() -> None:
    head = OneCall()
    model, calls = network(head), []
    head.fc.register_forward_hook(lambda *_: calls.append(1))
    found = model(IMAGES, TARGETS)
    assert found.logits is None
    assert head.given == {}
    assert (len(calls), model.backbone.norm.num_batches_tracked.item()) == (1, 1)
    # A value a sample becomes their mean, a list of losses their sum; accuracies are no losses.
    assert list(found.losses) == ["loss", "parts_loss"]
    assert all(each.dim() == 0 for each in found.losses.values())
    model.eval()
    (logits,) = [head.fc(model.extract_feat(IMAGES)[-1])]
    found = model(IMAGES, TARGETS)
    assert torch.allclose(found.losses["loss"], functional.cross_entropy(logits, TARGETS))
    assert torch.allclose(found.losses["parts_loss"], logits.mean() + logits.square().mean())


def test_such_a_head_is_judged_by_its_scores_before_the_softmax() -> None:
    head = OneCall()
    model = network(head).eval()
    assert torch.equal(model(IMAGES), head.fc(model.extract_feat(IMAGES)[-1]))


def test_forward_goes_before_simple_test() -> None:
    class Both(OneCall):
        def forward(self, vectors: tuple[torch.Tensor, ...]) -> torch.Tensor:
            return -self.fc(vectors[-1])

    head = Both()
    model = network(head).eval()
    assert torch.equal(model(IMAGES), -head.fc(model.extract_feat(IMAGES)[-1]))
    assert model(IMAGES, TARGETS).logits is None


def test_a_forward_train_of_ones_own_goes_before_loss() -> None:
    class More(LinearClsHead):
        def forward_train(self, x: Any, gt_label: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
            losses = super().forward_train(x, gt_label, **kwargs)
            return {**losses, "more_loss": losses["loss"] * 2}

    found = network(More(3, 4))(IMAGES, TARGETS, WEIGHTS)
    assert list(found.losses) == ["loss", "more_loss"]
    assert torch.equal(found.losses["more_loss"], 2 * found.losses["loss"])


@pytest.mark.parametrize(
    "head", [nn.Linear(4, 3), type("OnlyTrain", (Base,), {"forward_train": OneCall.forward_train})()]
)
def test_a_head_with_neither_form_is_refused(head: nn.Module) -> None:
    with pytest.raises(
        ModelError, match=r"needs forward\(features\) and loss\(logits, targets\); or forward"
    ):
        network(head)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (torch.tensor(1.0), r"gave Tensor as its losses; it must be a dict such as dict\(loss=...\)"),
        ({"accuracy": torch.tensor(1.0)}, r"gave no loss, only \['accuracy'\]"),
    ],
)
def test_what_is_no_loss_is_refused(losses: Any, message: str) -> None:
    class Odd(TwoLosses):
        def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> Any:
            return losses

    with pytest.raises(ModelError, match=message):
        network(Odd())(IMAGES, TARGETS)


def test_losses_are_computed_in_full_precision() -> None:
    seen = []

    class Watched(TwoLosses):
        def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
            seen.append((logits.dtype, (logits @ logits.T).dtype))
            return super().loss(logits, targets)

    model = network(Watched())
    with torch.autocast("cpu", torch.bfloat16):
        assert model(IMAGES).dtype == torch.bfloat16
        found = model(IMAGES, TARGETS)
    assert seen == [(torch.float32, torch.float32)]
    assert found.logits.dtype == found.losses["loss"].dtype == torch.float32


def test_a_resnet_of_parts_computes_the_bits_of_the_whole_one() -> None:
    torch.manual_seed(0)
    whole = build_model("resnet18", num_classes=5)
    parts = resnet_of_parts(whole)
    images, targets = torch.randn(4, 3, 32, 32), torch.tensor([0, 4, 2, 1])
    for mode in (True, False):
        whole.train(mode)
        parts.train(mode)
        assert torch.equal(parts(images), whole(images))
    found = parts(images, targets)
    expected = functional.cross_entropy(whole(images), targets)
    assert torch.equal(found.losses["loss"], expected)
    found.losses["loss"].backward()
    expected.backward()
    pairs = list(zip(parts.parameters(), whole.parameters(), strict=True))
    assert len(pairs) == 62
    assert all(torch.equal(left.grad, right.grad) for left, right in pairs)


def resnet_of_parts(whole: nn.Module) -> ImageClassifier:
    """Return a network of parts with the weights of a ResNet-18."""
    parts = ImageClassifier(
        ResNetBackbone(18), GlobalAveragePooling(), LinearClsHead(whole.fc.out_features, 512)
    )
    parts.backbone.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("fc.")})
    parts.head.fc.load_state_dict(whole.fc.state_dict())
    return parts


def test_values_without_loss_in_their_names_are_not_minimised() -> None:
    class Chatty(TwoLosses):
        def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
            return {"loss": logits.mean(), "logit_norm": logits.norm(), "accumulated_loss": 2.0}

    found = network(Chatty())(IMAGES, TARGETS)
    assert list(found.losses) == ["loss", "accumulated_loss"]
    assert found.losses["accumulated_loss"].item() == 2.0
