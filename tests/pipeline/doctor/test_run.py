"""The doctor from data to files."""

from pathlib import Path

import pytest

from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.doctor.run import check_outputs, doctor, write_outputs


def test_outputs_that_cannot_be_are_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.csv"):
        check_outputs((), "list.txt")
    (tmp_path / "list.csv").write_text("path,reason\n")
    with pytest.raises(DataError, match="is there, and may have been edited"):
        check_outputs((), str(tmp_path / "list.csv"))


@pytest.mark.slow
def test_a_folder_is_looked_at_and_written(picture_folder: Path, tmp_path: Path) -> None:
    report = doctor(picture_folder)
    assert len(report.data.looks) == 60
    write_outputs(report, [str(tmp_path / "all.json")], str(tmp_path / "list.csv"))
    assert (tmp_path / "all.json").stat().st_size > 0
    assert (tmp_path / "list.csv").read_text().startswith("path,reason\n")


def test_words_for_a_config_are_none_for_a_folder(picture_folder: Path) -> None:
    with pytest.raises(ConfigError, match="is a word for a config"):
        doctor(picture_folder, overrides=["seed=1"])
