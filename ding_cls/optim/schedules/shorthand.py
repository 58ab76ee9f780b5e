"""Schedules as easy-classification writes them: ``'step-4-0.8'``."""

from ding_cls.errors import ConfigError
from ding_cls.optim.schedules.mmcv import Step
from ding_cls.optim.schedules.plateau import ReduceLROnPlateau
from ding_cls.optim.schedules.restarts import CosineAnnealingWarmRestarts
from ding_cls.types import Schedule

# That system's plateau stops there.
_MIN_LR = 1e-6
_FORMS = "step-SIZE-GAMMA, multi-M1,M2-GAMMA, SGDR-T0-TMULT or default-FACTOR-PATIENCE"


def short_schedule(text: str) -> Schedule:
    """Return the schedule that a string describes.

    - ``step-4-0.8``: every 4 epochs times 0.8.
    - ``multi-3,5-0.1``: after epochs 3 and 5 times 0.1.
    - ``SGDR-5-2``: cosines with restarts, the first 5 epochs long, each twice as long as the one before.
    - ``default-0.1-3``: times 0.1 when accuracy has not got better for more than 3 evaluations.

    Raises:
        ConfigError: it is none of them.
    """
    kind, *arguments = text.split("-", 2)
    try:
        first, second = arguments
        if kind == "step":
            return Step(step=int(first), gamma=float(second))
        if kind == "multi":
            return Step(step=[int(each) for each in first.split(",")], gamma=float(second))
        if kind == "SGDR":
            return CosineAnnealingWarmRestarts(T_0=int(first), T_mult=int(second))
        if kind == "default":
            return ReduceLROnPlateau(factor=float(first), patience=int(second), min_lr=_MIN_LR)
    except ValueError as error:
        raise ConfigError(f"policy.learn.lr_schedule is {text!r}; the form is {_FORMS}") from error
    raise ConfigError(f"policy.learn.lr_schedule is {text!r}; the form is {_FORMS}")
