"""``ding-cls predict`` with ``--draw``, ``--cam`` and ``--sort-into``: what they leave."""

import os
from pathlib import Path

import pytest

import ding_cls
from ding_cls.cli import main
from tests.cli.checkpoints.test_predict import rows_of
from tests.inference.conftest import CLASSES
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained


def test_drawn_and_sorted_images_and_a_table_come_of_one_command(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("torn.png").write_bytes(b"\x89PNG")
    words = ["predict", str(trained), str(images / "val"), "torn.png", "--out", "p.csv"]
    assert main([*words, "--draw", "drawn", "--sort-into", "new/sorted"]) == 0
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.endswith(
        "; 1 could not be read: p.csv; 20 pictures in drawn; 21 images copied into new/sorted"
    )
    rows = rows_of("p.csv")
    for row in rows[:-1]:
        own = Path(row["path"])
        assert len(list(Path("drawn").rglob(f"{own.parent.name}/{own.name}"))) == 1
        copies = Path("new/sorted", CLASSES[int(row["label"])]).glob(f"{own.stem}*.png")
        assert own.read_bytes() in [each.read_bytes() for each in copies]
    assert os.listdir("new/sorted/unreadable") == ["torn.png"]
    assert main([*words, "--draw", "drawn"]) == 2
    assert "--draw 'drawn' holds files already" in capfd.readouterr().err


def test_what_is_not_what_its_folder_says_is_sorted_out(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), str(images / "val"), "--sort-into", "wrong", "--wrong", "--link"]
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert len([line for line in out.splitlines() if line.endswith(".png")]) == 20
    records = ding_cls.load(trained)(images / "val")
    expected = [
        (Path(each.path or "").parent.name, CLASSES[each.label], each.path)
        for each in records
        if isinstance(each.label, int) and Path(each.path or "").parent.name != CLASSES[each.label]
    ]
    found = [(path.parts[1], path.parts[2], os.readlink(path)) for path in Path("wrong").rglob("*.png")]
    assert sorted(found) == sorted(expected)
    assert f"; {len(expected)} images linked into wrong" in err


@pytest.mark.slow
def test_heat_maps_leave_the_predictions_as_they_are(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), str(images / "val"), "--batch-size", "6", "--out"]
    assert main([*words, "p.csv"]) == 0
    assert main([*words, "q.csv", "--cam", "maps", "--tta"]) == 0
    assert main([*words, "r.csv", "--cam", "more"]) == 0
    assert Path("p.csv").read_bytes() == Path("r.csv").read_bytes()
    assert "; 20 heat maps in more" in capfd.readouterr().err
    assert len(list(Path("maps").rglob("*.png"))) == 20


def test_pictures_are_written_although_nobody_reads_the_lines(
    trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ding_cls.inference.predict._print", lambda texts: False)
    assert main(["predict", str(trained), str(images / "val"), "--sort-into", "sorted"]) == 0
    assert len(list(Path("sorted").rglob("*.png"))) == 20


def test_an_option_of_sorting_needs_its_folder(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for option in ("--wrong", "--link"):
        assert main(["predict", str(trained), str(images / "val"), option]) == 2
        assert f"error: {option} is about sorted images; add --sort-into DIR" in capfd.readouterr().err
