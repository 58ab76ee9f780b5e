"""What the sheet shows is what training sees: the same samples, draws, mixtures and numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import build_train_loader
from ding_cls.errors import DataError
from ding_cls.pipeline import train
from ding_cls.pipeline.looking.opening import opened_config
from ding_cls.pipeline.looking.pipeline import (
    PipelineView,
    _cells,
    pipeline_sheet,
    target_texts,
    view_pipeline,
)
from tests.conftest import TinyNet, write_pictures

SETTINGS = ["policy.cuda=False", "policy.collect.image_size=8", "policy.learn.batch_size=6"]
LOADING = {"type": "LoadImageFromFile"}
GIVEN: dict[str, Any] = {
    "model": None,
    "pretrained": False,
    "epochs": None,
    "synthetic": False,
    "exp_name": None,
    "allow_code": False,
}
NORMALIZE = {"type": "Normalize", "mean": [10.0, 20.0, 30.0], "std": [50.0, 60.0, 70.0]}


class Recorder(TinyNet):
    """Keeps what it is given in training."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.extend(images.clone())
        return super().forward(images)


def viewed(
    config: Any = None, *, overrides: Any = SETTINGS, number: int = 8, split: Any = "train", **given: Any
) -> PipelineView:
    with opened_config(config, **{**GIVEN, "data": None, **given}, overrides=[*overrides]) as opened:
        return view_pipeline(opened, split=split, number=number)


def described(folder: Path, *steps: Any, **normalize: Any) -> dict[str, Any]:
    pipeline = [LOADING, *steps, {**NORMALIZE, **normalize}]
    sets = {
        name: {"type": "CustomDataset", "data_prefix": str(folder / name), "pipeline": pipeline}
        for name in ("train", "val")
    }
    return {"policy": {"collect": sets, "cuda": False, "learn": {"batch_size": 6}}}


def test_the_network_of_a_real_run_gets_what_is_shown(picture_folder: Path, workdir: Path) -> None:
    mixing = [*SETTINGS, "policy.learn.batch_augments=[{type: Mixup, prob: 0.5}, {type: CutMix, prob: 0.5}]"]
    later = "policy.learn.recipes=[{action_iter: 3, batch_augments: []}]"
    view = viewed(data=picture_folder, overrides=[*mixing, later], number=9)
    assert "  after 3 updates: no batch augmentations" in view.lines
    assert list(workdir.iterdir()) == []

    network = Recorder()
    train(data=picture_folder, model=network, epochs=1, overrides=[*mixing, "policy.collect.resize_size=8"])
    assert len(view.samples) == 9
    for number, sample in enumerate(view.samples):
        assert sample.mixed is not None
        assert torch.equal(sample.mixed[0], network.seen[number])
    assert not all(torch.equal(each.network, network.seen[n]) for n, each in enumerate(view.samples))


@pytest.mark.parametrize("sampler", ["None", "{type: RepeatAug, num_repeats: 2}"])
def test_pixels_and_order_are_those_of_the_loader(picture_folder: Path, sampler: str) -> None:
    overrides = [*SETTINGS, f"policy.collect.sampler={sampler}", "seed=5"]
    view = viewed(data=picture_folder, overrides=overrides, number=11)
    with opened_config(None, **GIVEN, data=picture_folder, overrides=overrides) as opened:
        train_set, _ = opened.datasets()
        batches = list(
            build_train_loader(train_set, 6, seed=5, sampler=opened.cfg.policy.collect.sampler, num_workers=1)
        )
    images = torch.cat([each.images for each in batches])
    ids = torch.cat([each.sample_ids for each in batches])
    targets = torch.cat([each.targets for each in batches])
    for number, sample in enumerate(view.samples):
        assert sample.traced.key.sample_id == int(ids[number])
        assert sample.traced.target == int(targets[number])
        assert torch.equal(sample.traced.pixels, images[number])


def test_evaluation_is_spread_over_its_classes(picture_folder: Path) -> None:
    view = viewed(data=picture_folder, split="val", number=4)
    assert [each.traced.target for each in view.samples] == [0, 1, 2, 3]
    assert len(viewed(data=picture_folder, split="val", number=99).samples) == 20


def shown(view: PipelineView) -> torch.Tensor:
    """Return the pixel in the middle of the first image on the sheet, as the network gets it."""
    sheet = np.asarray(pipeline_sheet(view, "transformed"))
    return torch.from_numpy(sheet[10 + 112, 10 + 112].astype(int))


@pytest.mark.parametrize(
    ("to_rgb", "colour"), [(None, (250, 120, 10)), (True, (250, 120, 10)), (False, (10, 120, 250))]
)
@pytest.mark.parametrize("is_last", [True, False])
def test_orange_is_shown_blue_where_the_network_gets_blue_first(
    tmp_path: Path, to_rgb: bool | None, colour: tuple[int, ...], is_last: bool
) -> None:
    for split in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8), (250, 120, 10)).save(tmp_path / split / name / f"{split}.png")
    config = described(tmp_path, to_rgb=to_rgb)
    if not is_last:
        # What follows makes the normalisation run on each sample.
        for split in ("train", "val"):
            config["policy"]["collect"][split]["pipeline"].append({"type": "RandomFlip", "flip_prob": 0.0})
    view = viewed(config, overrides=[], number=1)
    assert shown(view).tolist() == list(colour)
    assert any("blue first" in line for line in view.lines) == (to_rgb is False)


def test_values_beyond_the_range_are_clipped_and_counted(picture_folder: Path) -> None:
    config = described(picture_folder, {"type": "Resize", "size": 8})
    noise = {"type": "GaussianNoise", "sigma": 9.0, "clip": False}
    config["policy"]["collect"]["train"]["pipeline"].append(noise)
    view = viewed(config, overrides=[], number=2)
    (cell,) = _cells(view.samples[0], "transformed", view.classes)
    assert "% clipped" in cell.lines[1]
    assert cell.image.max() == 255


def test_a_step_is_a_line_and_a_picture(picture_folder: Path) -> None:
    config = described(
        picture_folder, {"type": "Resize", "size": 8}, {"type": "RandomFlip", "flip_prob": 0.0}
    )
    view = viewed(config, overrides=[], number=3)
    assert [line.strip() for line in view.lines[1:5]] == [
        "LoadImageFromFile()",
        "Resize(size=8)",
        "RandomFlip(flip_prob=0.0)",
        "Normalize(mean=[10.0, 20.0, 30.0], std=[50.0, 60.0, 70.0])",
    ]
    cells = _cells(view.samples[0], "pipeline", view.classes)
    assert [cell.lines[0] for cell in cells] == [
        view.classes[view.samples[0].traced.target],
        "Resize",
        "RandomFlip",
        "network",
    ]
    assert [cell.lines[1] for cell in cells] == ["12 x 12", "8 x 8", "8 x 8, unchanged", "8 x 8, unchanged"]


@pytest.mark.parametrize("mode", ["original", "transformed", "concat", "pipeline"])
def test_generated_images_have_no_pipeline_and_are_shown(mode: Any) -> None:
    view = viewed(synthetic=True, overrides=[*SETTINGS, "policy.model.num_classes=3"], number=2)
    assert any("without a pipeline" in line for line in view.lines)
    assert pipeline_sheet(view, mode).width > 0


def test_targets_are_told_by_name() -> None:
    classes = ("a, b", "c", "d", "e")
    assert target_texts(1, classes) == ["c"]
    assert target_texts(torch.tensor([0, 3]), classes) == ["a, b", "e"]
    assert target_texts(torch.tensor([0.0, 1, 0, 1]), classes) == ["c", "e"]
    assert target_texts(torch.tensor([0.25, 0, 0.75, 0]), classes) == ["0.75 d", "0.25 a, b"]
    assert target_texts(torch.zeros(4), classes) == ["no class"]
    assert target_texts(torch.ones(4), classes)[-1] == "and 1 more"


def test_data_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        viewed(data=tmp_path / "gone")


def test_images_that_a_run_leaves_out_are_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", classes=("a", "b"), per_class=3)
    write_pictures(tmp_path / "val", classes=("a", "b"), per_class=2)
    (tmp_path / "train" / "a" / "001.png").write_bytes(b"no image")
    overrides = [*SETTINGS, "policy.learn.learner.dataloader.max_bad=1"]
    assert len(viewed(data=tmp_path, overrides=overrides, number=99).samples) == 5
