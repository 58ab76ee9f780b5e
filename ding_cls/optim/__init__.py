"""Optimizers and learning rates.

A learning rate is a pure function of the position in training. This room must not know models beyond their
parameters, nor data, nor configs.
"""

from ding_cls.optim.optimizers import build_sgd
from ding_cls.optim.schedules import LearningRate, LrScheduler, Schedule

__all__ = ["LearningRate", "LrScheduler", "Schedule", "build_sgd"]
