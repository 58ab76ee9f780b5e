"""From training to a server: the way that README shows, typed, says the same of an image at every place."""

import base64
import csv
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.data import write_digits
from tests.serve.tab import Tab

pytestmark = pytest.mark.slow

for library in ("onnxruntime", "onnxscript", "starlette", "uvicorn", "jinja2", "matplotlib"):
    pytest.importorskip(library)

TOLERANCE = 1e-4
KINDS = {"jpeg.jpg": "image/jpeg", "png.png": "image/png", "grey.png": "image/png", "rgba.png": "image/png"}
KINDS |= {"cmyk.jpg": "image/jpeg", "turned.jpg": "image/jpeg"}
TURNED = 6

Answers = dict[str, tuple[str, float]]
"""Name and probability of an image's first class, by the image's file name."""


def ding_cls(folder: Path, *words: str | Path) -> str:
    command = [sys.executable, "-m", "ding_cls", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_kinds(digit: Path, folder: Path) -> None:
    """Write a digit in colours, as each kind of file."""
    folder.mkdir(parents=True)
    grey = np.asarray(Image.open(digit).convert("L").resize((53, 61), Image.Resampling.BICUBIC))
    colours = np.stack([grey, grey // 2 + 40, 255 - grey // 3], axis=-1).astype(np.uint8)
    image = Image.fromarray(colours)
    image.save(folder / "jpeg.jpg", quality=95)
    image.save(folder / "png.png")
    image.convert("L").save(folder / "grey.png")
    see_through = image.convert("RGBA")
    see_through.putalpha(Image.fromarray(np.where(grey > 30, 255, 120).astype(np.uint8)))
    see_through.save(folder / "rgba.png")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = TURNED
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", quality=95, exif=exif)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, its exported file, and a digit as each kind of image."""
    folder, digits = tmp_path_factory.mktemp("flow"), write_digits()
    words = ("exp_name=run", "policy.collect.image_size=32", "policy.learn.batch_size=64")
    ding_cls(folder, "train", "--data", digits, "--model", "resnet18", "--epochs", "2", *words)
    write_kinds(min((digits / "test" / "3").iterdir()), folder / "images" / "3")
    said = ding_cls(folder, "export", "run", "--out", "run.onnx", "--image", "images/3/jpeg.jpg")
    assert "Are the results equal? Yes" in said
    return folder


@pytest.fixture(scope="module")
def expected(flow: Path) -> Answers:
    found = in_table(flow, "predict", "run", "images")
    assert set(found) == set(KINDS)
    assert min(score for _, score in found.values()) > 0.1
    return found


def in_table(folder: Path, *words: str) -> Answers:
    """Return what ``--out`` writes: of eval the predicted class and its score."""
    ding_cls(folder, *words, "--out", "rows.csv")
    with open(folder / "rows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    name = "name" if "name" in rows[0] else "predicted"
    return {os.path.basename(row["path"]): (row[name], float(row["score"])) for row in rows}


def check(found: Answers, expected: Answers) -> None:
    assert found.keys() == expected.keys()
    for each, (name, score) in expected.items():
        assert found[each][0] == name, each
        assert found[each][1] == pytest.approx(score, abs=TOLERANCE), each


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "run.onnx", "images"),
        ("eval", "run", "--data", "images"),
        ("eval", "run.onnx", "--data", "images"),
    ],
    ids=" ".join,
)
def test_tables_say_the_same(flow: Path, expected: Answers, words: tuple[str, ...]) -> None:
    check(in_table(flow, *words), expected)


def test_the_report_says_the_same(flow: Path, expected: Answers) -> None:
    ding_cls(flow, "report", "run", "--data", "images", "--out", "report.html")
    page = (flow / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    scores, predicted = (
        np.frombuffer(base64.b64decode(data[name]), dtype)
        for name, dtype in (("scores", "<f4"), ("predicted", "<i4"))
    )
    names = [data["classes"][each] for each in predicted]
    files = map(os.path.basename, data["names"])
    check(dict(zip(files, zip(names, scores.tolist(), strict=True), strict=True)), expected)


@contextmanager
def served(network: Path) -> Iterator[str]:
    """Start a server as a user does; yield its address."""
    words = [sys.executable, "-m", "ding_cls", "serve", str(network), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as server:
        try:
            for line in server.stdout or ():
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield found[0]
                    break
        finally:
            server.terminate()
    assert server.returncode == 0


@pytest.mark.parametrize("network", ["run", "run.onnx"])
def test_a_server_and_its_page_say_the_same(
    flow: Path, expected: Answers, network: str, browser: Any
) -> None:
    files = {name: (flow / "images/3" / name).read_bytes() for name in KINDS}
    with served(flow / network) as address:
        answers = {}
        for name, body in files.items():
            request = urllib.request.Request(f"{address}/predict", body, {"Content-Type": KINDS[name]})
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
            answers[name] = answer["name"], answer["score"]
        check(answers, expected)
        tab = Tab(browser, f"{address}/")
        tab.hand_over("drop", *((name, KINDS[name], body) for name, body in files.items()))
        cards = {name: tab.card(name) for name in files}
        check(
            {
                name: (card.locator("h2 bdi").inner_text(), float(card.locator("h2 .score").inner_text()))
                for name, card in cards.items()
            },
            expected,
        )
        tab.close()
