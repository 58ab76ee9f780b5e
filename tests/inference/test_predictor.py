"""Records of images: against plain PyTorch, at any batch size, for one label, several, and several tasks; and
real weights name real images as they should."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ding_cls
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.cli import main
from ding_cls.data import Preprocessing
from ding_cls.errors import ConfigError, DataError, ModelError
from ding_cls.inference import Predictor
from ding_cls.inference.ensemble import Ensemble
from ding_cls.inference.outputs.table import Columns, write_predictions
from ding_cls.inference.predict import about_calibration
from ding_cls.inference.predictor import mirrored, network_digest
from tests.inference.conftest import CLASSES

PREPROCESSING = Preprocessing(image_size=2, resize_size=2)
MOBILENET = "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"

needs_data = pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="DING_TEST_DATA is not set")


class Table(nn.Module):
    """Gives rows of logits, one after the other, whatever it is shown."""

    def __init__(self, rows: list) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)
        self.count = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.count += len(images)
        return self.rows[self.count - len(images) : self.count]


def black(count: int) -> list[np.ndarray]:
    return [np.zeros((2, 2, 3), np.uint8)] * count


def test_records_equal_plain_pytorch(trained: Path, images: Path) -> None:
    predictor = ding_cls.load(trained)
    records = predictor(images / "val")
    assert [record.path for record in records] == [
        f"{images}/val/{name}/{number:03d}.png" for name in CLASSES for number in range(5)
    ]
    batch = torch.stack([predictor.preprocess(record.path) for record in records])
    assert batch.dtype == torch.float32
    assert batch.shape == (20, 3, 8, 8)
    with torch.no_grad():
        logits = predictor.model(batch)
    for record, row in zip(records, logits, strict=True):
        expected = row.double().softmax(0)
        assert record.label == int(row.argmax())
        assert record.probabilities.dtype == np.float32
        assert np.allclose(record.probabilities, expected, atol=1e-6)
        assert record.score == record.probabilities[record.label]
        assert record.error == ""


@pytest.mark.parametrize(("batch_size", "num_workers"), [(1, 0), (3, 2), (64, 0), (64, 1)])
def test_batch_size_and_workers_change_nothing(
    trained: Path, images: Path, batch_size: int, num_workers: int
) -> None:
    predictor = ding_cls.load(trained)
    expected = predictor(images / "val")
    found = predictor(images / "val", batch_size=batch_size, num_workers=num_workers)
    assert [(each.path, each.label) for each in found] == [(each.path, each.label) for each in expected]
    pairs = zip(found, expected, strict=True)
    assert all(np.allclose(one.probabilities, other.probabilities, atol=1e-6) for one, other in pairs)


def test_paths_images_and_arrays_give_the_same(trained: Path, images: Path) -> None:
    predictor = ding_cls.load(trained)
    path = images / "val" / "ash" / "000.png"
    with Image.open(path) as opened:
        forms = [path, str(path), opened, np.asarray(opened), np.asarray(opened)[None]]
        records = [predictor(form) for form in [*forms, [path], [np.asarray(opened)]]]
    assert all(len(each) == 1 for each in records)
    assert len({each[0].probabilities.tobytes() for each in records}) == 1
    assert [each[0].path for each in records] == [str(path), str(path), None, None, None, str(path), None]
    assert predictor([]) == []


def test_a_class_named_by_its_synset_is_shown_by_its_name(trained: Path) -> None:
    predictor = ding_cls.load(trained)
    assert predictor.classes == CLASSES
    assert predictor.names == ("ash", "birch", "cedar", "tabby, tabby cat")


def test_an_unreadable_image_and_nan_are_records_with_an_error(trained: Path, images: Path) -> None:
    Path("torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    good = images / "val" / "ash" / "000.png"
    torn, fine = ding_cls.load(trained)(["torn.png", good])
    assert (torn.label, torn.name, torn.score, torn.probabilities.size) == (None, "", None, 0)
    assert "'torn.png' is truncated or damaged" in torn.error
    assert torn.top() == []
    assert fine.error == ""
    bad = Predictor(Table([[0.0, float("nan")], [0.0, 1.0]]), PREPROCESSING, "ab")(black(2))
    assert [each.error for each in bad] == ["the network's output for this image holds NaN", ""]


def test_several_labels_are_those_from_the_threshold_on(several: Path) -> None:
    predictor = ding_cls.load(several)
    assert (predictor.has_several_labels, predictor.threshold) == (True, 0.4)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    with torch.no_grad():
        logits = predictor.model(torch.stack([predictor.preprocess(each) for each in pixels]))
    chosen = logits.double().sigmoid()
    for threshold in (None, 0.0, 0.5, 1.0):
        records = ding_cls.load(several, threshold=threshold)(pixels)
        for record, row in zip(records, chosen, strict=True):
            labels = [
                number for number in range(4) if row[number] >= (0.4 if threshold is None else threshold)
            ]
            assert record.label == tuple(labels)
            assert record.name == "|".join(predictor.names[each] for each in labels)
            assert np.allclose(record.score, row[labels], atol=1e-6)
            assert np.allclose(record.probabilities, row, atol=1e-6)


def test_of_several_tasks_each_has_its_class(tasks: Path) -> None:
    predictor = ding_cls.load(tasks)
    assert predictor.num_tasks == 3
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    with torch.no_grad():
        logits = predictor.model(torch.stack([predictor.preprocess(each) for each in pixels]))
    for record, row in zip(predictor(pixels), logits, strict=True):
        assert record.label == tuple(row.argmax(1).tolist())
        assert np.allclose(record.probabilities, row.softmax(1), atol=1e-6)
        second = record.top(2)[1]
        assert second.label == tuple(row.argsort(1, descending=True)[:, 1].tolist())
        assert second.name == "|".join(predictor.names[each] for each in second.label)
        assert record.top(2)[0][:2] == (record.label, record.name)


def test_a_float_array_and_a_wrong_path_are_errors() -> None:
    predictor = Predictor(Table([[0.0, 1.0]]), PREPROCESSING, "ab")
    with pytest.raises(DataError, match=r"'gone\.png' does not exist"):
        predictor(["gone.png"])
    floats = np.zeros((2, 2, 3), np.float32)
    for wrong in (predictor, predictor.preprocess, lambda each: predictor([black(1)[0], each])):
        with pytest.raises(DataError, match=r"an array of float32 .* it must be uint8"):
            wrong(floats)


def test_an_output_that_does_not_fit_the_classes_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"Table turns 1 images into \(1, 2\); for 3 classes it must be"):
        Predictor(Table([[0.0, 1.0]]), PREPROCESSING, "abc")(black(1))
    large = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten())
    with pytest.raises(ModelError, match=r"Sequential cannot take images \(1, 3, 2, 2\): "):
        Predictor(large, PREPROCESSING, "ab")(black(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu9"}, "device='tpu9' is none of torch's"),
        ({"device": "cuda:77"}, "device='cuda:77': torch finds [0-9]+ CUDA devices here"),
    ],
)
def test_what_cannot_be_used_is_an_error(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Predictor(Table([[0.0, 1.0]]), PREPROCESSING, "ab", **arguments)


def test_precision_and_memory_format_are_the_runs() -> None:
    seen = []

    class Look(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(12, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits = self.fc(images.flatten(1))
            seen.append((logits.dtype, images.is_contiguous(memory_format=torch.channels_last)))
            return logits

    arguments = {"precision": "bf16", "channels_last": True, "device": "cpu"}
    (record,) = Predictor(Look(), PREPROCESSING, "ab", **arguments)(black(1))
    assert seen == [(torch.bfloat16, True)]
    assert record.probabilities.dtype == np.float32


@pytest.mark.gpu
def test_a_gpu_is_used_where_there_is_one(trained: Path, images: Path) -> None:
    predictor = ding_cls.load(trained)
    assert predictor.device.type == next(predictor.model.parameters()).device.type == "cuda"
    expected = ding_cls.load(trained, device="cpu")(images / "val")
    found = predictor(images / "val")
    assert [each.label for each in found] == [each.label for each in expected]
    pairs = zip(found, expected, strict=True)
    assert all(np.allclose(one.probabilities, other.probabilities, atol=1e-4) for one, other in pairs)


def calibrated(temperatures: tuple[float, ...], **more: object) -> Calibration:
    fitted_on = {"split": "val", "digest": "", "num_samples": 100}
    return Calibration(temperatures, fitted_on, **more)


def test_scores_are_those_of_the_logits_over_the_temperature() -> None:
    rows = [[0.5, 2.0, -1.0], [3.0, 0.0, 0.25]]
    records = Predictor(Table(rows), PREPROCESSING, "abc", calibration=calibrated((2.5,)))(black(2))
    expected = (torch.tensor(rows).double() / 2.5).softmax(1).float()
    assert [each.probabilities.tolist() for each in records] == expected.tolist()
    assert [each.label for each in records] == [1, 0]


def test_below_the_threshold_of_its_best_class_an_image_is_unknown() -> None:
    rows = [[0.0, 1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 9.0]]
    precision = ClassThresholds(90.0, (0.7, 0.7, None), (1, 1, 0), (1, 1, 0))
    predictor = Predictor(
        Table(rows), PREPROCESSING, "abc", calibration=calibrated((1.0,), precision=precision)
    )
    low, high, never = predictor(black(3))
    assert (high.label, high.name, high.is_unknown) == (0, "a", False)
    for record, best in ((low, 1), (never, 2)):
        assert (record.label, record.name, record.error, record.is_unknown) == (None, "unknown", "", True)
        assert record.score == record.probabilities[best]
        assert record.top(1)[0].label == best
    # One threshold takes the place of the classes' own.
    curve = RiskCurve(100, (0.75, 0.6, 0.0), (50, 80, 100), (0, 3, 10))
    both = calibrated((1.0,), precision=precision, curve=curve)
    predictor = Predictor(Table(rows), PREPROCESSING, "abc", calibration=both, max_risk=5)
    assert [each.label for each in predictor(black(3))] == [1, 0, 2]
    predictor = Predictor(Table(rows), PREPROCESSING, "abc", calibration=both, max_risk=3)
    assert [each.label for each in predictor(black(3))] == [None, 0, 2]
    assert predictor.risk_point.coverage == 50
    # One that is all but 1 does not read as if nothing reached it.
    curve = RiskCurve(100, (0.99997, 0.0), (50, 100), (0, 10))
    sure = Predictor(
        Table(rows), PREPROCESSING, "abc", calibration=calibrated((1.0,), curve=curve), max_risk=5
    )
    assert "; unknown below 0.99997; on those images 50.0 % were named" in about_calibration(sure)


def test_of_several_tasks_the_least_certain_decides() -> None:
    class Tasks(Table):
        head = type("Head", (), {"num_tasks": 2})()

    rows = [[[5.0, 0.0], [0.0, 5.0]], [[5.0, 0.0], [0.0, 0.1]]]
    curve = RiskCurve(100, (0.8, 0.0), (50, 100), (0, 20))
    predictor = Predictor(
        Tasks(rows), PREPROCESSING, "ab", calibration=calibrated((1.0, 0.5), curve=curve), max_risk=5
    )
    sure, unsure = predictor(black(2))
    assert (sure.label, sure.name) == ((0, 1), "a|b")
    assert (unsure.label, unsure.name, unsure.is_unknown) == (None, "unknown", True)
    columns = Columns(predictor, topk=2, with_probabilities=True)
    write_predictions("p.parquet", columns, [sure, unsure])
    table = pytest.importorskip("pyarrow.parquet").read_table("p.parquet").to_pydict()
    assert (table["name"], table["guess"]) == ([["a", "b"], ["unknown"]], ["a|b", "a|b"])
    assert table["label"] == [[0, 1], None]
    scaled = torch.tensor(rows[1]).double() / torch.tensor([[1.0], [0.5]])
    assert np.allclose(unsure.probabilities, scaled.softmax(1), atol=1e-6)


def test_logits_are_divided_before_any_mean_and_thresholds_come_after() -> None:
    class Brightness(nn.Module):
        """Sees whether the left or the right side is brighter."""

        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            left = self.scale * images[:, 0, :, 0].mean(1)
            return torch.stack([left, torch.zeros_like(left), -left], 1)

    image = np.zeros((2, 2, 3), np.uint8)
    image[:, 0] = 255
    precision = ClassThresholds(90.0, (0.6, 0.6, 0.6), (1, 1, 1), (1, 1, 1))
    predictors = [
        Predictor(Brightness(scale), PREPROCESSING, "abc", tta=True, calibration=calibration)
        for scale, calibration in (
            (1.0, calibrated((2.0,), precision=precision)),
            (3.0, calibrated((0.5,))),
        )
    ]
    views = [
        network(side[None]).double() / temperature
        for network, temperature in ((predictors[0].model, 2.0), (predictors[1].model, 0.5))
        for side in (predictors[0].preprocess(image), predictors[0].preprocess(image).flip(-1))
    ]
    shares = [each.softmax(1)[0] for each in views]
    (record,) = predictors[0](image)
    assert np.allclose(record.probabilities, (shares[0] + shares[1]) / 2, atol=1e-6)
    # Each view by itself is sure enough.
    assert min(each.max() for each in shares[:2]) > 0.6 > record.score
    assert record.is_unknown
    (record,) = Ensemble(predictors, ["a", "b"])(image)
    assert np.allclose(record.probabilities, sum(shares) / 4, atol=1e-6)
    assert not record.is_unknown
    line = about_calibration(Ensemble(predictors, ["a", "b"]))
    assert line == (
        "calibrated, each network by its own temperature: 2, 0.5; their classes' thresholds are not used"
    )
    assert about_calibration(predictors[0]).endswith("from 90 % precision on, without mirror images")


def test_left_and_right_are_exchanged_in_both_forms() -> None:
    pixels = torch.arange(24, dtype=torch.uint8).reshape(1, 2, 4, 3)
    assert mirrored(pixels)[0, :, :, 0].tolist() == [[9, 6, 3, 0], [21, 18, 15, 12]]
    planes = pixels.permute(0, 3, 1, 2)
    assert torch.equal(mirrored(planes.float()), mirrored(pixels).permute(0, 3, 1, 2).float())


def test_a_digest_tells_weights_classes_and_networks_apart() -> None:
    def predictor_of(network: nn.Module, **options: bool) -> Predictor:
        return Predictor(network, PREPROCESSING, ("ash", "birch"), device="cpu", **options)

    torch.manual_seed(0)
    network, close = nn.Linear(12, 2), nn.Linear(12, 2)
    close.load_state_dict(network.state_dict())
    one, same = predictor_of(network), predictor_of(close)
    assert network_digest(one) == network_digest(same)
    close.bias.data[0] += 1e-6
    others = [
        same,
        predictor_of(network, tta=True),
        Predictor(network, PREPROCESSING, ("ash", "\udce9"), device="cpu"),
        Ensemble([one, same], ["a", "b"]),
        predictor_of(nn.Linear(12, 2).bfloat16()),
    ]
    assert len({network_digest(each) for each in (one, *others)}) == 6


def extracted(archive: str, folder: Path) -> Path:
    with tarfile.open(Path(os.environ["DING_TEST_DATA"], archive)) as file:
        file.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(extracted("weights.tar", tmp_path_factory.mktemp("weights")).rglob(MOBILENET))


@pytest.mark.data
@needs_data
def test_a_cat_and_an_espresso_are_known(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scenes = pytest.importorskip("skimage.data")
    for name in ("chelsea", "coffee"):
        Image.fromarray(getattr(scenes, name)()).save(f"{name}.png")
    words = [str(weights), "chelsea.png", "coffee.png", "--model", "mobilenet_v2", "--topk", "1"]
    assert main(["predict", *words]) == 0
    first, cat, second, espresso = capfd.readouterr().out.splitlines()
    assert (first, second) == ("chelsea.png", "coffee.png")
    assert cat.partition(" ")[2] == "Egyptian cat"
    assert espresso.partition(" ")[2] == "espresso"


@pytest.mark.slow
@pytest.mark.data
@needs_data
def test_most_daisies_are_daisies(weights: Path, tmp_path: Path) -> None:
    extracted("flowers5_500_50_250.tar", tmp_path)
    records = ding_cls.load(weights, model="mobilenet_v2")(next(tmp_path.rglob("test")) / "daisy")
    assert len(records) == 50
    # 37 of them on the CPU.
    assert sum(record.name == "daisy" for record in records) >= 35
