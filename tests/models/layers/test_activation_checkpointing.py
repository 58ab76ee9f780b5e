"""Computing blocks twice saves memory and changes nothing: outputs, gradients, BatchNorm's statistics."""

import copy

import pytest
import torch
from torch import nn

from ding_cls.models import ResNetBackbone

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("norm_eval", [False, True])
def test_with_cp_is_bit_equal(depth: int, norm_eval: bool) -> None:
    torch.manual_seed(0)
    plain = ResNetBackbone(depth, base_channels=8, stem_channels=8, norm_eval=norm_eval)
    twice = copy.deepcopy(plain)
    twice.with_cp = True
    calls = []
    twice.layer1[0].conv1.register_forward_hook(lambda *_: calls.append(1))
    for backbone in (plain, twice):
        for _ in range(2):
            backbone(IMAGES)[0].square().mean().backward()
    assert len(calls) == 4
    for ours, theirs in zip(twice.named_parameters(), plain.named_parameters(), strict=True):
        assert torch.equal(ours[1].grad, theirs[1].grad), ours[0]
    state = plain.state_dict()
    assert all(torch.equal(each, state[name]) for name, each in twice.state_dict().items())
    if not norm_eval:
        assert plain.layer1[0].bn1.num_batches_tracked == 2


def test_nothing_is_computed_twice_in_evaluation() -> None:
    backbone = ResNetBackbone(18, with_cp=True).eval()
    calls: list[nn.Module] = []
    backbone.layer1[0].conv1.register_forward_hook(lambda module, *_: calls.append(module))
    backbone(IMAGES)[0].mean().backward()
    assert len(calls) == 1
