"""Updates with numbers that are not finite: how many, which images began them, and when they end a run."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch

from ding_cls.data import innermost
from ding_cls.data.datasets.labels import sample_names
from ding_cls.distributed.comm import gather_objects
from ding_cls.errors import NumbersError
from ding_cls.policy.modes import APPLIED, LearnMode, Verdict
from ding_cls.types import Batch

_KEY = "train_skipped"
_LIMIT = 10
_MAX_LISTED = 5
# Updates without a warning, after the last bad one, that make the next one news.
_QUIET = 100
# Losses of a policy with an update of its own that are read together: each alone would be waited for.
_OWN_AT_ONCE = 10


class _Engine(Protocol):
    """What is read of the learner; the whole ``Engine`` holds the history, which holds this count."""

    outputs: dict[str, Any]
    max_iter: int | None
    rank: int
    logger: logging.Logger

    @property
    def policy(self) -> LearnMode: ...

    @property
    def train_iter(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Update:
    """An update that is to be counted: its number, from 1, what became of it, its samples and loss.

    ``is_own``: the policy says nothing of it but its loss.
    """

    number: int
    verdict: Verdict
    is_own: bool
    sample_ids: torch.Tensor | None
    loss: Any


class BadUpdates:
    """Counts updates whose loss or gradients are not finite.

    What the device decides is counted an update later, and before anything is saved. A policy with an update
    of its own says nothing of it: there a loss that is not finite counts, at the latest ten updates after.

    Attributes:
        in_row: how many of the latest updates were bad, one after another.
        dataset: has the training samples; None where nobody knows it.
    """

    def __init__(self) -> None:
        self.in_row = 0
        self.dataset: Any = None
        self._num_skipped = 0
        # The first of those in a row: its number, and of its samples the first few, and how many there are.
        self._first: dict[str, Any] = {}
        self._latest = -_QUIET
        self._pending: list[_Update] = []
        self._news: _Update | None = None
        self._taken, self._is_own = APPLIED, False

    def take(self, engine: _Engine) -> bool | torch.Tensor:
        """Take what became of the latest update, and return whether it was skipped: 0-dim and above 0 where
        only the device knows."""
        try:
            verdict = engine.policy.get_attribute("verdict")
        except (AttributeError, LookupError):
            # A learn mode of another make may know no such attribute.
            verdict = None
        self._is_own = not isinstance(verdict, Verdict)
        self._taken = verdict if isinstance(verdict, Verdict) else _verdict_of_loss(engine)
        if self._is_own or verdict is APPLIED:
            return False
        return self._taken.read()[0] if self._taken.flag is None else self._taken.flag

    def check(self, engine: _Engine, data: Any) -> None:
        """Count the update that was taken, or that before it.

        Raises:
            NumbersError: ``policy.learn.max_bad_steps`` in a row were bad.
        """
        verdict, is_own = self._taken, self._is_own
        is_good = verdict is APPLIED or (verdict.flag is None and not verdict.read()[0])
        if is_good and not self._pending and self.in_row == 0:
            return
        ids = data.sample_ids if isinstance(data, Batch) else None
        loss = engine.outputs.get("total_loss")
        self._pending.append(_Update(engine.train_iter, verdict, is_own, ids, loss))
        if verdict.flag is None or len(self._pending) >= _OWN_AT_ONCE:
            self.flush()
        elif not is_own:
            self._count(all_but=1)
        self._check_row(engine, is_shared=not is_own)

    def check_end(self, engine: _Engine) -> None:
        """Count what is left, where a run ends.

        Raises:
            NumbersError: as ``check`` does; or a run too short for that was bad from its middle on.
        """
        self.flush()
        # A program with a loop of its own may come here on one rank alone.
        is_shared = not self._is_own and engine.max_iter is not None
        self._check_row(engine, is_shared=is_shared)
        if self.in_row > 0 and 2 * self.in_row >= engine.train_iter:
            self._end(settings_of(engine), is_shared=is_shared)

    def is_going_on(self) -> bool:
        """Return whether the latest update was bad: what would be saved now may have led there."""
        self.flush()
        return self.in_row > 0

    def flush(self) -> None:
        """Count the updates that the device was still at."""
        self._count(all_but=0)

    def _count(self, *, all_but: int) -> None:
        while len(self._pending) > all_but:
            update = self._pending.pop(0)
            is_skipped, counts = update.verdict.read()
            self._num_skipped += is_skipped and not update.is_own
            if not counts:
                # fp16 that is finding its scale neither adds to the row nor ends it.
                self.in_row = self.in_row if is_skipped else 0
                continue
            self.in_row += 1
            if self.in_row == 1:
                self._first = {"train_iter": update.number, **_samples(update)}
            if update.number - self._latest >= _QUIET:
                self._news = update
            self._latest = update.number

    def close_epoch(self) -> dict[str, int]:
        """Return what an epoch's row says of them, and begin to count anew."""
        self.flush()
        count, self._num_skipped = self._num_skipped, 0
        return {_KEY: count} if count else {}

    def reopen_epoch(self, row: Mapping[str, Any]) -> None:
        """Go on with the count of a row that is taken back."""
        self._num_skipped = row.get(_KEY, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, and the samples of the first in the row."""
        self.flush()
        return {
            "in_row": self.in_row,
            "skipped": self._num_skipped,
            "first": dict(self._first),
            "latest": self._latest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the counts of ``state``; older files have none."""
        self._pending, self._news = [], None
        self.in_row, self._num_skipped = state.get("in_row", 0), state.get("skipped", 0)
        self._first, self._latest = dict(state.get("first", {})), state.get("latest", -_QUIET)

    def _check_row(self, engine: _Engine, *, is_shared: bool) -> None:
        if self._news is not None:
            self._warn(engine, self._news)
        if self.in_row == 0:
            return
        learn = settings_of(engine)
        if self.in_row >= learn.get("max_bad_steps", _LIMIT):
            self._end(learn, is_shared=is_shared)

    def _warn(self, engine: _Engine, update: _Update) -> None:
        self._news = None
        if engine.rank > 0 and not update.is_own:
            # All ranks skip it, and one says so.
            return
        outcome = "" if update.is_own else ", and it is not applied"
        engine.logger.warning(
            f"update {update.number}: the loss or a gradient is not finite{outcome}; those that follow are "
            "counted without a line"
        )

    def _end(self, learn: Mapping[str, Any], *, is_shared: bool) -> NoReturn:
        what = (
            f"the loss or gradients of {self.in_row} updates in a row, up to {self._latest}, are not finite"
        )
        everywhere = gather_objects(self._first) if is_shared else [self._first]
        # Those whose own loss was bad are the ones to look at.
        suspects = [each for each in everywhere if each.get("is_loss_bad")] or everywhere
        message = f"{what}; {advice_by(learn)}{self._images(suspects)}"
        raise NumbersError(message, is_on_all_ranks=is_shared)

    def _images(self, suspects: list[dict[str, Any]]) -> str:
        ids = [number for each in suspects for number in each.get("samples", ())][:_MAX_LISTED]
        count = sum(each.get("num_samples", 0) for each in suspects)
        if not ids:
            return ""
        names = [] if self.dataset is None else sample_names(self.dataset)
        folder = "" if self.dataset is None else _folder(self.dataset)
        listed = ", ".join(
            repr(os.path.join(folder, names[each])) if each < len(names) else f"number {each}" for each in ids
        )
        more = f" and {count - len(ids)} more" if count > len(ids) else ""
        return f"; look at the images of update {suspects[0]['train_iter']}, where it began: {listed}{more}"


def _verdict_of_loss(engine: _Engine) -> Verdict:
    """Return what the loss of the latest update says of it."""
    loss = engine.outputs.get("total_loss", 0.0)
    if isinstance(loss, torch.Tensor):
        bad = torch.isfinite(loss.detach()).all().logical_not()
        return Verdict.later(torch.stack([bad, bad]).float())
    is_bad = isinstance(loss, int | float) and not math.isfinite(loss)
    return Verdict(is_skipped=is_bad, counts=is_bad)


def _samples(update: _Update) -> dict[str, Any]:
    """Return which samples an update had, as far as its batch says, and whether its own loss was finite."""
    if update.sample_ids is None:
        return {}
    return {
        "samples": update.sample_ids[:_MAX_LISTED].tolist(),
        "num_samples": len(update.sample_ids),
        "is_loss_bad": not math.isfinite(float(update.loss)),
    }


def _folder(dataset: Any) -> str:
    """Return the folder of a dataset's files, the first one's of several; empty where it has none."""
    inner = innermost(dataset)[0]
    return os.fspath(getattr(inner, "root", None) or getattr(inner, "data_prefix", None) or "")


def advice_by(learn: Mapping[str, Any]) -> str:
    """Return what to change in the section ``policy.learn``, in words."""
    rate = learn.get("learning_rate")
    advice = f"lower policy.learn.learning_rate{'' if rate is None else f' (it is {rate:g})'}"
    clipping = learn.get("grad_clip")
    advice += (
        ", or set policy.learn.grad_clip"
        if clipping is None
        else f", or tighten policy.learn.grad_clip (it is {dict(clipping)})"
    )
    if learn.get("precision") == "fp16":
        advice += ", or take policy.learn.precision=bf16"
    return advice


def settings_of(engine: _Engine) -> Mapping[str, Any]:
    """Return the section ``policy.learn``; nothing where the policy is of another make."""
    try:
        learn: Mapping[str, Any] = engine.policy.get_attribute("cfg").learn
    except (AttributeError, LookupError):
        return {}
    return learn
