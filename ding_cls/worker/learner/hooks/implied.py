"""Hooks that an option of training brings along; the config's own lists do not name them."""

from itertools import islice
from typing import Any

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import LearnerHook
from ding_cls.worker.learner.loop.batches import seek


class PreciseBatchNorm(LearnerHook):
    """Computes BatchNorm's statistics anew at the end of epochs, before saving and evaluating.

    It shows the policy the first batches of the epoch just finished, once more.

    Args:
        loader: the training loader; None where only the hook's place is asked for.
        num_samples: samples it takes, all ranks together, up to a whole batch; at most an epoch's.
        interval: epochs from one time to the next.

    Raises:
        ConfigError: a number is less than 1.
    """

    def __init__(self, loader: Any = None, *, num_samples: int = 8192, interval: int = 1) -> None:
        super().__init__("precise_bn", 5, position="after_epoch")
        for name, value in (("num_samples", num_samples), ("interval", interval)):
            if not (isinstance(value, int) and value >= 1):
                raise ConfigError(f"policy.learn.precise_bn.{name} is {value!r}; it must be 1 or more")
        self._loader, self._num_samples, self._interval = loader, num_samples, interval

    def __call__(self, engine: Engine) -> None:
        epochs = -(-engine.train_iter // len(self._loader))
        if epochs % self._interval:
            return
        seek(self._loader, epochs - 1, 0)
        count = -(-self._num_samples // self._loader.sizes[0])
        engine.policy.get_attribute("recompute_statistics")(islice(self._loader, count))


class ObserveEvaluation(LearnerHook):
    """Gives each result to a learning rate that follows evaluations, but that before the first update."""

    def __init__(self) -> None:
        super().__init__("lr_observes_evaluation", 10, position="after_eval")

    def __call__(self, engine: Engine) -> None:
        if engine.train_iter > 0:
            engine.policy.get_attribute("lr_scheduler").observe(engine.eval_result)
