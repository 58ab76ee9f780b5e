"""A policy owns network, optimizer and loss. It never imports data: what prepares a batch arrives as a
callable."""

from ding_cls.policy.base import Policy
from ding_cls.policy.classification import ImageClassificationPolicy
from ding_cls.policy.modes import EvalMode, LearnMode

__all__ = ["EvalMode", "ImageClassificationPolicy", "LearnMode", "Policy"]
