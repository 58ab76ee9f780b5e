"""The gate: a file that says the same passes, any other does not."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ding_cls.errors import ConfigError, DataError
from ding_cls.export.checking.equality import EqualityReport, check_equality, compare_logits
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.inference import Predictor
from ding_cls.inference.ensemble import Ensemble
from tests.export.graphs import CLASSES, change_weight, tiny_predictor, write_pooled


def refused(predictor: Predictor, file: Path) -> EqualityReport:
    """Return what `check_equality` does, less its search for the node, which takes seconds."""
    report = compare_logits(predictor, OnnxCandidate(file, predictor), pictures())
    assert not report.is_equal
    assert report.lines()[0] == "Are the results equal? No"
    return report


def pictures(count: int = 40) -> list[npt.NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    bases = generator.integers(0, 256, (count, 1, 1, 3))
    return list((bases + generator.integers(-40, 40, (count, 12, 10, 3))).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.mark.parametrize("layout", ["uint8", "float"])
@pytest.mark.parametrize(
    "arguments", [{}, {"num_tasks": 3}, {"has_several_labels": True}, {"batch_size": 5}], ids=str
)
def test_the_same_network_passes(folder: Path, layout: str, arguments: dict[str, Any]) -> None:
    predictor = tiny_predictor(**arguments)
    file = write_pooled(folder / "same.onnx", predictor, layout=layout)
    report = check_equality(predictor, file, pictures())
    assert report.is_equal
    assert (report.num_images, report.num_different, report.is_synthetic) == (40, 0, False)
    assert 0 <= report.max_difference < 1e-5 < report.max_logit
    assert report.rate > 0
    assert report.torch_rate > 0
    lines = report.lines()
    assert lines[0] == "Are the results equal? Yes"
    assert lines[1].startswith("40 images: 0 answered otherwise, logits differ by up to ")
    assert lines[2].startswith("images/s of the network alone: torch ")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weight", lambda weight: weight[::-1]),
        ("weight", lambda weight: weight + 1e-3),
        ("bias", lambda bias: bias * np.array([1, 1, np.nan, 1], np.float32)),
        ("mean", lambda mean: mean[::-1]),
        ("std", lambda std: std[::-1]),
    ],
)
@pytest.mark.parametrize("arguments", [{}, {"has_several_labels": True}], ids=str)
def test_a_changed_network_does_not(folder: Path, name: str, change: Any, arguments: dict[str, Any]) -> None:
    predictor = tiny_predictor(**arguments)
    file = write_pooled(folder / "changed.onnx", predictor)
    change_weight(file, name, change)
    assert refused(predictor, file).max_difference > 1e-4


def test_a_difference_that_changes_no_answer_is_one_too(folder: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(folder / "bias.onnx", predictor)
    change_weight(file, "bias", lambda bias: bias + np.float32(2e-4))
    report = refused(predictor, file)
    assert report.lines()[1].endswith(f"(allowed: 0.0001), most of all of {report.worst!r}")
    assert report.worst.startswith("image ")
    assert report.num_different == 0
    assert report.max_difference == pytest.approx(2e-4, rel=1e-2)


def test_a_frozen_batch_is_found(folder: Path) -> None:
    predictor = tiny_predictor()
    report = check_equality(predictor, write_pooled(folder / "frozen.onnx", predictor, batch=1), pictures(1))
    assert not report.is_equal
    assert report.problem.startswith("it does not take images (2, 8, 8, 3): ")
    assert report.lines()[2:] == [report.problem]
    assert math.isnan(report.rate)


def test_a_head_that_is_transposed_is_found(folder: Path) -> None:
    predictor = tiny_predictor(num_tasks=4)
    file = write_pooled(folder / "transposed.onnx", predictor)
    change_weight(file, "weight", lambda weight: weight.reshape(4, 4, 3).swapaxes(0, 1).reshape(16, 3))
    refused(predictor, file)


def test_without_images_there_are_synthetic_ones_and_it_says_so(folder: Path) -> None:
    predictor = tiny_predictor()
    report = check_equality(predictor, write_pooled(folder / "none.onnx", predictor), samples=12)
    assert report.is_equal
    assert report.is_synthetic
    assert report.num_images == 12
    assert report.lines()[1].startswith("12 synthetic images, for want of real ones: 0 answered otherwise")


def test_samples_are_spread_over_the_images() -> None:
    seen: list[torch.Tensor] = []
    predictor = tiny_predictor()

    def candidate(images: torch.Tensor) -> npt.NDArray[np.float32]:
        seen.append(images)
        with torch.inference_mode():
            return predictor.model(predictor.preprocessing.normalize(images)).numpy()

    images = [np.full((8, 8, 3), 2 * number, np.uint8) for number in range(100)]
    report = compare_logits(predictor, candidate, images, samples=20)
    assert report.is_equal
    assert report.num_images == 20
    values = torch.cat(seen[:4])[:, 0, 0, 0].tolist()
    assert values == [10 * number for number in range(20)]
    with pytest.raises(DataError, match="samples=0"):
        compare_logits(predictor, candidate, images, samples=0)


def test_unreadable_images_are_counted_and_none_at_all_is_an_error(folder: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(folder / "unreadable.onnx", predictor)
    bad = folder / "bad.jpg"
    bad.write_bytes(b"no image")
    report = check_equality(predictor, file, [*pictures(3), bad])
    assert report.is_equal
    assert (report.num_images, report.num_unreadable) == (3, 1)
    assert "3 images (1 more cannot be read): 0 answered" in report.lines()[1]
    with pytest.raises(DataError, match=r"no image to compare the results on: .*bad\.jpg"):
        check_equality(predictor, file, [bad])


def test_logits_too_large_for_the_bound_are_refused_with_the_reason(folder: Path) -> None:
    predictor = tiny_predictor(scale=3e5)
    report = refused(predictor, write_pooled(folder / "huge.onnx", predictor))
    assert report.max_logit > 1e4
    assert report.num_different == 0
    assert not report.is_equal
    assert any("float32 has a number every 0.0" in each for each in report.lines())


def test_a_calibration_and_mirror_images_do_not_change_the_logits(folder: Path) -> None:
    predictor = tiny_predictor(tta=True)
    assert check_equality(predictor, write_pooled(folder / "tta.onnx", predictor), pictures()).is_equal


def test_the_mean_of_several_networks_is_refused(folder: Path) -> None:
    predictor = tiny_predictor()
    file = write_pooled(folder / "one.onnx", predictor)
    both: Any = Ensemble([predictor, tiny_predictor()], ["a", "b"])
    with pytest.raises(ConfigError, match="a mean of 2 networks"):
        check_equality(both, file, pictures())


def test_two_nans_are_no_agreement() -> None:
    def candidate(images: torch.Tensor) -> npt.NDArray[np.float32]:
        return np.full((len(images), len(CLASSES)), np.nan, np.float32)

    predictor = tiny_predictor()
    assert isinstance(predictor, Predictor)
    with torch.no_grad():
        predictor.model.get_parameter("fc.bias").fill_(np.nan)
    report = compare_logits(predictor, candidate, pictures(4))
    assert not report.is_equal
    assert report.num_different == 4
    assert math.isinf(report.max_difference)


def test_no_image_is_no_agreement() -> None:
    assert not EqualityReport(0, False, 0, 0.0).is_equal
