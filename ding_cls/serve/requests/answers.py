"""From predictions to the JSON of an answer. It must not know HTTP.

Names, labels and scores are those of ``ding-cls predict --out FILE.json``; of several labels, or of several
tasks, they are lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ding_cls.answers.prediction import Prediction, Ranked
from ding_cls.inference.base import BasePredictor


def answer_of(prediction: Prediction, predictor: BasePredictor, *, topk: int) -> dict[str, Any]:
    """Return ``label``, ``name``, ``score`` and ``top`` of an image.

    An unknown image has the label None and the name 'unknown'. Where images may be unknown, ``guess`` is the
    name of the most likely class.

    Args:
        prediction: of an image that was read.
        predictor: whose it is.
        topk: how many classes ``top`` has.
    """
    ranked = [_place(each, prediction.names) for each in prediction.top(topk)]
    answer = {
        "label": _plain(prediction.label),
        "name": prediction.name,
        "score": _plain(prediction.score),
        "top": ranked,
    }
    if isinstance(prediction.label, tuple):
        # Not cut out of the joined text: a name may hold what joins them.
        answer["name"] = [prediction.names[each] for each in prediction.label]
    if predictor.thresholds is not None and not predictor.has_several_labels:
        answer["guess"] = _place(prediction.top(1)[0], prediction.names)["name"]
    return answer


def _place(ranked: Ranked, names: tuple[str, ...]) -> dict[str, Any]:
    is_list = isinstance(ranked.label, tuple)
    name = [names[each] for each in ranked.label] if is_list else ranked.name  # type: ignore[union-attr]
    return {"label": _plain(ranked.label), "name": name, "score": _plain(ranked.score)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    # By way of the text of float32: 0.87059885, not 0.8705988526344299.
    return float(str(np.float32(value))) if isinstance(value, float) else value
