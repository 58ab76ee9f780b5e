"""The network that a file gets: the predictor's own, with the same bits, and nothing of it changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import ConfigError, ExportError
from ding_cls.export.network import (
    check_exportable,
    example_image,
    exported_network,
    exported_program,
    failures_named,
    quiet,
)
from ding_cls.inference import Predictor
from ding_cls.inference.ensemble import Ensemble
from tests.export.graphs import CLASSES, Pooled, tiny_predictor

FLOATS = [{"type": "Resize", "size": (8, 8)}, {"type": "Normalize", "mean": 100, "std": 50}]
FLOATS += [{"type": "CenterCrop", "crop_size": 6}]


def predictor_of(pipeline: list[dict[str, Any]], network: nn.Module | None = None) -> Predictor:
    return Predictor(network or Pooled(), PipelinePreprocessing(pipeline), CLASSES, device="cpu")


@pytest.mark.parametrize("to_rgb", [False, True])
def test_pixels_are_normalised_with_the_same_bits(to_rgb: bool) -> None:
    numbers = {"mean": [120.5, 90, 33], "std": [60, 41.3, 77]}
    predictor = predictor_of([{"type": "Normalize", **numbers, "to_rgb": to_rgb}], nn.Identity())
    images = torch.randint(0, 256, (5, 8, 9, 3), dtype=torch.uint8)
    network = exported_network(predictor, images[0], "uint8")
    assert torch.equal(network(images), predictor.preprocessing.normalize(images))


def test_the_predictors_network_stays_as_it_is() -> None:
    predictor = tiny_predictor()
    before = {name: each.clone() for name, each in predictor.model.state_dict().items()}
    network = exported_network(predictor, torch.zeros(8, 8, 3, dtype=torch.uint8), "uint8")
    for parameter in network.parameters():
        assert not parameter.requires_grad
        parameter.zero_()
    assert all(each.requires_grad for each in predictor.model.parameters())
    assert all(torch.equal(each, before[name]) for name, each in predictor.model.state_dict().items())


def test_pipelines_that_make_floats_take_no_pixels() -> None:
    predictor = predictor_of(FLOATS)
    example = example_image(predictor, None)
    assert (example.dtype, example.shape) == (torch.float32, (3, 6, 6))
    with pytest.raises(ConfigError, match=r"makes floats itself.*--input float"):
        exported_network(predictor, example, "uint8")
    assert exported_network(predictor, example, "float")(example[None]).shape == (1, 4)


def test_the_example_is_an_image_of_the_run(tmp_path: Path) -> None:
    predictor = predictor_of([])
    with pytest.raises(ExportError, match=r"leaves images of different sizes different.*--data PATH"):
        example_image(predictor, None)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    pixels = np.zeros((5, 7, 3), np.uint8)
    assert example_image(predictor, ["torn.png", pixels]).shape == (5, 7, 3)
    with pytest.raises(ExportError, match=r"none of 1 images can be read: 'torn.png' is truncated"):
        example_image(predictor, ["torn.png"])


def test_only_one_network_of_torch_is_exported() -> None:
    check_exportable(tiny_predictor())
    with pytest.raises(ExportError, match="a mean of 2 networks is no single network; export each by itself"):
        check_exportable(Ensemble([tiny_predictor(), tiny_predictor()], ["a", "b"]))


class Stubborn(Pooled):
    """Looks at its pixels, which no exporter can follow."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.mean() > 0:
            return super().forward(images)
        return super().forward(-images)


class Paired(Pooled):
    """Takes batches of two."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.reshape(2, *images.shape[1:]))


class Counting(Pooled):
    """Asks Python for the number of images, which torch may take for a constant."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).reshape(len(images), 4)


RESIZE = [{"type": "Resize", "size": (8, 8)}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Stubborn, "Stubborn cannot be exported: "),
        (Paired, "Paired cannot be exported: its code takes one batch size alone; it shall reckon with"),
    ],
)
def test_what_torch_cannot_export_is_one_line(network: type[nn.Module], message: str) -> None:
    predictor = predictor_of(RESIZE, network())
    with pytest.raises(ExportError, match=f"^{message}") as raised:
        exported_program(predictor, example_image(predictor, None), "uint8")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_network_may_count_its_images() -> None:
    predictor = predictor_of(RESIZE, Counting())
    program = exported_program(predictor, example_image(predictor, None), "uint8")
    for count in (1, 2, 5):
        images = torch.randint(0, 256, (count, 8, 8, 3), dtype=torch.uint8)
        wanted = predictor.model(predictor.preprocessing.normalize(images))
        assert torch.equal(program.module()(images), wanted)


def test_the_cause_of_a_failure_is_told() -> None:
    cause = ValueError("the cause\nin two lines")
    with (
        pytest.raises(ExportError, match=r"^Pooled cannot be exported: the cause$"),
        failures_named(Pooled()),
    ):
        raise RuntimeError("a long story") from cause
    with pytest.raises(ExportError, match=r"^Pooled cannot be exported: KeyError"), failures_named(Pooled()):
        raise KeyError


def test_what_is_no_tensor_is_no_logits() -> None:
    network = predictor_of(RESIZE, nn.Sequential(Pooled()))
    network.model.register_forward_hook(lambda module, inputs, logits: {"logits": logits})
    images = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(TypeError, match="it returns dict, and logits are a tensor"):
        exported_network(network, images[0], "uint8")(images)


def test_exporters_are_silent_for_a_while(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging
    import sys
    import warnings

    logger = logging.getLogger("torch.onnx")
    with quiet():
        logger.error("chatter")
        warnings.warn("more chatter", stacklevel=1)
        print("the graph of a network that torch cannot follow", file=sys.stderr)
    assert capsys.readouterr().err == ""
    assert not caplog.records
    logger.error("of another's work")
    assert [each.message for each in caplog.records] == ["of another's work"]
