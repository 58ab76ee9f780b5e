import pytest
import torch

from ding_cls.data import CSVDataset, build_eval_loader, build_train_loader
from ding_cls.errors import ConfigError, DataError

LOAD = [{"type": "LoadImageFromFile"}]
TABLE = """\ufeffpath,label,split,weight,group
a.png,cat,train,1,x
b.png,dog,train,2.5,y
"c,d.png",cat,val,1,x
"""


@pytest.fixture
def folder(make_pictures):
    root = make_pictures("d", "a.png", "b.png", "c,d.png")
    (root / "all.csv").write_text(TABLE, encoding="utf-8")
    return root


def write(folder, text):
    (folder / "own.csv").write_text(text)
    return folder / "own.csv"


def test_a_split_is_chosen_with_its_weights_and_groups(folder):
    train = CSVDataset(ann_file=folder / "all.csv", pipeline=LOAD, split="train")
    assert train.classes == ("cat", "dog")
    assert (train.targets, train.sample_weights, train.groups) == ([0, 1], [1.0, 2.5], ["x", "y"])
    assert [info["img_info"]["filename"] for info in train.data_infos] == ["a.png", "b.png"]
    val = CSVDataset("", LOAD, ["dog", "cat"], folder / "all.csv", split="val")
    assert (val.targets, val.sample_weights) == ([1], [1.0])
    assert val.load(0)[0].shape == (16, 20, 3)
    assert len(CSVDataset(folder, LOAD, ann_file=folder / "all.csv")) == 3


def test_weights_reach_the_batches_of_training_alone(folder):
    dataset = CSVDataset(ann_file=folder / "all.csv", pipeline=LOAD)
    (batch,) = build_train_loader(dataset, 3, seed=0)
    expected = torch.tensor(dataset.sample_weights)[batch.sample_ids]
    assert torch.equal(batch.weights, expected)
    assert batch.weights.dtype == torch.float32
    (judged,) = build_eval_loader(dataset, 3)
    assert judged.weights is None
    alike = CSVDataset(ann_file=folder / "all.csv", pipeline=LOAD, split="val")
    assert next(iter(build_train_loader(alike, 1, seed=0))).weights is None


def test_columns_may_have_other_names(folder):
    file = write(folder, "image_id,kind,part,w\na.png,1,1,0.5\nb.png,0,2,2\n")
    names = {"path": "image_id", "label": "kind", "split_column": "part", "weight": "w"}
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, split="2", classes=["n", "y"], **names)
    assert (dataset.targets, dataset.sample_weights, dataset.groups) == ([0], [2.0], None)


def test_several_labels_make_a_multi_hot_target(folder):
    file = write(folder, "path,label\na.png,cat dog\nb.png,\n")
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, labels="several")
    assert dataset.targets == [[1, 1], [0, 0]]
    assert [dataset.get_cat_ids(index) for index in range(2)] == [[0, 1], []]
    target = dataset.load(0)[1]
    assert (target.dtype, target.tolist()) == (torch.float32, [1, 1])


def test_every_character_may_be_a_task(folder):
    file = write(folder, "path,label\na.png,ab1\nb.png,1bb\n")
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, labels="tasks", separator="", classes=["1", "a", "b"])
    assert dataset.targets == [[1, 2, 0], [0, 2, 2]]
    (batch,) = build_eval_loader(dataset, 2)
    assert batch.targets.dtype == torch.int64
    assert batch.targets.tolist() == [[1, 2, 0], [0, 2, 2]]
    assert dataset.get_cat_ids(1) == [0, 2, 2]


def test_tasks_may_stand_in_columns_of_their_own(folder):
    file = write(folder, "path,first,second\na.png,big cat,red\nb.png,red,red\n")
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, label=["first", "second"])
    assert dataset.classes == ("big cat", "red")
    assert dataset.targets == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("a,label\n", {}, "has no column 'path'; its first line names a, label"),
        ("", {}, "has no column 'path'; its first line names none"),
        ("path,label\n", {}, "found no samples in"),
        ("path,label,label\na.png,cat,dog\n", {}, "first line of the CSV file '.*' names 'label' twice"),
        ("path,label\na.png,cat\n", {"split": "train"}, "has no column 'split'"),
        ("path,label\na.png\n", {}, "line 2 has more or fewer cells"),
        ("path,label\na.png,cat,1\n", {}, "line 2 has more or fewer cells"),
        ("path,label\n,cat\n", {}, "line 2 has no 'path'"),
        ("path,label\na.png,\n", {}, "line 2 has 0 labels, not 1"),
        (
            "path,label\na.png,cat\nb.png,owl\n",
            {"classes": ["cat"]},
            "line 3: 'owl' is none of the 1 classes",
        ),
        ("path,label\na.png,7\n", {"classes": ["cat"]}, "line 2: there is no class number 7 among 1 classes"),
        ("path,label,weight\na.png,cat,0\n", {}, "line 2 has the weight '0'; a weight is a number above 0"),
        ("path,label,weight\na.png,cat,x\n", {}, "line 2 has the weight 'x'"),
        ("path,label\na,b c\nb,b\n", {"labels": "tasks"}, "line 3 has 1 labels, not 2"),
    ],
)
def test_a_bad_table_is_named(folder, text, options, reason):
    with pytest.raises(DataError, match=reason):
        CSVDataset(ann_file=write(folder, text), pipeline=LOAD, **options)


def test_a_column_of_row_numbers_without_a_name_is_let_be(folder):
    # As pandas writes them.
    assert CSVDataset(ann_file=write(folder, ",path,label\n0,a.png,cat\n"), pipeline=LOAD).targets == [0]


def test_names_of_columns_may_have_spaces_around_them(folder):
    file = write(folder, "path , label\r\na.png, cat\r\n")
    assert CSVDataset(ann_file=file, pipeline=LOAD).classes == ("cat",)


def test_the_file_and_the_form_of_labels_must_be_said(folder):
    with pytest.raises(ConfigError, match="lacks the argument 'ann_file'"):
        CSVDataset(folder, LOAD)
    with pytest.raises(ConfigError, match="labels='many' must be 'one', 'several' or 'tasks'"):
        CSVDataset(ann_file=folder / "all.csv", labels="many")
    with pytest.raises(DataError, match=r"CSV file '.*none\.csv' cannot be read: No such file"):
        CSVDataset(ann_file=folder / "none.csv")


def test_a_picture_with_two_labels_or_in_two_splits_is_told(folder, caplog):
    text = "path,label,split\na.png,cat,train\na.png,dog,train\nb.png,dog,train\nb.png,dog,test\n"
    file = write(folder, text)
    assert CSVDataset(ann_file=file, pipeline=LOAD, split="train").targets == [0, 1, 1]
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "'a.png' has another label above",
        "'b.png' is in another split too",
    ]
    assert caplog.text.count("line 3") == caplog.text.count("line 4") == 1
    caplog.clear()
    CSVDataset(ann_file=write(folder, "path,label\na.png,cat\na.png,cat\n"), pipeline=LOAD)
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("path,label,patient\n", {"group": "patien"}, "no column 'patien'; did you mean 'patient'"),
        (
            "path,label,weight\n",
            {"weight": "wieght"},
            "no column 'wieght'; did you mean 'weight'.* names path, ",
        ),
        (
            "path,label,part\n",
            {"split_column": "prt", "split": "train"},
            "no column 'prt'; did you mean 'part'",
        ),
        ("path,labels\n", {}, "no column 'label'; did you mean 'labels'"),
        ("pfad,label\n", {"path": "file"}, "no column 'file'; its first line names pfad, label"),
    ],
)
def test_a_column_that_was_named_must_be_there(folder, text, options, message):
    with pytest.raises(DataError, match=message):
        CSVDataset(ann_file=write(folder, text), pipeline=LOAD, **options)


def test_pictures_to_judge_need_neither_weights_nor_groups(folder):
    file = write(folder, "path,label\na.png,cat\n")
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, weight="w", group="patient", test_mode=True)
    assert (dataset.sample_weights, dataset.groups) == (None, None)
    # Nor is a column of that name read: it may hold another measure, or be empty.
    patients = write(folder, "path,label,weight\na.png,cat,\n")
    assert CSVDataset(ann_file=patients, pipeline=LOAD, test_mode=True).sample_weights is None
    with pytest.raises(DataError, match="line 2 has the weight ''"):
        CSVDataset(ann_file=patients, pipeline=LOAD)


@pytest.mark.parametrize(
    ("cells", "options", "classes", "targets"),
    [
        (("001", "010"), {}, ("001", "010"), [0, 1]),
        (("10234", "777"), {}, ("777", "10234"), [1, 0]),
        (("1", "2"), {}, ("1", "2"), [0, 1]),
        (("1", "10"), {"classes": ["0", "1", "10", "11", "2"]}, ("0", "1", "10", "11", "2"), [1, 2]),
        (("1", "0"), {"classes": ["cat", "dog"]}, ("cat", "dog"), [1, 0]),
        (("007 12", "12"), {"labels": "several"}, ("007", "12"), [[1, 1], [0, 1]]),
        (("2 1", "1 2"), {"labels": "tasks"}, ("1", "2"), [[1, 0], [0, 1]]),
    ],
)
def test_labels_are_words_first(folder, cells, options, classes, targets):
    file = write(folder, "path,label\na.png,{}\nb.png,{}\n".format(*cells))
    dataset = CSVDataset(ann_file=file, pipeline=LOAD, **options)
    assert (dataset.classes, dataset.targets) == (classes, targets)


@pytest.mark.parametrize(
    ("cell", "classes", "reason"),
    [
        ("0", ["1", "2", "3"], r"'0' is none of the 3 classes; labels are names, not positions"),
        ("1", ["001", "002"], r"'1' is none of the 2 classes; '001' is the same word in another form"),
        ("007", list("abcdefgh"), r"'007' is none of the 8 classes"),
        ("1.0", ["cat", "dog"], r"'1\.0' is none of the 2 classes"),
        ("1", ["v1", "v2", "v3"], r"the label 1 is 'v2' by its position and 'v1' by its name"),
    ],
)
def test_a_label_that_may_be_another_class_is_refused(folder, cell, classes, reason):
    with pytest.raises(DataError, match=rf"own\.csv', line 2: {reason}"):
        CSVDataset(ann_file=write(folder, f"path,label\na.png,{cell}\n"), pipeline=LOAD, classes=classes)


FLAGS = "path,cat,dog,cow\na.png,1,0,0\nb.png,0,1,1\n"


@pytest.mark.parametrize("labels", [None, "several"])
def test_columns_of_0_and_1_are_several_labels(folder, labels):
    dataset = CSVDataset(ann_file=write(folder, FLAGS), label=["dog", "cow", "cat"], labels=labels)
    assert (dataset.labels, dataset.classes) == ("several", ("dog", "cow", "cat"))
    assert dataset.targets == [[0, 0, 1], [1, 1, 0]]
    assert dataset.columns["label"] == "dog, cow, cat"
    other = CSVDataset(ann_file=write(folder, FLAGS), label=["cat", "cow"], classes=["cow", "cat", "dog"])
    assert (other.targets, other.unused) == ([[0, 1, 0], [1, 0, 0]], ["dog"])


@pytest.mark.parametrize("names", [["0", "1", "2"], ["3", "5", "7"]])
def test_columns_called_by_numbers_are_names(folder, names):
    file = write(folder, FLAGS.replace("cat,dog,cow", ",".join(names)))
    dataset = CSVDataset(ann_file=file, label=names)
    assert (dataset.classes, dataset.targets) == (tuple(names), [[1, 0, 0], [0, 1, 1]])


def test_columns_of_0_and_1_may_say_one_label_or_be_tasks(folder):
    file = write(folder, "path,cat,dog\na.png,1.0,0.0\nb.png,0,1\n")
    one = CSVDataset(ann_file=file, label=["cat", "dog"], labels="one")
    assert (one.targets, one.classes) == ([0, 1], ("cat", "dog"))
    tasks = CSVDataset(ann_file=write(folder, FLAGS), label=["cat", "dog"], labels="tasks")
    assert (tasks.labels, tasks.targets) == ("tasks", [[1, 0], [0, 1]])
    # So are the rows of another split, where those of training have more words.
    of_training = CSVDataset(ann_file=write(folder, FLAGS), label=["cat", "dog"], classes=["0", "1", "2"])
    assert (of_training.labels, of_training.targets) == ("tasks", [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (FLAGS, {"labels": "one"}, "line 3 has 2 labels, not 1"),
        (FLAGS.replace("1,1", "1,x"), {"labels": "several"}, "has 'x' in the column 'cow'; .* hold 0 and 1"),
        (FLAGS, {"classes": ["cat", "dog"]}, "column 'cow' .* is none of the 2 classes"),
        (FLAGS.replace("0,1,1", "0,1"), {}, "line 3 has more or fewer cells"),
    ],
)
def test_what_is_wrong_with_columns_of_0_and_1_is_said(folder, text, options, reason):
    if "classes" in options:
        options = {**options, "labels": "several"}
    with pytest.raises(DataError, match=reason):
        CSVDataset(ann_file=write(folder, text), label=["cat", "dog", "cow"], **options)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path;label\na.png;käfer\nb.png;dog\n", "utf-16"),
        ("path\tlabel\r\na.png\tkäfer\r\n\r\nb.png\tdog\r\n", "cp1252"),
        ("path,label\n.\\a.png,käfer\nD:\\x\\b.png,dog\n", "utf-8"),
        ("path,label\nA,käfer\nb,dog\n", "utf-8-sig"),
    ],
)
def test_tables_of_other_programs_are_read(folder, text, encoding):
    (folder / "own.csv").write_bytes(text.encode(encoding))
    dataset = CSVDataset(ann_file=folder / "own.csv", pipeline=LOAD)
    assert dataset.classes == ("dog", "käfer")
    assert dataset.load(0)[0].shape == (16, 20, 3)


def test_what_was_read_otherwise_than_written_is_kept_for_the_run_to_tell(folder):
    file = write(folder, "path,label,age,weight\nC:\\d\\a,cat,3,1\nC:\\d\\b,cat,4,1\n")
    dataset = CSVDataset(ann_file=file, pipeline=LOAD)
    assert dataset.columns == {"path": "path", "label": "label", "weight": "weight"}
    assert dataset.unused == ["age"]
    assert len(dataset.remarks) == 2
    assert "'C:\\\\d\\\\' are read from" in dataset.remarks[0]
    assert dataset.remarks[1] == ".png is added to names without an ending"
    assert [info["img_info"]["filename"] for info in dataset.data_infos] == ["a.png", "b.png"]
    assert CSVDataset(ann_file=file, weight=None, test_mode=True).columns == {
        "path": "path",
        "label": "label",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "a.png,cat\nb.png,dog\n",
            "begins with an image, not with the names of its columns; write path, label",
        ),
        ('path,label\na.png,"cat\nb.png,dog\n', "line 3 has a cell of several lines; a quote above"),
        ("path,label," + ",".join(map(str, range(90))) + "\n", "found no samples"),
        ("p," + ",".join(map(str, range(90))) + "\n", "names p, 0, 1, 2, 3, 4, 5, 6 and 83 more"),
    ],
)
def test_more_bad_tables_are_named_in_a_line(folder, text, reason):
    with pytest.raises(DataError, match=reason) as caught:
        CSVDataset(ann_file=write(folder, text), pipeline=LOAD)
    assert "\n" not in str(caught.value)
