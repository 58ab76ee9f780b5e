"""Heat maps against Grad-CAM written out in plain torch; what may not change; what is refused."""

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import ding_cls
from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.errors import ConfigError, DataError, ModelError
from ding_cls.inference.cam import heat_maps, shown_image
from ding_cls.inference.ensemble import Ensemble
from ding_cls.inference.predictor import Predictor
from ding_cls.models import build_model

CLASSES = ("ash", "birch", "cedar", "fir", "oak")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A ResNet-18 whose normalisations are no identities."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_model("resnet18", num_classes=5)
        for parameter in network.parameters():
            parameter.data += 0.02 * torch.randn(parameter.shape)
    return network


@pytest.fixture(scope="module")
def samples() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (70, 90, 3), np.uint8) for _ in range(3)]


def predictor_of(network: nn.Module, size: int = 64, **arguments: Any) -> Predictor:
    preprocessing = Preprocessing(image_size=size, resize_size=size)
    return Predictor(network, preprocessing, CLASSES, device="cpu", **arguments)


def published(predictor: Predictor, images: Sequence[Any], labels: Sequence[int]) -> list[np.ndarray]:
    """Return equations 1 and 2 of Grad-CAM for the last stage of a ResNet, image by image."""
    found = []
    for image, label in zip(images, labels, strict=True):
        kept: list[Tensor] = []
        handle = predictor.model.get_submodule("layer4").register_forward_hook(
            lambda module, _, output, kept=kept: kept.append(output)
        )
        logits = predictor.model(predictor.preprocess(image)[None].requires_grad_())
        handle.remove()
        (gradient,) = torch.autograd.grad(logits[0, label], kept[0])
        weights = gradient[0].mean((1, 2))
        heat = torch.relu((weights[:, None, None] * kept[0][0]).sum(0)).detach()
        heat = (heat - heat.min()) / (heat.max() - heat.min()).clamp(min=1e-30)
        large = functional.interpolate(heat[None, None], (64, 64), mode="bilinear", align_corners=False)[0, 0]
        found.append(((large - large.min()) / (large.max() - large.min()).clamp(min=1e-30)).numpy())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_a_map_is_the_published_formula(
    network: nn.Module, samples: list[np.ndarray], batch_size: int
) -> None:
    predictor = predictor_of(network, batch_size=batch_size)
    for labels in (None, [0, 3, 4]):
        chosen = labels or [each.label for each in predictor(samples)]
        maps = heat_maps(predictor, samples, labels)
        assert sum(each.max() > 0.99 for each in maps) >= 1
        assert [each.dtype for each in maps] == [np.float32] * 3
        for found, expected in zip(maps, published(predictor, samples, chosen), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_nothing_of_the_network_changes(network: nn.Module, samples: list[np.ndarray]) -> None:
    own = copy.deepcopy(network)
    predictor = predictor_of(own)
    first, *rest = own.parameters()
    first.requires_grad_(requires_grad=False)
    rest[0].grad = torch.ones_like(rest[0])
    own.get_submodule("layer4").train()
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    modes = [module.training for module in own.modules()]
    heat_maps(predictor, samples, [0, 1, 2])
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.state_dict().items())
    assert [module.training for module in own.modules()] == modes
    assert [each.requires_grad for each in own.parameters()] == [False, *(True for _ in rest)]
    assert [each.grad is None for each in own.parameters()] == [True, False, *(True for _ in rest[1:])]
    assert torch.equal(rest[0].grad, torch.ones_like(rest[0]))
    assert not any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
        for module in own.modules()
    )


@pytest.mark.slow
def test_frozen_networks_and_inference_mode_give_the_same(
    network: nn.Module, samples: list[np.ndarray]
) -> None:
    expected = heat_maps(predictor_of(network), samples)
    frozen = copy.deepcopy(network).requires_grad_(requires_grad=False)
    np.testing.assert_array_equal(heat_maps(predictor_of(frozen), samples), expected)
    with torch.inference_mode():
        np.testing.assert_array_equal(heat_maps(predictor_of(network), samples), expected)
        made_here = copy.deepcopy(network)
        assert next(made_here.parameters()).is_inference()
    np.testing.assert_array_equal(heat_maps(predictor_of(made_here), samples), expected)
    with torch.no_grad():
        np.testing.assert_array_equal(heat_maps(predictor_of(network), samples), expected)


@pytest.mark.slow
def test_half_precision_and_channels_last_are_near(network: nn.Module, samples: list[np.ndarray]) -> None:
    expected = np.stack(heat_maps(predictor_of(network), samples, [1, 2, 3]))
    for arguments in ({"precision": "bf16"}, {"channels_last": True}):
        found = np.stack(heat_maps(predictor_of(network, **arguments), samples, [1, 2, 3]))
        assert np.abs(found - expected).mean() < 0.05


class Columns(nn.Module):
    """Each class is what one of the three colours adds up to, in one task or in two."""

    def __init__(self, num_tasks: int | None = None) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 3, 1, bias=False)
        self.maps.weight.data = torch.eye(3)[:, :, None, None]
        self.head = nn.Identity()
        if num_tasks is not None:
            self.head.num_tasks = num_tasks  # type: ignore[assignment]
        self.num_tasks = num_tasks

    def forward(self, images: Tensor) -> Tensor:
        sums = self.maps(images).mean((2, 3))
        logits = torch.cat([sums, -sums[:, :2]], 1)
        return logits if self.num_tasks is None else torch.stack([logits, logits.roll(1, 1)], 1)


def colour_columns() -> np.ndarray:
    """Return an image of three columns: red, dark green, blue."""
    image = np.zeros((12, 12, 3), np.uint8)
    image[:, :4, 0], image[:, 4:8, 1], image[:, 8:, 2] = 250, 120, 240
    return image


def exact(network: nn.Module, **arguments: Any) -> Predictor:
    preprocessing = Preprocessing(image_size=12, resize_size=12, mean=(0.0,) * 3, std=(1.0,) * 3)
    return Predictor(network, preprocessing, CLASSES, device="cpu", **arguments)


@pytest.mark.slow
def test_several_labels_and_tasks_are_the_sum_of_their_logits() -> None:
    image = colour_columns()
    own = exact(Columns(), has_several_labels=True)
    red, both = heat_maps(own, [image, image], [0, (0, 2)])
    assert red.shape == (12, 12)
    assert [red[5, 1], red[5, 5], red[5, 10]] == pytest.approx([1, 0, 0], abs=1e-5)
    assert [both[5, 1], both[5, 5], both[5, 10]] == pytest.approx([1, 0, 240 / 250], abs=1e-5)
    np.testing.assert_array_equal(heat_maps(own, [image])[0], red)
    tasks = exact(Columns(2))
    (prediction,) = tasks(image)
    assert prediction.label == (0, 1)
    # The second task's class 1 is the first one's class 0.
    np.testing.assert_allclose(heat_maps(tasks, [image])[0], red, atol=1e-6)
    np.testing.assert_allclose(heat_maps(tasks, [image], [(0, 3)])[0], both, atol=1e-6)


@pytest.mark.slow
def test_where_nothing_speaks_for_a_class_the_map_is_0() -> None:
    (found,) = heat_maps(exact(Columns()), [colour_columns()], [3])
    assert not found.any()
    for num_tasks in (None, 2):
        broken = Columns(num_tasks)
        broken.maps.weight.data.fill_(float("nan"))
        (found,) = heat_maps(exact(broken), [colour_columns()])
        assert not found.any()


class TwiceNetwork(Columns):
    """Its one layer is called for the image's mirror image first."""

    def forward(self, images: Tensor) -> Tensor:
        first = self.maps(images.flip(3)).mean((2, 3))
        return super().forward(images) + functional.pad(first, (0, 2))


@pytest.mark.slow
def test_of_a_layer_that_is_called_twice_the_last_call_counts() -> None:
    image = colour_columns()
    (found,) = heat_maps(exact(Columns()), [image], [0])
    np.testing.assert_array_equal(heat_maps(exact(TwiceNetwork()), [image], [0])[0], found)


@pytest.mark.slow
def test_images_of_several_sizes_keep_their_places() -> None:
    preprocessing = PipelinePreprocessing([{"type": "LoadImageFromFile"}])
    own = Predictor(Columns(), preprocessing, CLASSES, device="cpu", batch_size=4)
    sizes = [(12, 12), (6, 20), (12, 12), (9, 9), (6, 20)]
    maps = heat_maps(own, [np.full((*size, 3), 100 + 30 * n, np.uint8) for n, size in enumerate(sizes)])
    assert [each.shape for each in maps] == sizes


@pytest.mark.slow
@pytest.mark.parametrize("label", [5, -1, (0, 7)])
def test_a_label_that_is_no_class_is_refused(label: Any) -> None:
    own = exact(Columns(), has_several_labels=True)
    with pytest.raises(ConfigError, match="it is a number from 0 to 4"):
        heat_maps(own, [colour_columns()], [label])


def test_other_mistakes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    own = exact(Columns())
    with pytest.raises(ConfigError, match="1 labels for 2 images"):
        heat_maps(own, [colour_columns()] * 2, [0])
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[cam\]'"):
        heat_maps(own, [colour_columns()])


@pytest.mark.slow
def test_a_network_without_maps_and_an_unreadable_file_are_said() -> None:
    with pytest.raises(ModelError, match="no layer of this network gives maps"):
        heat_maps(exact(nn.Sequential(nn.Flatten(), nn.Linear(432, 5))), [colour_columns()])
    Path("torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"'torn\.png'"):
        heat_maps(exact(Columns()), ["torn.png"])


@pytest.mark.slow
def test_a_run_of_parts_has_maps(trained: Path, samples: list[np.ndarray]) -> None:
    predictor = ding_cls.load(trained, device="cpu")
    (found,) = heat_maps(predictor, samples[:1])
    assert found.shape == shown_image(predictor, samples[0]).shape[:2]


def test_the_image_is_shown_as_the_network_sees_it() -> None:
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    predictor = exact(Columns())
    shown = shown_image(predictor, image)
    expected = np.asarray(Image.fromarray(image).resize((18, 12), Image.Resampling.BILINEAR))[:, 3:15]
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("to_rgb", [True, False])
def test_a_pipeline_that_normalises_itself_is_undone(to_rgb: bool) -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 9, 3), np.uint8)
    steps: list[dict[str, Any]] = [
        {"type": "LoadImageFromFile"},
        {"type": "Normalize", "mean": [123.0, 110.0, 100.0], "std": [50.0, 60.0, 70.0], "to_rgb": to_rgb},
        {"type": "RandomFlip", "flip_prob": 0.0},
    ]
    predictor = Predictor(Columns(), PipelinePreprocessing(steps), CLASSES, device="cpu")
    assert predictor.preprocess(image).min() < -1
    np.testing.assert_array_equal(shown_image(predictor, image), image)


@pytest.mark.slow
def test_the_map_of_several_networks_is_their_mean(network: nn.Module, samples: list[np.ndarray]) -> None:
    other = copy.deepcopy(network)
    other.fc.weight.data = other.fc.weight.data.roll(1, 1)  # type: ignore[union-attr, operator]
    turned = Predictor(other, Preprocessing(image_size=64, resize_size=64), CLASSES[::-1], device="cpu")
    both = Ensemble([predictor_of(network), turned], ["a", "b"])
    labels = [each.label for each in both(samples)]
    parts = [
        heat_maps(predictor_of(network), samples, labels),
        heat_maps(turned, samples, [4 - each for each in labels]),
    ]
    np.testing.assert_allclose(heat_maps(both, samples), np.mean(parts, 0), atol=1e-6)
    different = Ensemble([predictor_of(network), predictor_of(network, size=32)], ["a", "b"])
    with pytest.raises(ConfigError, match="have no heat map in common"):
        heat_maps(different, samples)
