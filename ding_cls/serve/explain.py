"""Pictures of where a served network sees the class that it names.

It must not know requests or limits.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from ding_cls.errors import DataError
from ding_cls.report.caption import resized
from ding_cls.report.overlay import lay_over

if TYPE_CHECKING:
    from ding_cls.inference.base import BasePredictor
    from ding_cls.inference.cam import HeatMapper
    from ding_cls.inference.predictor import Predictor


class Explainer:
    """Draws what a network sees; like the network it is for one thread at a time.

    Args:
        predictor: a network that has gradients.
    """

    def __init__(self, predictor: BasePredictor) -> None:
        self._predictor = cast("Predictor", predictor)
        self._mapper: HeatMapper | None = None

    def prepare(self) -> None:
        """Import what maps are made with, which takes seconds; any thread may, `heat_map` does it else.

        Raises:
            ConfigError: grad-cam is not installed, or several networks see images differently.
        """
        if self._mapper is None:
            from ding_cls.inference.cam import HeatMapper

            self._mapper = HeatMapper(self._predictor)

    def heat_map(self, image: Image.Image) -> bytes:
        """Return a PNG file: an image as the network sees it, under the heat map of the predicted class; of
        several labels it is the likeliest, of several tasks all of theirs.

        Raises:
            ConfigError: as `prepare`.
            DataError: the network's output for the image holds NaN.
            ModelError: the network has no layer that a map can be made of.
        """
        from ding_cls.inference.cam import explained_label

        self.prepare()
        assert self._mapper is not None
        prediction = self._predictor([image])[0]
        if prediction.error:
            raise DataError(prediction.error)
        heat = self._mapper([image], [explained_label(prediction)])[0]
        return _png(Image.fromarray(lay_over(np.asarray(self._seen(image)), heat)))

    def seen(self, image: Image.Image) -> bytes:
        """Return a PNG file: an image as the network sees it, in the size that `heat_map` has."""
        return _png(self._seen(image))

    def _seen(self, image: Image.Image) -> Image.Image:
        from ding_cls.inference.cam import shown_image

        return resized(Image.fromarray(shown_image(self._predictor, image)))


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=4)
    return file.getvalue()


def why_no_maps(predictor: BasePredictor) -> str | None:
    """Return why there are no heat maps, for whoever serves the network; None where they can be made."""
    if not predictor.has_gradients:
        return "an ONNX file has no gradients"
    if len(cast("Predictor", predictor).preprocessings) > 1:
        return "networks that see images differently have none in common"
    if find_spec("pytorch_grad_cam") is None:
        return "pip install 'ding_cls[cam]'"
    return None
