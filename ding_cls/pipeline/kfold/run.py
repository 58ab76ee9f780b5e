"""Cross-validation: one ordinary run for each fold, evaluated on what it was not trained on."""

import copy
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.evaluation.files import plain, write_arrays
from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.checkpoint.keeper import best_file, checkpoint_folder
from ding_cls.common.command import part_of
from ding_cls.common.files import create_unique_dir, missing_parents, remove_claimed
from ding_cls.common.folder_lock import lock_folder
from ding_cls.common.logs.log import text_logger
from ding_cls.common.stops.signals import deferred_stops, nothing_saved, stoppable_command
from ding_cls.common.tables import write_json
from ding_cls.data.labels import sample_names
from ding_cls.errors import CheckpointError, ConfigError, NumbersError, RunStopped
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.kfold.files import averaged_file, fold_files, fold_folder, whole_file
from ding_cls.pipeline.kfold.fold_config import fold_config
from ding_cls.pipeline.kfold.plan import (
    Config,
    DivisionOptions,
    Plan,
    make_plan,
    open_folder,
    wanted_folds,
)
from ding_cls.pipeline.kfold.predictions import average_predictions, check_alone
from ding_cls.pipeline.kfold.summary import KFoldResult, kfold_summary
from ding_cls.pipeline.run_folder import has_rows, locked
from ding_cls.pipeline.train import train


@stoppable_command()
def kfold(
    config: Config = None,
    *,
    data: str | os.PathLike[str] | None = None,
    model: str | torch.nn.Module | None = None,
    pretrained: bool | str | os.PathLike[str] = False,
    epochs: int | None = None,
    seed: int | None = None,
    resume: bool = False,
    synthetic: bool = False,
    exp_name: str | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
    num_splits: int | None = None,
    fold: int | None = None,
    start_fold: int = 0,
    stratified: bool | None = None,
    grouped: bool | None = None,
    group_pattern: str | None = None,
    use_last: bool = False,
    allow_changed_data: bool = False,
) -> KFoldResult:
    """Train one network for each fold of the training data, evaluate each on its fold, and sum up.

    Every fold is a run of its own in ``exp_name/fold_0``, ``fold_1``, ..., with the same seed. It is
    evaluated on its held-out part as the config evaluates; the config's validation set is not used. Files:
    see `kfold_summary`. A fold's best checkpoint is chosen on the part that it is evaluated on, so its
    result is slightly too good; ``use_last`` evaluates the last weights instead.

    Args:
        config: as in `train`, like every argument that is not named here.
        data: folder with ``train/``, or with the class folders themselves. A folder ``test`` beside
            ``train`` is predicted by all networks together.
        model: as in `train`; each fold takes a copy of a network.
        seed: of the division too.
        resume: go on in ``exp_name``, with the arguments of its start: finished folds are not trained again.
        exp_name: the folder of all folds; by default what `train` would take, and ``_kfold``.
        num_splits: number of folds; 5 by default.
        fold: run this one alone, counted from 0; or all from ``start_fold`` on.
        stratified: each class has the same share in all folds; by default so.
        grouped: samples of one group stay together, by the dataset's ``groups``; by default so.
        group_pattern: the same by file names: a regular expression; its first group, or the whole match.
        use_last: evaluate the last checkpoint of each fold, not the best.
        allow_changed_data: go on with other names or labels while no fold has begun.

    Raises:
        DingError, RunStopped: as `train`.
    """
    check_alone("kfold")
    settings: dict[str, Any] = {"data": data, "model": model, "pretrained": pretrained, "epochs": epochs}
    settings |= {"synthetic": synthetic, "exp_name": exp_name, "overrides": overrides}
    options = DivisionOptions(seed, num_splits, stratified, grouped, group_pattern)
    plan = make_plan(config, settings, options, is_resumed=resume, allow_code=allow_code)
    return _finish(
        _Run(plan, model if isinstance(model, torch.nn.Module) else None, use_last, allow_code),
        wanted_folds(plan.division.num_splits, fold, start_fold),
        is_resumed=resume,
        is_part=fold is not None or start_fold > 0,
        allow_changed_data=allow_changed_data,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Plan
    network: torch.nn.Module | None
    use_last: bool
    allow_code: bool

    def network_copy(self) -> torch.nn.Module | None:
        return copy.deepcopy(self.network)


def _finish(
    run: _Run, folds: Sequence[int], *, is_resumed: bool, is_part: bool, allow_changed_data: bool
) -> KFoldResult:
    """Finish the folds one after another in the locked folder, then sum up and predict the test split."""
    if run.use_last:
        _check_last_is_saved(run.plan)
    parents, is_new = missing_parents(run.plan.folder), False
    with ExitStack() as stack:
        try:
            with deferred_stops():
                plan = open_folder(
                    run.plan,
                    folds,
                    is_resumed=is_resumed,
                    is_part=is_part,
                    allow_changed_data=allow_changed_data,
                )
                is_new = plan is not run.plan and not is_part
                run = replace(run, plan=plan)
                if not is_part:
                    stack.enter_context(locked(plan.folder))
            stack.enter_context(part_of(plan.folder))
            for fold in folds:
                with locked(plan.folder, name=f"fold_{fold}"):
                    _finish_fold(run, fold)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # A mistake found before training began shall not cost a folder.
            if is_new and not any(run.plan.folder.glob("*fold_*/")):
                stack.close()
                remove_claimed(run.plan.folder, parents)
                if isinstance(error, RunStopped):
                    raise RunStopped(nothing_saved(error.cause), cause=error.cause) from error
            raise
        # First: of a test split that cannot be read the folds' results shall not have to wait.
        result = kfold_summary(plan.folder, use_last=run.use_last, allow_code=run.allow_code)
        if result.missing or result.test is not None or not plan.test[0]:
            return result
        _predict_test(run, result)
        return kfold_summary(plan.folder, use_last=run.use_last, allow_code=run.allow_code)


def _check_last_is_saved(plan: Plan) -> None:
    learner = plan.compiled.policy.learn.learner
    if learner.checkpoint.save_best_only or not learner.hook.get("save_ckpt_after_run"):
        raise ConfigError(
            "use_last evaluates the weights that training ends with, and the config does not save them: of "
            "policy.learn.learner set hook.save_ckpt_after_run=True and checkpoint.save_best_only=False, or "
            "leave out --use-last"
        )


def _finish_fold(run: _Run, fold: int) -> None:
    """Train a fold, or the rest of it, and evaluate it; what is done is not done again."""
    folder = run.plan.folder
    result_file, predictions_file = fold_files(folder, fold, use_last=run.use_last)
    if result_file.is_file():
        return
    checkpoints = _train_fold(run, fold)
    checkpoint = best_file(checkpoints)
    if run.use_last:
        written = CheckpointKeeper(checkpoints).iterations()
        if not written:
            raise CheckpointError(f"'{checkpoints}' holds no last checkpoint any more; leave out --use-last")
        checkpoint = written[0]
    report = evaluate_checkpoint(
        checkpoint,
        model=run.network_copy(),
        keep_predictions=True,
        intervals=False,
        allow_code=run.allow_code,
    )
    held_out, predictions = report.dataset, report.predictions
    numbers = [held_out.indices[each] for each in predictions["sample_ids"].tolist()]
    columns = {**predictions, "sample_ids": numbers, "names": sample_names(held_out)}
    write_arrays(predictions_file, columns)
    write_json(
        result_file,
        {
            "fold": fold,
            "checkpoint": os.path.relpath(checkpoint, folder),
            "train_iter": report.train_iter,
            "num_train": run.plan.record["num_samples"] - report.num_samples,
            "num_held_out": report.num_samples,
            "result": plain(report.result),
        },
    )


def _train_fold(run: _Run, fold: int) -> Path:
    """Train a fold to its end and return the folder of its checkpoints."""
    plan, folder = run.plan, fold_folder(run.plan.folder, fold)
    cfg = fold_config(plan.cfg, plan.compiled, plan.division, fold)
    out_dir = plan.compiled.policy.learn.learner.checkpoint.out_dir
    if out_dir is not None:
        # Folds of two cross-validations have the same names.
        out_dir = os.path.join(out_dir, plan.folder.resolve().name)
        cfg["policy"]["learn"]["learner"]["checkpoint"]["out_dir"] = out_dir
    checkpoints = checkpoint_folder(folder, out_dir)
    # Its own mark: with the best checkpoint alone nothing else tells that training ended.
    mark = folder / "trained.json"
    if mark.is_file():
        return checkpoints
    is_begun = bool(CheckpointKeeper(checkpoints).iterations())
    if not is_begun:
        _make_way(folder, checkpoints)
    text_logger("kfold").info(f"fold {fold} of {plan.division.num_splits}, numbered from 0, in {folder}")
    try:
        train(
            cfg,
            model=run.network_copy(),
            exp_name=str(folder),
            resume=is_begun,
            allow_code=run.allow_code,
        )
    except NumbersError as error:
        raise NumbersError(f"fold {fold}: {error}") from error
    write_json(mark, {"fold": fold})
    return checkpoints


def _make_way(folder: Path, checkpoints: Path) -> None:
    """Free the name of a fold that ended before its first checkpoint: nothing can go on from there.

    Where it was trained at all, what it has written stays, under another name.
    """
    is_trained = has_rows(folder) or best_file(checkpoints).is_file()
    for rest in (folder, checkpoints):
        if rest.is_dir() and is_trained:
            # A process that trains it by itself, not as a fold, is not disturbed.
            lock_folder(rest).release()
            kept = create_unique_dir(rest.with_name(f"unfinished_{rest.name}"))
            rest.replace(kept)
            text_logger("kfold").warning(f"'{rest}' has no checkpoint to go on from; it is kept as '{kept}'")
        shutil.rmtree(rest, ignore_errors=True)


def _predict_test(run: _Run, result: KFoldResult) -> None:
    """Let the networks of all folds predict the test split together."""
    folder = run.plan.folder
    averaged = average_predictions(
        [each.checkpoint for each in result.folds],
        data=run.plan.test[1],
        model=run.network_copy(),
        out=whole_file(folder, "test_predictions.csv", use_last=run.use_last),
        allow_code=run.allow_code,
    )
    values = {**averaged.result, "num_samples": len(averaged.names)}
    write_json(averaged_file(folder, use_last=run.use_last), values)
