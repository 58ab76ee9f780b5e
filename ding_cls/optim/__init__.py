"""Optimizers, groups of parameters, and learning rates.

A learning rate is a pure function of the position in training. This room must not know models beyond their
modules and parameters, nor data, nor configs: what it builds by name it gets as plain dicts.
"""

from ding_cls.optim.layer_decay import LearningRateDecayOptimizerConstructor
from ding_cls.optim.lr_scheduler import LrScheduler
from ding_cls.optim.optimizers import OPTIMIZERS
from ding_cls.optim.param_groups import OPTIMIZER_BUILDERS, DefaultOptimizerConstructor, build_optimizer
from ding_cls.optim.schedules.base import SCHEDULES, LearningRate, Warmup, build_schedule
from ding_cls.optim.schedules.mmcv import (
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
from ding_cls.optim.schedules.momentum_and_decay import (
    MOMENTUM_SCHEDULES,
    WEIGHT_DECAY_SCHEDULES,
    MomentumWarmup,
    OneCycleMomentum,
    SettingScheduler,
)
from ding_cls.optim.schedules.plateau import ReduceLROnPlateau, observes_evaluations
from ding_cls.optim.schedules.restarts import CosineAnnealingWarmRestarts, SwaAnnealing
from ding_cls.optim.schedules.shorthand import short_schedule

__all__ = [
    "MOMENTUM_SCHEDULES",
    "OPTIMIZERS",
    "OPTIMIZER_BUILDERS",
    "SCHEDULES",
    "WEIGHT_DECAY_SCHEDULES",
    "CosineAnnealing",
    "CosineAnnealingCooldown",
    "CosineAnnealingWarmRestarts",
    "CosineRestart",
    "Cyclic",
    "DefaultOptimizerConstructor",
    "Exp",
    "Fixed",
    "FlatCosineAnnealing",
    "Inv",
    "LearningRate",
    "LearningRateDecayOptimizerConstructor",
    "LinearAnnealing",
    "LrScheduler",
    "MomentumWarmup",
    "OneCycle",
    "OneCycleMomentum",
    "Poly",
    "ReduceLROnPlateau",
    "SettingScheduler",
    "Step",
    "SwaAnnealing",
    "Warmup",
    "build_optimizer",
    "build_schedule",
    "observes_evaluations",
    "short_schedule",
]
