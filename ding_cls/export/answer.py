"""What an exported file says of one image, as it lies on the disk."""

from __future__ import annotations

from ding_cls.answers.prediction import AnswerRule, Prediction
from ding_cls.export.files import ExportedFile, candidate_of
from ding_cls.inference.images import pixels_of
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source, name_of_source


def answer_of(file: ExportedFile, predictor: Predictor, image: Source) -> Prediction:
    """Return a file's answer, without a temperature.

    Args:
        file: as `export_file` returns it.
        predictor: what it was made of; its preprocessing is that of the image.
        image: as in `read_rgb`.

    Raises:
        DataError: the image cannot be read.
    """
    pixels = pixels_of(image, predictor.preprocessing)
    logits = candidate_of(file.path, file.format, predictor, pixels, file.description)(pixels[None])
    rule = AnswerRule(predictor.names, predictor.has_several_labels, predictor.threshold, None)
    return rule.predictions([name_of_source(image)], logits)[0]
