"""What a network answers, from its logits on: predictions, means of several, calibrated scores, the reject
option.

It takes NumPy alone, so that a place without torch can use it; it must not know networks or files.
"""

from ding_cls.answers.prediction import UNKNOWN, AnswerRule, Prediction, Ranked

__all__ = ["AnswerRule", "Prediction", "Ranked", "UNKNOWN"]
