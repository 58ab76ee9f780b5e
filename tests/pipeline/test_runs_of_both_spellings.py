"""What two readers of the config language found, each as a promise, through the doors that users take."""

import shutil
from pathlib import Path

import pytest
import torch

import ding_cls
from ding_cls.cli import main
from ding_cls.config import read_config
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.dry_run.run import dry_run
from tests.harness import SETTINGS

_SAID_BY_TESTS = ("policy.learn.learning_rate", "policy.learn.batch_size")
_KEPT = [word for word in SETTINGS if not word.startswith(_SAID_BY_TESTS)]
SMALL = [*_KEPT, "policy.learn.learner.dataloader.num_workers=0", "policy.cuda=False"]
PARTS = """
data = dict(samples_per_gpu=8)
model = dict(type="ImageClassifier", backbone=dict(type="ResNet", depth=18, out_indices=(0,)),
             neck=dict(type="GlobalAveragePooling"), head=dict(type="LinearClsHead", in_channels=64))
optimizer = dict(type="SGD", lr=0.1)
lr_config = dict(policy="step", step=[1])
runner = dict(type="EpochBasedRunner", max_epochs=1)
"""


@pytest.fixture
def mm(workdir: Path) -> Path:
    (workdir / "small.py").write_text(PARTS)
    return workdir / "small.py"


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 2
    return capsys.readouterr().err.removeprefix("error: ").strip()


def test_a_run_is_named_after_its_config_file(picture_folder: Path, mm: Path) -> None:
    result = ding_cls.train(mm, data=picture_folder, overrides=SMALL)
    assert result.run_folder == Path("small")


def test_a_stage_that_nobody_sees_is_not_trained(picture_folder: Path, mm: Path) -> None:
    network = ding_cls.train(mm, data=picture_folder, overrides=SMALL).model
    trained = {name.split(".")[1] for name, each in network.named_parameters() if each.requires_grad}
    assert trained == {"conv1", "bn1", "layer1", "fc"}


def test_words_of_the_second_spelling_win_over_its_file_alone(
    picture_folder: Path, mm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["optimizer.lr=0.25", "runner.max_epochs=1", "work_dir=mine", "data.samples_per_gpu=4"]
    ding_cls.train(mm, data=picture_folder, overrides=[*SMALL, *words])
    learn = read_config("mine/total_config.py").policy.learn
    assert (learn.learning_rate, learn.train_epoch, learn.batch_size, learn.momentum) == (0.25, 1, 4, 0.0)
    Path("ours.py").write_text("policy = dict(learn=dict(learning_rate=0.5, train_epoch=3))\n")
    error = error_of(capsys, "train", "ours.py", "--data", str(picture_folder), *SMALL, *words)
    keys = (
        "policy.learn.learning_rate",
        "policy.learn.train_epoch",
        "exp_name",
        "policy.learn.batch_size and",
    )
    for line, word, key in zip(error.splitlines(), words, keys, strict=True):
        assert line.startswith(f"{word.partition('=')[0]} is mmclassification's spelling")
        assert f"; write {key} " in line
        assert line.endswith(f"(override {word})")


@pytest.mark.slow
def test_a_run_is_resumed_by_its_folder(
    picture_folder: Path, mm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ding_cls.train(mm, data=picture_folder, overrides=[*SMALL, "exp_name=first"])
    assert main(["train", "first", "--resume", "policy.learn.train_epoch=2"]) == 0
    assert Path("first/ckpt/iteration_10.pth.tar").exists()
    assert "'first' is a run's folder; --resume continues it" in error_of(capsys, "train", "first")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (
            "_base_ = 'small.py'\nlr_config = dict(policy='CosineAnnealing', min_lr=0)\n",
            [],
            "'step' comes from small.py:6: put _delete_=True beside type (child.py:2)",
        ),
        ("_base_ = 'small.py'\n", ["lr_config.polcy=step"], "(override lr_config.polcy=step)"),
        ("_base_ = 'small.py'\nrunners = 3\n", [], "runners is not a known key"),
        ("_base_ = 'small.py'\nrandomness = dict(seed=0)\n", [], "randomness is mmpretrain 1.x's spelling"),
        (
            "_base_ = 'small.py'\nload_from = 'https://127.0.0.1:1/c.pth'\n",
            [],
            "127.0.0.1:1/c.pth cannot be downloaded",
        ),
    ],
)
def test_the_message_names_the_cause(
    picture_folder: Path,
    mm: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: list[str],
    message: str,
) -> None:
    Path("child.py").write_text(text)
    data = ["--data", str(picture_folder)]
    assert message in error_of(capsys, "train", "child.py", *data, *SMALL, *words)
    assert not Path("child").exists()


def test_a_variable_that_is_used_is_no_key(picture_folder: Path, mm: Path) -> None:
    Path("child.py").write_text("_base_ = 'small.py'\nrate = 0.125\noptimizer = dict(lr=rate)\n")
    ding_cls.train("child.py", data=picture_folder, overrides=SMALL)
    assert read_config("child/total_config.py").policy.learn.learning_rate == 0.125


def test_no_data_are_named(mm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, "train", "small.py").startswith("no training data are named: set policy.collect")


# As a config of ImageNet's is written: a base for the network, lists of the config's own data.
IMAGENET = """
dataset_type = "ImageNet"
pipeline = [dict(type="LoadImageFromFile"), dict(type="Resize", size=8),
            dict(type="Normalize", mean=127.5, std=[127.5]),
            dict(type="ImageToTensor", keys=["img"]), dict(type="Collect", keys=["img", "gt_label"])]
data = dict(
    samples_per_gpu=8,
    workers_per_gpu=0,
    train=dict(type="RepeatDataset", times=1, dataset=dict(
        type="ImageNet", data_prefix="own/train", classes="own/classes.txt", pipeline=pipeline)),
    val=dict(type="ImageNet", data_prefix="own/val", ann_file="own/meta/val.txt", pipeline=pipeline),
    test=dict(type="ImageNet", data_prefix="own/val", ann_file="own/meta/val.txt", pipeline=pipeline))
model = dict(type="ImageClassifier", backbone=dict(type="ResNet", depth=18, out_indices=(0,)),
             neck=dict(type="GlobalAveragePooling"),
             head=dict(type="LinearClsHead", in_channels=64, num_classes=1000,
                       loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, num_classes=1000)),
             train_cfg=dict(augments=dict(type="BatchMixup", alpha=0.2, num_classes=1000, prob=1.0)))
optimizer = dict(type="SGD", lr=0.1)
runner = dict(type="EpochBasedRunner", max_epochs=1)
evaluation = dict(interval=1, metric="accuracy", metric_options=dict(topk=(1, 50)))
gpu_ids = range(0, 8)
work_dir = "mm"
"""


def test_a_config_of_imagenets_trains_on_a_folder_and_is_evaluated_there(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("imagenet.py").write_text(IMAGENET)
    data, words = str(picture_folder), ["policy.cuda=False"]
    report = dry_run("imagenet.py", data=data, overrides=words)
    told = "\n".join(report.remarks)
    assert "dataset_type: a variable (imagenet.py:2) that nothing reads" in told
    assert "takes the place of train.dataset.classes, val.ann_file;" in told
    assert "num_classes is 4, as in the data, not 1,000, in policy.model.head, policy.model.head.loss, " in told
    assert "; policy.eval.metric.topk is [1]" in told
    assert ding_cls.train("imagenet.py", data=data, overrides=words).run_folder == Path("mm")
    assert capsys.readouterr().out.count("num_classes is 4, as in the data") == 1
    saved = read_config("mm/total_config.py").policy
    assert (saved.model.head.num_classes, saved.learn.batch_augments.num_classes) == (4, 4)
    weights = torch.load("mm/ckpt/ckpt_best.pth.tar", weights_only=True)["model"]
    torch.save({"state_dict": weights}, "weights.pth")
    found = [
        ding_cls.evaluate("mm"),
        ding_cls.evaluate("mm", split="test"),
        ding_cls.evaluate("mm", data=data),
        ding_cls.evaluate("mm", data=picture_folder / "val"),
        ding_cls.evaluate("mm", config="imagenet.py", data=data),
        ding_cls.evaluate("weights.pth", config="imagenet.py", data=data, overrides=words),
        ding_cls.evaluate("weights.pth", config="imagenet.py", data=picture_folder / "val", overrides=words),
    ]
    assert [each["num_samples"] for each in found] == [20] * 7
    assert len({round(each["acc1"], 6) for each in found}) == 1


def test_a_config_of_imagenets_trains_without_validation(picture_folder: Path, workdir: Path) -> None:
    Path("imagenet.py").write_text(IMAGENET)
    shutil.rmtree(picture_folder / "val")
    words = ["policy.cuda=False", "policy.eval.evaluator.validate=False"]
    assert ding_cls.train("imagenet.py", data=picture_folder, overrides=words).run_folder == Path("mm")
    with pytest.raises(DataError, match="has no folder 'val'"):
        ding_cls.train("imagenet.py", data=picture_folder, overrides=words[:1])


def test_a_number_of_classes_that_is_typed_must_be_the_datas(picture_folder: Path, workdir: Path) -> None:
    Path("imagenet.py").write_text(IMAGENET)
    words = ["policy.cuda=False", "model.head.num_classes=7"]
    with pytest.raises(ConfigError, match="head.num_classes is 7, but the training data have 4"):
        dry_run("imagenet.py", data=picture_folder, overrides=words)
