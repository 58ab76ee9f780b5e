"""Other metrics, other data, a config in front, and the files of an evaluation."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.cli import main
from ding_cls.errors import CheckpointError, ConfigError, DataError
from ding_cls.pipeline import evaluate, train
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from tests.conftest import TinyNet, write_pictures
from tests.harness import SETTINGS, Finished, run_tiny, tiny_parts

ALONE = "policy.learn.learner.dataloader.num_workers=0"
PARTS = tiny_parts("LinearClsHead", in_channels=8)
CLASSES = ("ash", "birch", "cedar", "fir")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("finished"), ALONE, PARTS)


@pytest.fixture
def trained(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of the run ``run``, which lies in the current directory."""
    folder = finished.lay_out()
    monkeypatch.chdir(folder / "work")
    return folder / "pictures"


def read_csv(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_any_metric_by_its_name(trained: Path) -> None:
    usual = evaluate("run", out="a.npz")
    found = evaluate("run", metric="Accuracy", overrides=["policy.eval.metric.topk=[1, 2]"])
    saved = np.load("a.npz")
    order = (-saved["logits"]).argsort(1, kind="stable")
    acc2 = 100 * (order[:, :2] == saved["targets"][:, None]).any(1).mean()
    assert found == {"acc1": usual["acc1"], "acc2": acc2, "num_samples": 20}
    several = evaluate("run", metric=["F1", "ConfusionMatrix", "loss", {"type": "Accuracy", "topk": 3}])
    assert list(several) == ["loss", "f1_macro", "acc1", "confusion", "acc3", "num_samples"]
    assert np.trace(np.array(several["confusion"])) == usual["acc1"] / 5
    assert several["loss"] == pytest.approx(usual["loss"], rel=1e-6)
    by_words = evaluate("run", overrides=["policy.eval.metric.type=BrierScore"])
    assert by_words == evaluate("run", metric={"type": "BrierScore"})


@pytest.mark.parametrize(
    ("metric", "near"),
    [
        ("Acuracy", r"did you mean .*[aA]ccuracy"),
        ("precison", "did you mean precision"),
        ("ConfusionMatrx", "did you mean ConfusionMatrix"),
        ("map50x", "did you mean mAP"),
        ("zzz", "there are .*exact_match"),
        (["loss", "f2x1_scored"], "there is no metric 'f2x1_scored'"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(trained: Path, metric: Any, near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        evaluate("run", metric=metric)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("StringAccuracy", r"where a label is one number: this metric takes logits \(N, K, C\)"),
        (["string_accuracy", "accuracy"], r"ClassificationMetrics does not fit the data.*logits \(N, K, C\)"),
        ({"type": "TorchMetric", "metric": "MultilabelF1Score", "num_labels": 4}, "TorchMetric does not fit"),
    ],
)
def test_a_metric_of_other_labels_is_refused_before_the_data_are_read(
    trained: Path, metric: Any, reason: str
) -> None:
    (trained / "val" / "ash" / "000.png").write_bytes(b"no image")
    if isinstance(metric, dict):
        pytest.importorskip("torchmetrics")
    with pytest.raises(ConfigError, match=reason) as caught:
        evaluate("run", metric=metric)
    assert "\n" not in str(caught.value)


def test_words_that_change_nothing_here_are_refused(trained: Path) -> None:
    for word in (
        "policy.learn.learning_rate=3",
        "policy.collect.image_size=7",
        "policy.model.head.in_channels=9",
    ):
        with pytest.raises(ConfigError, match=rf"^{word}: an evaluation does not use {word.split('=')[0]}"):
            evaluate("run", overrides=[word])
    assert evaluate("run", overrides=["policy.eval.batch_size=3", ALONE]) == evaluate("run")
    with pytest.raises(ConfigError, match=r"policy\.eval\.metrics is not a known key"):
        evaluate("run", overrides=["policy.eval.metrics=3"])


def test_a_folder_of_classes_needs_no_split(trained: Path, tmp_path: Path) -> None:
    # Class numbers are the checkpoint's, though 'fir' is this folder's first; 'ash' is missing.
    bare = write_pictures(tmp_path / "bare", classes=("fir", "cedar"), per_class=3)
    evaluate("run", data=bare, out="o.csv")
    rows = read_csv("o.csv")
    assert [row["target"] for row in rows] == ["2"] * 3 + ["3"] * 3
    assert [row["path"] for row in rows] == [
        f"{bare}/{c}/00{n}.png" for c in ("cedar", "fir") for n in range(3)
    ]
    assert evaluate("run", data=trained / "val") == evaluate("run")
    assert evaluate_checkpoint("run", data=bare).split is None
    with pytest.raises(
        DataError, match=r"bare' has one folder for each class, and no folder 'test'; leave out"
    ):
        evaluate("run", data=bare, split="test")
    write_pictures(bare, classes=("oak", "firr", "yew"), per_class=1)
    with pytest.raises(
        DataError, match=r"bare' has 3 folders that are none of the 4 classes: 'firr', 'oak', "
    ):
        evaluate("run", data=bare)


def test_a_class_may_bear_a_splits_name(picture_folder: Path, workdir: Path) -> None:
    for split in ("train", "val"):
        (picture_folder / split / "ash").rename(picture_folder / split / "train")
    run_tiny(picture_folder, "run", ALONE, PARTS)
    whole = evaluate("run")
    assert evaluate("run", data=picture_folder) == evaluate("run", data=picture_folder / "val") == whole
    assert evaluate("run", data=picture_folder, split="train")["num_samples"] == 40


def test_what_is_no_folder_of_anything_is_one_line(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.png")
    with pytest.raises(
        DataError, match=r"flat' has no folder 'val', 'valid' or 'validation' \(it has 'a\.png'\)"
    ):
        evaluate("run", data=tmp_path / "flat")
    with pytest.raises(DataError, match=r"none' has no folder 'val', .* \(it does not exist\)"):
        evaluate("run", data=tmp_path / "none")
    with pytest.raises(DataError, match=r"has no folder 'test' \(it has 'train', 'val'\)"):
        evaluate("run", split="test")
    (tmp_path / "two" / "Training").mkdir(parents=True)
    (tmp_path / "two" / "Testing").symlink_to(trained / "val")
    with pytest.raises(
        DataError, match="two' has no folder for validation; to evaluate on 'Testing': --split"
    ):
        evaluate("run", data=tmp_path / "two")
    assert evaluate("run", data=tmp_path / "two", split="test") == evaluate("run")
    (tmp_path / "two" / "Testing").rename(tmp_path / "two" / "seg_test")
    for split, word in ((None, "validation"), ("test", "test")):
        remedy = f"two' has no folder for {word}; to evaluate on 'seg_test': --data {tmp_path}/two/seg_test"
        with pytest.raises(DataError, match=remedy):
            evaluate("run", data=tmp_path / "two", split=split)
    assert evaluate("run", data=tmp_path / "two" / "seg_test") == evaluate("run")


def test_files_of_published_data_may_lie_in_folders_of_their_own(workdir: Path) -> None:
    # Neither is a class: the folder is read as the run's own data are.
    from ding_cls.pipeline.evaluation.inputs import _is_one_split

    (workdir / "data" / "raw").mkdir(parents=True)
    section = {"train": None, "val": {"type": "CIFAR10"}, "test": None}
    assert not _is_one_split("data", section, ("cat", "dog"))
    (workdir / "data" / "cat").mkdir()
    assert _is_one_split("data", section, ("cat", "dog"))
    assert _is_one_split("data", dict.fromkeys(section), ("yew",))


def test_the_rows_of_a_csv_file_recount_the_result(trained: Path) -> None:
    usual = evaluate("run", out="a.npz")
    logits = torch.from_numpy(np.load("a.npz")["logits"])
    for size, name in ((1, "one.csv"), (7, "seven.CSV")):
        evaluate("run", batch_size=size, out=name)
    rows, others = read_csv("one.csv"), read_csv("seven.CSV")
    # The sixth digit of a score is float32's, and another batch size may round it otherwise.
    assert [{**row, "score": ""} for row in rows] == [{**row, "score": ""} for row in others]
    found = [float(row["score"]) for row in rows]
    assert found == pytest.approx([float(row["score"]) for row in others], abs=2e-6)
    header = "path,target,target_name,predicted,predicted_name,score,correct"
    assert Path("one.csv").read_text().splitlines()[0] == header
    assert [row["path"] for row in rows] == [
        f"{trained}/val/{c}/00{n}.png" for c in CLASSES for n in range(5)
    ]
    assert [row["target_name"] for row in rows] == [c for c in CLASSES for _ in range(5)]
    assert [int(row["predicted"]) for row in rows] == logits.argmax(1).tolist()
    assert all(row["predicted_name"] == CLASSES[int(row["predicted"])] for row in rows)
    scores = logits.double().softmax(1).amax(1)
    assert found == pytest.approx(scores.tolist(), abs=2e-6)
    assert 100 * sum(int(row["correct"]) for row in rows) / 20 == usual["acc1"]


def test_a_json_file_holds_results_classes_and_rows(trained: Path) -> None:
    result = evaluate("run", out="a.csv")
    evaluate("run", out="a.json")
    found = json.loads(Path("a.json").read_text())
    assert list(found) == [
        *("checkpoint", "train_iter", "folder", "split", "num_samples", "results", "intervals"),
        *("per_class", "rows"),
    ]
    assert {**found["results"], "num_samples": found["num_samples"]} == result
    assert (found["folder"], found["split"]) == (str(trained / "val"), "val")
    rows = read_csv("a.csv")
    assert [row["path"] for row in found["rows"]] == [row["path"] for row in rows]
    assert [row["correct"] for row in found["rows"]] == [row["correct"] == "1" for row in rows]
    single = evaluate("run", metric={"type": "SingleLabelMetric", "average": "none"})
    for name in ("precision", "recall", "f1"):
        assert [each[name] for each in found["per_class"]] == pytest.approx(single[f"{name}_per_class"])
    assert [each["images"] for each in found["per_class"]] == single["support"] == [5] * 4


def test_odd_names_survive(picture_folder: Path, workdir: Path) -> None:
    odd = os.fsdecode(b"a,\xff\n.png")
    (picture_folder / "val" / "ash" / "000.png").rename(picture_folder / "val" / "ash" / odd)
    for split in ("train", "val"):
        (picture_folder / split / "fir").rename(picture_folder / split / os.fsdecode(b"f\xe9r, big"))
    run_tiny(picture_folder, "run", ALONE, PARTS)
    evaluate("run", out="o.csv")
    evaluate("run", out="o.json")
    rows = json.loads(Path("o.json").read_text())["rows"]
    for found in (read_csv("o.csv"), rows):
        assert sum(os.path.exists(row["path"]) for row in found) == 20
        assert [os.fsencode(row["target_name"]) for row in found][-1] == b"f\xe9r, big"
    assert main(["eval", "run", "--wrong", "99"]) == 0


def test_a_metric_of_ones_own_has_rows_and_logits_too(trained: Path) -> None:
    usual = evaluate("run", out="a.npz")
    own = {"type": "t_evaluated", "scale": 1.0}
    from tests.pipeline import test_evaluate  # noqa: F401 (it enters the metric)

    share = evaluate("run", metric=own, out="b.npz")["share"]
    assert share == pytest.approx(1 - usual["acc1"] / 100)
    first, second = np.load("a.npz"), np.load("b.npz")
    assert all((first[name] == second[name]).all() for name in ("sample_ids", "targets", "logits"))


def config_file(**collect: Any) -> str:
    """Write a config that names other data and another metric, and a network and sizes that are not meant."""
    text = f"""policy = dict(
        model=dict(name="resnet50", pretrained=True),
        learn=dict(learner=dict(dataloader=dict(num_workers=0))),
        collect=dict(image_size=96, resize_size=99, mean=[0.1] * 3, **{collect!r}),
        eval=dict(batch_size=3, metric=dict(type="Accuracy", topk=[2])),
    )
    """
    Path("other.py").write_text(text)
    return "other.py"


def test_data_and_metric_come_from_the_config_all_else_from_the_checkpoint(
    trained: Path, tmp_path: Path
) -> None:
    other = write_pictures(tmp_path / "other", classes=("birch", "fir"), per_class=4)
    expected = evaluate("run", data=other, metric={"type": "Accuracy", "topk": [2]})
    config = config_file(eval_data_path=str(other))
    assert evaluate("run", config=config) == expected
    described = config_file(val={"type": "CustomDataset", "data_prefix": str(other)})
    assert evaluate("run", config=described) == expected
    loading = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": [2, 2]}]
    section = {"type": "CustomDataset", "data_prefix": str(other), "pipeline": loading}
    assert evaluate("run", config=config_file(val=section)) == expected
    config = config_file(eval_data_path=str(other))
    three = evaluate("run", config=config, overrides=["policy.eval.metric.topk=[1, 3]"])
    assert list(three) == ["acc1", "acc3", "num_samples"]
    assert set(evaluate("run", config=config, metric="loss")) == {"loss", "num_samples"}
    assert evaluate("run", config=config, data=trained)["num_samples"] == 20
    assert evaluate("run", config="run") == evaluate("run")
    shutil.copytree("run", "named")
    assert main(["eval", config, "named/ckpt/ckpt_best.pth.tar", "--out", "r.json"]) == 0
    assert json.loads(Path("r.json").read_text())["results"] == {"acc2": expected["acc2"]}


def test_weights_alone_take_their_network_from_the_config(trained: Path) -> None:
    expected = evaluate("run")
    weights = read_checkpoint("run/ckpt/ckpt_best.pth.tar")["model"]
    write_checkpoint("bare.pth.tar", {"model": weights})
    torch.save(weights, "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": weights, "meta": {"CLASSES": list(CLASSES)}}, "theirs.pth")
    for name in ("bare.pth.tar", "old.pth", "theirs.pth"):
        assert evaluate(name, config="run/total_config.py") == expected
        assert main(["eval", "run/total_config.py", name]) == 0
    # The training data are elsewhere: only a checkpoint that notes its classes can tell their numbers.
    part = trained.parent / "part"
    shutil.copytree(trained / "val" / "fir", part / "val" / "fir")
    shutil.rmtree(trained / "train")
    assert evaluate("theirs.pth", config="run", data=part)["num_samples"] == 5
    with pytest.raises(
        CheckpointError, match=r"'old\.pth' was trained on other classes than these 1: head\.fc"
    ):
        evaluate("old.pth", config="run", data=part)
    with pytest.raises(
        CheckpointError, match=r"name the config of its network in front: ding-cls eval CONFIG theirs"
    ):
        evaluate("theirs.pth")


def run_labels(folder: Path, labels: Any, *settings: str) -> None:
    images = np.random.default_rng(0).integers(255, size=(16, 8, 8), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=labels, classes=CLASSES)
    grey = {"type": "Normalize", "mean": [99.0] * 3, "std": [50.0] * 3, "to_rgb": False}
    section = {"type": "ArrayDataset", "data_prefix": str(folder / "data.npz"), "pipeline": [grey]}
    config = {"policy": {"collect": {"train": section, "val": {**section, "test_mode": True}}}}
    train(config, epochs=1, exp_name="run", overrides=[*SETTINGS, ALONE, *settings])


def test_several_labels_share_a_cell(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, -1]] * 4, np.float32)
    run_labels(workdir, labels, tiny_parts("MultiLabelLinearClsHead", in_channels=8))
    result = evaluate("run", out="o.csv")
    capsys.readouterr()
    rows = read_csv("o.csv")
    assert [row["target"] for row in rows[:4]] == ["0|2", "", "0|1|2|3", "1"]
    assert [row["target_name"] for row in rows[:4]] == ["ash|cedar", "", "ash|birch|cedar|fir", "birch"]
    assert 100 * sum(int(row["correct"]) for row in rows) / 16 == result["exact_match"]
    assert ding_cls.evaluate("run", metric=["mAP", "exact_match"])["exact_match"] == result["exact_match"]
    with pytest.raises(
        ConfigError, match="Accuracy does not fit the data, where a label has several labels: "
    ):
        evaluate("run", metric="Accuracy")
    assert main(["eval", "run", "--wrong", "2", "--metric", "mAP"]) == 0
    printed = capsys.readouterr().out
    assert "labels" in printed
    assert "AP %" in printed


def test_of_several_tasks_each_has_its_place_in_the_cell(workdir: Path) -> None:
    one = np.arange(16) % 4
    head = tiny_parts("MultiTaskHead", num_tasks=3, in_channels=8)
    run_labels(workdir, np.stack([one, one[::-1], one], 1), head)
    result = evaluate("run", out="o.csv")
    rows = read_csv("o.csv")
    assert [row["target"] for row in rows[:2]] == ["0|3|0", "1|2|1"]
    assert rows[0]["target_name"] == "ash|fir|ash"
    assert all(row["score"].count("|") == row["predicted"].count("|") == 2 for row in rows)
    assert 100 * sum(int(row["correct"]) for row in rows) / 16 == result["acc_string"]
    with pytest.raises(ConfigError, match="where a label is 3 numbers, one for each task: this metric takes"):
        evaluate("run", metric="accuracy")
    write_pictures(workdir / "bare", classes=("ash",), per_class=1)
    with pytest.raises(
        ConfigError, match=r"label of the data is one number, and .* has num_tasks=3; name other"
    ):
        evaluate("run", data=workdir / "bare")


def test_a_network_of_ones_own_takes_all_of_it_too(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "given", ALONE)
    found = evaluate("given", model=TinyNet(), metric="recall", data=picture_folder / "val", out="o.json")
    assert found["recall_macro"] == json.loads(Path("o.json").read_text())["results"]["recall_macro"]
