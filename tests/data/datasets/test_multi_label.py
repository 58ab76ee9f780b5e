import json

import numpy as np
import pytest
import torch

from ding_cls.data import VOC, MultiLabelDataset, build_eval_loader
from ding_cls.errors import DataError
from ding_cls.pipeline.checks.labels import labels_of

LOAD = [{"type": "LoadImageFromFile"}]


@pytest.fixture
def pictures(make_pictures):
    return make_pictures("d", "a.png", "b b.png", "c.png")


def listed(tmp_path, text, name="list.txt"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_labels_of_a_line_become_a_multi_hot_target(pictures, tmp_path):
    file = listed(tmp_path, "a.png cat,owl\nb b.png owl\n\nc.png ,\n")
    dataset = MultiLabelDataset(pictures, LOAD, ann_file=file, classes=["owl", "dog", "cat"])
    assert dataset.targets == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert [dataset.get_cat_ids(index) for index in range(3)] == [[0, 2], [0], []]
    target = dataset.load(0)[1]
    assert target.dtype == torch.float32
    (batch,) = build_eval_loader(dataset, 3)
    assert torch.equal(batch.targets, torch.tensor([[1.0, 0, 1], [1, 0, 0], [0, 0, 0]]))
    assert dataset[0]["class_name"] == "owl, cat"


def test_classes_come_from_the_list_where_nobody_names_them(pictures, tmp_path):
    named = MultiLabelDataset(pictures, LOAD, ann_file=listed(tmp_path, "a.png cat,owl\nc.png ape\n"))
    assert named.classes == ("ape", "cat", "owl")
    numbered = MultiLabelDataset(pictures, LOAD, ann_file=listed(tmp_path, "a.png 3\nc.png 0,1\n"))
    assert numbered.classes == ("0", "1", "2", "3")
    assert numbered.targets == [[0, 0, 0, 1], [1, 1, 0, 0]]
    one = MultiLabelDataset(pictures, LOAD, ann_file=listed(tmp_path, "a.png owl\nc.png ,\n"))
    assert torch.equal(torch.stack([one.load(0)[1], one.load(1)[1]]), torch.tensor([[1.0], [0.0]]))


def test_mmpretrains_json_is_read(pictures, tmp_path):
    content = {
        "metainfo": {"classes": ["A", "B", "C"]},
        "data_list": [{"img_path": "a.png", "gt_label": [0, 2]}, {"img_path": "c.png", "gt_label": []}],
    }
    file = listed(tmp_path, json.dumps(content), "list.json")
    dataset = MultiLabelDataset(pictures, LOAD, ann_file=file)
    assert dataset.classes == ("A", "B", "C")
    assert dataset.targets == [[1, 0, 1], [0, 0, 0]]


def test_a_users_own_multi_hot_labels_of_whole_numbers_are_floats_too():
    class Own(MultiLabelDataset):
        CLASSES = ("a", "b")

        def load_annotations(self):
            pixels = np.zeros((4, 4, 3), np.uint8)
            return [{"img": pixels, "gt_label": np.array(label, np.int8)} for label in ([1, 0], [1, -1])]

    dataset = Own("", [])
    assert torch.equal(dataset.load(1)[1], torch.tensor([1.0, -1.0]))
    assert dataset.get_cat_ids(1) == [0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("l.txt", "a.png 0\nb.png 5\n", r"line 2: there is no class number 5 among 2 classes"),
        ("l.txt", "a.png cat\nb.png owl\n", r"line 2: 'owl' is none of the 2 classes"),
        ("l.txt", "a.png\n", "is not of the form 'path label'"),
        ("l.json", '{"data_list": [{"img_path": "a"}]}', "is not of the form .*: KeyError 'gt_label'"),
        ("l.json", "[]", "is not of the form"),
    ],
)
def test_a_bad_list_is_named(tmp_path, name, text, reason):
    with pytest.raises(DataError, match=reason):
        MultiLabelDataset("", LOAD, ann_file=listed(tmp_path, text, name), classes=["cat", "dog"])


def test_class_folders_say_one_label_alone(pictures):
    with pytest.raises(DataError, match="MultiLabelDataset needs an ann_file"):
        MultiLabelDataset(pictures, LOAD)


def write_voc(root, **pictures):
    """Write annotations of (class, difficult) pairs, and a list of all pictures."""
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "trainval.txt").write_text("".join(f"{name}\n" for name in pictures))
    for name, objects in pictures.items():
        listing = "".join(
            f"<object><name>{kind}</name><difficult>{difficult}</difficult></object>"
            for kind, difficult in objects
        )
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{listing}</annotation>")


def test_voc_marks_what_is_only_difficult(make_pictures):
    root = make_pictures("VOC2007", "JPEGImages/1.jpg", "JPEGImages/2.jpg")
    write_voc(
        root, **{"1": [("dog", 1), ("cat", 0)], "2": [("cat", 1), ("cat", 0), ("cat", 1), ("dragon", 0)]}
    )
    dataset = VOC(root, LOAD)
    assert len(dataset.classes) == 20
    cat, dog = dataset.class_to_idx["cat"], dataset.class_to_idx["dog"]
    labels = dataset.get_gt_labels()
    assert (labels[0, cat], labels[0, dog], labels[1, cat]) == (1, -1, 1)
    assert np.abs(labels).sum() == 3
    assert [dataset.get_cat_ids(index) for index in range(2)] == [[cat], [cat]]
    assert dataset.load(1)[0].shape == (16, 20, 3)
    (root / "Annotations" / "2.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"2\.xml' cannot be read"):
        VOC(root, LOAD)
    with pytest.raises(DataError, match=r"list of pictures '.*test\.txt' cannot be read"):
        VOC(root, LOAD, test_mode=True)


@pytest.mark.parametrize(("given", "label"), [(None, -1), (True, 1), (False, 0)])
def test_voc_counts_what_is_only_difficult_as_told(make_pictures, given, label):
    root = make_pictures("VOC2007", "JPEGImages/1.jpg")
    write_voc(root, **{"1": [("dog", 1), ("cat", 1), ("cat", 0)]})
    dataset = VOC(root, LOAD, difficult_as_postive=given)
    found = dataset.get_gt_labels()[0]
    assert [found[dataset.class_to_idx[name]] for name in ("dog", "cat", "cow")] == [label, 1, 0]


@pytest.mark.parametrize(
    ("labels", "classes", "targets", "names"),
    [
        (([0, 2], [1]), ["C", "B", "A"], [[1, 0, 1], [0, 1, 0]], ("C", "B", "A")),
        (([0], [2]), ["B", "C", "A"], [[0, 0, 1], [0, 1, 0]], ("B", "C", "A")),
        ((["A"], ["C"]), ["C", "B", "A"], [[0, 0, 1], [1, 0, 0]], ("C", "B", "A")),
        ((["A"], ["C"]), None, [[1, 0, 0], [0, 0, 1]], ("A", "B", "C")),
    ],
)
def test_labels_of_json_follow_the_names_in_the_file(pictures, tmp_path, labels, classes, targets, names):
    entries = [{"img_path": f"{n}.png", "gt_label": each} for n, each in enumerate(labels)]
    content = {"metainfo": {"classes": ["A", "B", "C"]}, "data_list": entries}
    file = listed(tmp_path, json.dumps(content), "list.json")
    dataset = MultiLabelDataset(pictures, LOAD, ann_file=file, classes=classes)
    assert (dataset.targets, dataset.classes) == (targets, names)


def test_several_labels_are_words_first(pictures, tmp_path):
    file = listed(tmp_path, "a.png 007,10\nb.png 10\n")
    codes = MultiLabelDataset(pictures, LOAD, ann_file=file)
    assert (codes.classes, codes.targets) == (("007", "10"), [[1, 1], [0, 1]])
    named = MultiLabelDataset(
        pictures, LOAD, ann_file=listed(tmp_path, "a.png 1,2\nb.png 10\n"), classes=["1", "10", "2"]
    )
    assert named.targets == [[1, 0, 1], [0, 1, 0]]
    entries = [{"img_path": "a.png", "gt_label": [1, 2]}]
    file = listed(tmp_path, json.dumps({"data_list": entries}), "list.json")
    with pytest.raises(DataError, match=r"list\.json': the label 2 is '2' by its position|by its name"):
        MultiLabelDataset(pictures, LOAD, ann_file=file, classes=["1", "2", "3"])
    for odd in (-1, 1.0, 10**30, True):
        entries = [{"img_path": "a.png", "gt_label": [odd]}]
        file = listed(tmp_path, json.dumps({"data_list": entries}), "list.json")
        with pytest.raises(
            DataError, match=r"entry 0: .* is none of the 2 classes|entry 0: there is no class"
        ):
            MultiLabelDataset(pictures, LOAD, ann_file=file, classes=["a", "b"])


def test_whole_numbers_of_a_users_own_are_several_labels_not_tasks() -> None:
    class Own(MultiLabelDataset):
        CLASSES = ("a", "b", "c")

        def load_annotations(self):
            image = np.zeros((4, 4, 3), np.uint8)
            return [{"img": image, "gt_label": np.array([1, 0, 1], np.int8)}] * 2

    dataset = Own("", [])
    assert labels_of(dataset).kind == "several"
    assert dataset.label_view()[1].tolist() == [1.0, 0.0, 1.0]
