import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ding_cls.data import (
    DATASETS,
    BaseDataset,
    CustomDataset,
    ImageNet,
    ImageNetDataset,
    Preprocessing,
    build_dataset,
    build_eval_loader,
    build_train_loader,
    load_rgb,
)
from ding_cls.data.transforms import PipelinePreprocessing
from ding_cls.data.transforms.default import TrainAugmentation
from ding_cls.errors import ConfigError, DataError

LOAD = {"type": "LoadImageFromFile"}
NORMALIZE = {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
FORMAT = [
    {"type": "ImageToTensor", "keys": ["img"]},
    {"type": "ToTensor", "keys": ["gt_label"]},
    {"type": "Collect", "keys": ["img", "gt_label"]},
]
TRAIN = [LOAD, {"type": "RandomResizedCrop", "size": 8}, {"type": "RandomFlip"}, NORMALIZE, *FORMAT]
VAL = [LOAD, {"type": "Resize", "size": (10, -1)}, {"type": "CenterCrop", "crop_size": 8}, NORMALIZE, *FORMAT]


class Arrays(BaseDataset):
    """Pixels held in memory, as in CIFAR; and every label that a test asks for."""

    labels = [0, 1, 1]

    def load_annotations(self):
        draws = np.random.default_rng(0)
        return [
            {"img": draws.integers(0, 256, (6, 6, 3), dtype=np.uint8), "gt_label": label}
            for label in self.labels
        ]


def with_labels(*labels, classes=None, pipeline=()):
    return type("Arrays", (Arrays,), {"labels": labels})("", list(pipeline), classes=classes)


@pytest.fixture
def pictures(make_pictures):
    return make_pictures("d", "dog/b.png", "cat/a.png", "cat/sub/c.png", "Zoo/1.png")


def test_class_folders_are_listed_as_by_imagenet_dataset(pictures):
    ours, native = CustomDataset(pictures, VAL), ImageNetDataset(pictures, False)
    assert ours.CLASSES == ours.classes == native.classes == ("Zoo", "cat", "dog")
    assert ours.class_to_idx == native.class_to_idx
    assert ours.targets == ours.get_gt_labels().tolist() == native.targets == [0, 1, 1, 2]
    assert [info["img_info"]["filename"] for info in ours.data_infos] == [name for name, _ in native.samples]
    assert [ours.get_cat_ids(index) for index in range(4)] == [[0], [1], [1], [2]]
    assert len(ours) == 4
    assert ours.data_infos[0]["gt_label"].dtype == np.int64


def test_the_usual_evaluation_has_imagenet_datasets_pixels(pictures):
    ours = CustomDataset(pictures, VAL, test_mode=True)
    native = ImageNetDataset(pictures, False, Preprocessing(8, 10))
    assert ours.preprocessing == native.preprocessing
    for index in range(4):
        pixels, target = ours.load(index)
        assert torch.equal(pixels, native.load(index)[0])
        assert target == native.load(index)[1]
        sample = ours[index]
        assert sorted(sample) == ["gt_label", "img", "img_metas"]
        assert torch.equal(sample["img"], native[index][0])
        assert sample["gt_label"].item() == target


def test_the_usual_training_has_imagenet_datasets_pixels(pictures):
    ours, native = CustomDataset(pictures, TRAIN), ImageNetDataset(pictures, True, TrainAugmentation(8))
    batches = [build_train_loader(each, 2, seed=3) for each in (ours, native)]
    for mine, theirs in zip(*batches, strict=True):
        assert torch.equal(mine.images, theirs.images)
        assert torch.equal(mine.targets, theirs.targets)


def test_a_samples_dict_goes_into_torchs_own_loader(pictures):
    batch = next(iter(DataLoader(CustomDataset(pictures, VAL), batch_size=3)))
    assert batch["img"].shape == (3, 3, 8, 8)
    assert batch["gt_label"].tolist() == [0, 1, 1]
    assert batch["img_metas"]["ori_filename"] == ["Zoo/1.png", "cat/a.png", "cat/sub/c.png"]


def test_the_training_list_numbers_other_splits(pictures):
    dataset = CustomDataset(pictures, VAL, classes=["dog", "owl", "Zoo", "cat"])
    assert dataset.targets == [2, 3, 3, 0]
    with pytest.raises(DataError, match=r"dog' is none of the 2 classes"):
        CustomDataset(pictures, VAL, classes=["Zoo", "cat"])
    with pytest.raises(DataError, match="names 'cat' twice"):
        CustomDataset(pictures, VAL, classes=["Zoo", "cat", "cat"])


def test_class_names_may_stand_in_a_file(pictures, tmp_path):
    (tmp_path / "names.txt").write_text("dog\n\n cat \nZoo\n")
    assert CustomDataset(pictures, VAL, classes=str(tmp_path / "names.txt")).targets == [2, 1, 1, 0]
    with pytest.raises(DataError, match=r"file of class names '.*none\.txt' cannot be read: No such file"):
        CustomDataset(pictures, VAL, classes=tmp_path / "none.txt")


def test_an_empty_class_is_an_error_in_training_only(pictures):
    (pictures / "ant").mkdir()
    with pytest.raises(DataError, match=r"ant' holds no pictures"):
        CustomDataset(pictures, TRAIN)
    assert CustomDataset(pictures, VAL, test_mode=True).classes == ("Zoo", "ant", "cat", "dog")


def test_other_extensions_can_be_asked_for(pictures):
    (pictures / "dog" / "b.png").rename(pictures / "dog" / "b.PIC")
    assert len(CustomDataset(pictures, VAL, extensions=(".pic", ".png"))) == 4
    assert len(CustomDataset(pictures, VAL, test_mode=True)) == 3


def test_a_file_lists_names_and_numbers(pictures, tmp_path):
    listing = tmp_path / "val.txt"
    listing.write_text("cat/a.png 1\n\ndog/b.png 0\ncat/a b.png 2\n")
    dataset = CustomDataset(pictures, VAL, ann_file=listing)
    assert [info["img_info"]["filename"] for info in dataset.data_infos] == [
        "cat/a.png",
        "dog/b.png",
        "cat/a b.png",
    ]
    assert dataset.targets == [1, 0, 2]
    assert dataset.classes == ("0", "1", "2")
    named = ImageNet(pictures, VAL, ann_file=listing, classes=["dog", "cat", "ant"])
    assert named.classes[named.load(0)[1]] == "cat"


def test_a_file_may_list_class_names(pictures, tmp_path):
    listing = tmp_path / "val.txt"
    listing.write_text("cat/a.png cat\ndog/b.png dog\nZoo/1.png 10\n")
    assert CustomDataset(pictures, VAL, ann_file=listing).classes == ("10", "cat", "dog")
    assert CustomDataset(pictures, VAL, ann_file=listing, classes=["dog", "10", "cat"]).targets == [2, 0, 1]
    with pytest.raises(DataError, match=r"val\.txt', line 2: 'dog' is none of the 2 classes"):
        CustomDataset(pictures, VAL, ann_file=listing, classes=["cat", "10"])


def test_a_number_in_a_file_is_the_class_of_that_name_and_else_a_position(pictures, tmp_path, caplog):
    (tmp_path / "val.txt").write_text("cat/a.png 2\n")
    file = tmp_path / "val.txt"
    assert CustomDataset(pictures, VAL, ann_file=file, classes=["0", "1", "10", "2"]).targets == [3]
    assert CustomDataset(pictures, VAL, ann_file=file, classes=["a", "b", "c", "d"]).targets == [2]
    assert [record.getMessage().split("val.txt', line 1: ")[1] for record in caplog.records] == [
        "'2' is a class's name, so labels are names, not positions",
        "'2' is no class's name, so labels are positions: 0 is 'a', 1 is 'b', 2 is 'c' and so on to 3",
    ]


def test_a_list_of_codes_has_no_empty_classes(pictures, tmp_path):
    (tmp_path / "val.txt").write_text("cat/a.png 10234\ndog/b.png 20111\n")
    assert CustomDataset(pictures, VAL, ann_file=tmp_path / "val.txt").classes == ("10234", "20111")


def test_class_names_may_come_as_a_map_or_as_json(tmp_path):
    for given in ({"dog": 1, "cat": 0}, {1: "dog", 0: "cat"}, {"1": "dog", "0": "cat"}, ["cat", "dog"]):
        (tmp_path / "names.json").write_text(json.dumps(given))
        assert CustomDataset.get_classes(given) == CustomDataset.get_classes(tmp_path / "names.json")
        assert CustomDataset.get_classes(given) == ("cat", "dog")
    for text, reason in (("{", "is no JSON"), ('"cat"', "holds neither a list nor a map")):
        (tmp_path / "names.json").write_text(text)
        with pytest.raises(DataError, match=reason):
            CustomDataset.get_classes(tmp_path / "names.json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.png 0\nb.png\n", r"line 2: 'b.png' is not of the form 'path label'"),
        ("", "found no samples in"),
        ("a.png 0\nb.png 7\n", r"'b.png' \(index 1\) has the class number 7; there are 2 classes"),
    ],
)
def test_a_bad_list_is_named(tmp_path, text, reason):
    (tmp_path / "val.txt").write_text(text)
    with pytest.raises(DataError, match=reason):
        CustomDataset(tmp_path, VAL, ann_file=tmp_path / "val.txt", classes=["a", "b"])


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"annotation file '.*odd\.txt' cannot be read: it is no text"):
        CustomDataset(tmp_path, VAL, ann_file=tmp_path / "odd.txt")
    with pytest.raises(DataError, match=r"annotation file '.*none\.txt' cannot be read: No such file"):
        CustomDataset(tmp_path, VAL, ann_file=tmp_path / "none.txt")


def test_an_unreadable_picture_is_named_with_class_and_index(pictures):
    (pictures / "cat" / "a.png").write_text("text")
    dataset = CustomDataset(pictures, VAL)
    with pytest.raises(DataError, match=rf"'{pictures}/cat/a\.png' \(class 'cat', index 1\) is text"):
        dataset.load(1)
    with pytest.raises(DataError, match=rf"'{pictures}/cat/a\.png' \(class 'cat', index 1\) is text"):
        list(build_eval_loader(dataset, 2, num_workers=1))


def test_pixels_in_memory_need_no_file_and_stay_as_they_are():
    def blacken(results):
        results["img"][:] = 0
        return results

    dataset = Arrays("", [blacken])
    before = dataset.data_infos[1]["img"].copy()
    pixels, target = dataset.load(1)
    assert pixels.eq(0).all()
    assert target == 1
    assert np.array_equal(dataset.data_infos[1]["img"], before)
    assert dataset.classes == ("0", "1")
    assert torch.equal(Arrays("", []).load(-1)[0], torch.from_numpy(Arrays("", []).data_infos[2]["img"]))
    with pytest.raises(IndexError):
        dataset.load(3)


def test_a_step_sees_what_is_known_of_the_sample(pictures):
    seen = []

    def look(results):
        seen.append({key: results[key] for key in ("sample_idx", "class_name", "img_prefix", "gt_label")})
        return results

    CustomDataset(pictures, [LOAD, look, *VAL[1:]]).load(-1)
    assert seen == [{"sample_idx": 3, "class_name": "dog", "img_prefix": str(pictures), "gt_label": 2}]


def test_a_step_may_change_the_label(pictures):
    def other(results):
        results["gt_label"] = np.array([1])
        return results

    dataset = CustomDataset(pictures, [*VAL[:3], other])
    assert [dataset.load(index)[1] for index in range(4)] == [1] * 4


def draw_from_all_three(results):
    """A user's own step, which asks each generator."""
    results["img"] = results["img"].copy()
    results["img"][0, 0] = np.random.randint(256), random.randrange(256), int(torch.randint(256, (1,)))
    return results


@pytest.mark.parametrize("workers", [1, 2])
def test_a_users_random_step_draws_the_same_with_any_number_of_workers(pictures, workers):
    jitter = {"type": "ColorJitter", "brightness": 0.4, "hue": 0.1}
    several = {"type": "RandomApply", "transforms": [{"type": "RandomRotation", "degrees": 20}]}
    pipeline = [*TRAIN[:3], jitter, several, {"type": "RandAugment"}, draw_from_all_three, *TRAIN[3:]]
    dataset = CustomDataset(pictures, pipeline)
    alone = build_train_loader(dataset, 2, seed=3)
    with_workers = build_train_loader(dataset, 2, seed=3, num_workers=workers)
    drawn = set()
    for _ in range(3):
        for one, other in zip(alone, with_workers, strict=True):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.targets, other.targets)
            drawn.update(bytes(each.tolist()) for each in one.images[:, 0, 0])
    assert len(drawn) == 12
    with_workers.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_users_step_raises_names_the_sample_in_a_worker_too(pictures, workers):
    def broken(results):
        raise ZeroDivisionError("mine")

    loader = build_eval_loader(CustomDataset(pictures, [LOAD, broken]), 2, num_workers=workers)
    with pytest.raises(ZeroDivisionError) as caught:
        list(loader)
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert f"in the pipeline step broken, for '{pictures}/Zoo/1.png' (class 'Zoo', index 0)" in told
    loader.close()


def test_floats_of_the_pipeline_reach_the_batch(pictures):
    erase = {"type": "torchvision/RandomErasing", "p": 1.0}
    batch = next(iter(build_eval_loader(CustomDataset(pictures, [*VAL[:4], erase, *FORMAT]), 4)))
    assert (batch.images.dtype, batch.images.shape) == (torch.float32, (4, 3, 8, 8))


def test_a_step_that_drops_a_sample_is_an_error(pictures):
    def forgetful(results):
        return None

    with pytest.raises(
        DataError, match=r"step forgetful returned None for '.*1.png' \(class 'Zoo', index 0\)"
    ):
        CustomDataset(pictures, [LOAD, forgetful]).load(0)


def two_dimensional(results):
    results["gt_label"] = np.array([[1, 0]])
    return results


def test_a_pipeline_without_a_picture_or_a_single_label_is_an_error(pictures):
    with pytest.raises(
        DataError, match=r"leaves no 'img' for '.*1.png' \(class 'Zoo', index 0\); begin it with Load"
    ):
        CustomDataset(pictures, []).load(0)
    with pytest.raises(DataError, match=r"gt_label is an array of int64 with the shape \(1, 2\)"):
        with_labels(0, classes=["a"], pipeline=[two_dimensional]).load(0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([], "found no samples"),
        ([0, 2], r"\(index 1\) has the class number 2; there are 2 classes, numbered from 0"),
        ([-1, 0], r"\(index 0\) has the class number -1"),
        ([0.5, 1.0], "gt_label must be whole numbers, not float64"),
        (["cat"], "gt_label must be whole numbers"),
    ],
)
def test_labels_that_are_no_class_numbers_are_named(labels, reason):
    with pytest.raises(DataError, match=reason):
        with_labels(*labels, classes=["a", "b"])


def test_annotations_without_a_label_are_named():
    class Unlabelled(BaseDataset):
        def load_annotations(self):
            return [{"img": 1, "gt_label": 0}, {"img": 2}]

    with pytest.raises(DataError, match=r"Unlabelled.load_annotations\(\): entry 1 is .*lacks 'gt_label'"):
        Unlabelled("", [])


def test_a_class_attribute_names_the_classes():
    class Named(Arrays):
        CLASSES = ["cat", "dog"]

    assert Named("", []).classes == ("cat", "dog")
    assert Named("", [], classes=("a", "b", "c")).classes == ("a", "b", "c")
    assert Named.CLASSES == ["cat", "dog"]


def test_what_evaluation_does_is_known_where_the_pipeline_is_data(pictures):
    assert CustomDataset(pictures, VAL).preprocessing == Preprocessing(8, 10)
    squashed = CustomDataset(pictures, [LOAD, {"type": "Resize", "size": 8}]).preprocessing
    assert type(squashed) is PipelinePreprocessing
    assert CustomDataset(pictures, [LOAD, draw_from_all_three]).preprocessing is None
    made = np.asarray(squashed(load_rgb(Path(pictures, "cat", "a.png"))))
    assert np.array_equal(made, CustomDataset(pictures, squashed.pipeline).load(1)[0].numpy())


def test_imagenet_dataset_takes_a_pipelines_record(pictures):
    record = PipelinePreprocessing([LOAD, {"type": "Resize", "size": (6, 9)}, NORMALIZE])
    dataset = ImageNetDataset(pictures, False, record)
    assert torch.equal(dataset.load(2)[0], CustomDataset(pictures, record.pipeline).load(2)[0])
    assert torch.equal(dataset[2][0], CustomDataset(pictures, [*record.pipeline, FORMAT[0]])[2]["img"])
    floats = PipelinePreprocessing([*record.pipeline, {"type": "torchvision/RandomErasing", "p": 0.0}])
    assert torch.equal(ImageNetDataset(pictures, False, floats)[2][0], dataset[2][0])


def test_data_sets_are_found_by_name(pictures):
    built = build_dataset(
        {"type": "CustomDataset", "pipeline": VAL}, {"data_prefix": pictures, "test_mode": True}
    )
    assert isinstance(built, CustomDataset)
    assert built.test_mode
    assert {"CustomDataset", "ImageNet", "ImageNetDataset", "SyntheticDataset"} <= set(DATASETS)
    generated = {"type": "SyntheticDataset", "num_samples": 3, "num_classes": 2, "size_px": 4}
    assert build_dataset(generated).load(0)[0].shape == (4, 4, 3)
    with pytest.raises(
        ConfigError, match="there is no dataset named 'CustomDatset'; did you mean CustomDataset"
    ):
        build_dataset({"type": "CustomDatset"})


def test_a_data_set_survives_pickling(pictures):
    dataset = CustomDataset(pictures, [*TRAIN[:3], {"type": "RandAugment"}, *TRAIN[3:]])
    again = pickle.loads(pickle.dumps(dataset))
    torch.manual_seed(0)
    pixels = dataset.load(0)[0]
    torch.manual_seed(0)
    assert torch.equal(again.load(0)[0], pixels)


def test_pictures_without_labels_are_listed_from_a_file_or_a_folder(pictures, tmp_path):
    (tmp_path / "names.txt").write_text("cat/a.png\n\ndog/b.png\n")
    listed = CustomDataset(pictures, VAL, ann_file=tmp_path / "names.txt", with_label=False)
    assert [info["img_info"]["filename"] for info in listed.data_infos] == ["cat/a.png", "dog/b.png"]
    assert listed.load(1)[1] == -1
    found = CustomDataset(pictures, VAL, ["cat", "dog"], with_label=False)
    assert [info["img_info"]["filename"] for info in found.data_infos] == [
        "Zoo/1.png",
        "cat/a.png",
        "cat/sub/c.png",
        "dog/b.png",
    ]
    assert found.classes == ("cat", "dog")


def test_several_tasks_are_whole_numbers_in_a_row():
    dataset = with_labels([2, 0], [1, 1], [0, 2], classes=["a", "b", "c"])
    assert dataset.load(0)[1].tolist() == [2, 0]
    assert dataset.targets == [[2, 0], [1, 1], [0, 2]]
    assert dataset.get_cat_ids(2) == [0, 2]
    with pytest.raises(DataError, match=r"\(index 1\) has the class number 3; there are 3 classes"):
        with_labels([2, 0], [1, 3], classes=["a", "b", "c"])
    with pytest.raises(DataError, match="the labels of two samples differ in length"):
        with_labels([2, 0], [1], classes=["a", "b", "c"])
    with pytest.raises(DataError, match="a gt_label has 2 numbers for 3 classes"):
        with_labels([1.0, 0.0], [0.5, 0.5], classes=["a", "b", "c"])


def test_a_byte_order_mark_belongs_to_no_name(make_pictures, tmp_path):
    root = make_pictures("d", "cat/a.png", "dog/b.png")
    (tmp_path / "list.txt").write_bytes("\ufeffcat/a.png 1\r\ndog/b.png 0\r\n".encode())
    (tmp_path / "names.txt").write_bytes("\ufeffdog\r\ncat\r\n".encode())
    load = [{"type": "LoadImageFromFile"}]
    dataset = CustomDataset(root, load, tmp_path / "names.txt", tmp_path / "list.txt")
    assert (dataset.classes, dataset.targets) == (("dog", "cat"), [1, 0])
    assert dataset.load(0)[0].dtype == torch.uint8
