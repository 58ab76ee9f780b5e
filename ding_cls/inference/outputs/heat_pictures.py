"""A picture of each image beside its heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ding_cls.answers.prediction import Prediction
from ding_cls.inference.cam import HeatMapper, explained_label, shown_image
from ding_cls.inference.outputs.new_folder import OutputFolder
from ding_cls.inference.outputs.pictures import Pictures
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source
from ding_cls.report.caption import captioned, resized, side_by_side
from ding_cls.report.overlay import lay_over


class HeatPictures(Pictures):
    """Writes each image as the network sees it, beside it the same under its heat map.

    Args:
        folder: where to.
        predictor: whose predictions are drawn.
        sources: all images.
        batch_size: images that go through the network together.
    """

    noun = "heat map"

    def __init__(
        self, folder: OutputFolder, predictor: Predictor, sources: Sequence[Source], *, batch_size: int
    ) -> None:
        super().__init__(folder, predictor, sources)
        self._network = predictor
        self._mapper = HeatMapper(predictor)
        self._batch_size = batch_size
        self._waiting: list[tuple[int, Prediction]] = []

    def take(self, number: int, prediction: Prediction) -> None:
        """Keep an image until there is a batch of them."""
        if not prediction.error:
            self._waiting.append((number, prediction))
        if len(self._waiting) == self._batch_size:
            self.finish()

    def finish(self) -> None:
        """Draw the images that wait."""
        batch, self._waiting = self._waiting, []
        numbers = [number for number, _ in batch]
        labels = [explained_label(prediction) for _, prediction in batch]
        maps = self._mapper([self._sources[each] for each in numbers], labels, numbers=numbers)
        for (number, prediction), heat in zip(batch, maps, strict=True):
            shown = resized(Image.fromarray(shown_image(self._network, self._sources[number], number=number)))
            laid_over = Image.fromarray(lay_over(np.asarray(shown), heat))
            picture = side_by_side([shown, laid_over])
            self.write(number, captioned(picture, _explained(prediction), is_below=True))


def _explained(prediction: Prediction) -> list[str]:
    """Return which class a map is for; of several tasks a line for each."""
    best = prediction.top(1)[0]
    if not isinstance(best.label, tuple) or not isinstance(best.score, tuple):
        return [f"{best.score:.3f}  {best.name}"]
    scored = zip(best.label, best.score, strict=True)
    return [
        f"task {task}:  {score:.3f}  {prediction.names[label]}"
        for task, (label, score) in enumerate(scored, start=1)
    ]
