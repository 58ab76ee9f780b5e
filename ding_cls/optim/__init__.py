"""Optimizers, groups of parameters, and learning rates.

A learning rate is a pure function of the position in training. This room must not know models beyond their
modules and parameters, nor data, nor configs: what it builds by name it gets as plain dicts.
"""

from ding_cls.optim.lr_policies import (
    CosineAnnealing,
    CosineAnnealingCooldown,
    CosineRestart,
    Cyclic,
    Exp,
    Fixed,
    FlatCosineAnnealing,
    Inv,
    LinearAnnealing,
    OneCycle,
    Poly,
    Step,
)
from ding_cls.optim.lr_scheduler import LrScheduler
from ding_cls.optim.optimizers import OPTIMIZERS
from ding_cls.optim.param_groups import OPTIMIZER_BUILDERS, DefaultOptimizerConstructor, build_optimizer
from ding_cls.optim.schedules import SCHEDULES, LearningRate, Warmup, build_schedule

__all__ = [
    "OPTIMIZERS",
    "OPTIMIZER_BUILDERS",
    "SCHEDULES",
    "CosineAnnealing",
    "CosineAnnealingCooldown",
    "CosineRestart",
    "Cyclic",
    "DefaultOptimizerConstructor",
    "Exp",
    "Fixed",
    "FlatCosineAnnealing",
    "Inv",
    "LearningRate",
    "LinearAnnealing",
    "LrScheduler",
    "OneCycle",
    "Poly",
    "Step",
    "Warmup",
    "build_optimizer",
    "build_schedule",
]
