"""What a card says of data, training and preprocessing: numbers that are right, and no place on a machine."""

from pathlib import Path

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.inference import Predictor
from ding_cls.inference.saved_run import config_for_here
from ding_cls.models import build_model
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.exporting.card_facts import (
    data_name,
    evaluated_name,
    initial_weights,
    limits,
    model_facts,
    preprocessing_lines,
    split_data_name,
    split_facts,
    training_facts,
)

BEST = Path("ckpt", "ckpt_best.pth.tar")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/me/flowers5/train", "flowers5"),
        ("/home/me/flowers5/images/val2017", "images"),
        ("../flowers5/", "flowers5"),
        ("labels.csv", "labels.csv"),
        ("train", "train"),
        ("/", "/"),
    ],
)
def test_data_go_by_the_last_part_of_their_path(path: str, name: str) -> None:
    assert data_name(path) == name


@pytest.mark.parametrize(
    ("collect", "name"),
    [
        ({"synthetic": True, "eval_data_path": "/d/val"}, "generated images"),
        ({"eval_data_path": "/d/birds/val"}, "birds"),
        ({"eval_data_path": "a.npz", "val": {"type": "ArrayDataset", "images": "x"}}, "a.npz"),
        ({"val": {"type": "CIFAR10", "data_prefix": "/d/cifar"}}, "cifar"),
        ({"val": {"type": "CSVDataset", "ann_file": "/d/t.csv", "data_prefix": "/d"}}, "t.csv"),
        ({"val": {"type": "ConcatDataset", "datasets": [{"type": "CIFAR10", "data_prefix": "/d/c"}]}}, "c"),
        ({"val": {"type": "OwnDataset"}}, "OwnDataset"),
        ({}, ""),
    ],
)
def test_a_split_is_called_as_its_config_has_it(collect: dict[str, object], name: str) -> None:
    assert split_data_name(collect, "val") == name


def test_splits_have_their_samples_classes_and_digests(trained: Path, images: Path) -> None:
    run = read_checkpoint(trained / BEST)["run"]
    cfg = config_for_here(run["config"], trained)
    found = evaluate_checkpoint(trained, intervals=False)
    splits = split_facts(run, cfg, found=found, run_folder=trained, num_classes=4)
    table = [(each.name, each.data, each.samples, each.by_class, each.left_out) for each in splits]
    name = images.name
    assert table == [("train", name, "40", "10", ""), ("val", name, "20", "5", "")]
    assert [each.digest for each in splits] == [run["data"][split]["digest"] for split in ("train", "val")]
    unknown = split_facts(run, cfg, found=None, run_folder=None, num_classes=4)
    assert [each.by_class for each in unknown] == ["", ""]
    other = evaluate_checkpoint(trained, data=images / "train", intervals=False)
    assert evaluated_name(other) == name
    assert len(split_facts(run, cfg, found=other, run_folder=None, num_classes=4)) == 2
    more = split_facts({**run, "data": {}}, cfg, found=other, run_folder=None, num_classes=4)
    assert [(each.name, each.samples, each.by_class) for each in more] == [("evaluated", "40", "10")]


def test_training_is_told_in_short(trained: Path) -> None:
    state = read_checkpoint(trained / BEST)
    facts = dict(training_facts(state, config_for_here(state["run"]["config"], trained)))
    assert facts["length of the run"] == "2 epochs"
    assert facts["updates that these weights have seen"] == f"{state['last_iter']}"
    assert facts["optimizer"] == "AdamW, learning rate 0.1 (cosine)"
    assert facts["started from"] == "random values"
    assert facts["images per update"] == "8"
    assert facts["seed"] == "5"
    assert facts["versions"] == f"torch {state['environment']['torch']}"


def test_where_training_started_from_is_found_in_parts_too() -> None:
    parts = {"backbone": {"init_cfg": {"type": "Pretrained", "checkpoint": "/home/me/w.pth"}}}
    assert initial_weights({"name": "resnet18", "pretrained": False}) is None
    assert initial_weights({"name": "resnet18", "pretrained": True}) is True
    assert initial_weights(parts) == "/home/me/w.pth"


def test_the_usual_preprocessing_has_its_numbers() -> None:
    lines = preprocessing_lines(Preprocessing(64, 71, [0.5] * 3, [0.25] * 3, "bicubic"))
    assert "shorter side to 71 pixels, bicubic" in lines[1]
    assert "64 x 64" in lines[2]
    assert "mean [0.5, 0.5, 0.5], divide by std [0.25, 0.25, 0.25]" in lines[3]


def test_any_other_is_told_step_by_step() -> None:
    steps = [{"type": "Resize", "size": [40, 56]}, {"type": "CenterCrop", "crop_size": 32}]
    lines = preprocessing_lines(PipelinePreprocessing(steps, mean=[0.5] * 3, std=[0.25] * 3))
    assert len(lines) == 4
    assert "'size': [40, 56]" in lines[1]
    assert "mean [0.5, 0.5, 0.5] and std [0.25, 0.25, 0.25]" in lines[3]


def test_a_model_is_told_with_its_input() -> None:
    predictor = Predictor(build_model("lenet5", num_classes=3), Preprocessing(28, 28), "abc", device="cpu")
    facts = dict(model_facts(predictor, "lenet5", file="x", num_bytes=1234, sha256="ab"))
    count = sum(each.numel() for each in predictor.model.parameters())
    assert facts["parameters"] == f"{count:,}, float32"
    assert facts["input"] == "RGB images, 28 x 28 pixels (height x width)"
    assert facts["answers"] == "one of 3 classes"
    assert facts["file"] == "x, 1,234 bytes"
    free = PipelinePreprocessing([{"type": "Resize", "size": (20, -1)}])
    varying = Predictor(torch.nn.Identity(), free, "abc", device="cpu")
    varying.model.register_parameter("w", torch.nn.Parameter(torch.zeros(1, dtype=torch.float16)))
    facts = dict(model_facts(varying, "x", file="x", num_bytes=1, sha256="ab"))
    assert facts["input"] == "RGB images, of the size that they have"
    assert facts["parameters"] == "1, float16"


def test_limits_depend_on_what_is_known() -> None:
    predictor = Predictor(torch.nn.Identity(), Preprocessing(), "abc", device="cpu")
    assert len(limits(predictor, has_calibration=False)) == 3
    assert not any("calibrated" in each for each in limits(predictor, has_calibration=True))
