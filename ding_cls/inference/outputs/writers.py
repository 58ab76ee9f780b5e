"""The folders that a command names, and who fills them as images are predicted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Protocol

from ding_cls.answers.prediction import Prediction
from ding_cls.errors import ConfigError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.outputs.new_folder import OutputFolder
from ding_cls.inference.sources import Source


class Writer(Protocol):
    """Gets each image as it is predicted; its text says what it wrote where."""

    def take(self, number: int, prediction: Prediction) -> None:
        """Take an image, by its position among all."""

    def finish(self) -> None:
        """Write what is left."""


class OutputFolders:
    """The folders that a command names, checked before anything is loaded.

    Args:
        draw: for images with what is predicted written on them; None: for none.
        cam: for heat maps.
        sort_into: for images by class.
        wrong: of the sorted ones those that are not what their folder says.
        link: links to the sorted ones in place of copies.

    Raises:
        ConfigError: a folder holds something or is named twice, or an option lacks ``sort_into``.
    """

    def __init__(
        self,
        *,
        draw: str | None = None,
        cam: str | None = None,
        sort_into: str | None = None,
        wrong: bool = False,
        link: bool = False,
    ) -> None:
        for option, is_given in (("--wrong", wrong), ("--link", link)):
            if is_given and sort_into is None:
                raise ConfigError(f"{option} is about sorted images; add --sort-into DIR")
        named = {"--draw": draw, "--cam": cam, "--sort-into": sort_into}
        self._folders = {
            option: OutputFolder(path, option) for option, path in named.items() if path is not None
        }
        places = [os.path.realpath(each.path) for each in self._folders.values()]
        if len(set(places)) < len(places):
            raise ConfigError(f"{' and '.join(self._folders)} name one folder twice; give each its own")
        self._is_wrong_only = wrong
        self._is_linked = link

    def writers(
        self, predictor: BasePredictor, sources: Sequence[Source], *, topk: int, batch_size: int | None = None
    ) -> list[Writer]:
        """Return what fills the folders.

        Args:
            predictor: what predicts.
            sources: all images.
            topk: how many classes are written on an image.
            batch_size: images whose heat maps are made together; None: the predictor's.

        Raises:
            ConfigError: what an option needs is not there, or does not fit the network.
        """
        found: list[Writer] = []
        if "--cam" in self._folders and not predictor.has_gradients:
            raise ConfigError(
                "a heat map needs the network's gradients, which an ONNX file has not; name the checkpoint"
            )
        if {"--draw", "--cam"} & self._folders.keys():
            from ding_cls.inference.outputs.pictures import warn_of_missing_letters

            warn_of_missing_letters(predictor.names)
        if folder := self._folders.get("--draw"):
            from ding_cls.inference.outputs.pictures import DrawnImages

            found.append(DrawnImages(folder, predictor, sources, topk=topk))
        if folder := self._folders.get("--cam"):
            from ding_cls.inference.outputs.heat_pictures import HeatPictures

            size = predictor.batch_size if batch_size is None else batch_size
            found.append(HeatPictures(folder, predictor, sources, batch_size=size))  # type: ignore[arg-type]
        if folder := self._folders.get("--sort-into"):
            from ding_cls.inference.outputs.sorting import SortedImages

            found.append(
                SortedImages(
                    folder,
                    predictor,
                    sources,
                    is_wrong_only=self._is_wrong_only,
                    is_linked=self._is_linked,
                )
            )
        return found


def handed_on(predictions: Iterator[Prediction], writers: Sequence[Writer]) -> Iterator[Prediction]:
    """Yield predictions that writers have taken."""
    for number, prediction in enumerate(predictions):
        for writer in writers:
            writer.take(number, prediction)
        yield prediction
    for writer in writers:
        writer.finish()
