"""What an update minimises: a loss by name, or the losses that a network of parts brings."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import ImageClassifier, LinearClsHead, build_model, weighted_loss
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.losses import build_batch_loss, total
from ding_cls.types import Batch
from tests.models.test_classifier import OneCall, TwoLosses, resnet_of_parts
from tests.policy.test_classification import NoReads

CLASSES = 3


class Stem(nn.Module):
    """Nothing couples its samples: pieces of a batch add up to the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.relu(self.conv(images)).mean((2, 3)),)


class Plain(nn.Module):
    """The same network without parts."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Stem()
        self.head = nn.Linear(4, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images)[-1])


def plain() -> nn.Module:
    torch.manual_seed(1)
    return Plain()


def parts(head: nn.Module | None = None, loss: Mapping[str, Any] | None = None) -> ImageClassifier:
    """Return a network of parts with the weights of ``plain()``."""
    model = plain()
    own = head or LinearClsHead(CLASSES, 4, loss=loss)
    own.fc.load_state_dict(model.head.state_dict())
    return ImageClassifier(model.backbone, None, own)


def build(model: nn.Module, **learn: Any) -> ImageClassificationPolicy:
    settings = {"learning_rate": 0.1, "lr_schedule": "constant", "warmup_epoch": 0}
    return ImageClassificationPolicy({"cuda": False, "learn": settings | learn}, model=model)


def batch(number: int, size: int = 8, *, weights: bool = False) -> Batch:
    draw = torch.Generator().manual_seed(number)
    return Batch(
        torch.randn(size, 3, 6, 6, generator=draw),
        torch.randint(CLASSES, (size,), generator=draw),
        torch.arange(size),
        torch.rand(size, generator=draw) + 0.1 if weights else None,
    )


def weights_of(policy: ImageClassificationPolicy) -> list[torch.Tensor]:
    return [each.detach().clone() for each in policy._model.parameters()]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return len(left) == len(right) and all(torch.equal(*pair) for pair in zip(left, right, strict=True))


def near(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.allclose(*pair, rtol=0, atol=1e-6) for pair in zip(left, right, strict=True))


# A network of parts


@pytest.mark.parametrize(
    "learn",
    [{}, {"precision": "bf16"}, {"precision": "fp16"}, {"accumulation_steps": 3}, {"channels_last": True}],
)
@pytest.mark.parametrize("weights", [False, True])
def test_a_network_of_parts_learns_the_bits_of_the_plain_one(learn: dict[str, Any], weights: bool) -> None:
    one, other = build(plain(), **learn), build(parts(), **learn)
    for step in range(3):
        each = batch(step, weights=weights)
        expected, found = one.learn_mode.forward(each), other.learn_mode.forward(each)
        assert list(found) == list(expected) == other.learn_mode.monitor_vars()
        assert torch.equal(found["total_loss"], expected["total_loss"])
        assert found["acc1"].item() == expected["acc1"].item()
        assert same(weights_of(other), weights_of(one))
    assert torch.equal(other.eval_mode.forward(batch(9)), one.eval_mode.forward(batch(9)))


@pytest.mark.slow
def test_a_resnet18_of_parts_trains_to_the_bits_of_the_whole_one() -> None:
    torch.manual_seed(0)
    whole = build_model("resnet18", num_classes=CLASSES)
    one, other = build(whole), build(resnet_of_parts(whole))
    for step in range(5):
        draw = torch.Generator().manual_seed(step)
        each = Batch(torch.randn(4, 3, 32, 32, generator=draw), batch(step, 4).targets, torch.arange(4))
        expected, found = one.learn_mode.forward(each), other.learn_mode.forward(each)
        assert torch.equal(found["total_loss"], expected["total_loss"])
        pairs = list(zip(other._model.parameters(), one._model.parameters(), strict=True))
        assert len(pairs) == 62
        assert all(torch.equal(left.grad, right.grad) for left, right in pairs)
    assert same(weights_of(other), weights_of(one))
    assert same(list(other._model.buffers()), list(one._model.buffers()))


def test_several_losses_are_added_and_each_is_logged() -> None:
    policy, model = build(parts(TwoLosses())), parts(TwoLosses())
    each = batch(0)
    logits = model(each.images)
    loss, aux = functional.cross_entropy(logits, each.targets), logits.square().mean()
    (loss + aux).backward()
    found = policy.learn_mode.forward(each)
    assert list(found)[-3:] == ["acc1", "loss", "aux_loss"]
    assert torch.equal(found["loss"], loss)
    assert torch.equal(found["aux_loss"], aux)
    assert torch.equal(found["total_loss"], loss + aux)
    assert policy.learn_mode.monitor_vars() == list(found)
    pairs = zip(policy._model.parameters(), model.parameters(), strict=True)
    assert all(torch.equal(left.grad, right.grad) for left, right in pairs)


def test_pieces_of_several_losses_add_up() -> None:
    whole, split = build(parts(TwoLosses())), build(parts(TwoLosses()), accumulation_steps=3)
    for step in range(3):
        expected, found = whole.learn_mode.forward(batch(step)), split.learn_mode.forward(batch(step))
        for name in ("total_loss", "loss", "aux_loss", "acc1"):
            assert found[name].item() == pytest.approx(expected[name].item(), abs=1e-6)
        assert near(weights_of(split), weights_of(whole))


@pytest.mark.parametrize("weights", [False, True])
def test_pieces_of_a_network_of_parts_add_up(weights: bool) -> None:
    whole, split = build(parts()), build(parts(), accumulation_steps=3)
    for step in range(3):
        each = batch(step, weights=weights)
        expected, found = whole.learn_mode.forward(each), split.learn_mode.forward(each)
        assert found["total_loss"].item() == pytest.approx(expected["total_loss"].item(), abs=1e-6)
        assert near(weights_of(split), weights_of(whole))


def test_a_loss_that_bears_the_name_of_something_logged_hides_nothing() -> None:
    class Named(TwoLosses):
        def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"total_loss": logits.mean(), "loss": logits.square().mean()}

    found = build(parts(Named())).learn_mode.forward(batch(0))
    logits = parts(Named())(batch(0).images)
    assert torch.equal(found["loss"], logits.square().mean())
    assert torch.equal(found["total_loss"], logits.mean() + logits.square().mean())


def test_a_head_that_gives_losses_alone_trains_without_an_accuracy() -> None:
    class Single(OneCall):
        def forward_train(self, x: Any, gt_label: torch.Tensor, **kwargs: Any) -> dict[str, Any]:
            return {"loss": functional.cross_entropy(self.fc(x[-1]), gt_label)}

    one, other = build(plain()), build(parts(Single()))
    assert other.learn_mode.monitor_vars()[-1] == "acc1"
    for step in range(3):
        expected, found = one.learn_mode.forward(batch(step)), other.learn_mode.forward(batch(step))
        assert torch.equal(found["total_loss"], expected["total_loss"])
        assert set(expected) - set(found) == {"acc1"}
        assert other.learn_mode.monitor_vars() == list(found)
    assert same(weights_of(other), weights_of(one))
    assert torch.equal(other.eval_mode.forward(batch(9)), one.eval_mode.forward(batch(9)))


def test_a_head_that_cannot_weight_is_refused_when_samples_have_weights() -> None:
    policy = build(parts(TwoLosses()))
    with pytest.raises(ModelError, match="the head TwoLosses cannot use"):
        policy.learn_mode.forward(batch(0, weights=True))


def test_the_state_of_a_network_of_parts_goes_on_to_the_last_bit() -> None:
    policy = build(parts())
    policy.learn_mode.forward(batch(0))
    other = build(parts(loss={"type": "CrossEntropyLoss"}))
    other.learn_mode.load_state_dict(deepcopy(policy.learn_mode.state_dict()))
    for each in (policy, other):
        each.learn_mode.forward(batch(1))
    assert same(weights_of(other), weights_of(policy))


def test_the_names_of_the_classes_reach_the_network() -> None:
    policy = build(parts())
    policy.learn_mode.set_attribute("class_names", ["ash", "fir", "oak"])
    assert policy._model.CLASSES == ("ash", "fir", "oak")
    assert policy.eval_mode.get_attribute("class_names") == ("ash", "fir", "oak")
    assert ImageClassifier.CLASSES is None
    bare = build(plain())
    bare.learn_mode.set_attribute("class_names", ["ash"])
    assert not hasattr(bare._model, "CLASSES")


def test_the_config_describes_a_network_of_parts() -> None:
    model = {
        "type": "ImageClassifier",
        "num_classes": CLASSES,
        "backbone": {"type": "ResNet", "depth": 18},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 512},
    }
    policy = ImageClassificationPolicy({"cuda": False, "model": model}, enable_field=["eval"])
    assert policy.eval_mode.forward(torch.zeros(2, 3, 32, 32)).shape == (2, CLASSES)
    del model["num_classes"]
    policy = ImageClassificationPolicy({"cuda": False, "model": model}, enable_field=["eval"])
    assert policy._model.head.num_classes == 1000


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "LabelSmoothLoss", "MultiMarginLoss", "sigmoid"])
def test_an_update_with_losses_by_name_reads_no_tensor(name: str, weights: bool) -> None:
    cfg = {
        "CrossEntropyLoss": {"class_weight": [1.0, 2.0, 4.0]},
        "LabelSmoothLoss": {"label_smooth_val": 0.1, "mode": "multi_label"},
        "sigmoid": {"type": "CrossEntropyLoss", "use_sigmoid": True},
    }
    loss = {"type": name, **cfg.get(name, {})}
    for policy in (build(parts(loss=loss)), build(plain(), loss=loss, accumulation_steps=2)):
        policy.learn_mode.forward(batch(0, weights=weights))
        with NoReads() as host:
            found = policy.learn_mode.forward(batch(1, weights=weights))
        assert host.count == 0
        with host:
            float(found["total_loss"])
        assert host.count == 1, "the counter does not count"


# A loss by name


@weighted_loss
def gap(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    own = pred.gather(1, target[:, None])
    return (1 - own + pred).clamp(min=0).scatter(1, target[:, None], 0.0).sum(1)


class Gap(nn.Module):
    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Any,
        target: Any,
        weight: Any = None,
        avg_factor: Any = None,
        reduction_override: Any = None,
    ) -> torch.Tensor:
        reduction = reduction_override or "mean"
        return self.loss_weight * gap(pred, target, weight, reduction=reduction, avg_factor=avg_factor)


# A loss, and what it is for one sample, of logits and targets.
LOSSES: dict[str, tuple[dict[str, Any], Any]] = {
    "ours": ({"type": "CrossEntropyLoss"}, lambda z, y: functional.cross_entropy(z, y, reduction="none")),
    "ours, weighted": (
        {"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0, 4.0], "loss_weight": 0.5},
        lambda z, y: (
            0.5 * functional.cross_entropy(z, y, reduction="none") * torch.tensor([1.0, 2.0, 4.0])[y]
        ),
    ),
    "sigmoid": (
        {"type": "CrossEntropyLoss", "use_sigmoid": True},
        lambda z, y: functional.binary_cross_entropy_with_logits(
            z, torch.eye(CLASSES)[y], reduction="none"
        ).sum(1),
    ),
    "smooth": (
        {"type": "LabelSmoothLoss", "label_smooth_val": 0.2},
        lambda z, y: functional.cross_entropy(z, y, label_smoothing=0.2, reduction="none"),
    ),
    "torch's": (
        {"type": "MultiMarginLoss"},
        lambda z, y: functional.multi_margin_loss(z, y, reduction="none"),
    ),
    "a user's": (
        {"type": Gap, "loss_weight": 2.0},
        lambda z, y: 2 * (torch.relu(1 - z.gather(1, y[:, None]) + z).sum(1) - 1),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("accumulation_steps", [1, 3])
def test_a_loss_by_name_is_the_mean_of_its_formula_in_both_places(
    name: str, weights: bool, accumulation_steps: int
) -> None:
    cfg, formula = LOSSES[name]
    each, model = batch(5, weights=weights), plain()
    shares = torch.full((8,), 1 / 8) if each.weights is None else each.weights / each.weights.sum()
    expected = (formula(model(each.images), each.targets) * shares).sum()
    expected.backward()
    for policy in (
        build(plain(), loss=cfg, accumulation_steps=accumulation_steps),
        build(parts(loss=cfg), accumulation_steps=accumulation_steps),
    ):
        found = policy.learn_mode.forward(each)
        assert found["total_loss"].item() == pytest.approx(expected.item(), abs=1e-6)
        assert list(found)[-1] == "acc1"
        for left, right in zip(policy._model.parameters(), model.parameters(), strict=True):
            assert torch.allclose(left.grad, right.grad, rtol=0, atol=1e-6)


def test_cross_entropy_and_smoothing_by_name_have_the_bits_of_the_switches() -> None:
    for learn, loss in (
        ({}, {"type": "CrossEntropyLoss"}),
        ({"label_smoothing": 0.1}, {"type": "LabelSmoothLoss", "label_smooth_val": 0.1}),
    ):
        policies = build(plain(), **learn), build(plain(), loss=loss), build(parts(loss=loss))
        for step in range(3):
            values = [each.learn_mode.forward(batch(step))["total_loss"] for each in policies]
            assert torch.equal(values[0], values[1])
            assert torch.equal(values[0], values[2])
        assert same(weights_of(policies[0]), weights_of(policies[1]))
        assert same(weights_of(policies[0]), weights_of(policies[2]))


def test_a_loss_of_each_sample_is_averaged() -> None:
    found = build(plain(), loss={"type": "NLLLoss", "reduction": "none"}).learn_mode.forward(batch(0))
    expected = functional.nll_loss(plain()(batch(0).images), batch(0).targets)
    assert found["total_loss"].item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("model", "learn", "message"),
    [
        (
            parts,
            {"loss": {"type": "MSELoss"}},
            r"policy.learn.loss is .*brings its own loss; set policy.model.head",
        ),
        (
            parts,
            {"label_smoothing": 0.1},
            r"learn.label_smoothing is 0.1, .*head.loss=dict\(type='LabelSmoothLoss', label_smooth_val=0.1\)",
        ),
        (
            plain,
            {"label_smoothing": 0.1, "loss": {"type": "CrossEntropyLoss"}},
            "policy.learn.label_smoothing is 0.1, but policy.learn.loss says what is minimised",
        ),
        (
            plain,
            {"loss": {"type": "CrosEntropyLoss"}},
            "no loss named 'CrosEntropyLoss'; did you mean CrossEn",
        ),
        (plain, {"loss": {"type": "CrossEntropyLoss", "weigth": 1}}, "has no argument 'weigth'"),
        (
            plain,
            {
                "loss": {
                    "type": "AdaptiveLogSoftmaxWithLoss",
                    "in_features": 16,
                    "n_classes": 9,
                    "cutoffs": [3],
                }
            },
            "which has weights of its own to learn; set policy.model.head.loss instead",
        ),
    ],
)
def test_what_cannot_be_minimised_is_refused(model: Any, learn: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build(model(), **learn)
    assert len(str(refused.value).splitlines()) == 1


def test_a_network_of_parts_has_no_loss_beside_its_own() -> None:
    learn = {"loss": None, "label_smoothing": 0.0}
    assert build_batch_loss(parts(), learn, torch.device("cpu")) is None
    assert build_batch_loss(plain(), learn, torch.device("cpu")) is not None


def test_one_loss_is_its_own_total() -> None:
    one, two = torch.tensor(1.5), torch.tensor(2.25)
    assert total({"loss": one}) is one
    assert total({"loss": one, "aux_loss": two}).item() == 3.75


@pytest.mark.parametrize(
    ("learn", "is_same"),
    [
        ({}, True),
        ({"loss": "CE"}, True),
        ({"loss": "CrossEntropyLoss"}, True),
        ({"loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0, "use_soft": True}}, True),
        ({"loss": {"type": "CrossEntropyLoss", "loss_weight": 0.5}}, False),
        ({"loss": {"type": "CrossEntropyLoss", "class_weight": [1.0, 1.0, 2.0]}}, False),
        ({"loss": {"type": "CrossEntropyLoss", "class_weight": "auto"}}, False),
        ({"loss": "BCE"}, False),
        ({"loss": "Focalloss-2"}, False),
        ({"loss": {"type": "LabelSmoothLoss", "label_smooth_val": 0.1}}, False),
        ({"label_smoothing": 0.1}, False),
        ({"batch_augments": {"type": "BatchMixup", "alpha": 0.2, "prob": 0.5}}, False),
        ({"recipes": [{"action_epoch": 3, "batch_augments": []}]}, True),
        ({"recipes": [{"action_epoch": 3, "loss": "Focalloss-2"}]}, False),
    ],
)
def test_whether_training_minimises_what_evaluation_measures(learn: dict[str, Any], is_same: bool) -> None:
    policy = build(plain(), **learn)
    assert policy.learn_mode.get_attribute("minimises_cross_entropy") is is_same
    assert policy.eval_mode.get_attribute("minimises_cross_entropy") is is_same


def test_a_loss_that_the_network_brings_counts_too() -> None:
    smoothed = {"type": "LabelSmoothLoss", "label_smooth_val": 0.1}
    models = [parts(), parts(loss=smoothed), parts(OneCall()), parts(TwoLosses())]
    found = [build(each).learn_mode.get_attribute("minimises_cross_entropy") for each in models]
    assert found == [True, False, False, False]
