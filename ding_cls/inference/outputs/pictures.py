"""A picture of each image, with what is predicted written on it."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from ding_cls.answers.prediction import Prediction
from ding_cls.common.counting import counted
from ding_cls.errors import DataError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.outputs.new_folder import OutputFolder, portable_name, relative_names, write_new
from ding_cls.inference.outputs.table import lines
from ding_cls.inference.sources import NamedImage, Source, name_of_source, read_rgb
from ding_cls.report.caption import captioned, undrawn

_LOGGER = logging.getLogger(__name__)


class Pictures:
    """Writes a picture of each image that was read, under the image's name and sub-folder.

    It is a JPEG or PNG file as the image's name says, else a PNG file with ``.png`` behind the name.

    Args:
        folder: where to.
        predictor: whose predictions are drawn.
        sources: all images.
    """

    noun = "picture"

    def __init__(self, folder: OutputFolder, predictor: BasePredictor, sources: Sequence[Source]) -> None:
        self._folder = folder
        self._predictor = predictor
        self._sources = sources
        self._names = _picture_names(sources)

    def finish(self) -> None:
        """Draw what is left."""

    def __str__(self) -> str:
        return f"{counted(self._folder.count, self.noun)} in {self._folder.path}"

    def write(self, number: int, picture: Image.Image) -> None:
        """Write the picture of an image, by its position."""
        folder, name = os.path.split(self._names[number])
        # By Pillow's own level an enlarged picture takes three times as long, and is no smaller.
        kind: dict[str, Any] = {"format": "PNG", "compress_level": 4}
        if name.lower().endswith((".jpg", ".jpeg")):
            kind = {"format": "JPEG", "quality": 92}
        self._folder.put(folder, name, lambda path: write_new(path, lambda file: picture.save(file, **kind)))


class DrawnImages(Pictures):
    """Writes names and scores on the images themselves, upright.

    Args:
        folder: where to.
        predictor: whose predictions are drawn.
        sources: all images.
        topk: how many classes of each.
    """

    def __init__(
        self, folder: OutputFolder, predictor: BasePredictor, sources: Sequence[Source], *, topk: int
    ) -> None:
        super().__init__(folder, predictor, sources)
        self._topk = topk

    def take(self, number: int, prediction: Prediction) -> None:
        """Draw an image, by its position."""
        if prediction.error:
            return
        threshold = self._predictor.threshold if self._predictor.has_several_labels else None
        has_own = self._predictor.thresholds is not None
        _, *texts = lines(prediction, topk=self._topk, threshold=threshold, has_own_thresholds=has_own)
        image = picture_of(self._predictor, self._sources[number], number=number)
        self.write(number, captioned(image, [_with_short_score(text) for text in texts]))


def picture_of(predictor: BasePredictor, source: Source, *, number: int = 0) -> Image.Image:
    """Return an image as `read_rgb` does; where a dataset gives it prepared only, as the network sees it.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_rgb(source, number=number)
    except DataError:
        if not isinstance(source, NamedImage):
            raise
        from ding_cls.inference.cam import shown_image

        # Only a network of torch is given such images.
        return Image.fromarray(shown_image(predictor, source, number=number))  # type: ignore[arg-type]


def warn_of_missing_letters(names: Iterable[str]) -> None:
    """Say once which letters of the classes' names no font here has."""
    if missing := "".join(dict.fromkeys("".join(map(undrawn, names)))):
        _LOGGER.warning(
            f"no font here has {missing[:20]!r}: in pictures these letters are written as their numbers; "
            "the fonts of Debian's fonts-noto-cjk and fonts-noto-core have most"
        )


def _with_short_score(line: str) -> str:
    return re.sub(r"^(\d\.\d{8}) ", lambda found: f"{float(found[1]):.3f}  ", line)


def _picture_names(sources: Sequence[Source]) -> list[str]:
    """Return a relative path for each image's picture; several may be alike."""
    files = [number for number, each in enumerate(sources) if isinstance(each, str | os.PathLike)]
    relative = dict(zip(files, relative_names([os.fspath(sources[each]) for each in files]), strict=True))  # type: ignore[arg-type]
    names = []
    for number, source in enumerate(sources):
        name = relative.get(number) or portable_name(name_of_source(source) or f"image {number}")
        names.append(name if name.lower().endswith((".jpg", ".jpeg", ".png")) else f"{name}.png")
    return names
