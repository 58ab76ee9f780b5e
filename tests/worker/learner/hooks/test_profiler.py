"""torch's profiler as a hook."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import learner_hooks
from tests.worker.learner.parts import Loader, learner

pytestmark = pytest.mark.usefixtures("workdir")


@pytest.mark.parametrize("by_epoch", [True, False])
def test_the_profiler_writes_a_trace(by_epoch: bool) -> None:
    hook = {"type": "ProfilerHook", "by_epoch": by_epoch, "profile_iters": 2}
    engine, policy = learner(custom_hooks=[hook])
    engine.start(Loader(3), max_epochs=3)
    assert policy.count == 9
    (trace,) = Path("run/log/profiler").iterdir()
    assert trace.name.startswith("rank_0")
    assert '"traceEvents"' in trace.read_text()


def test_the_profiler_writes_to_the_file_it_is_told() -> None:
    schedule = {"wait": 0, "warmup": 1, "active": 1, "repeat": 1}
    hook = {"type": "ProfilerHook", "json_trace_path": "trace.json", "schedule": schedule}
    engine, _ = learner(custom_hooks=[hook])
    engine.start(Loader(3), max_epochs=1)
    assert '"traceEvents"' in Path("trace.json").read_text()
    assert not Path("run/log/profiler").exists()


def test_the_profiler_may_log_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    ready = {"type": "log_trace"}
    engine, _ = learner(
        custom_hooks=[{"type": "ProfilerHook", "on_trace_ready": ready, "activities": ["cpu"]}]
    )
    engine.start(Loader(2), max_epochs=1)
    assert "Self CPU" in capsys.readouterr().out
    assert not Path("run/log/profiler").exists()


BOTH = {"on_trace_ready": {"type": "tb_trace"}, "json_trace_path": "a.json"}


@pytest.mark.parametrize(
    "arguments", [{"profile_iters": 0}, {"activities": ["tpu"]}, {"on_trace_ready": {"type": "mine"}}, BOTH]
)
def test_a_profiler_that_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="ProfilerHook"):
        learner_hooks({"custom_hooks": [{"type": "ProfilerHook", **arguments}]})
