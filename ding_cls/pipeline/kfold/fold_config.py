"""A run's config turned into that of one fold: which data are divided, and what each part is read as.

It must not know how a run is started or evaluated.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.config.preprocessing import INPUT_KEYS
from ding_cls.data import ConcatDataset, KFoldDataset
from ding_cls.data.datasets.wrappers import IndexedDataset
from ding_cls.errors import DataError
from ding_cls.images.listing import split_folders
from ding_cls.images.split_words import split_of
from ding_cls.pipeline.build import configured_num_classes
from ding_cls.pipeline.datasets.dataset_cfg import FOLDERS, arguments_of, changed, inner_of

# Wrappers that show a sample several times: the data are divided before, or copies would be evaluated.
_REPEATING = ("RepeatDataset", "ClassBalancedDataset")


@dataclass(frozen=True, slots=True)
class Division:
    """How the data are divided; the arguments of `KFoldDataset`.

    Attributes:
        num_splits: number of folds.
        seed: of which samples go into which fold.
        stratified: each class alike in all folds.
        grouped: samples of one group stay in one fold, by the dataset's ``groups``.
        group_pattern: the same, by what this regular expression finds in the file names; None: not so.
    """

    num_splits: int
    seed: int
    stratified: bool = True
    grouped: bool = False
    group_pattern: str | None = None


def whole_config(cfg: Mapping[str, Any], compiled: Any) -> dict[str, Any]:
    """Return a config whose training set is all that is to be divided, each sample once.

    Args:
        cfg: in the native spelling, less the defaults.
        compiled: the same with them, checked.
    """
    return _with_sets(cfg, compiled, train=_data(compiled)[1], val=None)


def fold_config(cfg: Mapping[str, Any], compiled: Any, division: Division, fold: int) -> dict[str, Any]:
    """Return the config of one fold's run: it trains on the others, and is evaluated on this one as the run
    evaluates, without augmentation.

    Args:
        cfg: as in `whole_config`.
        compiled: as there.
        division: how the data are divided.
        fold: number of the fold, from 0.
    """
    repeating, section = _data(compiled)
    train = _part(section, division, fold, is_held_out=False)
    for wrapper in reversed(repeating):
        train = {**wrapper, "dataset": train}
    # Without the wrappers that repeat: every held-out sample is evaluated once.
    held_out = _part(_as_evaluated(section, compiled), division, fold, is_held_out=True)
    return _with_sets(cfg, compiled, train=train, val=held_out)


def check_divisible(dataset: Any, division: Division) -> None:
    """Refuse data that cannot be divided.

    Raises:
        DataError: they hold a sample several times.
        DingError: what `KFoldDataset` raises.
    """
    if len(set(_origins(dataset))) < len(dataset):
        raise DataError(
            "the data hold a sample several times: one copy would be trained on and another evaluated; put "
            f"{' or '.join(_REPEATING)} outermost in policy.collect.train"
        )
    KFoldDataset(dataset, fold=0, test_mode=True, **asdict(division))


def find_test_data(compiled: Any) -> tuple[bool, str | None]:
    """Return whether there is a test split, and the folder above its own; None where the config describes it.

    Without a description it is the folder of that split beside validation's, or beside one for training.
    """
    collect = compiled.policy.collect
    if collect.synthetic:
        return False, None
    if collect.test is not None:
        return True, None
    train, val = (inner_of(plain_copy(collect[name]) or {}) for name in ("train", "val"))
    reads_folders = not train or (bool(arguments_of(train) & set(FOLDERS)) and "ann_file" not in train)
    folders = [Path(each) for each in (collect.eval_data_path, _folder_of(val)) if each]
    trained = (collect.learn_data_path, _folder_of(train))
    folders += [Path(each) for each in trained if each and split_of(Path(each).name) == "train"]
    above = [str(each.parent) for each in folders if split_folders(each.parent)["test"]]
    return (True, above[0]) if above and reads_folders else (False, None)


def _data(compiled: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the wrappers that repeat samples, outermost first, and the description of what they hold."""
    collect = compiled.policy.collect
    if collect.synthetic:
        return [], {
            "type": "SyntheticDataset",
            "num_samples": collect.synthetic_samples,
            "num_classes": next(iter(configured_num_classes(compiled).values()), 1000),
            "size_px": collect.image_size,
            "seed": compiled.seed,
        }
    section: dict[str, Any] = plain_copy(collect.train) if collect.train else {"type": "ImageNetDataset"}
    if not collect.train and not collect.learn_data_path:
        raise DataError("no training data are named: set policy.collect.learn_data_path, or --data DIR")
    repeating = []
    while section.get("type") in _REPEATING and isinstance(section.get("dataset"), dict):
        repeating.append({name: value for name, value in section.items() if name != "dataset"})
        section = section["dataset"]
    if collect.try_to_train_items:
        number = collect.try_to_train_items
        section = {"type": "SubsetDataset", "dataset": section, "num_samples": number, "seed": compiled.seed}
    return repeating, section


def _part(section: dict[str, Any], division: Division, fold: int, *, is_held_out: bool) -> dict[str, Any]:
    settings = {name: value for name, value in asdict(division).items() if value is not None}
    return {
        "type": "KFoldDataset",
        "dataset": section,
        "fold": fold,
        "test_mode": is_held_out,
        **settings,
    }


def _as_evaluated(section: dict[str, Any], compiled: Any) -> dict[str, Any]:
    """Return the description of the same samples with the pipeline of the validation set."""
    val = inner_of(plain_copy(compiled.policy.collect.val) or {})

    def change(inner: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in inner.items() if name not in ("pipeline", "transform")}
        is_fitting = val.get("pipeline") is not None and "pipeline" in arguments_of(inner)
        return {**kept, "pipeline": val["pipeline"]} if is_fitting else kept

    return changed(section, change)


def _with_sets(cfg: Mapping[str, Any], compiled: Any, *, train: Any, val: Any) -> dict[str, Any]:
    known: Any = compiled.policy.collect
    own: dict[str, Any] = plain_copy(cfg)
    policy = own.setdefault("policy", {})
    policy["collect"] = {
        **policy.get("collect", {}),
        # Said once more: a pipeline inside a wrapper must not let others be filled in.
        **{name: plain_copy(known[name]) for name in INPUT_KEYS},
        "train": train,
        "val": val,
        "learn_data_path": known.learn_data_path,
        "eval_data_path": known.learn_data_path,
        "try_to_train_items": 0,
        "synthetic": False,
    }
    own["seed"] = compiled.seed
    return own


def _folder_of(section: Mapping[str, Any]) -> str:
    return str(next((section[name] for name in FOLDERS if section.get(name)), ""))


def _origins(dataset: Any) -> list[Any]:
    """Return the place of each sample in the datasets inside wrappers."""
    if isinstance(dataset, ConcatDataset):
        inner = enumerate(map(_origins, dataset.datasets))
        return [(number, each) for number, places in inner for each in places]
    if isinstance(dataset, IndexedDataset):
        places = _origins(dataset.dataset)
        return [places[index] for index in dataset.indices]
    return list(range(len(dataset)))
