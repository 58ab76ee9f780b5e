"""Known names of this design, re-exported for the programs that import them from here."""

from ding_cls.models import model_wrap

__all__ = ["model_wrap"]
