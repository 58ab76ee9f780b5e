"""Words become images, predictions become lines or a file, and all are counted."""

import io
from pathlib import Path

import pytest

import ding_cls
from ding_cls.errors import ConfigError, DataError
from ding_cls.inference.ensemble import Ensemble
from ding_cls.inference.predict import Count, averaged_line, check_output, named_images, predict_files


def test_a_list_keeps_its_order_and_a_path_that_is_not_there(images: Path) -> None:
    first = sorted((images / "val" / "ash").iterdir())[0]
    listed = io.BytesIO(f"missing.jpg\r\n\n{first}\n".encode())
    assert named_images(["-"], listed) == ["missing.jpg", str(first)]
    assert named_images([str(first), "-"], io.BytesIO(b"x.png\n")) == [str(first), "x.png"]


def test_words_that_lead_to_nothing_are_errors(images: Path, workdir: Path) -> None:
    with pytest.raises(ConfigError, match="PATH"):
        named_images(["-"], io.BytesIO(b"\n"))
    with pytest.raises(DataError, match=r"missing\.jpg"):
        named_images(["missing.jpg"])


def test_an_ending_and_topk_are_checked_before_anything_is_loaded() -> None:
    check_output("a.csv", topk=1)
    check_output(None, topk=3)
    with pytest.raises(ConfigError, match=r"\.txt"):
        check_output("a.txt", topk=3)
    with pytest.raises(ConfigError, match="--topk 0"):
        check_output(None, topk=0)


def test_a_mean_says_of_what(trained: Path) -> None:
    predictor = ding_cls.load(trained)
    assert averaged_line(predictor) == ""
    mirrored = ding_cls.load(trained, tta=True)
    assert averaged_line(mirrored) == "mean probabilities of each image and its mirror image"
    assert averaged_line(Ensemble([predictor, predictor], "ab")) == "mean probabilities of 2 networks"
    assert averaged_line(Ensemble([mirrored, mirrored], "ab")) == (
        "mean probabilities of 2 networks and of each image and its mirror image"
    )


def test_a_count_is_read_as_a_sentence() -> None:
    assert str(Count(1, seconds=0.5)) == "1 image in 0.5 s (2.0 images/s)"
    assert (
        str(Count(4000, [("a", "torn")], 2.0))
        == "4,000 images in 2.0 s (2000.0 images/s); 1 could not be read"
    )


def test_lines_or_a_file_with_one_row_each(
    trained: Path, images: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = ding_cls.load(trained)
    good = sorted((images / "val" / "ash").iterdir())[:2]
    Path("bad.jpg").write_bytes(b"no image")
    paths = [str(good[0]), "bad.jpg", str(good[1])]
    count = predict_files(predictor, paths, topk=2)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line in paths or line.startswith("bad.jpg")]
    assert count.num_images == 3
    assert [path for path, _ in count.failed] == ["bad.jpg"]
    written = predict_files(predictor, paths, out="out.csv", with_probabilities=True)
    assert capsys.readouterr().out == ""
    assert written.num_images == 3
    assert len(Path("out.csv").read_text().splitlines()) == 4
