"""Real weights on real images: they are named as they should be."""

import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

import ding_cls
from ding_cls.cli import main
from ding_cls.inference import Predictor

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="DING_TEST_DATA is not set"),
]
NAME = "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"


def extracted(archive: str, folder: Path) -> Path:
    with tarfile.open(Path(os.environ["DING_TEST_DATA"], archive)) as file:
        file.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(extracted("weights.tar", tmp_path_factory.mktemp("weights")).rglob(NAME))


@pytest.fixture
def mobilenet(weights: Path) -> Predictor:
    return ding_cls.load(weights, model="mobilenet_v2")


def test_a_cat_and_an_espresso_are_known(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scenes = pytest.importorskip("skimage.data")
    for name in ("chelsea", "coffee"):
        Image.fromarray(getattr(scenes, name)()).save(f"{name}.png")
    words = [str(weights), "chelsea.png", "coffee.png", "--model", "mobilenet_v2", "--topk", "1"]
    assert main(["predict", *words]) == 0
    first, cat, second, espresso = capfd.readouterr().out.splitlines()
    assert (first, second) == ("chelsea.png", "coffee.png")
    assert cat.partition(" ")[2] == "Egyptian cat"
    assert espresso.partition(" ")[2] == "espresso"


@pytest.mark.slow
def test_most_daisies_are_daisies(mobilenet: Predictor, tmp_path: Path) -> None:
    extracted("flowers5_500_50_250.tar", tmp_path)
    records = mobilenet(next(tmp_path.rglob("test")) / "daisy")
    assert len(records) == 50
    # 37 of them on the CPU.
    assert sum(record.name == "daisy" for record in records) >= 35
