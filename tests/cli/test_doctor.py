"""``ding-cls doctor``: planted faults are all found, in one run; its files, exit codes and refusals."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.cli import main

CLASSES = ("daisy", "rose", "tulip")


def photograph(seed: int) -> Image.Image:
    fields = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(fields).resize((180, 140), Image.Resampling.BICUBIC)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doctor") / "data"
    for number in range(60):
        split = "train" if number < 42 else "val"
        path = root / split / CLASSES[number % 3] / f"{number * 7919 % 1000:03d}x{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(path, quality=92)
    return root


@pytest.fixture(scope="module")
def planted(clean: Path) -> Path:
    """Twenty copies across the splits, and a fault of each kind."""
    root = clean.parent / "planted"
    shutil.copytree(clean, root)
    trained = sorted((root / "train").rglob("*.jpg"))
    random.Random(0).shuffle(trained)
    for number, path in enumerate(trained[:20]):
        image, place = opened(path), root / "val" / path.parent.name / f"copy{number}.jpg"
        width, height = image.size
        if number < 5:
            shutil.copy(path, place)
        elif number < 10:
            image.save(place, quality=30 + 5 * number)
        elif number < 15:
            image.resize((width // 2, height // 2)).save(place, quality=80)
        elif number < 18:
            image.resize((width * 2, height * 2)).save(place.with_suffix(".webp"), quality=60)
        else:
            image.save(place.with_suffix(".png"))
    rotated, cut, cmyk = trained[20:23]
    exif = Image.Exif()
    exif[0x0112] = 8
    opened(rotated).save(rotated, exif=exif)
    cut.write_bytes(cut.read_bytes()[:-1500])
    opened(cmyk).convert("CMYK").save(cmyk)
    for name, seed in (("train/caf\u00e9", 90), ("val/cafe\u0301", 91)):
        (root / name).mkdir()
        photograph(seed).save(root / name / "a.jpg")
    photograph(92).save(root / "train" / "rose" / "patient_012_a.jpg")
    photograph(93).save(root / "val" / "rose" / "patient_012_b.jpg")
    return root


def found(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    assert len({each["kind"] for each in content["findings"]}) == len(content["findings"])
    return {each["kind"]: each for each in content["findings"]}


def test_planted_faults_are_all_found(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("imagehash")
    words = ["--out", "d.json", "--quarantine", "q.csv"]
    assert main(["doctor", str(planted), *words]) == 1
    findings = found(Path("d.json"))
    exact, near = findings["duplicates_across_splits"], findings["near_duplicates_across_splits"]
    pairs = [{Path(each["path"]).stem for each in group} for group in exact["groups"] + near["groups"]]
    assert (len(exact["groups"]), len(near["groups"])) == (7, 13)
    assert all(len(each) == 2 and any("copy" in name for name in each) for each in pairs)
    for kind in ("truncated", "rotated", "cmyk", "names_across_splits"):
        assert len(findings[kind]["groups"]) == 1, kind
    assert findings["alike_classes"]["lines"] == ["'caf\\xe9' in train, 'cafe\\u0301' in val"]
    assert len(Path("q.csv").read_text().splitlines()) == 1 + 1 + 7
    assert "/val/" not in "".join(line.split(",")[0] for line in Path("q.csv").read_text().splitlines())
    out = capsys.readouterr().out.splitlines()
    assert "serious" in out
    assert max(map(len, out)) <= 110
    assert main(["doctor", str(planted), "--quarantine", "q.csv"]) == 2
    assert "may have been edited" in capsys.readouterr().err


def test_sound_data_are_called_so(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(clean)]) == 0
    assert "all well" in capsys.readouterr().out


def test_a_config_and_what_it_quarantines(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.py").write_text(
        f"policy = dict(collect=dict(learn_data_path={str(planted / 'train')!r}, "
        f"eval_data_path={str(planted / 'val')!r}, resize_size=100, image_size=50))\n"
    )
    assert main(["doctor", str(planted), "--quarantine", "q.csv"]) == 1
    words = ["c.py", "policy.collect.quarantine=q.csv", "policy.learn.learner.dataloader.num_workers=0"]
    assert main(["doctor", *words, "--out", "d.json"]) == 1
    findings = found(Path("d.json"))
    assert not {"truncated", "unreadable", "duplicates_across_splits"} & findings.keys()
    assert "cutting out the middle 50 px" in findings["cropped"]["what"]
    assert "left out by 'q.csv': 8 files" in capsys.readouterr().out


def test_a_table_with_groups(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted((planted / "train").rglob("*.jpg"))[:6]
    rows = [
        f"{path},{path.parent.name},{split},p{number // 2}"
        for number, (path, split) in enumerate(
            zip(paths, ("train", "val", "train", "train", "val", "val"), strict=True)
        )
    ]
    Path("t.csv").write_text("\n".join(["path,label,split,patient", *rows, ""]))
    assert main(["doctor", "t.csv", "--group-column", "patient", "--out", "d.json"]) == 1
    (group,) = found(Path("d.json"))["groups_across_splits"]["groups"]
    assert [(each["split"], each["note"]) for each in group] == [("train", "p0"), ("val", "p0")]
    assert main(["doctor", "t.csv", "--group-column", "none"]) == 2
    assert "has no column 'none'" in capsys.readouterr().err


def test_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)
    np.savez("a.npz", x_train=images[:8], y_train=np.arange(8) % 2, x_val=images[6:], y_val=np.arange(6) % 2)
    assert main(["doctor", "a.npz", "--out", "d.json", "--quarantine", "q.csv"]) == 1
    assert len(found(Path("d.json"))["duplicates_across_splits"]["groups"]) == 2
    assert Path("q.csv").read_text() == "path,reason\n"


def test_without_imagehash_all_else_is_found(
    planted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ding_cls.data.tools.doctor import duplicates, near

    for module in (near, duplicates):
        monkeypatch.setattr(module, "can_find_near", lambda: False)
    assert main(["doctor", str(planted), "--out", "d.json"]) == 1
    findings = found(Path("d.json"))
    assert len(findings["duplicates_across_splits"]["groups"]) == 7
    assert "near_duplicates_across_splits" not in findings
    assert "pip install 'ding_cls[doctor]'" in findings["near_not_sought"]["remedy"]


def test_the_page_holds_everything_and_escapes_it(clean: Path) -> None:
    pytest.importorskip("jinja2")
    root = Path("odd")
    for name in ('<b>&"', "comma, c", "new\nline", "\u05e9"):
        (root / name).mkdir(parents=True)
        photograph(len(name)).save(root / name / "same.png")
    assert main(["doctor", "odd", "--out", "d.html"]) in (0, 1)
    page = Path("d.html").read_text()
    assert "&lt;b&gt;&amp;&#34;" in page
    assert "<b>&" not in page
    assert page.count("data:image/jpeg") >= 2
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "b"],
        ["missing"],
        ["data", "--out", "x.pdf"],
        ["data", "--quarantine", "q.txt"],
        ["data", "a=b"],
    ],
)
def test_what_makes_no_sense_is_an_error(clean: Path, words: list[str], capsys: Any) -> None:
    given = [str(clean) if word == "data" else word for word in words]
    assert main(["doctor", *given]) == 2
    assert capsys.readouterr().err.startswith("error: ")
