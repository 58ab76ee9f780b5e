"""``--data FILE``: a table of paths and labels, or arrays, described as the datasets of a run.

It must not know networks or loaders.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ding_cls.config import resolve
from ding_cls.config.merge import plain_copy
from ding_cls.config.tree import at
from ding_cls.data import CSVDataset, innermost
from ding_cls.data.datasets.arrays import array_names
from ding_cls.errors import DataError
from ding_cls.images.labelled import TABLES, reading
from ding_cls.images.split_words import (
    counterparts,
    split_hinted,
    split_of,
    with_word,
)
from ding_cls.images.tables.columns import Columns, find_columns
from ding_cls.images.tables.label_table import chosen_split, words_of_splits
from ding_cls.images.tables.reading import read_table
from ding_cls.images.tables.remarks import named_columns, remarks_on
from ding_cls.pipeline.datasets.dataset_cfg import inner_of, is_in_memory

_ARRAYS = ".npz"
_FOLDER_KEYS = {"train": "policy.collect.learn_data_path", "val": "policy.collect.eval_data_path"}
_FOR_EACH_CLASS = {"type": "CrossEntropyLoss", "use_sigmoid": True}
_NAMING = ("path", "label", "labels", "separator", "split_column", "weight", "group")


def is_data_file(data: str | os.PathLike[str]) -> bool:
    """Return whether ``--data`` names a file, or what would be one if it were there."""
    name = os.fspath(data).lower()
    return not os.path.isdir(data) and (os.path.isfile(data) or name.endswith((*TABLES, _ARRAYS)))


def training_sections(
    cfg: Mapping[str, Any],
    data: str | os.PathLike[str],
    *,
    is_validated: bool,
    only_training: bool = False,
    words: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the values of ``policy.collect`` that make a file the data of a run; of several labels also
    that of ``policy.learn.loss``.

    Args:
        cfg: the config in its native spelling; pipelines and names of columns of its datasets stay.
        data: the file.
        is_validated: the run needs validation samples; not where one of ``words`` describes them.
        only_training: all samples are to be divided, where nothing says which are for training.
        words: the ``key=value`` words that come on top.

    Raises:
        DataError: the file cannot be used, or has no samples for training, or none for validation.
    """
    collect = at(cfg, "policy.collect") or {}
    is_validated = is_validated and not any(word.startswith("policy.collect.val") for word in words)
    found = with_siblings(data, split_sections(data, _worded(cfg, words)))
    sections = {name: found.get(name) for name in ("train", "val", "test")}
    if set(found) == {""} and (only_training or not is_validated):
        sections["train"] = found[""]
    if only_training:
        sections["val"] = None
    for name in ("train", *(["val"] if is_validated and not only_training else [])):
        if sections[name] is None:
            raise DataError(_no_split(os.fspath(data), name, found))
    given: dict[str, Any] = {}
    for name, section in sections.items():
        own = dict(section or {})
        if name in _FOLDER_KEYS:
            given[_FOLDER_KEYS[name]] = own.pop("data_prefix", "")
        if own:
            pipeline = _own_pipeline(collect.get(name), own)
            given[f"policy.collect.{name}"] = {**own, **pipeline, "_delete_": True}
        elif collect.get(name) is not None:
            given[f"policy.collect.{name}"] = None
    if _needs_loss(cfg, sections["train"] or {}, words):
        given["policy.learn.loss"] = dict(_FOR_EACH_CLASS)
    return given


def evaluation_section(
    data: str | os.PathLike[str],
    split: str | None,
    like: Mapping[str, Any] | None,
    *,
    classes: Sequence[str] = (),
    trained: str = "",
) -> tuple[dict[str, Any], str | None]:
    """Return the description of a file's samples to evaluate, and their split; None: all of them.

    Args:
        data: the file.
        split: 'train', 'val' or 'test'; None: validation, or test, or all where the file knows no splits.
        like: a description of the run's own, whose columns are taken where they are there.
        classes: the names of the classes that the network knows.
        trained: what its labels are, as in `reading`; empty: nobody knows.

    Raises:
        DataError: it has no such split.
    """
    found = split_sections(data, like, classes=classes, trained=trained)
    splits = [name for name in found if name]
    chosen = chosen_split(os.fspath(data), splits, split, has_all="" in found)
    return found[chosen], chosen or None


def table_lines(datasets: Iterable[Any], *, is_training: bool = True) -> list[str]:
    """Return the line that tells for each table which columns are taken, and what is read otherwise than it
    is written.

    Args:
        datasets: of a run; what is no table in them is passed over.
        is_training: weights have a meaning, and groups.
    """
    files: dict[tuple[Any, ...], dict[str, None]] = {}
    remarks: dict[tuple[Any, ...], dict[str, None]] = {}
    for dataset in (inner for each in datasets for inner in innermost(each)):
        if isinstance(dataset, CSVDataset):
            key = named_columns(dataset)
            files.setdefault(key, {})[str(dataset.ann_file)] = None
            remarks.setdefault(key, {}).update(dict.fromkeys(remarks_on(dataset, is_training=is_training)))
    return ["; ".join([f"{', '.join(files[key])}: {', '.join(key)}", *remarks[key]]) for key in files]


def _worded(cfg: Mapping[str, Any], words: Sequence[str]) -> Mapping[str, Any] | None:
    """Return a config's description of its training set with what words say of it, as a column's name."""
    own = [word for word in words if word.startswith("policy.collect.train.")]
    if not own:
        section: Mapping[str, Any] | None = at(cfg, "policy.collect.train")
        return section
    collect = resolve(cfg, own).cfg["policy"]["collect"]
    # A word of the folder is the key of its own that it means.
    folder = collect.get("learn_data_path") if any(".data_prefix" in word for word in own) else None
    return {
        "type": "CSVDataset",
        **({"data_prefix": folder} if folder else {}),
        **(collect.get("train") or {}),
    }


def _needs_loss(cfg: Mapping[str, Any], section: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Return whether samples have several labels, and neither config nor words name a loss or a head."""
    is_silent = at(cfg, "policy.learn.loss") is None and at(cfg, "policy.model.type") is None
    # A composed network has a head, and with it a loss.
    composes = any(each.startswith("policy.model") and "type" in each for each in words)
    has_loss = any(each.startswith("policy.learn.loss") for each in words)
    return section.get("labels") == "several" and is_silent and not composes and not has_loss


def _own_pipeline(described: Mapping[str, Any] | None, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pipeline that a config has for a split, where it begins as the new dataset's does."""
    own = inner_of(plain_copy(described) or {})
    are_alike = is_in_memory(own) == is_in_memory(section)
    return {"pipeline": own["pipeline"]} if own.get("pipeline") is not None and are_alike else {}


def split_sections(
    data: str | os.PathLike[str],
    like: Mapping[str, Any] | None = None,
    *,
    classes: Sequence[str] = (),
    trained: str = "",
) -> dict[str, dict[str, Any]]:
    """Return a description for each split that a file has; under ``''`` that of all its samples.

    The arguments are those of `evaluation_section`.
    """
    file = os.path.expanduser(os.fspath(data))
    if file.lower().endswith(_ARRAYS):
        names = array_names(file)
        if len(names) > 1 and "" in names:
            names.setdefault("train", names.pop(""))
        return {
            split: {"type": "ArrayDataset", "data_prefix": file, "images": images, "labels": labels}
            for split, (images, labels) in names.items()
        }
    own = inner_of(plain_copy(like) or {})
    is_table = own.get("type") == "CSVDataset"
    known = {name: own[name] for name in _NAMING if is_table and name in own}
    content = read_table(file)
    columns = find_columns(file, content, known)
    described = {"type": "CSVDataset", "ann_file": file, **columns.arguments()}
    if trained and not ("labels" in known and columns.label == known.get("label", columns.label)):
        described |= reading(content, columns, classes, trained)
    prefix = own.get("data_prefix") if is_table else None
    if prefix and os.path.isdir(prefix):
        described["data_prefix"] = prefix
    return {**_by_split(file, columns, described), "": described}


def with_siblings(
    data: str | os.PathLike[str], found: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the descriptions with those of the tables beside a table of training samples: of ``train.csv``
    ``val.csv`` and ``test.csv`` in any form of these words, where they have the same columns."""
    file = Path(data).expanduser()
    if set(found) != {""} or split_hinted(file.stem) != "train" or file.suffix.lower() == _ARRAYS:
        return found
    siblings = {"train": found[""]}
    alike = sorted(
        each.stem for each in file.parent.glob("*") if each.suffix == file.suffix and each.is_file()
    )
    for split, stems in counterparts(file.stem, alike).items():
        files = [os.path.join(os.path.dirname(file), f"{stem}{file.suffix}") for stem in stems]
        there = [each for each in files if _has_same_columns(each, found[""])]
        if len(there) > 1:
            raise DataError(f"{there[0]!r} and {there[1]!r} are for one split; remove or rename one")
        if there:
            siblings[split] = {**found[""], "ann_file": there[0]}
    return {**siblings, "": found[""]} if "val" in siblings else found


def _has_same_columns(file: str, described: Mapping[str, Any]) -> bool:
    label = described["label"]
    wanted = {described["path"], *([label] if isinstance(label, str) else label)}
    return wanted <= set(read_table(file, wanted).names)


def _by_split(file: str, columns: Columns, described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        split: {**described, "split": word, "split_column": columns.split}
        for split, word in words_of_splits(file, columns).items()
    }


def _no_split(file: str, split: str, found: Mapping[str, Any]) -> str:
    splits = [name for name in found if name]
    others = f"divide it: ding-cls kfold --data {file}; or train on all of it: --no-validate"
    if splits:
        remedy = "; train without: --no-validate" if split == "val" else ""
        return f"{file!r} has nothing for {_USE[split]}: it has {' and '.join(splits)}{remedy}"
    if file.lower().endswith(_ARRAYS):
        return f"{file!r} says nothing of splits; name its arrays x_train, y_train, x_val, y_val, or {others}"
    stem, ending = os.path.splitext(os.path.basename(file))
    name = f"{with_word(stem, 'val')}{ending}"
    is_of_one = split_hinted(stem) == "train" and "trainval" not in stem.lower()
    beside = f" put {name!r} beside it," if is_of_one else ""
    # Advice to use all rows would mix those to test by with those to train on.
    if flag := _flag_of_split(file, found[""]):
        beside, others = f" by what {flag!r} says", ""
    return (
        f"{file!r} has no column of splits; add a column split with train and val in it,{beside}"
        f"{others and f' or {others}'}"
    )


def _flag_of_split(file: str, described: Mapping[str, Any]) -> str:
    """Return the name of a column that may say whether a row is for training, as 'is_train'; or nothing."""
    label = described["label"]
    taken = {described["path"], *([label] if isinstance(label, str) else label)}
    names = (name for name in read_table(file).names if name and name not in taken)
    return next((name for name in names if split_of(name.lower().removeprefix("is"))), "")


_USE = {"train": "training", "val": "validation", "test": "the test"}
