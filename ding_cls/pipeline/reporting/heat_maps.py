"""What a network looked at in some samples of an evaluation, laid over them."""

from collections.abc import Sequence
from importlib.util import find_spec

import torch

from ding_cls.data import PipelinePreprocessing
from ding_cls.data.transforms.formatting import Normalization
from ding_cls.errors import DingError
from ding_cls.inference import load
from ding_cls.inference.cam import heat_maps as maps_of
from ding_cls.inference.cam import shown_pixels
from ding_cls.inference.predictor import Predictor
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting.pictures import seen_image
from ding_cls.report.overlay import lay_over
from ding_cls.report.page import encoded

_SIDE_PX = 192
_INSTALL = "pip install 'ding_cls[cam]'"


def heat_maps(
    found: EvaluationReport,
    indices: Sequence[tuple[int, int]],
    preprocessing: PipelinePreprocessing,
    model: torch.nn.Module | None = None,
) -> tuple[dict[int, bytes], str]:
    """Return image files with Grad-CAM's map of the predicted class, by position; or why there are none.

    Args:
        found: the evaluation.
        indices: pairs of a position in the records and in the dataset.
        preprocessing: the checkpoint's.
        model: the network, where it was given.
    """
    records = found.records
    answered = [each for each in indices if records.predicted[each[0]] < len(found.classes)]
    if records.kind != "one" or not answered:
        return {}, ""
    if find_spec("pytorch_grad_cam") is None:
        return {}, f"What the network looked at (Grad-CAM) is shown with another package: {_INSTALL}"
    seen = [seen_image(found.dataset, index) for _, index in answered]
    is_normalised = seen[0].is_floating_point()
    normalization = preprocessing.stated if is_normalised else preprocessing.normalization
    if normalization is None:
        return {}, "What the network looked at is not shown: a step of the data's own normalises the images."
    shown = [shown_pixels(each, preprocessing) for each in seen]
    labels = records.predicted[[position for position, _ in answered]].tolist()
    try:
        maps = maps_of(_predictor_of_seen(found, normalization, model), shown, labels)
    except DingError as error:
        return {}, f"What the network looked at (Grad-CAM) is not shown: {error}"
    return {
        position: encoded(lay_over(pixels, heat), _SIDE_PX)
        for (position, _), pixels, heat in zip(answered, shown, maps, strict=True)
        if heat.any()
    }, ""


def _predictor_of_seen(
    found: EvaluationReport, normalization: Normalization, model: torch.nn.Module | None
) -> Predictor:
    """Return the checkpoint's network for images that are resized and cropped already."""
    # Whoever evaluated this checkpoint has let its code be imported.
    whole = load(found.checkpoint, model=model, allow_code=True)
    normalising = PipelinePreprocessing([])
    normalising.normalization = normalization
    learn = found.cfg.policy.learn
    return Predictor(
        whole.model,
        normalising,
        whole.classes,
        device=whole.device,
        batch_size=whole.batch_size,
        precision=learn.precision,
        channels_last=learn.channels_last,
    )
