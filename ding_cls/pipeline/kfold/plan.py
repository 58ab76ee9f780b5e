"""What a cross-validation is to do: its config, its data divided, its folder. Nothing is trained here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ding_cls.common.disk import disk_error
from ding_cls.common.files import claim_folder, missing_parents, remove_claimed
from ding_cls.common.logs.log import text_logger
from ding_cls.common.process import launched_rank
from ding_cls.common.tables import write_json
from ding_cls.config import checked_config
from ding_cls.config.merge import plain_copy, save_config
from ding_cls.config.messages import with_location
from ding_cls.config.origins import NativeConfig
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.recipe import recipe_line
from ding_cls.config.tree import leaves
from ding_cls.config.user_code import import_user_code
from ding_cls.data.datasets.digest import SampleList
from ding_cls.errors import ConfigError, DataError, DingError, PartError
from ding_cls.pipeline.checks.changed_data import FACT, LISTS, described_changes, write_lists
from ding_cls.pipeline.datasets.input_statistics import input_line
from ding_cls.pipeline.datasets.splits import training_set
from ding_cls.pipeline.kfold.files import CONFIG_NAME, SETTINGS_NAME, read_json
from ding_cls.pipeline.kfold.fold_config import (
    Division,
    find_test_data,
    fingerprint,
    fold_numbers,
    whole_config,
)
from ding_cls.pipeline.resume import DROP_LAST
from ding_cls.pipeline.train import PARTS, folder_of, read_run

Config = str | os.PathLike[str] | Mapping[str, Any] | None

DEFAULT_SPLITS = 5
# A fold that goes on from its checkpoint may do so with other lines, other hooks, on another machine.
_MAY_DIFFER = (
    "exp_name",
    "policy.cuda",
    "policy.multi_gpu",
    "policy.learn.multi_gpu",
    "policy.learn.learner.",
    "custom_imports.folder",
)
_MUST_AGREE = (".train_iterations", ".out_dir")


def kfold_folder(config: Config, **settings: Any) -> Path:
    """Return the folder that `kfold` with the same arguments begins with, or goes on in."""
    exp_name = settings.get("exp_name")
    if config is None and exp_name is not None:
        return Path(exp_name)
    return _folder_of(read_run(config, resume=False, only_training=True, **settings))


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said about the division; None: nothing."""

    seed: int | None
    num_splits: int | None
    stratified: bool | None
    grouped: bool | None
    group_pattern: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A cross-validation whose data were looked at.

    Attributes:
        folder: where all of it lies, or shall lie.
        cfg: the config in the native spelling, less the defaults.
        compiled: the same with them.
        division: how the data are divided.
        record: what ``kfold.json`` says of data and division.
        test: whether there is a test split, and the folder above it, as `find_test_data` says.
        samples: names and labels of the data.
    """

    folder: Path
    cfg: dict[str, Any]
    compiled: Any
    division: Division
    record: dict[str, Any]
    test: tuple[bool, str | None]
    samples: SampleList


def make_plan(
    config: Config, settings: dict[str, Any], asked: Asked, *, is_resumed: bool, allow_code: bool
) -> Plan:
    """Read the config, look at the data, and divide them; nothing is written."""
    if asked.grouped is False and asked.group_pattern is not None:
        raise ConfigError("a group pattern keeps groups together; say it, or that there are none, not both")
    saved: dict[str, Any] = {}
    folder: Path | None = None
    if is_resumed:
        folder = kfold_folder(config, **settings)
        saved = _record_of(folder)
        if config is None:
            config = read_config_with_origins(folder / CONFIG_NAME)[0]
    if saved and "drop_last" not in saved:
        # Begun by a version that always left the rest of an epoch out.
        settings = {**settings, "overrides": [f"{DROP_LAST}=True", *settings["overrides"]]}
    described = read_run(config, resume=False, only_training=True, **settings)
    import_user_code(described.cfg, is_allowed=allow_code, folder=folder_of(config))
    cfg = described.cfg
    if cfg.get("custom_imports") and (beside := folder_of(config)) is not None:
        cfg["custom_imports"].setdefault("folder", str(beside.resolve()))
    classes: dict[str, Any] = dict(PARTS)
    given: dict[str, Any] = {**classes, "origins": described.origins, "problems": described.problems}
    known_seed = saved.get("division", {}).get("seed") if asked.seed is None else asked.seed
    compiled = checked_config(cfg, known_seed, **given)
    loading = compiled.policy.learn.learner.dataloader
    if loading.max_bad:
        raise ConfigError(
            f"policy.learn.learner.dataloader.max_bad is {loading.max_bad}, and cross-validation predicts "
            "every sample; ding-cls train --dry-run --check-images lists the bad ones: mend or delete them"
        )
    try:
        dataset = training_set(checked_config(whole_config(cfg, compiled), None, **classes))
    except PartError as error:
        raise ConfigError(with_location(error, compiled, described.origins)) from error
    if launched_rank() == 0:
        logger = text_logger("kfold")
        if line := input_line(compiled, described.origins):
            logger.info(line)
        if recipe := recipe_line(compiled, described.origins):
            logger.info(f"recipe {recipe}")
    division = _division(asked, saved.get("division", {}), compiled.seed, dataset)
    folds = fold_numbers(dataset, division)
    samples = SampleList.of(dataset)
    record = {
        "division": asdict(division),
        "num_samples": len(dataset),
        "classes": list(dataset.classes),
        "fingerprint": fingerprint(dataset, folds),
        FACT: samples.facts,
        "drop_last": loading.drop_last,
    }
    _warn_of_small_classes(dataset, division)
    own = plain_copy({**cfg, "seed": compiled.seed})
    folder = folder or _folder_of(described)
    return Plan(folder, own, compiled, division, record, find_test_data(compiled), samples)


def _division(asked: Asked, saved: Mapping[str, Any], seed: int, dataset: Any) -> Division:
    """Return how to divide: as was said now, or at the start, or as is usual."""
    pattern = saved.get("group_pattern") if asked.group_pattern is None else asked.group_pattern
    has_groups = pattern is None and getattr(dataset, "groups", None) is not None
    usual = {"num_splits": DEFAULT_SPLITS, "stratified": True, "grouped": has_groups}
    then = {name: saved[name] for name in usual if name in saved}
    said = {name: value for name in usual if (value := getattr(asked, name)) is not None}
    if pattern is not None:
        said["grouped"] = False
    return Division(seed=seed, group_pattern=pattern, **{**usual, **then, **said})


def wanted_folds(num_splits: int, fold: int | None, start_fold: int) -> list[int]:
    """Return the folds to do."""
    for name, value in (("fold", fold), ("start_fold", start_fold)):
        if value is not None and not 0 <= value < num_splits:
            raise ConfigError(f"{name} is {value}; the {num_splits} folds are numbered 0 to {num_splits - 1}")
    if fold is not None and start_fold:
        raise ConfigError("say either fold, which is done alone, or start_fold")
    return list(range(start_fold, num_splits)) if fold is None else [fold]


def opened(
    plan: Plan, folds: Sequence[int], *, is_resumed: bool, is_part: bool, allow_changed_data: bool = False
) -> Plan:
    """Return the plan with its folder, made and described, or found to be of the same cross-validation."""
    folder = plan.folder
    has_record = (folder / SETTINGS_NAME).is_file()
    # Folds that are done one by one, perhaps at once on several machines, share a folder.
    is_shared = is_part and (has_record or not (folder / "total_config.py").exists())
    if is_resumed or (is_shared and has_record):
        record = _record_of(folder)
        if changes := _check_same(plan, record, allow_changed_data=allow_changed_data):
            text_logger("kfold").warning(
                f"{changes}; the cross-validation goes on with the data as they are now"
            )
            write_json(folder / SETTINGS_NAME, plan.record)
            write_lists({"train": plan.samples}, folder / LISTS)
        there = [number for number in folds if (folder / f"fold_{number}").exists()]
        if there and not is_resumed:
            raise ConfigError(
                f"'{folder / f'fold_{there[0]}'}' is there already; go on with --resume, or name another "
                "--work-dir"
            )
        return plan
    parents, is_claimed = missing_parents(folder), False
    try:
        if is_shared:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder, is_claimed = claim_folder(folder), True
        save_config(plan.cfg, folder / CONFIG_NAME)
        write_json(folder / SETTINGS_NAME, plan.record)
        write_lists({"train": plan.samples}, folder / LISTS)
    except (DingError, OSError) as error:
        if is_claimed:
            remove_claimed(folder, parents)
        if isinstance(error, DingError):
            raise
        refused = ConfigError(f"the folder '{folder}' cannot be made: {error}")
        raise disk_error(error) or refused from error
    return replace(plan, folder=folder)


def _folder_of(described: NativeConfig) -> Path:
    """Return the folder that an argument or a word names, or else an ordinary run's with a word behind it."""
    is_named = described.origins.get("exp_name", "").startswith("override ")
    name = str(described.cfg.get("exp_name") or "default_experiment")
    return Path(name if is_named else f"{name}_kfold")


def _record_of(folder: Path) -> dict[str, Any]:
    return read_json(
        folder / SETTINGS_NAME,
        f"there is no cross-validation '{folder}' to resume here; start it without --resume, or name its "
        "folder: --work-dir",
    )


def _check_same(plan: Plan, record: Mapping[str, Any], *, allow_changed_data: bool) -> str:
    """Refuse to put folds of two cross-validations together; return which changes of the data are allowed."""
    for name, value in plan.record["division"].items():
        if record["division"].get(name) != value:
            raise ConfigError(
                f"the folds in '{plan.folder}' were divided with {name}={record['division'].get(name)!r}, "
                f"not {value!r}; say the same, or name another --work-dir"
            )
    changes = _changed_data(plan, record, is_allowed=allow_changed_data)
    if record.get("drop_last", True) != plan.record["drop_last"]:
        raise ConfigError(
            f"the folds in '{plan.folder}' were begun with {DROP_LAST}={record.get('drop_last', True)}; all "
            "folds are trained alike: set it, or name another --work-dir"
        )
    before, _ = read_config_with_origins(plan.folder / CONFIG_NAME)
    then, now = dict(leaves(before)), dict(leaves(plan.cfg))
    for key in sorted(then.keys() | now.keys()):
        is_free = key.startswith(_MAY_DIFFER) and not key.endswith(_MUST_AGREE)
        if not is_free and then.get(key) != now.get(key):
            raise ConfigError(
                f"{key} was {then.get(key)!r} when the folds in '{plan.folder}' were begun and is "
                f"{now.get(key)!r} now; all folds are trained alike: go on with --resume and --work-dir "
                "alone, or name another --work-dir"
            )
    return changes


def _changed_data(plan: Plan, record: Mapping[str, Any], *, is_allowed: bool) -> str:
    """Refuse other data than the folds were made of; where they are allowed, say what changed.

    They are divided anew: a fold that was begun has trained on samples that it would be judged on.
    """
    has_same_classes = record["classes"] == plan.record["classes"]
    # The older fingerprint has names as they are: of data on another disk they may begin otherwise.
    is_same = any(record.get(name) == plan.record[name] for name in ("fingerprint", FACT))
    if has_same_classes and is_same:
        return ""
    folder = plan.folder
    before = {"train": record.get(FACT, {"num_samples": record["num_samples"]})}
    found = described_changes(before, {"train": plan.samples}, folder / LISTS, plan.record["classes"])
    begun = sorted(folder.glob("fold_*"))
    if is_allowed and not begun and has_same_classes:
        return found
    reason = f"; '{begun[0]}' has trained on samples that it would now be judged on" if begun else ""
    option = "" if is_allowed or begun else "go on with them as they are: --allow-changed-data, "
    raise DataError(
        f"the data are not those that the folds in '{folder}' were made of: {found}{reason}; put them back, "
        f"{option}or name another --work-dir"
    )


def _warn_of_small_classes(dataset: Any, division: Division) -> None:
    if not hasattr(dataset, "targets") or not division.stratified:
        return
    counts: dict[Any, int] = {}
    for target in dataset.targets:
        if isinstance(target, int):
            counts[target] = counts.get(target, 0) + 1
    small = [number for number, count in counts.items() if count < division.num_splits]
    if small:
        first = dataset.classes[small[0]]
        text_logger("kfold").warning(
            f"{len(small)} classes have fewer samples than there are folds, as {first!r} with "
            f"{counts[small[0]]}: some folds are judged without them"
        )
