"""What an exported file makes of labelled images, by a predictor that is no network."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.evaluation.files import write_report
from ding_cls.answers.evaluation.summary import print_evaluation
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.labelled import LabelledImages, labelled_images
from ding_cls.inference.base import BasePredictor, Groups
from ding_cls.inference.onnx import evaluation
from ding_cls.inference.onnx.evaluation import FileEvaluation, evaluate_file
from ding_cls.inference.sources import Source, read_rgb
from tests.conftest import write_pictures

CLASSES = ("ash", "birch, the <b>", "cedar")


class Brightness(BasePredictor):
    """The logits are differences from the brightness of each class's images."""

    def __init__(self, classes: Sequence[str] = CLASSES, **how: Any) -> None:
        given = {"num_tasks": None, "has_several_labels": False, "threshold": 0.5, "calibration": None}
        rest = {"batch_size": 4, "num_workers": 0, "max_risk": None, "tta": False}
        super().__init__(classes, **{**given, **rest, **how})

    def prepare(self, source: Source) -> list[Any]:
        return [np.asarray(read_rgb(source), np.float32)]

    def stacked(self, pixels: Sequence[Any]) -> Any:
        return np.stack(pixels)

    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        for begin in range(0, len(sources), batch_size):
            groups, errors = [], []
            # Each image by itself, the last one first: a batch may hold several shapes.
            for number in reversed(range(begin, min(begin + batch_size, len(sources)))):
                try:
                    groups.append(([number], [self.stacked(self.prepare(sources[number]))]))
                except DataError as error:
                    errors.append((number, str(error)))
            yield groups, errors

    def views(self, pixels: Sequence[Any]) -> list[Logits]:
        means = pixels[0].mean((1, 2, 3))
        centres = 255 * (np.arange(len(self.classes)) + 0.5) / len(self.classes)
        logits = (-np.abs(means[:, None] - centres) / 16).astype(np.float32)
        if self.num_tasks is not None:
            logits = np.repeat(logits[:, None], self.num_tasks, 1)
        return [logits if self.calibration is None else self.calibration.scaled(logits)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("labelled")
    write_pictures(root / "val", classes=CLASSES, per_class=3)
    write_pictures(root / "test", classes=CLASSES[:2], per_class=2, size_px=20)
    return root


def found(data: Any, predictor: BasePredictor | None = None, **how: Any) -> FileEvaluation:
    return evaluate_file(predictor or Brightness(), "net.onnx", data=data, **how)


def test_a_split_and_a_folder_of_classes_give_the_same(folder: Path) -> None:
    first = found(folder, batch_size=2)
    assert (first.split, first.num_samples, first.folder) == ("val", 9, str(folder / "val"))
    assert list(first.result) == ["loss", "acc1", "acc5"]
    assert first.intervals.keys() >= {"acc1", "acc5"}
    alone = found(folder / "val", batch_size=7, keep_predictions=True, intervals=False)
    assert alone.split is None
    assert alone.result == pytest.approx(first.result)
    assert [*alone.records.rows(alone.paths, CLASSES)] == [*first.records.rows(first.paths, CLASSES)]
    assert alone.predictions["logits"].shape == (9, 3)
    assert not first.predictions["logits"].size
    assert alone.intervals == {}
    assert found(folder, split="test").num_samples == 4


def test_the_labels_are_those_of_the_folders_by_name(folder: Path) -> None:
    turned = found(folder, Brightness(CLASSES[::-1]))
    rows = [row[:3] for row in turned.records.rows(turned.paths, turned.classes)]
    assert rows[0] == (str(folder / "val" / "ash" / "000.png"), 2, "ash")
    assert turned.per_class()[0]["name"] == "cedar"


def test_a_file_knows_no_data() -> None:
    with pytest.raises(ConfigError, match=r"'runs/net.onnx' knows no data; .* net.onnx --data DIR"):
        evaluate_file(Brightness(), "runs/net.onnx", data=None)


@pytest.mark.parametrize(
    ("data", "split", "message"),
    [
        ("val", "test", "has one folder for each class, and no folder 'test'; leave out --split"),
        (".", "train", "train"),
        ("nothing", None, "nothing"),
    ],
)
def test_images_that_are_not_there(folder: Path, data: str, split: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        found(folder / data, split=split)


def test_a_class_that_the_file_lacks_is_an_error_and_one_that_the_folder_lacks_is_none(folder: Path) -> None:
    with pytest.raises(DataError, match=r"'.*/cedar' is none of the 2 classes"):
        found(folder, Brightness(CLASSES[:2]))
    assert [each["images"] for each in found(folder, split="test").per_class()] == [2, 2, 0]


def test_images_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path, classes=CLASSES, per_class=2)
    for name in ("000.png", "001.png"):
        (tmp_path / "ash" / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"ash/000.png"):
        found(tmp_path)
    with pytest.raises(
        DataError, match=r"2 of 6 images cannot be read, and --max-bad is 1:(.*\n){3}.*-bad 2"
    ):
        found(tmp_path, max_bad=1)
    left = found(tmp_path, max_bad=2, keep_predictions=True)
    assert (left.num_samples, left.result["n_bad"]) == (4, 2)
    assert caplog.text.count("left out: ") == 2
    assert left.predictions["sample_ids"].tolist() == [0, 1, 2, 3]
    assert next(left.records.rows(left.paths, CLASSES))[0] == str(tmp_path / CLASSES[1] / "000.png")
    for each in tmp_path.glob("*/*.png"):
        each.write_bytes(b"no image")
    with pytest.raises(DataError, match="none of 6 images can be read"):
        found(tmp_path, max_bad=9)


def test_images_of_a_table(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "val").symlink_to(folder / "val")
    rows = ["path,label", *(f"val/ash/{number:03d}.png,ash" for number in range(3))]
    Path("t.csv").write_text("\n".join(rows))
    report = found("t.csv")
    assert (report.num_samples, report.folder, report.source) == (3, "", "t.csv")
    Path("t.csv").write_text("\n".join([*rows, "val/ash/none.png,ash"]))
    with pytest.raises(DataError, match=r"1 of 4 images named by 't.csv' do not exist: 'val/ash/none.png'; "):
        found("t.csv")
    assert found("t.csv", max_bad=1).result["n_bad"] == 1


def test_a_batch_holds_an_image(folder: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size=0"):
        found(folder, batch_size=0)


def test_one_label_where_the_network_has_several_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(found(folder, Brightness(has_several_labels=True)).result) == ["loss", "acc1", "acc5"]
    assert "an image has several labels in training and one label here" in caplog.text


def test_one_label_is_too_few_for_several_tasks(folder: Path) -> None:
    with pytest.raises(ConfigError, match="labels for one task, and the network answers 2 tasks"):
        found(folder, Brightness(num_tasks=2))


def images_of(folder: Path, targets: Any, kind: str) -> LabelledImages:
    paths = sorted(map(str, (folder / "val").rglob("*.png")))
    return LabelledImages(str(folder), tuple(paths), np.asarray(targets), kind)


def test_several_labels_and_tasks_have_their_own_results(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = np.eye(3, dtype=np.float32)[np.arange(9) // 3]
    monkeypatch.setattr(evaluation, "labelled_images", lambda *_, **__: images_of(folder, hot, "several"))
    several = found(folder, Brightness(has_several_labels=True, threshold=0.1))
    assert list(several.result) == ["mAP", "AP_per_class", "CF1", "OF1", "exact_match"]
    numbers = np.stack([np.arange(9) // 3] * 2, 1)
    monkeypatch.setattr(evaluation, "labelled_images", lambda *_, **__: images_of(folder, numbers, "tasks"))
    tasks = found(folder, Brightness(num_tasks=2))
    assert list(tasks.result) == ["acc_string", "acc_character", "acc_position"]


def test_calibrated_scores_change_the_loss_alone(folder: Path) -> None:
    calibration = Calibration((4.0,), {"split": "val", "num_samples": 9, "digest": ""})
    plain, scaled = found(folder), found(folder, Brightness(calibration=calibration))
    assert scaled.result["acc1"] == plain.result["acc1"]
    assert scaled.result["loss"] != pytest.approx(plain.result["loss"])
    assert scaled.calibration is calibration


def test_a_calibration_that_was_fitted_on_these_images_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = labelled_images(folder, None, CLASSES).digest
    found(folder, Brightness(calibration=Calibration((2.0,), {"digest": digest})), split="test")
    assert not caplog.text
    found(folder, Brightness(calibration=Calibration((2.0,), {"digest": digest})))
    assert "the calibration was fitted on these images" in caplog.text


def test_it_is_printed_and_written_as_that_of_a_checkpoint(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = found(folder, train_iter=64, keep_predictions=True)
    print_evaluation(report, num_wrong=2)
    printed = capsys.readouterr().out
    assert "model:      net.onnx after 64 updates\n" in printed
    assert f"data:       {folder / 'val'}, split val\n" in printed
    for ending in ("csv", "json", "npz"):
        write_report(tmp_path / f"out.{ending}", report)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 10
    assert np.load(tmp_path / "out.npz")["targets"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
