"""The layer of a heat map: found in maps, tokens and channels-last maps, where it still counts."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import swin_transformer, vision_transformer

from ding_cls.errors import ModelError
from ding_cls.inference.cam_layer import Layout, find_map_layer
from ding_cls.models import build_model


def found_in(network: nn.Module, height: int = 32, width: int = 32) -> tuple[str, Layout]:
    network.eval().requires_grad_(requires_grad=False)
    layer, layout = find_map_layer(
        network, torch.rand(1, 3, height, width), lambda logits: logits[:, 1].sum()
    )
    return next(name for name, module in network.named_modules() if module is layer), layout


class Tokens(nn.Module):
    """A transformer of the user's own: ``num_prefix`` tokens in front, and what they are pooled by."""

    def __init__(self, num_prefix: int, *, pools_all: bool, batch_first: bool = True) -> None:
        super().__init__()
        self.patches = nn.Linear(3 * 64, 16)
        self.prefix = nn.Parameter(torch.rand(1, num_prefix, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)
        self.num_prefix, self.pools_all, self.batch_first = num_prefix, pools_all, batch_first

    def forward(self, images: Tensor) -> Tensor:
        patches = images.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        tokens = torch.cat([self.prefix.expand(len(images), -1, -1), self.patches(patches)], 1)
        tokens = self.norm(self.encoder(tokens if self.batch_first else tokens.transpose(0, 1)))
        tokens = tokens if self.batch_first else tokens.transpose(0, 1)
        return self.head(tokens[:, self.num_prefix :].mean(1) if self.pools_all else tokens[:, 0])


class Shared(nn.Module):
    """Its one activation is called after maps, and again after vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 6, 3, 2)
        self.relu, self.hidden, self.head = nn.ReLU(inplace=True), nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.relu(self.second(self.relu(self.first(images))))
        return self.head(self.relu(self.hidden(maps.mean((2, 3)))))


def vit() -> nn.Module:
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16}
    network = vision_transformer.VisionTransformer(**sizes, mlp_dim=32, num_classes=5)
    # torchvision begins with a last layer of zeros, which no gradient passes.
    nn.init.normal_(network.heads.head.weight)
    return network


def swin() -> nn.Module:
    return swin_transformer.SwinTransformer([4, 4], 8, [2, 2], [2, 4], [2, 2], num_classes=5)


@pytest.mark.parametrize(
    ("network", "name", "layout"),
    [
        (lambda: build_model("resnet18", num_classes=5), "layer2", ("NCHW", 4, 4)),
        (lambda: build_model("lenet5", num_classes=5), "features.5", ("NCHW", 5, 5)),
        (vit, "encoder.layers.encoder_layer_1.ln_1", ("NLC", 4, 4)),
        (swin, "permute", ("NCHW", 4, 4)),
        (lambda: Tokens(1, pools_all=False), "encoder.layers.1.norm1", ("NLC", 4, 4)),
        (lambda: Tokens(5, pools_all=True), "norm", ("NLC", 4, 4)),
        (lambda: Tokens(1, pools_all=True, batch_first=False), "norm", ("LNC", 4, 4)),
        (Shared, "second", ("NCHW", 7, 7)),
    ],
)
def test_it_is_the_last_that_places_of_the_image_reach_the_logits_from(
    network: Callable[[], nn.Module], name: str, layout: tuple[str, int, int]
) -> None:
    assert found_in(network()) == (name, layout)


def test_the_last_stage_of_a_resnet_is_taken_while_it_has_two_places() -> None:
    network = build_model("resnet18", num_classes=5)
    assert found_in(network, 64, 64) == ("layer4", Layout("NCHW", 2, 2))
    assert found_in(network, 32, 64) == ("layer4", Layout("NCHW", 1, 2))


def test_the_grid_of_tokens_follows_the_images_sides() -> None:
    assert found_in(Tokens(1, pools_all=True), 32, 64)[1] == Layout("NLC", 4, 8)
    assert found_in(Tokens(2, pools_all=True), 64, 24)[1] == Layout("NLC", 8, 3)


def test_maps_with_channels_last_are_told_from_others() -> None:
    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6), nn.Linear(6, 5)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.norm(self.conv(images).permute(0, 2, 3, 1)).mean((1, 2)))

    name, layout = found_in(ChannelsLast(), 32, 64)
    assert (name, layout) == ("norm", ("NHWC", 8, 16))
    output = torch.rand(2, 8, 16, 6)
    assert torch.equal(layout(output), output.permute(0, 3, 1, 2))


def test_tokens_become_maps_row_by_row_without_those_in_front() -> None:
    output = torch.rand(3, 2 + 6, 4)
    maps = Layout("NLC", 2, 3)(output)
    assert torch.equal(maps[1, :, 1, 2], output[1, 2 + 5])
    assert torch.equal(Layout("LNC", 2, 3)(output.transpose(0, 1)), maps)


@pytest.mark.parametrize(
    "network",
    [nn.Sequential(nn.Flatten(), nn.Linear(3072, 5)), nn.Sequential(nn.Conv2d(3, 5, 32), nn.Flatten())],
)
def test_a_network_without_places_is_refused_in_one_line(network: nn.Module) -> None:
    with pytest.raises(
        ModelError, match=r"^no layer of this network gives maps .* a heat map could be made of$"
    ):
        found_in(network)


def test_the_network_keeps_no_hook() -> None:
    network = Shared()
    found_in(network)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "order"),
    [
        ("alexnet", "avgpool", "NCHW"),
        ("densenet121", "features", "NCHW"),
        ("mobilenet_v3_small", "features", "NCHW"),
        ("shufflenet_v2_x0_5", "conv5", "NCHW"),
        ("squeezenet1_1", "classifier.2", "NCHW"),
        ("regnet_y_400mf", "trunk_output", "NCHW"),
        ("timm/vit_tiny_patch16_224", "blocks.11.norm1", "NLC"),
        ("timm/deit_tiny_distilled_patch16_224", "blocks.11.norm1", "NLC"),
        ("timm/cait_xxs24_224", "blocks_token_only.1.norm1", "NLC"),
        ("timm/mixer_s32_224", "norm", "NLC"),
        ("timm/levit_128s", "stages", "NLC"),
        ("timm/swin_tiny_patch4_window7_224", "norm", "NHWC"),
        ("timm/mobilevitv2_050", "final_conv", "NCHW"),
        ("timm/mobilenetv4_conv_small", "blocks", "NCHW"),
    ],
)
def test_networks_of_libraries_are_not_known_by_name(name: str, layer: str, order: str) -> None:
    found, layout = found_in(build_model(name, num_classes=5), 224, 224)
    assert (found, layout.order) == (layer, order)
    assert layout.height == layout.width >= 4
