"""A transformer's positions for pictures of another size: as the libraries resize them."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.vision_transformer import VisionTransformer

from ding_cls.errors import ModelError
from ding_cls.models import build_classifier, build_model, load_initial_weights, load_pretrained, new_network
from ding_cls.models.backbones.torchvision import TorchvisionBackbone

SIZES = {"patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8, "num_classes": 3}


def torchvisions(side: int, **others: Any) -> VisionTransformer:
    return VisionTransformer(image_size=side, **{**SIZES, **others})


def saved(folder: Path, network: torch.nn.Module) -> Path:
    torch.save(network.state_dict(), folder / "w.pth")
    return folder / "w.pth"


def resized(positions: Tensor, side: int) -> Tensor:
    """Return positions after one of the class, bicubic."""
    first, rest = positions[:, :1], positions[:, 1:]
    before = round(rest.shape[1] ** 0.5)
    grid = rest.transpose(1, 2).reshape(1, -1, before, before)
    grown = functional.interpolate(grid, size=side, mode="bicubic", align_corners=True)
    return torch.cat([first, grown.flatten(2).transpose(1, 2)], 1)


def test_torchvisions_are_resized_and_told(tmp_path: Path) -> None:
    small, large = torchvisions(32), torchvisions(48)
    torch.nn.init.normal_(small.encoder.pos_embedding)
    report = load_pretrained(large, saved(tmp_path, small))
    torch.testing.assert_close(large.encoder.pos_embedding.data, resized(small.encoder.pos_embedding.data, 6))
    assert torch.equal(large.conv_proj.weight, small.conv_proj.weight)
    assert "; resized: encoder.pos_embedding (1x17x8 to 1x37x8)" in str(report)
    assert report.loaded == report.total


def test_other_differences_stay_errors(tmp_path: Path) -> None:
    path = saved(tmp_path, torchvisions(32, patch_size=16))
    with pytest.raises(ModelError, match=r"conv_proj\.weight"):
        load_pretrained(torchvisions(48), path)
    state = torchvisions(32).state_dict()
    # 18 are no square of patches.
    state["encoder.pos_embedding"] = torch.zeros(1, 19, 8)
    torch.save(state, path)
    with pytest.raises(ModelError, match=r"pos_embedding \(file: \(1, 19, 8\), model: \(1, 37, 8\)\)"):
        load_pretrained(torchvisions(48), path)


@pytest.mark.slow
def test_a_backbone_of_torchvision_takes_a_whole_networks_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = TorchvisionBackbone("vit_b_32", image_size=64).network
    backbone = {"type": "vit_b_32", "image_size": 96}
    network = build_classifier(
        {
            "type": "ImageClassifier",
            "backbone": backbone,
            "head": {"type": "LinearClsHead", "in_channels": 768, "num_classes": 3},
        }
    )
    report = load_pretrained(network.backbone, saved(tmp_path, small), is_part=True)
    assert report.resized == ("network.encoder.pos_embedding (1x5x768 to 1x10x768)",)
    assert network(torch.zeros(1, 3, 96, 96)).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vit_tiny_patch16_224", {"depth": 1}),
        ("deit_tiny_distilled_patch16_224", {"depth": 1}),
        ("swinv2_tiny_window8_256", {"depths": (1, 1, 1, 1), "window_size": 4}),
        ("eva02_tiny_patch14_224", {"depth": 1, "patch_size": 16}),
    ],
)
def test_timms_are_what_timm_makes_of_them(tmp_path: Path, name: str, arguments: dict[str, Any]) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    small = timm.create_model(name, img_size=64, num_classes=4, **arguments)
    large = build_model(f"timm/{name}", num_classes=4, img_size=128, **arguments)
    expected = copy.deepcopy(large)
    path = saved(tmp_path, small)

    fit = sys.modules[type(expected).__module__].checkpoint_filter_fn
    timm.models.load_checkpoint(expected, str(path), filter_fn=fit)
    report = load_pretrained(large, path)
    for key, value in expected.state_dict().items():
        assert torch.equal(large.state_dict()[key], value), key
    differing = [
        key for key, value in small.state_dict().items() if value.shape != large.state_dict()[key].shape
    ]
    assert [each.partition(" ")[0] for each in report.resized] == sorted(differing)
    assert differing or name.startswith("swinv2")


def test_tables_of_relative_positions_stay_as_they_are(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    name, arguments = "swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1), "num_classes": 4}
    path = saved(tmp_path, timm.create_model(name, img_size=64, window_size=4, **arguments))
    with pytest.raises(ModelError, match=r"relative_position_bias_table \(file: "):
        load_pretrained(build_model(f"timm/{name}", img_size=128, window_size=8, **arguments), path)


def test_timms_own_weights_tell_the_size_they_were_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm")
    real = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained=False, **others: real(name, **others))
    new = "; newly initialised: head.weight, head.bias"
    for side, expected in ((64, f"; resized: pos_embed, from 224x224 px to 64x64 px{new}"), (224, new)):
        described = {"name": "timm/vit_tiny_patch16_224", "depth": 1, "img_size": side, "pretrained": True}
        (report,) = load_initial_weights(new_network(described, num_classes=3), described)
        assert str(report).partition(")")[2] == expected


OBLONG = {"img_size": (32, 96)}
NO_TOKEN = {"class_token": False, "global_pool": "avg"}
REGISTERS = {"reg_tokens": 4}


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ({}, NO_TOKEN, "the file has the tokens cls_token, the network none: take a network"),
        (NO_TOKEN, {}, "the file has the tokens none, the network cls_token"),
        (REGISTERS, {}, "the file has the tokens cls_token and 4 x reg_token, the network cls_token"),
        ({}, REGISTERS, "the file has the tokens cls_token, the network cls_token and 4 x reg_token"),
        (OBLONG, {}, "pos_embed holds 13 positions, which are no square of patches and cannot be resized"),
        ({"no_embed_class": True}, {}, "pos_embed (file: (1, 16, 8), model: (1, 17, 8))"),
    ],
)
def test_other_tokens_and_other_grids_are_refused_with_the_reason(
    tmp_path: Path, theirs: dict[str, Any], ours: dict[str, Any], expected: str
) -> None:
    pytest.importorskip("timm")
    small = {"patch_size": 16, "embed_dim": 8, "num_heads": 2, "depth": 1, "num_classes": 3, "img_size": 64}
    build = sys.modules["timm.models.vision_transformer"].VisionTransformer
    with pytest.raises(ModelError) as caught:
        load_pretrained(build(**{**small, **ours}), saved(tmp_path, build(**{**small, **theirs})))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_oblong_grid_fits(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    build = sys.modules["timm.models.vision_transformer"].VisionTransformer
    small = {"patch_size": 16, "embed_dim": 8, "num_heads": 2, "depth": 1, "num_classes": 3, **OBLONG}
    assert load_pretrained(build(**small), saved(tmp_path, build(**small))).resized == ()
