"""What an evaluation takes from the checkpoint, from a config and from its arguments."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import write_checkpoint
from ding_cls.config import checked_config
from ding_cls.config.merge import plain_copy
from ding_cls.errors import CheckpointError, ConfigError, DataError
from ding_cls.models import build_model
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.pipeline.datasets.splits import preprocessing_of
from ding_cls.pipeline.evaluation.inputs import EvalInputs, eval_policy, evaluated_set, read_inputs
from ding_cls.pipeline.train import PARTS
from tests.conftest import TinyNet, write_pictures

CLASSES = ("ash", "birch", "cedar", "fir")
COLLECT = {"image_size": 8, "resize_size": 8, "mean": [9.0] * 3, "eval_data_path": "p/val"}


def compiled(**policy: Any) -> Any:
    parts: dict[str, Any] = dict(PARTS)
    cfg = {"policy": {"cuda": False, "model": {"name": "TinyNet (given)"}, "collect": COLLECT, **policy}}
    return checked_config(cfg, **parts)


@pytest.fixture
def run(workdir: Path) -> dict[str, Any]:
    """The checkpoint ``a.pth.tar``, and the images in ``p`` that it is of."""
    write_pictures(Path("p/val"), classes=CLASSES, per_class=2)
    cfg = compiled()
    described = {
        "config": plain_copy(cfg),
        "class_names": list(CLASSES),
        "preprocessing": preprocessing_of(cfg).state_dict(),
        "bad_images": {"val": [[1, "ash/001.png", "text"]]},
    }
    state = {"model": TinyNet().state_dict(), "last_iter": 7, "run": described}
    write_checkpoint("a.pth.tar", state)
    return state


def read(path: str = "a.pth.tar", **changes: Any) -> EvalInputs:
    usual: dict[str, Any] = {"config": None, "metric": None, "overrides": (), "has_model": True}
    return read_inputs(path, **{**usual, "allow_code": False, **changes})


def test_a_checkpoint_brings_network_classes_and_preprocessing(run: dict[str, Any]) -> None:
    inputs = read()
    assert (inputs.is_run, inputs.class_names) == (True, CLASSES)
    assert inputs.preprocessing.state_dict() == run["run"]["preprocessing"]
    assert inputs.bad_images == {"val": [[1, "ash/001.png", "text"]]}
    with pytest.raises(CheckpointError, match=r"network of its own.*ding_cls\.evaluate\(\.\.\., model="):
        read(has_model=False)


def test_metric_and_words_win_and_a_word_without_effect_is_refused(run: dict[str, Any]) -> None:
    inputs = read(metric="Accuracy", overrides=["policy.eval.metric.topk=[2]", "policy.eval.batch_size=3"])
    assert plain_copy(inputs.cfg.policy.eval.metric) == {"type": "Accuracy", "topk": [2]}
    assert inputs.cfg.policy.eval.batch_size == 3
    with pytest.raises(ConfigError, match=r"^policy\.learn\.learning_rate=3: an evaluation does "):
        read(overrides=["policy.learn.learning_rate=3"])


def test_a_config_brings_data_and_metric_but_not_the_size_of_images(run: dict[str, Any]) -> None:
    other = {"collect": {"image_size": 64, "eval_data_path": "q/val"}, "eval": {"batch_size": 5}}
    inputs = read(config={"policy": {**other, "model": {"name": "resnet50"}}})
    collect = inputs.cfg.policy.collect
    assert (collect.eval_data_path, collect.image_size, collect.mean) == ("q/val", 8, [9.0] * 3)
    assert (inputs.cfg.policy.eval.batch_size, inputs.cfg.policy.model.name) == (5, "TinyNet (given)")
    assert inputs.class_names == CLASSES


def test_weights_alone_need_a_config_and_take_noted_classes(run: dict[str, Any]) -> None:
    write_checkpoint("bare.pth.tar", {"model": run["model"]})
    with pytest.raises(CheckpointError, match=r"'bare\.pth\.tar' does not say which .*eval CONFIG bare"):
        read("bare.pth.tar")
    inputs = read("bare.pth.tar", config=plain_copy(compiled()))
    assert (inputs.is_run, inputs.class_names, inputs.bad_images) == (False, None, {})
    torch.save({"state_dict": run["model"], "meta": {"CLASSES": list(CLASSES)}}, "theirs.pth")
    assert read("theirs.pth", config=plain_copy(compiled())).class_names == CLASSES


def test_a_folder_with_splits_or_with_classes(run: dict[str, Any]) -> None:
    inputs = read()
    dataset, split = evaluated_set(inputs, None, None)
    assert (split, len(dataset), tuple(dataset.classes)) == ("val", 8, CLASSES)
    assert evaluated_set(inputs, "p", None)[1] == "val"
    # Class numbers are the checkpoint's, though 'fir' is this folder's first.
    bare = write_pictures(Path("bare"), classes=("fir",), per_class=3)
    dataset, split = evaluated_set(inputs, bare, None)
    assert (split, dataset.targets) == (None, [3, 3, 3])
    with pytest.raises(DataError, match="'bare' has one folder for each class, and no folder 'test'"):
        evaluated_set(inputs, bare, "test")
    with pytest.raises(DataError, match=r"none' has no folder 'val'"):
        evaluated_set(inputs, "none", None)


def test_classes_that_only_the_folders_name_are_told_where_numbers_have_another_order(
    run: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint("bare.pth.tar", {"model": run["model"]})
    folder = write_pictures(Path("bare"), classes=("1", "2", "10"), per_class=1)
    inputs = read("bare.pth.tar", config=plain_copy(compiled()))
    assert evaluated_set(inputs, folder, None)[0].classes == ("1", "10", "2")
    assert [record.getMessage() for record in caplog.records] == [
        "the checkpoint names no classes, so they are the folders of 'bare'; the classes are in the order of "
        "text, not of numbers: class 1 is '10', and '2' is class 2"
    ]


def test_the_splits_of_synthetic_images(run: dict[str, Any]) -> None:
    inputs = read(overrides=["policy.collect.synthetic=True", "policy.collect.synthetic_samples=6"])
    assert len(evaluated_set(inputs, None, "train")[0]) == 6
    with pytest.raises(DataError, match="has no test split"):
        evaluated_set(inputs, None, "test")


def test_the_policy_has_the_checkpoints_weights(run: dict[str, Any]) -> None:
    policy = eval_policy(read(), CLASSES, TinyNet(), Labels("one"))
    found = policy.eval_mode.state_dict()["model"]
    assert all(torch.equal(value, run["model"][name]) for name, value in found.items())
    assert policy.eval_mode.get_attribute("class_names") == CLASSES
    with pytest.raises(ConfigError, match=r"label of the data is 3 numbers, .* TinyNet has one head; name "):
        eval_policy(read(), CLASSES, TinyNet(), Labels("tasks", 3))
    with pytest.raises(CheckpointError, match=r"^'a\.pth\.tar': "):
        eval_policy(read(), CLASSES, torch.nn.Linear(2, 4), Labels("one"))


def test_a_network_of_one_size_is_built_whatever_image_size_says(run: dict[str, Any]) -> None:
    pytest.importorskip("timm", reason="not run: timm is not installed")
    model = {"name": "timm/vit_tiny_patch16_224", "img_size": [16, 32], "depth": 1}
    cfg = compiled(model=model)
    run["run"]["config"] = plain_copy(cfg)
    run["model"] = build_model(**model, num_classes=len(CLASSES)).state_dict()
    write_checkpoint("a.pth.tar", run)
    policy = eval_policy(read(has_model=False), CLASSES, None, Labels("one"))
    batch = [torch.zeros(1, 3, 16, 32), torch.tensor([0])]
    assert policy.eval_mode.forward(batch).shape == (1, len(CLASSES))
