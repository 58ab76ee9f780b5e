"""What the doctor looks at: the splits of a folder, a table, arrays or a config, as datasets.

Nothing is refused here that the doctor can tell of: each split of a folder has its own list of classes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ding_cls.config import checked_config
from ding_cls.data import ImageNetDataset, build_dataset, find_split, innermost
from ding_cls.data.tools.doctor.crop import DEFAULT_STEPS
from ding_cls.data.tools.doctor.findings import Split
from ding_cls.data.tools.quarantine import quarantine_line
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.left_out import left_out_line
from ding_cls.images.listing import folder_names, split_folders
from ding_cls.images.tables.reading import listed, read_table
from ding_cls.pipeline.checks.both_sets import has_test_folder
from ding_cls.pipeline.datasets.data_file import is_data_file, split_sections, with_siblings
from ding_cls.pipeline.datasets.splits import (
    described,
    evaluation_set,
    names_folder,
    preprocessing_of,
    training_set,
    without_quarantined,
)
from ding_cls.pipeline.train import read_run_and_code

_SPLITS = ("train", "val", "test")
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}


@dataclass(frozen=True, slots=True)
class DoctorSets:
    """The datasets to look at.

    Attributes:
        name: of the data, as the user gave it.
        sets: a dataset for each split; '' where there are no splits.
        steps: what evaluation does to an image.
        crop_of: whose steps these are, in words.
        num_workers: reading processes; None: as many as there are cores.
        remark: a line on what a quarantine list leaves out; empty without one.
    """

    name: str
    sets: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]] = field(default=DEFAULT_STEPS)
    crop_of: str = "the default of a folder"
    num_workers: int | None = None
    remark: str = ""

    def splits(self) -> list[Split]:
        """Return what is known of each split without its samples."""
        return [
            Split(name, tuple(each.classes), "; ".join(_left_out(each)), _lists_folders(each))
            for name, each in self.sets.items()
        ]


def sets_of_data(data: str, *, group_column: str | None = None) -> DoctorSets:
    """Return the datasets of a folder of splits or of classes, of a table, or of arrays in an .npz file.

    Args:
        data: the folder or the file.
        group_column: the column of a table that says which images stay together.

    Raises:
        ConfigError: ``group_column`` of what is no table.
        DataError: it cannot be used.
    """
    if is_data_file(data):
        return DoctorSets(data, _in_file(data, group_column))
    if group_column is not None:
        raise ConfigError(f"--group-column is for a table, as labels.csv; {data!r} is none")
    splits = split_folders(data)
    found = {
        split: str(find_split(data, split))
        for split in _SPLITS
        if any(folder_names(Path(data, name)) for name in splits[split])
    }
    return DoctorSets(
        data, {split: ImageNetDataset(path, False) for split, path in (found or {"": data}).items()}
    )


def sets_of_config(config: str, overrides: Sequence[str], *, allow_code: bool = False) -> DoctorSets:
    """Return the datasets that a config, or the run in a folder, describes, without what it quarantines.

    Raises:
        ConfigError: it cannot be used, or generates its images.
        DataError: there are no such data.
    """
    file = os.path.join(config, "total_config.py") if os.path.isdir(config) else config
    arguments: dict[str, Any] = dict.fromkeys(("data", "model", "epochs", "exp_name"))
    read, settings = read_run_and_code(
        file,
        allow_code=allow_code,
        resume=False,
        overrides=overrides,
        pretrained=False,
        synthetic=False,
        **arguments,
    )
    settings.pop("notes")
    cfg = checked_config(read, None, **settings)
    if cfg.policy.collect.synthetic:
        raise ConfigError(
            f"{config!r} generates its images (policy.collect.synthetic); there are none to look at"
        )
    sets = dict(_of_config(cfg))
    loading = cfg.policy.learn.learner.dataloader
    return DoctorSets(
        config,
        sets,
        preprocessing_of(cfg).pipeline,
        "the config's own evaluation",
        loading.num_workers,
        quarantine_line(sets.values()),
    )


def _in_file(data: str, group_column: str | None) -> dict[str, Any]:
    like = None if group_column is None else {"type": "CSVDataset", "group": group_column}
    sections = with_siblings(data, split_sections(data, like))
    if group_column is not None and any(each.get("type") != "CSVDataset" for each in sections.values()):
        raise ConfigError(f"--group-column is for a table, as labels.csv; {data!r} is none")
    if group_column is not None:
        _check_column(data, group_column)
    chosen = {split: sections[split] for split in (*_SPLITS, "") if split in sections}
    if len(chosen) > 1:
        chosen.pop("", None)
    return {split: build_dataset(section) for split, section in chosen.items()}


def _check_column(table: str, name: str) -> None:
    names = read_table(os.path.expanduser(table)).names
    if name not in names:
        raise DataError(f"{table!r} has no column {name!r}; its first line names {listed(names)}")


def _of_config(cfg: Any) -> Iterator[tuple[str, Any]]:
    collect = cfg.policy.collect
    classes: tuple[str, ...] | None = None
    for split in _SPLITS:
        if split != "test" and not names_folder(collect, split):
            continue
        if described(collect, split) is None:
            if split == "test" and not has_test_folder(collect):
                continue
            path = collect[_PATHS[split]] if split in _PATHS else _beside(collect)
            yield split, without_quarantined(ImageNetDataset(path, False), collect)
        elif split == "train":
            dataset = training_set(cfg)
            classes = tuple(dataset.classes)
            yield split, dataset
        else:
            if classes is None:
                classes = tuple(training_set(cfg).classes)
            yield split, evaluation_set(cfg, split, classes)


def _beside(collect: Any) -> str:
    return str(find_split(Path(collect.eval_data_path).parent, "test"))


def _left_out(dataset: Any) -> Iterator[str]:
    for each in innermost(dataset):
        if left_out := getattr(each, "left_out", None):
            root = getattr(each, "root", None) or getattr(each, "data_prefix", "")
            yield left_out_line(str(root), left_out)


def _lists_folders(dataset: Any) -> bool:
    return all(isinstance(each, ImageNetDataset) for each in innermost(dataset))
