"""What an evaluation knows of policies, metrics and results of any make."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from ding_cls.answers.evaluation.files import plain
from ding_cls.answers.show import fits_a_line, show_value, where_lists_are
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.checkpoint.state import SaveError
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import IMetric
from ding_cls.policy.modes import EvalMode
from ding_cls.types import Batch


def is_saved(save_ckpt_fn: Callable[[str], Any], logger: logging.Logger) -> bool:
    """Save the best checkpoint, and return whether that went well: the best is what its file holds.

    Args:
        save_ckpt_fn: gets the file's name; False means that it was not written.
        logger: warns of a disk that is full or fails.
    """
    try:
        return save_ckpt_fn(BEST_NAME) is not False
    except SaveError as error:
        logger.warning(f"{error}; the best checkpoint stays the one before")
        return False


def takes_counts(metric: IMetric) -> bool:
    """Return whether a metric's ``reduce_mean`` takes the number of samples of each batch."""
    parameters = inspect.signature(metric.reduce_mean).parameters.values()
    positional = [
        each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) >= 2 or any(each.kind is each.VAR_POSITIONAL for each in parameters)


def plain_number(value: Any) -> Any:
    """Return a 0-dim tensor or a NumPy number as Python's own, anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def named_numbers(metric: IMetric, found: Any) -> dict[str, Any]:
    """Return what a metric of one's own gives, by name; a single number has the name of the metric's class.

    Raises:
        ConfigError: it is neither a dict nor a number.
    """
    name = type(metric).__name__
    if isinstance(found, Mapping):
        return {key: plain_number(value) for key, value in found.items()}
    number = plain_number(found)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ConfigError(
            f"{name} gives a {type(found).__name__}; eval and reduce_mean return a dict of results by name, "
            "or one number"
        )
    return {name: number}


def bare_number(metric: IMetric, result: Any) -> Any:
    """Return a result as the metric itself gave it: the number that ``named_numbers`` has named."""
    name = type(metric).__name__
    return result[name] if isinstance(result, Mapping) and name in result else result


def reduced_dicts(
    metric: IMetric, dicts: list[dict[str, Any]], counts: Sequence[int]
) -> tuple[dict[str, Any], str]:
    """Return what a metric makes of one dict a batch, and what its user should know; an empty text: nothing.

    Args:
        metric: one of the user's own.
        dicts: in the order of the data.
        counts: samples of each batch.
    """
    note = ""
    given = [bare_number(metric, each) for each in dicts]
    if takes_counts(metric):
        found = metric.reduce_mean(given, counts)  # type: ignore[call-arg]
    else:
        found = metric.reduce_mean(given)
        if len(set(counts)) > 1:
            note = (
                f"batches of {min(counts)} to {max(counts)} samples count alike in "
                f"{type(metric).__name__}.reduce_mean; for the exact mean give it a second parameter, the "
                "number of samples of each"
            )
    reduced = found if isinstance(found, Mapping) else named_numbers(metric, found)
    return {name: plain(value) for name, value in reduced.items()}, note


def sample_ids(batch: Any) -> torch.Tensor:
    """Return a batch's sample numbers; -1 where it has none."""
    return batch.sample_ids.cpu() if isinstance(batch, Batch) else torch.full((len(batch),), -1)


def in_data_order(ranks: Sequence[Sequence[tuple[torch.Tensor, ...]]]) -> dict[str, torch.Tensor]:
    """Return the columns (sample ids, targets, logits) of all ranks' batches, one after the other."""
    columns = zip(*(row for rank in ranks for row in rank), strict=True)
    return {
        name: torch.cat(column)
        for name, column in zip(("sample_ids", "targets", "logits"), columns, strict=True)
    }


def also_evaluated(policy: EvalMode) -> Mapping[str, Callable[[], AbstractContextManager[None]]]:
    """Return the other weights to evaluate, by the prefix of their results; empty where there are none."""
    try:
        return policy.get_attribute("also_evaluated") or {}
    except (AttributeError, KeyError):
        return {}


def logits_and_targets(
    policy: EvalMode, batch: Any, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of a batch, and its targets beside them; those of our ``Batch`` are moved once."""
    device = _device_of(policy) if isinstance(batch, Batch) else None
    if device is not None:
        batch = batch.to(device)
        targets = batch.targets
    logits = policy.forward(batch)
    return logits, targets.to(logits.device, non_blocking=True)


def _device_of(policy: EvalMode) -> torch.device | None:
    """Return where a policy computes; None where it does not say."""
    try:
        device = policy.get_attribute("device")
    except (AttributeError, KeyError):
        return None
    return device if isinstance(device, torch.device) else None


def evaluation_line(result: Mapping[str, Any], train_iter: int, about: str, *, marks: Sequence[str]) -> str:
    """Return the line of an evaluation in the log.

    Args:
        result: what the metric gave.
        train_iter: finished updates; below 0: not known.
        about: what else is known of it.
        marks: what follows from it; empty ones are left out.
    """
    where = f"after {train_iter} updates" if train_iter >= 0 else "now"
    words = [f"{name}: {show_value(value)}" for name, value in result.items() if fits_a_line(value)]
    fields = [*words, where_lists_are(result), *marks]
    return "\t".join([f"Evaluation {where}{about}", *filter(None, fields)])


def check_classes(policy: EvalMode, loader: Any) -> None:
    """Refuse evaluation data whose classes are not those that the policy was trained on.

    Raises:
        DataError: names the first that differ.
    """
    trained = policy.get_attribute("class_names")
    given = getattr(getattr(loader, "dataset", None), "classes", None)
    if trained is None or given is None or tuple(trained) == tuple(given):
        return
    pairs = [(a, b) for a, b in zip(trained, given, strict=False) if a != b]
    where = (
        f"first '{pairs[0][0]}' and '{pairs[0][1]}'"
        if pairs
        else f"{len(trained)} and {len(given)} in number"
    )
    raise DataError(
        f"the evaluation data's classes are not those of training: {where}; pass it the training list"
    )
