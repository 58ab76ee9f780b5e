"""What a run changes on its way: other batch augmentations, or another loss, from an epoch or update on.

Which holds is a function of the position alone, so that a resumed run goes on with the right one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.models import ClsHead, CrossEntropyLoss, build_loss, described_loss
from ding_cls.policy.losses import BatchLoss, build_named_loss, computes_loss

_KEY = "policy.learn.recipes"
_BEGINS = ("action_epoch", "action_iter")
# mmpretrain's page calls them so; its code reads the other name.
_AUGMENTS = ("batch_augments", "train_augments")


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage of a run trains with.

    Attributes:
        begin: its first epoch or update, from 0.
        by_epoch: which of the two.
        batch_augments: as ``policy.learn.batch_augments``.
        loss: as ``policy.learn.loss``; None: that of the stage before.
    """

    begin: int
    by_epoch: bool
    batch_augments: Any
    loss: Any


def stages_of(learn: Mapping[str, Any]) -> list[Stage]:
    """Return the stretches of a run: that of the config itself, and one for each of ``learn.recipes``.

    Raises:
        ConfigError: a recipe that cannot be used.
    """
    stages = [Stage(0, True, plain_copy(learn["batch_augments"]), None)]
    for number, recipe in enumerate(plain_copy(list(learn["recipes"]))):
        stages.append(_stage(recipe, stages[-1], f"{_KEY}.{number}"))
        _check_order(stages, f"{_KEY}.{number}")
        _check_begins(stages[-1], learn, f"{_KEY}.{number}")
    return stages


def minimises_cross_entropy(model: nn.Module, learn: Mapping[str, Any]) -> bool:
    """Return whether training minimises what evaluation calls ``loss``, from the first update to the last.

    False with label smoothing, mixed batches, distillation, weights of classes, or any other loss.

    Args:
        model: the network; it may bring its own loss.
        learn: the config's section, compiled.
    """
    stages = stages_of(learn)
    if learn["label_smoothing"] or learn["distill"] or any(each.batch_augments for each in stages):
        return False
    if computes_loss(model):
        head = getattr(model, "head", None)
        if not isinstance(head, ClsHead) or not _adds_nothing(head):
            return False
        losses = [head.compute_loss]
    else:
        losses = [learn["loss"]]
    return all(map(_is_cross_entropy, [*losses, *(each.loss for each in stages)]))


def _adds_nothing(head: ClsHead) -> bool:
    kind = type(head)
    return kind.loss is ClsHead.loss and kind.forward_train is ClsHead.forward_train


def _is_cross_entropy(loss: Any) -> bool:
    """Return whether a loss, built or described, is the plain mean of the cross-entropies; None is."""
    if loss is None:
        return True
    if not isinstance(loss, nn.Module):
        described = described_loss(loss) if isinstance(loss, str) else plain_copy(loss)
        if described.get("type") not in ("CrossEntropyLoss", CrossEntropyLoss):
            return False
        loss = build_loss(described)
    return (
        type(loss) is CrossEntropyLoss
        and not (loss.use_sigmoid or loss.needs_class_counts)
        and loss.class_weight is None
        and (loss.reduction, loss.loss_weight) == ("mean", 1.0)
    )


class StageSwitcher:
    """Puts the loss of the stage at hand where it belongs, and picks its batch augmentations.

    Args:
        learn: the config's section.
        networks: those that bring their loss in ``head.compute_loss``, if any do.
        loss: the policy's own, where they do not.
        device: where losses compute.

    Attributes:
        losses: of each stage; empty where the loss stays.
        has_several: whether there is more than one stage.
        batch_augments: those of the stage at hand.

    Raises:
        ConfigError: a recipe, or a loss of one, that cannot be used.
    """

    def __init__(
        self,
        learn: Mapping[str, Any],
        networks: Sequence[nn.Module],
        loss: BatchLoss | None,
        device: torch.device,
    ) -> None:
        self._stages = stages_of(learn)
        self.has_several = len(self._stages) > 1
        self.batch_augments: Any = self._stages[0].batch_augments
        self._current = 0
        self._owners: list[tuple[Any, str]] = []
        self.losses: list[Any] = []
        if all(each.loss is None for each in self._stages):
            return
        self._owners = (
            [(loss, "module")] if loss is not None else [(_head(each), "compute_loss") for each in networks]
        )
        owner, name = self._owners[0]
        self.losses = [getattr(owner, name)]
        for number, stage in enumerate(self._stages[1:]):
            made = (
                build_named_loss(stage.loss, device, f"{_KEY}.{number}.loss").module if stage.loss else None
            )
            self.losses.append(self.losses[-1] if made is None else made)
        for each in self.losses:
            _check_stateless(each)

    def set_stage(self, train_iter: int, epoch: int) -> None:
        """Go to the stage that an update belongs to: the number of updates, and epochs, before it."""
        begun = [
            number
            for number, stage in enumerate(self._stages)
            if stage.begin <= (epoch if stage.by_epoch else train_iter)
        ]
        if begun[-1] == self._current:
            return
        self._current = begun[-1]
        self.batch_augments = self._stages[self._current].batch_augments
        for owner, name in self._owners:
            setattr(owner, name, self.losses[self._current])

    def picked(self, mix_batch: Any) -> Any:
        """Return what mixes the batches of the stage at hand: of a list, its own.

        Raises:
            ConfigError: there is one for all, and recipes ask for several.
        """
        if isinstance(mix_batch, Sequence):
            return mix_batch[self._current]
        if mix_batch is not None and any(each.batch_augments != self.batch_augments for each in self._stages):
            raise ConfigError(
                f"{_KEY} changes the batch augmentations; set the attribute 'mix_batch' to a list, the first "
                "and one for each recipe"
            )
        return mix_batch


def _stage(recipe: Any, before: Stage, key: str) -> Stage:
    if not isinstance(recipe, Mapping):
        raise ConfigError(f"{key} is {recipe!r}; the form is dict(action_epoch=, batch_augments=, loss=)")
    if recipe.get("train_pipeline") is not None:
        raise ConfigError(
            f"{key} has a train_pipeline, and all pictures of a run go through one: end the run there "
            "(policy.learn.train_epoch), and begin another with policy.model.pretrained=CHECKPOINT"
        )
    unknown = recipe.keys() - {*_BEGINS, *_AUGMENTS, "loss", "train_pipeline"}
    changes = [name for name in (*_AUGMENTS, "loss") if name in recipe]
    if unknown or not changes or {*_AUGMENTS} <= recipe.keys():
        raise ConfigError(
            f"{key} has {', '.join(map(str, recipe))}; it takes action_epoch or action_iter, and "
            "batch_augments, loss, or both"
        )
    begins = [name for name in _BEGINS if name in recipe]
    begin = recipe[begins[0]] if len(begins) == 1 else None
    if isinstance(begin, bool) or not isinstance(begin, int) or begin < 1:
        raise ConfigError(f"{key} begins at one of action_epoch and action_iter, a whole number from 1 on")
    loss = recipe.get("loss")
    if "loss" in recipe and not (isinstance(loss, str) or (isinstance(loss, Mapping) and "type" in loss)):
        raise ConfigError(f"{key}.loss is {loss!r}; it is dict(type=, ...) or a short form such as 'CE'")
    stage = replace(before, begin=begin, by_epoch=begins[0] == "action_epoch", loss=loss)
    given = [recipe[name] for name in _AUGMENTS if name in recipe]
    return replace(stage, batch_augments=_listed(given[0])) if given else stage


def _listed(augments: Any) -> Any:
    """Return batch augmentations as ``policy.learn.batch_augments`` has them: mmpretrain gives their
    probabilities in a list of their own."""
    if augments is None:
        return []
    if isinstance(augments, Mapping) and "augments" in augments:
        each, probs = augments["augments"], augments.get("probs")
        parts = [each] if isinstance(each, Mapping) else list(each)
        shares = [probs] if isinstance(probs, int | float) else list(probs or ())
        return (
            [{**part, "prob": share} for part, share in zip(parts, shares, strict=True)] if shares else parts
        )
    return augments


def _check_order(stages: Sequence[Stage], key: str) -> None:
    *_, before, last = stages
    is_first = len(stages) == 2
    if not is_first and (before.by_epoch != last.by_epoch or before.begin >= last.begin):
        raise ConfigError(
            f"{key} must begin after the recipe before it, and count the same: epochs or updates"
        )


def _check_begins(stage: Stage, learn: Mapping[str, Any], key: str) -> None:
    # How many updates an epoch has is the data's affair.
    counts_epochs = learn["max_iters"] is None
    end, name = learn["train_epoch" if counts_epochs else "max_iters"], _BEGINS[not counts_epochs]
    if stage.by_epoch == counts_epochs and stage.begin >= end:
        raise ConfigError(
            f"{key}.{name} is {stage.begin}, and the run's are numbered 0 to {end - 1}: the "
            "recipe would never begin; begin earlier, or train longer"
        )


def _head(network: nn.Module) -> nn.Module:
    head = getattr(network, "head", None)
    if not isinstance(head, nn.Module) or not hasattr(head, "compute_loss"):
        raise ConfigError(
            f"{_KEY} sets a loss, and {type(network).__name__} brings one that is not in head.compute_loss"
        )
    return head


def _check_stateless(loss: Any) -> None:
    if isinstance(loss, nn.Module) and loss.state_dict():
        raise ConfigError(
            f"{_KEY} changes the loss, and {type(loss).__name__} has a state "
            f"({', '.join(loss.state_dict())}), which a checkpoint would lack after that; "
            "take losses without one"
        )
