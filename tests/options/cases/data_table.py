"""What each trial of a data set reads: files are written when it begins, so every mode is a function."""

from collections.abc import Callable
from typing import Any

from tests.options.cases.data_files import (
    COUNT,
    LABELS,
    PICTURES,
    cars,
    cifar10,
    cifar100,
    cub,
    eurosat,
    folder,
    lines,
    mnist,
    npz,
    pixels,
    table,
    voc,
)
from tests.options.trials import NAMES

Changes = dict[str, Any]
Section = dict[str, Any]
Head = {"type": "LinearClsHead", "in_channels": 8}
# As many classes as the data have.
NETWORK: Section = {
    "type": "ImageClassifier",
    "backbone": {"type": "TinyBackbone"},
    "neck": {"type": "GlobalAveragePooling"},
    "head": Head,
}
SEVERAL: Changes = {
    "policy.model": {**NETWORK, "head": {"type": "MultiLabelLinearClsHead", "in_channels": 8}},
    "policy.eval.metric": {"type": "ClassificationMetrics", "metrics": ["mAP"]},
}
TASKS: Changes = {
    "policy.model": {**NETWORK, "head": {"type": "MultiTaskHead", "in_channels": 8, "num_tasks": 2}},
    "policy.eval.metric": {"type": "ClassificationMetrics", "metrics": ["string_accuracy"]},
}
LOAD, SMALL = {"type": "LoadImageFromFile"}, {"type": "Resize", "size": 8}
PIPELINE = {"pipeline": [LOAD, SMALL]}


def both(train: Section, val: Section | None = None, **more: Any) -> Changes:
    """Return the changes that train on one set and judge on another, or on the same."""
    data = {
        "policy.collect.synthetic": False,
        "policy.collect.train": train,
        "policy.collect.val": val or train,
    }
    return {"policy.model": NETWORK, **data, **more}


def in_folder(**more: Any) -> Section:
    return {"type": "CustomDataset", "data_prefix": folder(), **more}


def listed(kind: str, *, numbers: bool = False, **more: Any) -> Section:
    words = [str(NAMES.index(name)) if numbers else name for name in LABELS]
    rows = [f"{name} {word}" for name, word in zip(PICTURES, words, strict=True)]
    return {"type": kind, "data_prefix": folder(), "ann_file": lines("list.txt", rows), **more}


def several_listed(form: str) -> Section:
    if form == "text":
        ann_file = lines(
            "several.txt", [f"{name} {label},fir" for name, label in zip(PICTURES, LABELS, strict=True)]
        )
    else:
        entries = ", ".join(
            f'{{"img_path": "{name}", "gt_label": [{n % 4}, 3]}}' for n, name in enumerate(PICTURES)
        )
        names = ", ".join(f'"{name}"' for name in NAMES)
        ann_file = lines(
            "several.json", [f'{{"metainfo": {{"classes": [{names}]}}, "data_list": [{entries}]}}']
        )
    return {"type": "MultiLabelDataset", "data_prefix": folder(), "ann_file": ann_file, **PIPELINE}


def weighed(**more: Any) -> Section:
    """Return a table with weights and groups."""
    rows = iter(range(COUNT))
    path = table(
        "weighed.csv",
        lambda name, label: f"{name},{label},{1 + next(rows) / 7},{label[0]}",
        "path,label,weight,group",
    )
    return {"type": "CSVDataset", "data_prefix": folder(), "ann_file": path, **more}


def in_splits(name: str) -> Section:
    path = table("splits.csv", lambda path, label: f"{path},{label},{label != 'fir'}", "file,kind,part")
    columns = {"path": "file", "label": "kind", "split_column": "part", "classes": list(NAMES)}
    return {"type": "CSVDataset", "data_prefix": folder(), "ann_file": path, "split": name, **columns}


def several_in_cells(**more: Any) -> Section:
    path = table("several.csv", lambda name, label: f"{name},{label};fir", "path,label")
    return {"type": "CSVDataset", "data_prefix": folder(), "ann_file": path, "separator": ";", **more}


def arrays_of(labels: Any, **more: Any) -> Section:
    path = npz(images=pixels(COUNT, 8, 8, 3), labels=labels, classes=list(NAMES))
    return {"type": "ArrayDataset", "data_prefix": path, **more}


def other_names() -> Section:
    path = npz(x=pixels(COUNT, 8, 8), y=[0, 1, 2, 3] * 2)
    return {"type": "NpzDataset", "data_prefix": path, "images": "x", "labels": "y", "classes": list(NAMES)}


def columns() -> Section:
    path = table("tasks.csv", lambda name, label: f"{name},{label},ash", "path,first,second")
    named = {"label": ["first", "second"], "classes": list(NAMES)}
    return {"type": "CSVDataset", "data_prefix": folder(), "ann_file": path, **named}


def halves(**more: Any) -> list[Section]:
    return [{"type": "SplitDataset", "part": part, "dataset": weighed(), **more} for part in range(2)]


def fold(**more: Any) -> Section:
    return {"type": "KFoldDataset", "num_splits": 2, "dataset": weighed(), **more}


def given(kind: str, root: Callable[[], str], **more: Any) -> Section:
    return {"type": kind, "data_prefix": root(), **more}


IN_MEMORY = {"pipeline": [SMALL]}
MIRRORED = {"pipeline": [LOAD, SMALL, {"type": "RandomFlip"}]}
SETS: dict[str, list[Callable[[], Changes]]] = {
    "CustomDataset": [
        lambda: both(in_folder()),
        lambda: both(in_folder(**MIRRORED), in_folder(**PIPELINE)),
        lambda: both(in_folder(classes=[*NAMES], extensions=[".png"], test_mode=True)),
        lambda: both(in_folder(classes=lines("names.txt", [*NAMES]))),
        lambda: both(listed("CustomDataset", classes=["fir", "cedar", "birch", "ash"])),
    ],
    "ImageNet": [lambda: both(listed("ImageNet", numbers=True)), lambda: both(given("ImageNet", folder))],
    "ImageNet21k": [
        lambda: both(listed("ImageNet21k", numbers=True)),
        lambda: both(given("ImageNet21k", folder, **PIPELINE)),
    ],
    "ImageNetDataset": [lambda: both({"type": "ImageNetDataset", "root": folder()})],
    "SyntheticDataset": [
        lambda: both({"type": "SyntheticDataset", "num_samples": 9, "num_classes": 3, "size_px": 8}),
        lambda: both(
            {
                "type": "SyntheticDataset",
                "num_samples": 8,
                "num_classes": 4,
                "size_px": 8,
                "classes": [*NAMES],
            },
            {"type": "SyntheticDataset", "num_samples": 6, "num_classes": 4, "size_px": 8, "seed": 3},
        ),
    ],
    "ArrayDataset": [
        lambda: both(arrays_of([0, 1, 2, 3] * 2)),
        lambda: both(arrays_of([[0.5, 0.5, 0, 0], [0, 0, 0.2, 0.8]] * 4), **SEVERAL),
        lambda: both(arrays_of([[True, False, True, False], [False, True, False, True]] * 4), **SEVERAL),
        lambda: both(arrays_of([[0, 1], [2, 3]] * 4), **TASKS),
    ],
    "NpzDataset": [lambda: both(other_names())],
    "CUB": [lambda: both(given("CUB", cub, **PIPELINE))],
    "StanfordCars": [lambda: both(given("StanfordCars", cars, **PIPELINE))],
    "MultiLabelDataset": [
        lambda form=form: both(several_listed(form), **SEVERAL) for form in ("text", "json")
    ],
    "VOC": [lambda: both(given("VOC", voc, **PIPELINE), **SEVERAL)],
    "TorchvisionDataset": [lambda: both(given("TorchvisionDataset", eurosat, name="EuroSAT", **IN_MEMORY))],
    "CIFAR10": [lambda: both(given("CIFAR10", cifar10, **IN_MEMORY))],
    "CIFAR100": [lambda: both(given("CIFAR100", cifar100, **IN_MEMORY))],
    "MNIST": [lambda: both(given("MNIST", mnist, **IN_MEMORY))],
    "FashionMNIST": [lambda: both(given("FashionMNIST", mnist, **IN_MEMORY))],
    "CSVDataset": [
        lambda: both(weighed()),
        lambda: both(weighed(weight=None, **PIPELINE)),
        lambda: both(in_splits("True"), in_splits("False")),
        lambda: both(several_in_cells(labels="several"), **SEVERAL),
        lambda: both(several_in_cells(labels="tasks"), **TASKS),
        lambda: both(columns(), **TASKS),
    ],
    "RepeatDataset": [
        lambda: both({"type": "RepeatDataset", "times": 3, "dataset": in_folder()}, in_folder())
    ],
    "ClassBalancedDataset": [
        lambda: both(
            {"type": "ClassBalancedDataset", "oversample_thr": 0.3, "dataset": in_folder()}, in_folder()
        ),
        lambda: both(
            {"type": "ClassBalancedDataset", "oversample_thr": 0.9, "dataset": weighed()}, in_folder()
        ),
    ],
    "KFoldDataset": [
        lambda: both(fold(fold=1)),
        lambda: both(fold(seed=3, stratified=False)),
        lambda: both(fold(grouped=True)),
    ],
    "SplitDataset": [
        lambda: both(*halves(fractions=[0.5, 0.5])),
        lambda: both(*halves(per_class=[1, "rest"], seed=4)),
        lambda: both(*halves(fractions=[0.5, 0.5], grouped=True)),
    ],
    "SubsetDataset": [
        lambda: both({"type": "SubsetDataset", "num_samples": 4, "dataset": in_folder()}, in_folder()),
        lambda: both(
            {"type": "SubsetDataset", "num_samples": 6, "seed": None, "dataset": in_folder()}, in_folder()
        ),
        lambda: both({"type": "SubsetDataset", "num_samples": 0, "dataset": in_folder()}, in_folder()),
    ],
    "ConcatDataset": [
        lambda: both({"type": "ConcatDataset", "datasets": [in_folder(), listed("CustomDataset")]}),
        lambda: both({"type": "ConcatDataset", "datasets": [in_folder(), weighed()], "separate_eval": False}),
    ],
}
