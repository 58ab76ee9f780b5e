"""Our ResNets are torchvision's, tensor by tensor and bit by bit."""

import pytest
import torch
import torchvision

from ding_cls import models

# The deep ones are the blocks of ResNet-50 more often.
DEEP = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet101", "resnet152")]
NAMES = ["resnet18", "resnet34", "resnet50", *DEEP]


def build_pair(name: str, num_classes: int = 5) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(3)
    ours = getattr(models, name)(num_classes=num_classes)
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, num_classes=num_classes)
    return ours, theirs


def assert_same_state(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    expected, found = theirs.state_dict(), ours.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_torchvisions_initial_values(name: str) -> None:
    assert_same_state(*build_pair(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_weights_interchange_both_ways_with_equal_outputs(name: str) -> None:
    theirs = build_pair(name)[1]
    images = torch.randn(2, 3, 32, 32)
    # One pass in training mode gives BatchNorm statistics of its own.
    theirs(images)
    torch.manual_seed(4)
    ours = getattr(models, name)(num_classes=5)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_same_state(ours, theirs)
    for mode in (False, True):
        ours.train(mode)
        theirs.train(mode)
        logits = ours(images)
        assert torch.isfinite(logits).all()
        assert torch.equal(logits, theirs(images))
    # The pass in training mode moved BatchNorm's statistics of both alike.
    assert_same_state(ours, theirs)
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_gradients_equal_torchvisions(name: str) -> None:
    ours, theirs = build_pair(name)
    images = torch.randn(2, 3, 32, 32)
    for model in (ours, theirs):
        model(images).square().sum().backward()
    pairs = zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
    for (name_ours, parameter_ours), (name_theirs, parameter_theirs) in pairs:
        assert name_ours == name_theirs
        assert torch.equal(parameter_ours.grad, parameter_theirs.grad), name_ours


@pytest.mark.parametrize(
    ("name", "num_parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_published_number_of_parameters(name: str, num_parameters: int) -> None:
    with torch.device("meta"):
        model = getattr(models, name)()
    assert sum(parameter.numel() for parameter in model.parameters()) == num_parameters


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_zero_init_residual_matches_torchvision(name: str) -> None:
    torch.manual_seed(3)
    ours = getattr(models, name)(num_classes=5, zero_init_residual=True)
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, num_classes=5, zero_init_residual=True)
    assert_same_state(ours, theirs)
    last = ours.layer1[0].bn2 if name == "resnet18" else ours.layer1[0].bn3
    assert torch.equal(last.weight, torch.zeros_like(last.weight))
