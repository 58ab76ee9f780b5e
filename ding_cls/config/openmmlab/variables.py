"""Top-level names of a file in mmclassification's spelling that are no keys: its variables.

mmclassification keeps them in its config, and mmcv writes them out with it, so most files have some that
nothing reads. What was meant as a key is told apart here.
"""

from collections.abc import Collection, Mapping
from typing import Any

from ding_cls.config.defaults import ROOT
from ding_cls.config.openmmlab.key_table import ROOTS
from ding_cls.config.suggestions import is_alike
from ding_cls.config.tree import place_of

# What is this much like a key was meant as one.
_MISSPELT = 0.8
# Sections that mmclassification 0.x has below ``model``; some of its files write them beside it, for nothing.
_OF_BOTH = ("train_cfg", "test_cfg")
_MIXINGS = frozenset(("augments", "mixup", "cutmix"))
_OF_MMPRETRAIN = (
    *("optim_wrapper", "param_scheduler", "default_hooks", "env_cfg", "visualizer", "randomness"),
    *("val_cfg", "train_dataloader", "val_dataloader", "test_dataloader", *_OF_BOTH),
    *("val_evaluator", "test_evaluator", "data_preprocessor"),
)


class FileVariables:
    """The names of one config, told apart.

    Args:
        cfg: the config, in mmclassification's spelling.
        origins: which line set what.
        used: names that an expression has used; None: unknown.
    """

    def __init__(
        self, cfg: Mapping[str, Any], origins: Mapping[str, str], used: Collection[str] | None
    ) -> None:
        self._cfg, self._origins, self._used = cfg, origins, used

    def is_of_mmpretrain(self, name: str) -> bool:
        """Return whether a name is a section of mmpretrain 1.x, in a config that is one of its."""
        if name not in _OF_MMPRETRAIN:
            return False
        value = self._cfg[name]
        if name in _OF_BOTH and isinstance(value, Mapping) and not _MIXINGS.isdisjoint(value):
            return False
        is_of_0_x = "data" in self._cfg and not set(_OF_MMPRETRAIN).difference(_OF_BOTH) & self._cfg.keys()
        return name not in _OF_BOTH or not is_of_0_x

    def is_meant_as_key(self, name: str) -> bool:
        """Return whether a name was typed, or is nearly that of a key, which no line beside it sets."""
        if self._place(name).startswith("override "):
            return True
        alike = [each for each in (*ROOTS, *ROOT) if is_alike(name, each, _MISSPELT)]
        if not alike or self._used is None or name in _OF_BOTH:
            return bool(alike) and name not in _OF_BOTH
        is_beside = any(each in self._cfg and self._file(each) == self._file(name) for each in alike)
        return name not in self._used and not is_beside

    def is_unread(self, name: str) -> bool:
        """Return whether no expression of the files has used a name."""
        return self._used is not None and name not in self._used

    def _place(self, name: str) -> str:
        return place_of(name, self._origins) or ""

    def _file(self, name: str) -> str:
        return self._place(name).rpartition(":")[0]
