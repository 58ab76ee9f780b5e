"""What an evaluation says of the data that were read."""

from pathlib import Path

from ding_cls.data import ImageNetDataset, Preprocessing, SyntheticDataset
from tests.answers.evaluation.test_report import report
from tests.conftest import write_pictures


def test_a_folder_has_paths_and_generated_images_have_a_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, classes=("ash", "fir"), per_class=1)
    of_folder = report(dataset=ImageNetDataset(tmp_path, False, Preprocessing()))
    assert (of_folder.folder, of_folder.source) == (str(tmp_path), str(tmp_path))
    assert list(of_folder.paths) == [f"{tmp_path}/{name}/000.png" for name in ("ash", "fir")]
    made = report(dataset=SyntheticDataset(2, 2, 8))
    assert (made.folder, made.source, list(made.paths)) == ("", "SyntheticDataset", ["0", "1"])
