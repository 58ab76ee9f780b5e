"""Templates of file names: ``{model}_e{epoch}_{score:.5f}.pth``."""

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from ding_cls.errors import ConfigError

_SAMPLE = {"model": "resnet18", "epoch": 1, "train_iter": 100, "key": "acc1", "score": 76.5}
# The names that a run finds its own files by.
_OWN = re.compile(r"iteration_\d+\.pth\.tar|ckpt_best\.pth\.tar")


class FileName:
    """A template of the names of files in one folder.

    Args:
        template: as for ``str.format``; ``{}`` is the epoch, as in mmcv.
        key: the config's key that it comes from, for messages.
        fields: what it may name.

    Raises:
        ConfigError: it names something else, or gives no plain file name.
    """

    def __init__(self, template: str, *, key: str, fields: Sequence[str]) -> None:
        self._template = template
        try:
            parts = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            named = {name or "epoch" for name in parts}
            if not named <= set(fields):
                raise KeyError
            sample = self({name: _SAMPLE[name] for name in fields})
        except (KeyError, ValueError, IndexError) as error:
            words = ", ".join(f"{{{name}}}" for name in fields)
            raise ConfigError(f"{key}={template!r} is no file name; it may hold {words}") from error
        if re.search(r"[\\/\0]", template) or sample.strip(". ") == "" or _OWN.fullmatch(sample):
            raise ConfigError(f"{key}={template!r} must be a file name other than those of the run itself")
        self.fields = frozenset(named)

    def __call__(self, values: Mapping[str, Any]) -> str:
        """Return the file name for these values."""
        return self._template.replace("{}", "{epoch}").format(**values)


def model_name(config: Any) -> str:
    """Return how the network that a config describes is called in a file name."""
    model = config.get("policy", {}).get("model", {}) if isinstance(config, Mapping) else {}
    name = model.get("name") or (model.get("backbone") or {}).get("type") or model.get("type") or "model"
    return re.sub(r"[^\w.-]", "_", str(name).removesuffix(" (given)"))
