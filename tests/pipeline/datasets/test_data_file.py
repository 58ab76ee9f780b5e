"""``--data FILE``: what becomes of a table or of arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ding_cls.data import CSVDataset
from ding_cls.errors import DataError
from ding_cls.pipeline import evaluate, kfold, train
from ding_cls.pipeline.datasets.data_file import (
    evaluation_section,
    is_data_file,
    table_lines,
    training_sections,
)
from ding_cls.pipeline.dry_run.run import dry_run
from ding_cls.pipeline.image_check import check_files
from ding_cls.pipeline.train import read_run
from ding_cls.worker import BaseLearner
from tests.conftest import TinyNet
from tests.harness import SETTINGS

LOAD = [{"type": "LoadImageFromFile"}]
SPLITS = "path,label,split\na.png,cat,train\nb.png,dog,valid\nc.png,dog,test\n"
PLAIN = "path,label\na.png,cat\nb.png,dog\n"


@pytest.fixture
def folder(workdir: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (8, 8)).save(name)
    return workdir


def written(text: str, name: str = "own.csv") -> str:
    Path(name).write_text(text)
    return name


def sections(data: str, cfg: object = None, **options: bool) -> dict:
    given = training_sections(cfg or {}, data, **{"is_validated": True, **options})
    return {key.removeprefix("policy.collect."): value for key, value in given.items()}


def test_what_counts_as_a_file_of_data(folder):
    (folder / "d.csv").mkdir()
    written(PLAIN)
    assert [is_data_file(each) for each in ("own.csv", "gone.tsv", "gone.npz", "d.csv", "gone")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_column_of_splits_makes_three_sections(folder):
    found = sections(written(SPLITS))
    assert [found[each]["split"] for each in ("train", "val", "test")] == ["train", "valid", "test"]
    assert found["train"] == {
        "type": "CSVDataset",
        "ann_file": "own.csv",
        "path": "path",
        "label": "label",
        "labels": "one",
        "weight": None,
        "group": None,
        "split": "train",
        "split_column": "split",
        "_delete_": True,
    }
    assert (found["learn_data_path"], found["eval_data_path"]) == ("", "")


def test_columns_and_pipelines_of_a_config_stay(folder):
    pipeline = [{"type": "LoadImageFromFile"}]
    described = {"type": "CSVDataset", "ann_file": "old.csv", "label": "kind", "classes": ["x"]}
    cfg = {"policy": {"collect": {"train": {**described, "pipeline": pipeline}, "test": described}}}
    found = sections(written("path,kind,label,split\na.png,1,2,train\nb.png,1,2,val\n"), cfg)
    assert found["train"]["pipeline"] == pipeline
    assert (found["train"]["label"], found["val"]["label"]) == ("kind", "kind")
    assert "classes" not in found["train"]
    assert "pipeline" not in found["val"]
    assert found["test"] is None


def test_tables_of_other_splits_beside_a_table_of_training(folder):
    for name in ("train_labels.csv", "valid_labels.csv", "test_labels.csv"):
        written(PLAIN, name)
    found = sections("train_labels.csv")
    assert [found[each]["ann_file"] for each in ("val", "test")] == ["valid_labels.csv", "test_labels.csv"]
    written("id\nx\n", "test_labels.csv")
    assert sections("train_labels.csv").get("test") is None
    written(PLAIN, "val_labels.csv")
    with pytest.raises(DataError, match=r"'val_labels.csv' and 'valid_labels.csv' are for one split"):
        sections("train_labels.csv")


@pytest.mark.parametrize(
    ("train", "others"),
    [
        ("Training.csv", ["Validation.csv", "Testing.csv"]),
        ("TRAIN_v2.csv", ["valid_v2.csv", "Test_v2.csv"]),
        ("trainLabels.csv", ["devLabels.csv", "testLabels.csv"]),
    ],
)
def test_tables_beside_may_be_called_by_any_word_for_their_split(folder, train, others):
    for name in (train, *others):
        written(PLAIN, name)
    assert [sections(train)[each]["ann_file"] for each in ("val", "test")] == others


@pytest.mark.parametrize("name", ["trainval.csv", "constrained.csv"])
def test_a_table_of_both_splits_has_none_beside_it(folder, name):
    for each in (name, "val.csv", "conval.csv"):
        written(PLAIN, each)
    with pytest.raises(
        DataError, match="no column of splits; add a column split with train and val in it, or"
    ):
        sections(name)


def test_a_word_says_which_columns_and_which_folder_all_splits_have(folder):
    (folder / "small").mkdir()
    written("id,stage,sex,split\na,1,m,train\nb,2,f,val\n")
    found = sections(
        "own.csv",
        words=["policy.collect.train.label=stage", "policy.collect.train.data_prefix=small", "seed=1"],
    )
    assert [found[each]["label"] for each in ("train", "val")] == ["stage", "stage"]
    assert (found["learn_data_path"], found["eval_data_path"]) == ("small", "small")
    written("id,cat,dog,split\na,1,0,train\nb,0,1,val\n")
    found = sections("own.csv", words=["policy.collect.train.labels=one"])
    assert [found[each]["labels"] for each in ("train", "val")] == ["one", "one"]


def test_what_a_run_says_of_its_labels_holds_for_another_table(folder):
    like = {"type": "CSVDataset", "path": "path", "label": "label", "labels": "several", "separator": "|"}
    found, _ = evaluation_section(written(PLAIN), None, like)
    assert (found["labels"], found["separator"]) == ("several", "|")
    found, _ = evaluation_section(written("image,species\na.png,cat\nb.png,dog\n"), None, like)
    assert found["labels"] == "one"


@pytest.mark.parametrize(
    ("trained", "text", "labels"),
    [
        ("one", "path,cat,dog\na.png,1,0\nb.png,0,1\n", "one"),
        ("one", "path,cat,dog\na.png,1,1\nb.png,0,1\n", "several"),
        ("several", "path,cat,dog\na.png,1,0\nb.png,0,1\n", "several"),
        ("", "path,cat,dog\na.png,1,0\nb.png,0,1\n", "several"),
        ("several", PLAIN, "several"),
    ],
)
def test_cells_of_two_meanings_are_read_as_the_network_answers(folder, trained, text, labels):
    found, _ = evaluation_section(written(text), None, None, classes=("cat", "dog"), trained=trained)
    assert found["labels"] == labels
    # Whoever has described these very columns is not corrected.
    like = {"type": "CSVDataset", "label": found["label"], "labels": "several", "separator": "|"}
    found, _ = evaluation_section("own.csv", None, like, classes=("cat", "dog"), trained=trained)
    assert found["labels"] == "several"


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (
            "path,label,is_training_img\na.png,x,1\nb.png,y,0\n",
            {},
            "add a column split with train and val in it, by what 'is_training_img' says$",
        ),
        (
            "path,label,Usage\na.png,x,Training\nb.png,y,PublicTest\nc.png,y,PrivateTest\n",
            {},
            "has nothing for validation: it has train",
        ),
        (PLAIN, {}, "no column of splits; add a column split .* kfold --data own.csv; .* --no-validate"),
        (
            SPLITS.replace("valid", "test"),
            {},
            "nothing for validation: it has train and test; .*--no-validate",
        ),
        (
            SPLITS.replace("train", "test"),
            {"is_validated": False},
            "nothing for training: it has val and test",
        ),
        (SPLITS + "a.png,cat,val\n", {}, "'valid' and 'val' in the column 'split' mean one split"),
        (SPLITS.replace("train", "0").replace("valid", "1").replace("test", "2"), {}, "'split' says 0, 1, 2"),
    ],
)
def test_a_table_that_lacks_a_split_is_refused_in_a_line(folder, text, options, reason):
    with pytest.raises(DataError, match=reason) as caught:
        sections(written(text), **options)
    assert "\n" not in str(caught.value)


def test_all_rows_are_trained_on_or_divided_where_nothing_says_otherwise(folder):
    file = written(PLAIN)
    assert "split" not in sections(file, is_validated=False)["train"]
    assert "split" not in sections(file, only_training=True)["train"]
    found = sections(written(SPLITS), only_training=True)
    assert (found["train"]["split"], found.get("val"), found["test"]["split"]) == ("train", None, "test")


def test_several_labels_bring_their_loss_where_the_config_says_nothing(folder):
    file = written("path,cat,dog,split\na.png,1,1,train\nb.png,0,1,val\n")
    loss = {"type": "CrossEntropyLoss", "use_sigmoid": True}
    assert sections(file)["policy.learn.loss"] == loss
    assert "policy.learn.loss" not in sections(file, {"policy": {"learn": {"loss": "BCEWithLogitsLoss"}}})
    assert "policy.learn.loss" not in sections(file, {"policy": {"model": {"type": "ImageClassifier"}}})


def test_arrays_are_named_by_split(folder):
    arrays = {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, 1])}
    np.savez("one.npz", **arrays)
    with pytest.raises(DataError, match="says nothing of splits; name its arrays x_train, y_train, x_val"):
        sections("one.npz")
    assert sections("one.npz", is_validated=False)["learn_data_path"] == "one.npz"
    names = {"images": "x", "labels": "y"}
    np.savez("k.npz", **{f"{names[k]}_{p}": v for k, v in arrays.items() for p in ("train", "test")})
    found = sections("k.npz")
    assert (found["learn_data_path"], found["eval_data_path"]) == ("k.npz", "k.npz")
    assert found["val"] == {
        "type": "ArrayDataset",
        "images": "x_test",
        "labels": "y_test",
        "_delete_": True,
    }


@pytest.mark.parametrize(
    ("text", "split", "found"),
    [
        (SPLITS, None, "val"),
        (SPLITS, "train", "train"),
        (SPLITS.replace("valid", "train"), None, "test"),
        (PLAIN, None, None),
    ],
)
def test_which_rows_are_evaluated(folder, text, split, found):
    section, name = evaluation_section(written(text), split, None)
    assert name == found
    assert ("split" in section) == (found is not None)


def test_a_split_to_evaluate_that_is_not_there_is_named(folder):
    with pytest.raises(DataError, match="has no column of splits; leave out --split test"):
        evaluation_section(written(PLAIN), "test", None)
    with pytest.raises(DataError, match="has nothing for the test: it has train and val"):
        evaluation_section(written(SPLITS.replace("dog,test", "dog,train")), "test", None)


def test_the_table_in_a_folder_is_pointed_at(folder):
    Path("d").mkdir()
    written(PLAIN, "d/labels.csv")
    settings = {"model": None, "epochs": None, "pretrained": False, "synthetic": False, "exp_name": None}
    with pytest.raises(DataError, match=r"no folder 'train'.*; for the table in it: --data d/labels\.csv"):
        read_run(None, data="d", resume=False, overrides=[], **settings)


def test_a_table_is_told_once_with_what_is_unusual(folder):
    file = written("path,label,split,weight,group,age\na.png,cat,train,1,x,3\nb,cat,val,2,y,3\n")
    sets = [CSVDataset(ann_file=file, split=each, test_mode=each == "val") for each in ("train", "val")]
    (line,) = table_lines(sets)
    assert line == (
        "own.csv: path from 'path', label from 'label', split from 'split'; weights in the loss from "
        "'weight' (weight=None leaves them out); groups from 'group', which stay together in kfold; "
        "not used: age; .png is added to names without an ending"
    )
    (short,) = table_lines(sets[1:], is_training=False)
    assert "weight" not in short
    assert table_lines([object()]) == []


def test_a_run_of_a_table_is_called_by_its_name_and_described_by_its_columns(folder):
    file = written(SPLITS, "pets.csv")
    settings = {"model": None, "epochs": None, "pretrained": False, "synthetic": False, "exp_name": None}
    described = read_run(None, data=file, resume=False, overrides=[], **settings)
    assert described.cfg["exp_name"] == "runs/pets_resnet18"
    assert described.problems == []
    assert described.cfg["policy"]["collect"]["val"]["split"] == "valid"
    other = "policy.collect.val={type: CSVDataset, ann_file: other.csv}"
    described = read_run(None, data=written(PLAIN), resume=False, overrides=[other], **settings)
    assert described.cfg["policy"]["collect"]["val"]["ann_file"] == "other.csv"


def tabled(root: Path, *, gone: int = 0) -> str:
    """Write a table of the pictures below a folder, and of some that are not there."""
    files = sorted(root.rglob("*.png"))
    rows = [f"{each.relative_to(root)},{each.parent.name},{each.parts[-3]}\n" for each in files]
    rows += [f"gone {number}.png,ash,{'train' if number % 2 else 'val'}\n" for number in range(gone)]
    (root / "labels.csv").write_text("file,species,set\n" + "".join(rows))
    return str(root / "labels.csv")


def test_a_table_trains_and_is_evaluated_as_its_folder(picture_folder, workdir, capsys):
    words = [*SETTINGS, "policy.learn.train_epoch=1", "policy.learn.learner.dataloader.num_workers=0"]
    file = tabled(picture_folder)
    torch.manual_seed(0)
    train(data=file, model=TinyNet(), seed=5, exp_name="run", overrides=words)
    network = TinyNet()
    result = evaluate("run", model=network)
    assert evaluate("run", data=file, model=network) == result
    assert evaluate("run", data=file, split="train", model=network)["num_samples"] == 40
    out = capsys.readouterr().out
    # By training, and by each evaluation that is given the table.
    assert out.count(f"{file}: path from 'file', label from 'species', split from 'set'") == 3


@pytest.mark.parametrize("verb", ["train", "dry_run", "kfold", "evaluate"])
def test_missing_images_are_counted_before_anything_is_read(picture_folder, workdir, verb, monkeypatch):
    if verb == "evaluate":
        torch.manual_seed(0)
        words = [*SETTINGS, "policy.learn.train_epoch=1", "policy.learn.learner.dataloader.num_workers=0"]
        train(data=picture_folder, model=TinyNet(), exp_name="run", overrides=words)
    file = tabled(picture_folder, gone=20)
    monkeypatch.setattr(BaseLearner, "start", None)
    calls = {
        "train": lambda: train(data=file, model="resnet18", overrides=SETTINGS),
        "dry_run": lambda: dry_run(data=file, model="resnet18", overrides=SETTINGS),
        "kfold": lambda: kfold(data=file, model="resnet18", overrides=SETTINGS),
        "evaluate": lambda: evaluate("run", data=file, model=TinyNet()),
    }
    counts = {"train": "20 of 80", "dry_run": "20 of 80", "kfold": "10 of 50", "evaluate": "10 of 30"}[verb]
    reason = rf"{counts} images named by '.*labels\.csv' do not exist: ('.*gone \d+\.png'(, )?){{5}} and "
    with pytest.raises(
        DataError, match=rf"{reason}(15|5) more; put them there, or leave them out: .*max_bad="
    ):
        calls[verb]()
    assert not list(workdir.glob("runs/*"))


def test_a_table_of_arrays_trains(workdir):
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(8)[:, None] % 4
    np.savez("k.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    words = [*SETTINGS, "policy.learn.train_epoch=1", "policy.learn.learner.dataloader.num_workers=0"]
    train(data="k.npz", model=TinyNet(), exp_name="run", overrides=words)
    network = TinyNet()
    assert evaluate("run", model=network) == evaluate("run", data="k.npz", split="train", model=network)


def test_missing_addresses_and_folders_have_their_own_remedy(workdir):
    Path("web.csv").write_text("path,label\nhttps://x.org/a.png,cat\nhttps://x.org/b.png,dog\n")
    with pytest.raises(DataError, match=r"2 of 2 images .*; download them; images are read from files"):
        check_files([CSVDataset(ann_file="web.csv", pipeline=LOAD)])
    Path("own.csv").write_text("path,label\na.png,cat\n")
    with pytest.raises(DataError, match=r"1 of 1 images .*set data_prefix to the folder that the paths"):
        check_files([CSVDataset(ann_file="own.csv", pipeline=LOAD)])
