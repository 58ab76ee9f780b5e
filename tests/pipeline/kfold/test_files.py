"""The names of a cross-validation's files, and how they are read."""

from pathlib import Path

import pytest

from ding_cls.common.tables import write_json
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.kfold.files import averaged_file, fold_files, fold_folder, read_json, whole_file

RUN = Path("runs/x")


def test_the_last_weights_have_files_beside_those_of_the_best() -> None:
    best, last = (fold_files(RUN, 3, use_last=each) for each in (False, True))
    assert best == (RUN / "fold_3/judged_best.json", RUN / "fold_3/judged_best.npz")
    assert last == (RUN / "fold_3/judged_last.json", RUN / "fold_3/judged_last.npz")
    assert {each.parent for each in (*best, *last)} == {fold_folder(RUN, 3)}
    assert [averaged_file(RUN, use_last=each).name for each in (False, True)] == [
        "test_best.json",
        "test_last.json",
    ]
    assert whole_file(RUN, "summary.json", use_last=False) == RUN / "summary.json"
    assert whole_file(RUN, "summary.json", use_last=True) == RUN / "summary_last.json"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"loss": float("nan"), "fold": 1})
    assert read_json(tmp_path / "a.json") == {"loss": None, "fold": 1}


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file '.*/b\.json'; name another folder"):
        read_json(tmp_path / "b.json")
    with pytest.raises(ConfigError, match=r"^no folds here$"):
        read_json(tmp_path / "b.json", "no folds here")
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(
        DataError, match=r"'.*/b\.json' cannot be read: .*; remove it, and go on with --resume"
    ):
        read_json(tmp_path / "b.json")
