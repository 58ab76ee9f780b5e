"""A learner from its config section."""

from collections.abc import Mapping
from typing import Any

from ding_cls.worker.learner.base_learner import BaseLearner


def create_learner(cfg: Mapping[str, Any], **kwargs: Any) -> BaseLearner:
    """Return a learner built from its config section.

    Args:
        cfg: the config's ``policy.learn.learner`` section.
        kwargs: the learner's other arguments.
    """
    return BaseLearner(cfg, **kwargs)
