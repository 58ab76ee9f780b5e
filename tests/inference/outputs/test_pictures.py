"""Drawn images and heat maps: one of each image, named as it, with what was predicted."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ding_cls.data import Preprocessing
from ding_cls.inference.outputs import pictures
from ding_cls.inference.outputs.new_folder import OutputFolder
from ding_cls.inference.outputs.pictures import DrawnImages, Pictures, warn_of_missing_letters
from ding_cls.inference.outputs.writers import handed_on
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source


class Bright(nn.Module):
    """Its first class is the mean of the image, each other one is 0."""

    def __init__(self, num_classes: int, num_tasks: int | None = None) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.ones_(self.maps.weight)
        self.head = nn.Identity()
        self.head.num_tasks = num_tasks  # type: ignore[assignment]
        self.num_classes, self.num_tasks = num_classes, num_tasks

    def forward(self, images: Tensor) -> Tensor:
        mean = self.maps(images).mean((2, 3))
        logits = torch.cat([mean, torch.zeros(len(mean), self.num_classes - 1)], 1)
        return logits if self.num_tasks is None else torch.stack([logits, -logits], 1)


def predictor_of(num_tasks: int | None = None, **arguments: Any) -> Predictor:
    preprocessing = Preprocessing(image_size=16, resize_size=16)
    network = Bright(4, num_tasks)
    return Predictor(network, preprocessing, ("ash", "birch", "fir", "oak"), device="cpu", **arguments)


def run(writer: Pictures, predictor: Predictor, sources: list[Source]) -> str:
    assert len(list(handed_on(predictor.stream(sources), [writer]))) == len(sources)
    return str(writer)


def draw(predictor: Predictor, sources: list[Source], topk: int = 3) -> str:
    return run(DrawnImages(OutputFolder("out", "--draw"), predictor, sources, topk=topk), predictor, sources)


def tree() -> list[str]:
    return sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if not path.is_dir())


def recorded_captions(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[list[str]]:
    """Return a list that gets the lines which a module draws, image by image."""
    found: list[list[str]] = []
    own = module.captioned

    def noted(image: Image.Image, lines: list[str], **options: bool) -> Image.Image:
        found.append(list(lines))
        return own(image, lines, **options)

    monkeypatch.setattr(module, "captioned", noted)
    return found


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The lines that are drawn, image by image."""
    return recorded_captions(monkeypatch, pictures)


def test_each_image_has_a_picture_of_its_own_name() -> None:
    odd = os.fsdecode(b"\xff.PNG")
    sources = ["in/a/1.jpg", "in/b/1.jpg", f"in/{odd}", "in/scan.bmp", "in/scan.bmp.png", "torn.png"]
    for path in sources[:-1]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)
    Path("torn.png").write_bytes(b"\x89PNG")
    said = draw(predictor_of(), [*sources, np.zeros((9, 9, 3), np.uint8)])
    assert said == "6 pictures in out"
    assert tree() == sorted(
        ["image 6.png", "in/a/1.jpg", "in/b/1.jpg", f"in/{odd}", "in/scan.bmp.png", "in/scan.bmp_2.png"]
    )
    with Image.open("out/in/a/1.jpg") as first, Image.open("out/in/scan.bmp.png") as other:
        assert first.format == "JPEG"
        assert other.size == (320, 240)


def test_the_image_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (600, 400)).save("turned.jpg", exif=exif)
    draw(predictor_of(), ["turned.jpg"])
    with Image.open("out/turned.jpg") as picture:
        assert picture.size == (400, 600)
        assert 0x0112 not in picture.getexif()


def test_its_lines_are_the_classes_and_their_scores(captions: list[list[str]]) -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    (record,) = predictor_of()(white)
    draw(predictor_of(), [white], topk=2)
    assert captions == [[f"{record.score:.3f}  ash", f"{record.top(2)[1].score:.3f}  birch"]]


def test_several_labels_and_tasks_are_written(captions: list[list[str]]) -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    several = predictor_of(has_several_labels=True, threshold=0.9)
    draw(several, [white, 255 - white])
    assert captions[0][0].endswith("  ash")
    assert len(captions[0]) == 1
    assert captions[1][0].startswith("none from 0.9 on")
    os.rename("out", "first")
    draw(predictor_of(num_tasks=2), [white], topk=1)
    assert [line.split("  ")[-1] for line in captions[2]] == ["task 1", "ash", "task 2", "birch"]


def test_letters_without_a_font_are_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ding_cls.report.caption._FONTS", ())
    warn_of_missing_letters(["ash", "oak"])
    assert not caplog.records
    warn_of_missing_letters(["猫", "狗", "猫狗", "oak\udcff"])
    assert [record.message for record in caplog.records] == [
        "no font here has '猫狗': in pictures these letters are written as their numbers; "
        "the fonts of Debian's fonts-noto-cjk and fonts-noto-core have most"
    ]
