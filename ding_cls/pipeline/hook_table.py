"""The order in which a run calls its hooks, as text: the same hooks, built from the same config."""

from collections.abc import Mapping
from typing import Any

from ding_cls.common.columns import in_columns
from ding_cls.config.merge import to_easydict
from ding_cls.pipeline.hooks import run_hooks
from ding_cls.worker.learner.hooks.base import show_priority
from ding_cls.worker.learner.hooks.method_hook import MethodHook

_UPDATE, _EVALUATION = "an update", "an evaluation"
# In the order of the loop; an update and an evaluation are no hooks.
_ORDER = (
    "before_run",
    "before_epoch",
    "before_iter",
    _UPDATE,
    "after_iter",
    "after_epoch",
    _EVALUATION,
    "after_eval",
    "after_run",
)


def hook_table(cfg: Mapping[str, Any], *, world_size: int = 1) -> str:
    """Return a line for each hook: position, priority, name and class, in calling order.

    Args:
        cfg: a compiled config; its hooks must be registered.
        world_size: number of processes.

    Raises:
        ConfigError: a hook, an argument, a position or a priority that does not exist.
    """
    hooks = run_hooks(to_easydict(cfg), world_size=world_size)
    rows: list[tuple[str, str, str, str]] = []
    for position in _ORDER:
        if position == _UPDATE:
            rows.append(("", "", "- the update -", "ImageClassificationPolicy"))
        elif position == _EVALUATION:
            rows.append(("", "", "- evaluation, where due -", "MetricSerialEvaluator"))
        elif not hooks.get(position):
            rows.append((position, "", "", ""))
        for number, hook in enumerate(hooks.get(position, ())):
            owner = hook.owner if isinstance(hook, MethodHook) else hook
            name = position if number == 0 else ""
            rows.append((name, show_priority(hook), hook.name, type(owner).__name__))
    rows.insert(0, ("POSITION", "PRIORITY", "HOOK", "CLASS"))
    return in_columns(rows)
