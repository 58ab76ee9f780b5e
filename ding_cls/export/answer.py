"""What an exported file says of one image, as it lies on the disk."""

from __future__ import annotations

from collections.abc import Sequence

from ding_cls.answers.prediction import AnswerRule, Prediction
from ding_cls.errors import DataError
from ding_cls.export.files import ExportedFile, candidate_of
from ding_cls.export.network import example_image
from ding_cls.inference.images import pixels_of
from ding_cls.inference.onnx.predictor import load_onnx
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source, name_of_source


def check_fits(predictor: Predictor, sources: Sequence[Source] | None, image: Source) -> None:
    """Refuse an image that an exported file would not take; the file is made for the size of its images.

    Args:
        predictor: what the file will be made of.
        sources: what it will be compared on; None: synthetic images.
        image: as in `read_rgb`.

    Raises:
        DataError: the run's pipeline gives it another size, or it cannot be read.
        ExportError: as `example_image`.
    """
    wanted = tuple(example_image(predictor, sources).shape)
    found = tuple(pixels_of(image, predictor.preprocessing).shape)
    if found != wanted:
        raise DataError(
            f"the run's pipeline leaves {name_of_source(image)!r} {found}, its own images {wanted}, as an "
            "exported file takes them; name an image of that size"
        )


def answer_of(file: ExportedFile, predictor: Predictor, image: Source) -> Prediction:
    """Return a file's answer, without a temperature: where it states its preprocessing, by that.

    Args:
        file: as `export_file` returns it.
        predictor: what it was made of; its preprocessing is that of the image.
        image: as in `read_rgb`.

    Raises:
        DataError: the image cannot be read.
    """
    if file.format == "onnx" and file.description.preprocessing:
        return load_onnx(file.path)(image)[0]
    pixels = pixels_of(image, predictor.preprocessing)
    logits = candidate_of(file.path, file.format, predictor, pixels, file.description)(pixels[None])
    rule = AnswerRule(predictor.names, predictor.has_several_labels, predictor.threshold, None)
    return rule.predictions([name_of_source(image)], logits)[0]
