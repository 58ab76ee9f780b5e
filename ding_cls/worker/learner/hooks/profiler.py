"""Where the time of the first updates goes: torch's profiler as a hook."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import profiler

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS

_ACTIVITIES = {"cpu": profiler.ProfilerActivity.CPU, "cuda": profiler.ProfilerActivity.CUDA}
_TRACES = ("log_trace", "tb_trace")


@HOOKS.register_module()
class ProfilerHook:
    """Record the first epochs or updates with ``torch.profiler``; traces lie in the run's ``log/profiler``.

    Args:
        by_epoch: ``profile_iters`` counts epochs; False: updates.
        profile_iters: how many of them are recorded, from the session's first on.
        activities: of 'cpu' and 'cuda'.
        schedule: ``dict(wait=, warmup=, active=, repeat=)`` of ``torch.profiler.schedule``; None: all.
        on_trace_ready: ``dict(type='tb_trace', dir_name=...)`` for another folder; ``dict(type='log_trace')``
            logs a table instead; None: a trace.
        record_shapes, profile_memory, with_stack, with_flops: as in ``torch.profiler.profile``.
        json_trace_path: the file to write the trace to, in place of ``on_trace_ready``.

    Raises:
        ConfigError: an argument that cannot be used.
    """

    def __init__(
        self,
        by_epoch: bool = True,
        profile_iters: int = 1,
        activities: Sequence[str] = ("cpu", "cuda"),
        schedule: Mapping[str, int] | None = None,
        on_trace_ready: Mapping[str, Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        json_trace_path: str | None = None,
    ) -> None:
        if isinstance(profile_iters, bool) or not isinstance(profile_iters, int) or profile_iters < 1:
            raise ConfigError(f"ProfilerHook has profile_iters={profile_iters!r}; a whole number from 1 on")
        for each in activities:
            if each not in _ACTIVITIES:
                raise ConfigError(f"ProfilerHook has the activity {each!r}; there are cpu and cuda")
        if on_trace_ready is not None and json_trace_path is not None:
            raise ConfigError("ProfilerHook: torch writes a trace once; on_trace_ready or json_trace_path")
        self._ready = dict(on_trace_ready or {"type": "tb_trace"})
        if self._ready.get("type") not in _TRACES:
            raise ConfigError(f"ProfilerHook: on_trace_ready is dict(type=) of {' or '.join(_TRACES)}")
        self._by_epoch, self._left = by_epoch, profile_iters
        self._json = json_trace_path
        self._settings: dict[str, Any] = {
            "activities": [_ACTIVITIES[each] for each in activities],
            "schedule": profiler.schedule(**schedule) if schedule else None,
            "record_shapes": record_shapes,
            "profile_memory": profile_memory,
            "with_stack": with_stack,
            "with_flops": with_flops,
        }
        self._profile: Any = None

    def before_epoch(self, engine: Engine) -> None:
        """Begin with the session's first epoch."""
        if self._profile is not None or self._left == 0:
            return
        available = profiler.supported_activities()  # type: ignore[no-untyped-call]
        activities = [each for each in self._settings["activities"] if each in available]
        ready = self._handler(engine)
        self._profile = profiler.profile(**{**self._settings, "activities": activities}, on_trace_ready=ready)
        self._profile.start()

    def after_iter(self, engine: Engine) -> None:
        """Mark an update."""
        if self._profile is not None:
            self._profile.step()
            self._count(not self._by_epoch)

    def after_epoch(self, engine: Engine) -> None:
        """Mark an epoch."""
        if self._profile is not None:
            self._count(self._by_epoch)

    def after_run(self, engine: Engine) -> None:
        """End what a short run left open."""
        self._end()

    def _count(self, is_counted: bool) -> None:
        self._left -= is_counted
        if self._left == 0:
            self._end()

    def _end(self) -> None:
        if self._profile is None:
            return
        ended, self._profile = self._profile, None
        self._left = 0
        ended.stop()

    def _handler(self, engine: Engine) -> Any:
        path = self._json
        if path is not None:
            return lambda profile: profile.export_chrome_trace(path)
        if self._ready["type"] == "log_trace":
            return lambda profile: engine.info(profile.key_averages().table(row_limit=20))
        folder = self._ready.get("dir_name") or os.path.join(engine.exp_name, "log", "profiler")
        return profiler.tensorboard_trace_handler(str(folder), worker_name=f"rank_{engine.rank}")
