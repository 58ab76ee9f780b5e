"""Results as files and checkpoints tell them: the same images, right or wrong, whatever the form."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.files import write_arrays, write_report
from ding_cls.answers.evaluation.records import COLUMNS, column_types
from ding_cls.common.tables import write_json, write_table
from ding_cls.errors import DataError
from ding_cls.pipeline.comparison.judged import is_result_file, judged
from ding_cls.pipeline.comparison.matching import matched
from ding_cls.pipeline.evaluate import evaluate, evaluate_checkpoint
from tests.conftest import write_pictures
from tests.harness import run_tiny, tiny_parts
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks

ODD = 'a "<&>",\n\u202e|\udcff'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images, and its results in each form: ``out.csv``, ``out.json``, ``out.npz``."""
    folder = tmp_path_factory.mktemp("judged")
    for split, count in (("train", 6), ("val", 4)):
        write_pictures(folder / "data" / split, classes=("ash", "b, c", "fir"), per_class=count)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ("policy.learn.learner.dataloader.num_workers=0", tiny_parts("LinearClsHead", in_channels=8))
        run_tiny(folder / "data", "run", *words)
        for ending in ("csv", "json", "npz"):
            evaluate("run", out=f"out.{ending}")
    return folder


def test_a_run_and_its_files_tell_the_same(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    of_run, of_csv, of_json, of_npz = (judged(name) for name in ("run", "out.csv", "out.json", "out.npz"))
    for each in (of_csv, of_json):
        assert (each.paths, each.classes, each.numbers) == (of_run.paths, of_run.classes, of_run.numbers)
        assert each.predicted == of_run.predicted
        assert (each.losses, each.config) == (None, None)
    for each in (of_csv, of_json, of_npz):
        assert (each.is_right == of_run.is_right).all()
    assert len(of_run) == 12
    assert (of_npz.paths, of_npz.classes, of_npz.numbers) == (None, None, of_run.numbers)
    assert of_npz.losses == pytest.approx(of_run.losses, abs=1e-9)
    assert of_run.losses is not None
    assert of_run.losses.mean() == pytest.approx(evaluate("run")["loss"], abs=1e-6)
    assert of_run.config is not None
    assert of_run.config["policy"]["learn"]["batch_size"] > 0


def test_a_parquet_file_tells_what_json_does(workdir: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = [
        ("1.png", [0, 2], ["a", "c"], [0, None], ["a", None], [0.7, None], False),
        ("2.png", [], [], [], [], [], True),
    ]
    write_table("a.parquet", COLUMNS, rows, types=column_types("several"))
    write_json("a.json", {"rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
    found, expected = judged("a.parquet"), judged("a.json")
    for name in ("paths", "numbers", "classes", "predicted"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.is_right.tolist() == [False, True]
    for content in (b"", b"PAR1"):
        Path("b.parquet").write_bytes(content)
        with pytest.raises(DataError, match=r"'b\.parquet' holds no results"):
            judged("b.parquet")
    write_table("b.parquet", ["path"], [("1.png",)])
    with pytest.raises(DataError, match="it has no column target"):
        judged("b.parquet")


def test_a_csv_file_that_another_program_wrote_again_has_words_for_one_and_zero(workdir: Path) -> None:
    lines = ["a,0,b,0,b,1,True", "c,0,b,0,b,1,FALSE"]
    Path("a.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    assert judged("a.csv").is_right.tolist() == [True, False]


def rows_of(*rows: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [*rows]


def test_odd_names_and_several_labels_are_the_same_in_csv_and_json(workdir: Path) -> None:
    rows = rows_of(
        (f"{ODD}/1.png", [0, 2], [ODD, "b"], [0], [ODD], [0.7], False),
        ("2.png", [], [], [], [], [], True),
        ("3.png", [2, 1], ["b", ODD], [2, None], ["b", None], [0.7, None], False),
    )
    write_table("a.csv", COLUMNS, rows)
    write_json("a.json", {"rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
    of_csv, of_json = judged("a.csv"), judged("a.json")
    assert of_csv.paths == of_json.paths == [f"{ODD}/1.png", "2.png", "3.png"]
    assert of_csv.classes == of_json.classes
    assert of_csv.predicted == of_json.predicted == [ODD, "", "b|"]
    assert of_csv.is_right.tolist() == of_json.is_right.tolist() == [False, True, False]


def test_labels_of_two_runs_with_other_numbers_are_the_same_and_tasks_keep_their_order(workdir: Path) -> None:
    for name, numbers, names in (
        ("a", [0, 1], ["x", "y"]),
        ("b", [3, 4], ["y", "x"]),
        ("tasks", [1, 0], ["y", "x"]),
    ):
        write_table(f"{name}.csv", COLUMNS, [("1.png", numbers, names, numbers, names, [1, 1], True)])
    classes = {name: judged(f"{name}.csv").classes for name in ("a", "b", "tasks")}
    assert classes["a"] == classes["b"] == ["x|y"]
    assert classes["tasks"] == ["y|x"]


@pytest.mark.parametrize(
    ("logits", "targets", "is_right", "has_losses"),
    [
        (torch.eye(3), torch.tensor([0, 1, 0]), [True, True, False], True),
        (torch.eye(3), torch.tensor([[0.9, 0.1, 0.0]] * 3), [True, False, False], False),
        (
            torch.eye(3) * 4 - 2,
            torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, -1, 1]]),
            [True, False, True],
            False,
        ),
        (torch.eye(3)[None].repeat(2, 1, 1), torch.tensor([[0, 1, 2], [0, 1, 1]]), [True, False], False),
    ],
)
def test_arrays_of_any_kind_of_labels(
    workdir: Path, logits: torch.Tensor, targets: torch.Tensor, is_right: list[bool], has_losses: bool
) -> None:
    order = torch.arange(len(targets)).flip(0)
    write_arrays(Path("a.npz"), {"sample_ids": order, "targets": targets[order], "logits": logits[order]})
    found = judged("a.npz")
    assert found.is_right.tolist() == is_right
    assert (found.losses is not None) == has_losses


def test_labels_in_arrays_are_cut_at_the_threshold_of_their_run(workdir: Path) -> None:
    columns = {"sample_ids": np.arange(2), "targets": np.eye(2, dtype=np.float32)}
    write_arrays(Path("old.npz"), {**columns, "logits": np.eye(2) * 2 - 2})
    write_arrays(Path("a.npz"), {**columns, "logits": np.eye(2) * 2 - 2, "threshold": 0.4})
    assert judged("a.npz").is_right.tolist() == judged("old.npz").is_right.tolist() == [True, True]
    write_arrays(Path("low.npz"), {**columns, "logits": np.eye(2) * 2 - 2, "threshold": 0.1})
    found = judged("low.npz")
    assert (found.is_right.tolist(), list(found.predicted)) == ([False, False], ["0|1", "0|1"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"path,label\n1.png,cat\n", "it has no column target, target_name, predicted"),
        ("a.csv", b"", "it has no column path"),
        (
            "a.csv",
            b"path,target,target_name,predicted,predicted_name,score,correct\na,0,b,0,b,1\n",
            "correct",
        ),
        ("a.json", b'{"rows": [{"path": "a"}]}', "it has no column target"),
        ("a.json", b'{"loss": 1}', "it has no 'rows'"),
        ("a.json", b"[1]", "holds no results"),
        ("a.json", b"{", "holds no results"),
        ("a.npz", b"PK", "holds no results"),
        ("a.npz", b"", "holds no results"),
    ],
)
def test_other_files_are_refused_in_one_line(workdir: Path, name: str, content: bytes, reason: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        judged(name)
    assert str(caught.value).startswith(f"'{name}' holds no results as ding-cls eval --out writes them: ")
    assert "\n" not in str(caught.value)


def test_arrays_of_other_names_or_lengths_and_missing_files_are_refused(workdir: Path) -> None:
    np.savez("a.npz", images=np.zeros(3))
    with pytest.raises(DataError, match="sample_ids"):
        judged("a.npz")
    np.savez("b.npz", sample_ids=np.arange(2), targets=np.zeros(3, int), logits=np.zeros((3, 2)))
    with pytest.raises(DataError, match="differ in length"):
        judged("b.npz")
    with pytest.raises(DataError, match=r"'c\.csv' cannot be read: No such file"):
        judged("c.csv")
    Path("d.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(DataError, match=r"'d\.json' holds no image"):
        judged("d.json")


def test_a_folder_is_a_run_whatever_its_name(workdir: Path) -> None:
    Path("run.csv").mkdir()
    assert not is_result_file("run.csv")
    assert is_result_file("results.CSV")
    assert not is_result_file("ckpt_best.pth.tar")


@pytest.mark.parametrize("kind", ["several", "tasks"])
def test_several_labels_and_tasks_of_a_run_and_of_its_files(
    kind: str, request: pytest.FixtureRequest, workdir: Path
) -> None:
    found = evaluate_checkpoint(request.getfixturevalue(kind))
    assert found.intervals, "results of such labels have intervals too"
    for ending in ("csv", "json"):
        write_report(f"a.{ending}", found)
    of_run = judged(str(request.getfixturevalue(kind)))
    for each in (judged("a.csv"), judged("a.json")):
        assert (each.paths, each.classes, each.predicted) == (of_run.paths, of_run.classes, of_run.predicted)
        assert each.is_right.tolist() == of_run.is_right.tolist()
        assert matched(of_run, each)[0].tolist() == [*range(len(of_run))]
    assert of_run.losses is None
