"""Known name of this design, re-exported."""

from ding_cls.policy import ImageClassificationPolicy

__all__ = ["ImageClassificationPolicy"]
