"""Configs: data in, checked data out. This room reads, merges, checks and saves; it must not know torch.

A config file looks like Python and is never executed. ``defaults`` names every key; ``compile_config`` merges
the user's values into them and reports all that is wrong at once, with the file and line that set it.
"""

from ding_cls.config.compile import checked_config, compile_config, resolve
from ding_cls.config.merge import deep_merge_dicts, save_config
from ding_cls.config.openmmlab.config_object import Config
from ding_cls.config.openmmlab.translate import to_native
from ding_cls.config.overrides import apply_overrides
from ding_cls.config.reader.reader import read_config

__all__ = [
    "Config",
    "apply_overrides",
    "checked_config",
    "compile_config",
    "deep_merge_dicts",
    "read_config",
    "resolve",
    "save_config",
    "to_native",
]
