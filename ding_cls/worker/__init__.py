"""The training loop and the evaluation: learner, hooks, evaluator. It sees ``policy.modes``, never a concrete
policy or a dataset."""

from ding_cls.metrics import IMetric
from ding_cls.worker.evaluator import MetricSerialEvaluator
from ding_cls.worker.learner import HOOKS, BaseLearner, Hook, LearnerHook, Priority

__all__ = [
    "HOOKS",
    "BaseLearner",
    "Hook",
    "IMetric",
    "LearnerHook",
    "MetricSerialEvaluator",
    "Priority",
]
