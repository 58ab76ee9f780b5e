"""What a cross-validation is to do: its config, its data divided, its folder. Nothing is trained here."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ding_cls.common.disk import disk_error
from ding_cls.common.files import create_unique_dir, missing_parents, remove_claimed
from ding_cls.common.logs.log import text_logger
from ding_cls.common.tables import write_json
from ding_cls.config import checked_config
from ding_cls.config.merge import plain_copy, save_config
from ding_cls.config.messages import with_location
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.recipe import recipe_line
from ding_cls.config.tree import leaves
from ding_cls.data.datasets.digest import SampleList
from ding_cls.errors import ConfigError, DataError, DingError, PartError
from ding_cls.pipeline.checks.changed_data import FACT, LISTS, described_changes, write_lists
from ding_cls.pipeline.checks.num_classes import follow_num_classes
from ding_cls.pipeline.datasets.input_statistics import input_line
from ding_cls.pipeline.datasets.splits import training_set
from ding_cls.pipeline.kfold.files import CONFIG_NAME, SETTINGS_NAME, fold_folder, read_json
from ding_cls.pipeline.kfold.fold_config import Division, check_divisible, find_test_data, whole_config
from ding_cls.pipeline.resume import DROP_LAST
from ding_cls.pipeline.train import PARTS, read_run, read_run_and_code

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
_MUST_AGREE = (".train_iterations", ".out_dir", ".drop_last")


@dataclass(frozen=True, slots=True)
class DivisionOptions:
    """The given arguments of `Division`; None: as when the cross-validation was begun, or the default."""

    seed: int | None = None
    num_splits: int | None = None
    stratified: bool | None = None
    grouped: bool | None = None
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.grouped is False and self.group_pattern is not None:
            raise ConfigError("a group pattern keeps groups together: give it, or grouped=False, not both")


@dataclass(frozen=True, slots=True)
class Plan:
    """A cross-validation whose data were looked at.

    Attributes:
        folder: the folder of all its files, made by `open_folder`.
        cfg: the config in the native spelling, less the defaults.
        compiled: the same with them.
        division: how the data are divided.
        record: the content of ``kfold.json``: division and data.
        test: whether there is a test split, and the folder above it, as from `find_test_data`.
        samples: names and labels of the data.
    """

    folder: Path
    cfg: dict[str, Any]
    compiled: Any
    division: Division
    record: dict[str, Any]
    test: tuple[bool, str | None]
    samples: SampleList


def kfold_folder(config: Config, **settings: Any) -> Path:
    """Return the folder that `kfold` with the same arguments begins with, or goes on in."""
    exp_name = settings.get("exp_name")
    if config is None and exp_name is not None:
        return Path(exp_name)
    described = read_run(config, resume=False, only_training=True, **settings)
    return _folder_of(described.cfg, described.origins)


def make_plan(
    config: Config, settings: dict[str, Any], options: DivisionOptions, *, is_resumed: bool, allow_code: bool
) -> Plan:
    """Read the config, look at the data, and divide them; nothing is written."""
    folder: Path | None = None
    saved: dict[str, Any] = {}
    if is_resumed:
        folder = kfold_folder(config, **settings)
        saved = _record_of(folder)
        config = read_config_with_origins(folder / CONFIG_NAME)[0] if config is None else config
        if "drop_last" not in saved:
            # Begun by a version that always left the rest of an epoch out.
            settings = {**settings, "overrides": [f"{DROP_LAST}=True", *settings["overrides"]]}
    begun = saved.get("division", {})
    cfg, about = read_run_and_code(
        config, allow_code=allow_code, resume=False, only_training=True, **settings
    )
    notes = about.pop("notes")
    compiled = checked_config(cfg, begun.get("seed") if options.seed is None else options.seed, **about)
    dataset = _whole_dataset(cfg, compiled, about["origins"])
    logger, origins = text_logger("kfold"), about["origins"]
    if line := input_line(compiled, origins):
        logger.info(line)
    for each in (cfg, compiled):
        line = follow_num_classes(each, len(dataset.classes), origins=origins, notes=notes)
    if line:
        logger.warning(line)
    if recipe := recipe_line(compiled, origins):
        logger.info(f"recipe {recipe}")
    division = _division(options, begun, compiled.seed, dataset)
    check_divisible(dataset, division)
    _warn_of_small_classes(dataset, division)
    samples = SampleList.of(dataset)
    return Plan(
        folder=folder or _folder_of(cfg, origins),
        cfg=plain_copy({**cfg, "seed": compiled.seed}),
        compiled=compiled,
        division=division,
        record={
            "division": asdict(division),
            "num_samples": len(dataset),
            "classes": list(dataset.classes),
            FACT: samples.facts,
            "drop_last": compiled.policy.learn.learner.dataloader.drop_last,
        },
        test=find_test_data(compiled),
        samples=samples,
    )


def wanted_folds(num_splits: int, fold: int | None, start_fold: int) -> list[int]:
    """Return the folds to do."""
    for name, value in (("fold", fold), ("start_fold", start_fold)):
        if value is not None and not 0 <= value < num_splits:
            raise ConfigError(f"{name} is {value}; the {num_splits} folds are numbered 0 to {num_splits - 1}")
    if fold is not None and start_fold:
        raise ConfigError("say either fold, which is done alone, or start_fold")
    return list(range(start_fold, num_splits)) if fold is None else [fold]


def open_folder(
    plan: Plan, folds: Sequence[int], *, is_resumed: bool, is_part: bool, allow_changed_data: bool = False
) -> Plan:
    """Return the plan with its folder: a new one, or that of the same cross-validation."""
    folder = plan.folder
    has_record = (folder / SETTINGS_NAME).is_file()
    # Folds that are done one by one, perhaps at once on several machines, share a folder.
    is_shared = is_part and (has_record or not (folder / "total_config.py").exists())
    if not is_resumed and not (is_shared and has_record):
        return _begin(plan, is_shared=is_shared)
    record = _record_of(folder)
    changes = _changed_data(plan, record, is_allowed=allow_changed_data)
    _check_same_settings(plan, record)
    if changes:
        text_logger("kfold").warning(f"{changes}; the cross-validation goes on with the data as they are now")
        _write_record(plan)
    there = [each for number in folds if (each := fold_folder(folder, number)).exists()]
    if there and not is_resumed:
        raise ConfigError(f"'{there[0]}' is there already; go on with --resume, or name another --work-dir")
    return plan


def _whole_dataset(cfg: Mapping[str, Any], compiled: Any, origins: Mapping[str, str]) -> Any:
    """Return the dataset that is divided: each sample once."""
    if max_bad := compiled.policy.learn.learner.dataloader.max_bad:
        raise ConfigError(
            f"policy.learn.learner.dataloader.max_bad is {max_bad}, and cross-validation predicts "
            "every sample; ding-cls train --dry-run --check-images lists the bad ones: mend or delete them"
        )
    classes: dict[str, Any] = dict(PARTS)
    try:
        return training_set(checked_config(whole_config(cfg, compiled), None, **classes))
    except PartError as error:
        raise ConfigError(with_location(error, compiled, origins)) from error


def _division(options: DivisionOptions, begun: Mapping[str, Any], seed: int, dataset: Any) -> Division:
    """Return the division: as given, else as when it was begun, else by the defaults."""
    given = {name: value for name, value in asdict(options).items() if value is not None}
    settings: dict[str, Any] = {"num_splits": DEFAULT_SPLITS, **begun, **given, "seed": seed}
    if settings.get("group_pattern") is not None:
        settings["grouped"] = False
    settings.setdefault("grouped", getattr(dataset, "groups", None) is not None)
    return Division(**settings)


def _begin(plan: Plan, *, is_shared: bool) -> Plan:
    """Return the plan with its folder made and described."""
    folder, parents, is_claimed = plan.folder, missing_parents(plan.folder), False
    try:
        if is_shared:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder, is_claimed = create_unique_dir(folder), True
        plan = replace(plan, folder=folder)
        save_config(plan.cfg, folder / CONFIG_NAME)
        _write_record(plan)
    except (DingError, OSError) as error:
        if is_claimed:
            remove_claimed(folder, parents)
        if isinstance(error, DingError):
            raise
        refused = ConfigError(f"the folder '{folder}' cannot be made: {error}")
        raise disk_error(error) or refused from error
    return plan


def _write_record(plan: Plan) -> None:
    write_json(plan.folder / SETTINGS_NAME, plan.record)
    write_lists({"train": plan.samples}, plan.folder / LISTS)


def _folder_of(cfg: Mapping[str, Any], origins: Mapping[str, str]) -> Path:
    """Return the folder that an argument or a word names, or else an ordinary run's with a word behind it."""
    is_named = origins.get("exp_name", "").startswith("override ")
    name = str(cfg.get("exp_name") or "default_experiment")
    return Path(name if is_named else f"{name}_kfold")


def _record_of(folder: Path) -> dict[str, Any]:
    return read_json(
        folder / SETTINGS_NAME,
        f"there is no cross-validation '{folder}' to resume here; start it without --resume, or name its "
        "folder: --work-dir",
    )


def _check_same_settings(plan: Plan, record: Mapping[str, Any]) -> None:
    """Refuse to put folds of two cross-validations together."""
    saved, _ = read_config_with_origins(plan.folder / CONFIG_NAME)
    # A record without it is of a version that always left the rest of an epoch out.
    before = {**dict(leaves(saved)), **record["division"], DROP_LAST: record.get("drop_last", True)}
    now = {**dict(leaves(plan.cfg)), **plan.record["division"], DROP_LAST: plan.record["drop_last"]}
    for key in [*record["division"], *sorted(before.keys() | now.keys())]:
        is_free = key.startswith(_MAY_DIFFER) and not key.endswith(_MUST_AGREE)
        if not is_free and before.get(key) != now.get(key):
            raise ConfigError(
                f"{key} was {before.get(key)!r} when the folds in '{plan.folder}' were begun and is "
                f"{now.get(key)!r} now; all folds are trained alike: go on with --resume and --work-dir "
                "alone, or name another --work-dir"
            )


def _changed_data(plan: Plan, record: Mapping[str, Any], *, is_allowed: bool) -> str:
    """Refuse other data than those of the folds; return what changed where that is allowed.

    They are divided anew: a fold that was begun has trained on samples that it would be evaluated on.
    """
    folder, classes = plan.folder, plan.record["classes"]
    has_same_classes = record["classes"] == classes
    found = described_changes(
        {"train": record.get(FACT)}, {"train": plan.samples}, folder / LISTS, tuple(classes)
    )
    if has_same_classes and not found:
        return ""
    begun = sorted(folder.glob("fold_*"))
    if is_allowed and not begun and has_same_classes:
        return found
    reason = f"; '{begun[0]}' has trained on samples that it would now be evaluated on" if begun else ""
    option = "" if is_allowed or begun else "go on with them as they are: --allow-changed-data, "
    raise DataError(
        f"the data are not those that the folds in '{folder}' were made of: {found or 'other classes'}"
        f"{reason}; put them back, {option}or name another --work-dir"
    )


def _warn_of_small_classes(dataset: Any, division: Division) -> None:
    if not division.stratified:
        return
    counts = Counter(target for target in getattr(dataset, "targets", ()) if isinstance(target, int))
    small = [number for number, count in counts.items() if count < division.num_splits]
    if small:
        text_logger("kfold").warning(
            f"{len(small)} classes have fewer samples than there are folds, as {dataset.classes[small[0]]!r} "
            f"with {counts[small[0]]}: some folds are evaluated without them"
        )
