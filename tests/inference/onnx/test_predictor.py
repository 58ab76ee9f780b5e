"""An ONNX file answers by the same rules as a checkpoint."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.answers.calibration import Calibration
from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.answers.prediction import UNKNOWN
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.errors import CheckpointError, ConfigError, ModelError
from ding_cls.images import load_rgb
from ding_cls.inference.onnx.predictor import load_onnx
from ding_cls.inference.onnx.steps import batch_of, prepared
from tests.image_files import write_images
from tests.onnx_files import DESCRIPTION, weights, write_onnx

FITTED_ON = {"split": "val", "digest": "x", "num_samples": 4}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("images"))


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def logits_of(files: list[Path], description: Any, *, is_mirrored: bool = False) -> np.ndarray:
    pixels = np.stack([prepared(load_rgb(each), description.preprocessing["steps"]) for each in files])
    batch = batch_of(pixels[:, :, ::-1] if is_mirrored else pixels, description)
    logits = batch.reshape(len(files), -1).astype(np.float64) @ weights(description)
    shape = [*([] if description.num_tasks is None else [description.num_tasks]), len(description.classes)]
    return logits.reshape(len(files), *shape)


@pytest.mark.parametrize("layout", ["uint8", "float"])
@pytest.mark.parametrize("num_workers", [0, 3])
def test_probabilities_are_those_of_the_graph(
    layout: Any, num_workers: int, images: list[Path], tmp_path: Path
) -> None:
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx", layout=layout))
    found = predictor(images, batch_size=7, num_workers=num_workers)
    wanted = softmax(logits_of(images, predictor.description))
    np.testing.assert_allclose(np.stack([each.probabilities for each in found]), wanted, rtol=0, atol=1e-5)
    assert [each.path for each in found] == list(map(str, images))
    assert {each.name for each in found} <= {"ash", "<b>&", "tabby, tabby cat"}
    assert not predictor.has_gradients
    assert repr(predictor) == "<OnnxPredictor of 3 classes: 'ash', '<b>&', 'tabby, tabby cat'>"


def test_the_mean_with_the_mirror_image_is_taken(images: list[Path], tmp_path: Path) -> None:
    for layout in ("uint8", "float"):
        predictor = load_onnx(write_onnx(tmp_path / "a.onnx", layout=layout), tta=True)
        two = [softmax(logits_of(images, predictor.description, is_mirrored=each)) for each in (False, True)]
        found = np.stack([each.probabilities for each in predictor(images)])
        np.testing.assert_allclose(found, sum(two) / 2, rtol=0, atol=1e-5)


def test_several_labels_and_several_tasks(images: list[Path], tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "a.onnx", has_several_labels=True, threshold=0.3, num_tasks=None)
    predictor = load_onnx(file)
    wanted = 1 / (1 + np.exp(-logits_of(images, predictor.description)))
    found = predictor(images)
    assert [each.label for each in found] == [tuple(np.flatnonzero(row >= 0.3)) for row in wanted]
    other = load_onnx(file, threshold=0.7)
    assert [each.label for each in other(images)] == [tuple(np.flatnonzero(row >= 0.7)) for row in wanted]
    tasks = load_onnx(write_onnx(tmp_path / "b.onnx", num_tasks=2))
    logits = logits_of(images, tasks.description)
    assert [each.label for each in tasks(images)] == [tuple(row) for row in logits.argmax(-1)]


def calibrated(tmp_path: Path, **changes: Any) -> Path:
    curve = RiskCurve(4, (0.9, 0.6, 0.5), (1, 2, 4), (0, 0, 2))
    calibration = Calibration((2.0,), FITTED_ON, curve=curve)
    return write_onnx(tmp_path / "a.onnx", calibration=replace(calibration, **changes).entry())


def test_scores_are_calibrated_and_uncertain_images_unknown(images: list[Path], tmp_path: Path) -> None:
    file = calibrated(tmp_path)
    predictor = load_onnx(file, calibrated=True)
    wanted = softmax(logits_of(images, predictor.description) / 2)
    found = np.stack([each.probabilities for each in predictor(images)])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    at_risk = load_onnx(file, max_risk=40)
    assert at_risk.risk_point is not None
    assert at_risk.risk_point.threshold == 0.6
    names = [each.name == UNKNOWN for each in at_risk(images)]
    assert names == [row.max() < 0.6 for row in wanted]
    assert any(names)
    assert not all(names)


def test_classes_have_thresholds_of_their_own(images: list[Path], tmp_path: Path) -> None:
    precision = ClassThresholds(90.0, (0.5, None, 0.9), (1, 0, 1), (1, 0, 1))
    predictor = load_onnx(calibrated(tmp_path, precision=precision), calibrated=True)
    assert {each.name for each in predictor(images)} <= {"ash", "tabby, tabby cat", UNKNOWN}


def test_what_a_file_does_not_have_is_told(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "a.onnx")
    for options in ({"calibrated": True}, {"max_risk": 5.0}):
        with pytest.raises(CheckpointError, match=r"has no calibration; make one in the checkpoint"):
            load_onnx(file, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"threshold=0\.4 is for images with several labels"):
        load_onnx(file, threshold=0.4)
    write_onnx(file, calibration={"temperature": [1.0]})
    with pytest.raises(CheckpointError, match=r"the calibration in .*a\.onnx' cannot be used"):
        load_onnx(file, calibrated=True)
    with pytest.raises(CheckpointError, match=r"is not of its 3 classes"):
        load_onnx(calibrated(tmp_path, temperatures=(1.0, 2.0)), calibrated=True)
    # It would turn the order of the classes round.
    with pytest.raises(CheckpointError, match=r"a\.onnx' cannot be used \(temperature\)"):
        load_onnx(calibrated(tmp_path, temperatures=(-1.0,)), calibrated=True)
    write_onnx(file, preprocessing={})
    with pytest.raises(CheckpointError, match="does not say how its images are prepared"):
        load_onnx(file)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_bad_image_does_not_stop_the_others(num_workers: int, images: list[Path], tmp_path: Path) -> None:
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx"))
    gone, text = tmp_path / "gone.png", tmp_path / "text.png"
    text.write_text("hello")
    sources = [str(text), str(images[0]), np.zeros((4, 4), np.uint8), str(gone), Image.open(images[1])]
    found = list(predictor.stream(sources, batch_size=1, num_workers=num_workers))
    assert [bool(each.error) for each in found] == [True, False, False, True, False]
    assert found[0].error.startswith(f"'{text}' is text")
    assert found[3].error == f"'{gone}' does not exist"
    assert found[2].path is None


def test_an_image_of_another_size_is_told_by_name(tmp_path: Path) -> None:
    steps = [{"op": "crop", "height": 8, "width": 9}]
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx", preprocessing={"steps": steps}))
    Image.new("RGB", (20, 5)).save(tmp_path / "a.png")
    small, good = predictor([str(tmp_path / "a.png"), np.zeros((10, 10, 3), np.uint8)])
    named = small.error.replace(f"{tmp_path}/", "")
    assert named == "'a.png' is 20 x 5, and prepared 9 x 5; 'a.onnx' takes 9 x 8 pixels only"
    assert not good.error


def test_an_image_that_its_steps_make_too_large_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(image: Image.Image, steps: Any) -> Any:
        if image.width == 60_000:
            raise MemoryError
        return prepared(image, steps)

    predictor = load_onnx(write_onnx(tmp_path / "a.onnx"))
    monkeypatch.setattr("ding_cls.inference.onnx.predictor.prepared", out_of_memory)
    large, good = predictor([Image.new("RGB", (60_000, 1)), np.zeros((10, 10, 3), np.uint8)])
    assert large.error == (
        "image 0 is 60000 x 1, and what its preprocessing makes of it does not fit into memory; cut it"
    )
    assert not good.error


def test_a_servers_batch_is_answered_as_the_images_alone(images: list[Path], tmp_path: Path) -> None:
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx", layout="float"))
    names = [str(each) for each in images[:6]]
    together = predictor.answer([predictor.prepare(each) for each in names], names)
    for alone, each in zip(predictor(names, batch_size=1), together, strict=True):
        assert (each.path, each.label) == (alone.path, alone.label)
        np.testing.assert_allclose(each.probabilities, alone.probabilities, rtol=0, atol=1e-6)


def test_a_graph_of_other_classes_is_an_error(tmp_path: Path) -> None:
    entry = replace(DESCRIPTION, classes=("ash", "birch")).to_json()
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx", entry=entry))
    with pytest.raises(ModelError, match=r"turns 1 images into \(1, 3\); for 2 classes it must be \(1, 2\)"):
        predictor(np.zeros((9, 9), np.uint8))


def test_threads_read_only_a_little_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx"))
    read: list[int] = []
    pixels = predictor._pixels

    def counted(source: Any, number: int) -> Any:
        read.append(number)
        return pixels(source, number)

    monkeypatch.setattr(predictor, "_pixels", counted)
    stream = predictor.stream([np.zeros((9, 9), np.uint8)] * 100, batch_size=3, num_workers=2)
    for _ in range(3):
        next(stream)
    stream.close()
    assert len(read) <= 3 + 2 * 3


def test_an_odd_file_warns_nobody_from_a_thread(images: list[Path], tmp_path: Path) -> None:
    predictor = load_onnx(write_onnx(tmp_path / "a.onnx"))
    damaged = [each for each in images if each.name == "exif_damaged.jpg"] * 4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list(predictor.stream(list(map(str, damaged)), num_workers=2))
    assert not any(each.error for each in found)
    assert not caught
