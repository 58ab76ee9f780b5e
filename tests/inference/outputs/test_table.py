"""Files of predictions come back as they went in, whatever is in a name; lines are as documented."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import ding_cls
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.errors import DataError
from ding_cls.inference import Predictor
from ding_cls.inference.outputs.table import Columns, lines, write_predictions
from tests.inference.test_predictor import PREPROCESSING, Table, black

ROWS = [[0.5, 2.0, -1.0], [3.0, 0.0, 0.25], [0.0, 0.0, 0.0]]
ODD = os.fsdecode(b"x\xff.png")
PATHS = ['in/a, b\n"c".png', ODD, "torn.png", "in/é.png"]


def predictions(classes: tuple[str, ...] = ("x,y", "path", "n02123045")) -> tuple[Predictor, list]:
    predictor = Predictor(Table(ROWS), PREPROCESSING, classes)
    Path("in").mkdir(exist_ok=True)
    for path, array in zip([PATHS[0], PATHS[1], PATHS[3]], black(3), strict=True):
        Image.fromarray(array).save(path, format="PNG")
    Path("torn.png").write_bytes(b"\x89PNG")
    return predictor, predictor(PATHS)


def test_a_class_name_breaks_no_line_and_a_file_keeps_it() -> None:
    """It may be a stranger's: of a checkpoint, or an ONNX file."""
    name = "a\x1b[2J\nb"
    predictor, records = predictions((name, "path", "fir"))
    assert list(lines(records[1], topk=1)) == [ODD, r"0.89789581 a\x1b[2J\nb"]
    write_predictions("p.csv", Columns(predictor, topk=1, with_probabilities=False), records)
    assert read_csv("p.csv")[1]["name"] == name


def read_csv(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_file_has_a_row_for_each_image_in_order() -> None:
    predictor, records = predictions()
    write_predictions("out/p.csv", Columns(predictor, topk=2, with_probabilities=False), records)
    rows = read_csv("out/p.csv")
    assert list(rows[0]) == ["image_id", "label", "path", "name", "score", "name_2", "score_2", "error"]
    assert [row["path"] for row in rows] == PATHS
    assert [row["image_id"] for row in rows] == ['a, b\n"c".png', ODD, "torn.png", "é.png"]
    assert [row["label"] for row in rows] == ["1", "0", "", "0"]
    assert [row["name"] for row in rows] == ["path", "x,y", "", "x,y"]
    assert [row["name_2"] for row in rows] == ["x,y", "tabby, tabby cat", "", "path"]
    assert [bool(row["error"]) for row in rows] == [False, False, True, False]
    for row, record in zip(rows, records, strict=True):
        # The text is float32's own: it gives the same number back.
        assert row["error"] or np.float32(row["score"]) == np.float32(record.score)


def test_probabilities_are_columns_by_class() -> None:
    predictor, records = predictions()
    write_predictions("p.csv", Columns(predictor, topk=1, with_probabilities=True), records)
    rows = read_csv("p.csv")
    # 'path' is a column already.
    assert list(rows[0])[5:] == ["error", "x,y", "class path", "n02123045"]
    for row, record in zip(rows, records, strict=True):
        texts = list(row.values())[6:]
        assert [np.float32(each) for each in texts if each] == record.probabilities.tolist()


def test_no_two_columns_have_one_name() -> None:
    classes = ("name", "class name", "class class name", "error")
    predictor = Predictor(Table(ROWS), PREPROCESSING, classes)
    header = Columns(predictor, topk=1, with_probabilities=True).header
    assert header[-4:] == ["class class class name", "class name", "class class name", "class error"]


def test_a_json_file_has_the_same_columns() -> None:
    predictor, records = predictions()
    columns = Columns(predictor, topk=9, with_probabilities=True)
    write_predictions("p.JSON", columns, records)
    rows = json.loads(Path("p.JSON").read_bytes())
    assert [list(row) for row in rows] == [columns.header] * 4
    assert columns.header[:9] == [
        *("image_id", "label", "path", "name", "score"),
        *("name_2", "score_2", "name_3", "score_3"),
    ]
    assert [row["path"] for row in rows] == PATHS
    assert rows[0]["score"] == float(str(np.float32(records[0].score)))
    assert (rows[2]["label"], rows[2]["name"], rows[2]["x,y"]) == (None, None, None)
    assert "'torn.png'" in rows[2]["error"]
    write_predictions("none.json", columns, [])
    assert json.loads(Path("none.json").read_text()) == []


def test_several_labels_and_several_tasks_share_a_cell(several: Path, tasks: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    predictor = ding_cls.load(several, threshold=0.0)
    columns = Columns(predictor, topk=3, with_probabilities=False)
    assert columns.header == ["image_id", "label", "path", "name", "score", "error"]
    write_predictions("s.csv", columns, predictor(pixels))
    row = read_csv("s.csv")[0]
    assert (row["label"], row["name"]) == ("0|1|2|3", "ash|birch|cedar|fir")
    assert len(row["score"].split("|")) == 4
    predictor = ding_cls.load(tasks)
    columns = Columns(predictor, topk=2, with_probabilities=True)
    records = predictor(pixels)
    write_predictions("t.csv", columns, records)
    row = read_csv("t.csv")[0]
    assert row["label"] == "|".join(map(str, records[0].label))
    assert row["name_2"] == records[0].top(2)[1].name
    assert list(row)[8:] == [f"{task}:{name}" for task in (1, 2, 3) for name in predictor.classes]
    write_predictions("t.json", columns, records)
    assert json.loads(Path("t.json").read_text())[0]["label"] == list(records[0].label)


def test_nothing_is_written_where_a_prediction_fails() -> None:
    predictor, records = predictions()

    def failing():
        yield records[0]
        raise DataError("the third disk is full")

    for name in ("p.csv", "p.json"):
        with pytest.raises(DataError, match="third disk"):
            write_predictions(name, Columns(predictor, topk=1, with_probabilities=False), failing())
    assert sorted(each.name for each in Path().iterdir()) == sorted(["in", ODD, "torn.png"])


def test_lines_are_the_path_then_score_and_name() -> None:
    predictor = Predictor(Table([[0.0, 1.0, -1.0]]), PREPROCESSING, ("tench, Tinca tinca", "b", "c"))
    (record,) = predictor(black(1))
    assert list(lines(record, topk=2)) == ["", "0.66524094 b", "0.24472848 tench, Tinca tinca"]
    _, records = predictions()
    path, text = lines(records[2], topk=3)
    assert path == "torn.png"
    assert text.startswith("error: 'torn.png' is truncated")


def test_lines_of_several_labels_and_several_tasks() -> None:
    predictor = Predictor(Table([[0.0, 1.0], [-2.0, -1.0]]), PREPROCESSING, "ab", has_several_labels=True)
    both, none = predictor(black(2))
    assert list(lines(both, topk=1, threshold=0.5)) == ["", "0.73105860 b", "0.50000000 a"]
    assert list(lines(none, topk=1, threshold=0.5)) == ["", "none from 0.5 on; the highest is 0.26894143 b"]
    network = Table([[[0.0, 1.0], [1.0, 0.0]]])
    network.head = Table([])
    network.head.num_tasks = 2
    (record,) = Predictor(network, PREPROCESSING, "ab")(black(1))
    assert list(lines(record, topk=1)) == ["", "task 1", "0.73105860 b", "task 2", "0.73105860 a"]


def test_an_unknown_image_has_no_label_and_its_best_class_as_guess() -> None:
    predictor, records = predictions()
    curve = RiskCurve(100, (0.7, 0.0), (50, 100), (0, 20))
    fitted_on = {"split": "val", "digest": "", "num_samples": 100}
    calibration = Calibration((1.0,), fitted_on, curve=curve)
    predictor = Predictor(Table(ROWS), PREPROCESSING, predictor.classes, calibration=calibration, max_risk=5)
    records = predictor(PATHS)
    write_predictions("p.csv", Columns(predictor, topk=2, with_probabilities=True), records)
    rows = read_csv("p.csv")
    assert list(rows[0])[3:9] == ["name", "score", "name_2", "score_2", "guess", "error"]
    assert [row["label"] for row in rows] == ["1", "0", "", ""]
    assert [row["name"] for row in rows] == ["path", "x,y", "", "unknown"]
    assert [row["guess"] for row in rows] == ["path", "x,y", "", "x,y"]
    assert [bool(row["error"]) for row in rows] == [False, False, True, False]
    assert rows[2]["class path"] == ""
    assert np.float32(rows[3]["score"]) == records[3].probabilities.max()
    write_predictions("p.json", Columns(predictor, topk=1, with_probabilities=False), records)
    last = json.loads(Path("p.json").read_text())[3]
    assert (last["label"], last["name"], last["guess"]) == (None, "unknown", "x,y")
    assert list(lines(records[3], topk=1))[1:] == ["unknown; the most likely:", "0.33333334 x,y"]


def test_where_each_label_has_its_threshold_the_line_says_so() -> None:
    predictor = Predictor(Table([[-1.0, -2.0, -3.0]]), PREPROCESSING, "abc", has_several_labels=True)
    (record,) = predictor(black(1))
    found = list(lines(record, topk=1, threshold=0.5, has_own_thresholds=True))
    assert found[1].startswith("none reaches its threshold; the highest is 0.26894143 a")


@pytest.mark.parametrize("name", ["trained", "several", "tasks"])
def test_a_parquet_file_has_the_cells_of_a_json_file(
    request: pytest.FixtureRequest, workdir: Path, name: str
) -> None:
    predictor = ding_cls.load(request.getfixturevalue(name))
    odd = os.fsdecode(b"x\xff.png")
    Image.new("RGB", (9, 9), (200, 30, 60)).save("a.png")
    for torn in ("torn.png", odd):
        Path(torn).write_bytes(b"\x89PNG")
    columns = Columns(predictor, topk=2, with_probabilities=True)
    for out in ("p.json", "p.parquet"):
        write_predictions(out, columns, predictor(["torn.png", "a.png", odd]))
    table = parquet.read_table("p.parquet")
    assert table.column_names == columns.header
    rows = json.loads(Path("p.json").read_text())
    rows[2].update(path=r"x\udcff.png", image_id=r"x\udcff.png", error=rows[2]["error"])
    assert [[as_json(value) for value in row.values()] for row in table.to_pylist()] == [
        list(row.values()) for row in rows
    ]
    assert [row["label"] is None for row in rows] == [True, False, True]


def as_json(value: Any) -> Any:
    """Return a cell of a Parquet file as a JSON file has it: float32 by way of its text."""
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return float(str(np.float32(value))) if isinstance(value, float) else value
