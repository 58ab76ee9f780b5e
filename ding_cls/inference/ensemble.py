"""Several trained networks that name together what is on images.

It must not know where the networks came from, nor the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch

from ding_cls.answers.averaging import Logits
from ding_cls.common.counting import counted, first_few
from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import ConfigError
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source

_MAX_NAMED = 5


class Ensemble(Predictor):
    """Names what is on images by the mean of several networks' probabilities; made by `ding_cls.load`.

    It is called as each of its members is, and numbers the classes as the first one does. An image is decoded
    once, and prepared for each member in the member's own way. The halves for plain PyTorch are those of
    ``members``.

    Args:
        members: the predictors, for the same classes, in any order.
        sources: how errors name them.

    Raises:
        ConfigError: they differ in their classes, tasks, kind of labels, threshold or ``tta``.
    """

    def __init__(self, members: Sequence[Predictor], sources: Sequence[str]) -> None:
        first = members[0]
        for member, source in zip(members[1:], sources[1:], strict=True):
            _check_pair(first, member, f"'{sources[0]}'", f"'{source}'")
        super().__init__(
            first.model,
            first.preprocessing,
            first.classes,
            has_several_labels=first.has_several_labels,
            threshold=first.threshold,
            device=first.device,
            batch_size=min(each.batch_size for each in members),
            num_workers=max(each.num_workers for each in members),
            tta=first.tta,
        )
        self._members = tuple(members)
        self._different: list[PipelinePreprocessing] = []
        for member in members:
            if member.preprocessing not in self._different:
                self._different.append(member.preprocessing)
        self._places = [self._different.index(member.preprocessing) for member in members]
        self._orders = [_order(first.classes, member.classes) for member in members]

    @property
    def model(self) -> torch.nn.Module:
        """There is none.

        Raises:
            ConfigError: always.
        """
        self._refuse("model")

    @property
    def preprocessing(self) -> PipelinePreprocessing:
        """There is none.

        Raises:
            ConfigError: always.
        """
        self._refuse("preprocessing")

    def preprocess(self, image: Source) -> torch.Tensor:
        """Prepare an image: each member does it in its own way.

        Raises:
            ConfigError: always.
        """
        self._refuse("preprocess")

    @property
    def members(self) -> tuple[Predictor, ...]:
        """The predictors whose mean this is, as given."""
        return self._members

    @property
    def preprocessings(self) -> Sequence[PipelinePreprocessing]:
        """What each image goes through, each by itself: what several members have in common once."""
        return self._different

    def views(self, pixels: Sequence[torch.Tensor]) -> list[Logits]:
        """Return the logits whose probabilities are averaged; see `BasePredictor.views`."""
        return [
            logits[..., order]
            for member, place, order in zip(self._members, self._places, self._orders, strict=True)
            for logits in member.views([pixels[place]])
        ]

    def _refuse(self, name: str) -> NoReturn:
        raise ConfigError(
            f"a mean of {len(self._members)} networks has no {name} of its own; each of predictor.members has"
        )


def _order(wanted: Sequence[str], given: Sequence[str]) -> list[int]:
    """Return where each class stands in another order of the same names."""
    places = {name: number for number, name in enumerate(given)}
    return list(range(len(given))) if tuple(wanted) == tuple(given) else [places[name] for name in wanted]


def _check_pair(first: Predictor, other: Predictor, name: str, other_name: str) -> None:
    """Refuse a mean of two networks that answer different questions."""
    if first.has_several_labels != other.has_several_labels:
        several, one = (name, other_name) if first.has_several_labels else (other_name, name)
        raise ConfigError(
            f"the images of {several} have several labels, those of {one} have one; a mean is of one kind: "
            "name networks for the same task"
        )
    if first.num_tasks != other.num_tasks:
        raise ConfigError(
            f"{name} has {counted(first.num_tasks or 1, 'task')}, {other_name} {other.num_tasks or 1}; name "
            "networks for the same tasks"
        )
    own, others = set(first.classes), set(other.classes)
    if own != others:
        differences = [
            f"{who} alone has {first_few(sorted(map(repr, names)), _MAX_NAMED)}"
            for who, names in ((name, own - others), (other_name, others - own))
            if names
        ]
        raise ConfigError(f"other classes: {'; '.join(differences)}; name networks for the same classes")
    if first.has_several_labels and first.threshold != other.threshold:
        raise ConfigError(
            f"{name} names labels from {first.threshold:g} on, {other_name} from {other.threshold:g}; say "
            "from where on: --threshold P (in Python threshold=P)"
        )
    if first.tta != other.tta:
        raise ConfigError(f"{name if first.tta else other_name} alone sees mirror images; give tta to both")
