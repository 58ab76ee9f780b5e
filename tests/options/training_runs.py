"""What the trials of training options do beyond ``trials``: compare with a run without the option, stop."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import RunStopped
from ding_cls.models import build_classifier
from tests.harness import _without_clocks as without_clocks
from tests.harness import assert_same
from tests.options.cases.training_table import LEARNER, TEACHER, Trial
from tests.options.trials import CONFIG, run, trains

# Clocks and names, and what is remarked on the config alone: that is no effect of an option.
CLOCKS = re.compile(
    r"\[.*?\] |\d+ img/s|eta \S+|\d+:\d\d(?= best|$)|run folder: .*|\S*(whole|plain|stopped)\S*"
    r"|WARNING policy(\.\w+)+: .*\n|INFO auto_scale_lr is off; .*\n",
    re.MULTILINE,
)


def write_teacher() -> None:
    """Write the weights that ``TEACHER`` names into the working directory."""
    torch.manual_seed(3)
    torch.save(build_classifier(TEACHER["model"]).state_dict(), "teacher.pth")


def try_out(trial: Trial, *, resumes: bool = True) -> None:
    """Train, stop and resume as a trial says; find that it has the effect that it says.

    Args:
        trial: what is tried.
        resumes: whether the run is stopped or killed, and resumed; else it trains once.

    Raises:
        AssertionError: otherwise.
    """
    write_teacher()
    changes = {**trial.beside, **trial.changes}
    if trial.stop_at:
        run("whole", changes)
        if resumes:
            stops_and_resumes(changes, trial.stop_at)
    else:
        trains(changes, resumes=resumes)
    if trial.has_effect is not None:
        differs = left_behind("whole") != plain(trial.beside)
        assert differs == trial.has_effect, "nothing changed" if trial.has_effect else "something changed"


def stops_and_resumes(changes: Mapping[str, Any], stop_at: int) -> None:
    """Run again with a stop after an update, resume; compare every file of weights and every row."""
    hook = {"type": "stop_at", "position": "after_iter", "priority": 99, "ext_args": {"at": stop_at}}
    table = {**changes, f"{LEARNER}.hook": {**given_hooks(changes), "stop_here": hook}}
    with pytest.raises(RunStopped):
        run("stopped", table)
    resumed = run("stopped", changes, resume=True)
    assert not resumed.was_complete
    expected, found = files_of("whole"), files_of("stopped")
    # What the stop itself had to write may stay.
    assert {Path(name).name for name in set(found) - set(expected)} <= {f"iteration_{stop_at}.pth.tar"}
    assert expected
    for name, contents in expected.items():
        assert_same(found[name], contents, where=name)
    assert_same(rows_of("stopped"), rows_of("whole"), where="rows")


def given_hooks(changes: Mapping[str, Any]) -> dict[str, Any]:
    return dict(changes.get(f"{LEARNER}.hook", CONFIG[f"{LEARNER}.hook"]))


def left_behind(exp_name: str) -> Any:
    """Return all that a run left, less clocks and names, as what can be compared: files, rows, lines."""
    lines = Path(exp_name, "log", "learner", "learner.txt")
    text = lines.read_text() if lines.is_file() else ""
    return frozen({"files": files_of(exp_name), "rows": rows_of(exp_name), "lines": CLOCKS.sub("", text)})


def plain(beside: Mapping[str, Any]) -> Any:
    """Return what a run with ``beside`` alone leaves; each is done once."""
    key = repr(sorted(beside.items()))
    if key not in _PLAIN:
        run("plain", beside)
        _PLAIN[key] = left_behind("plain")
    return _PLAIN[key]


_PLAIN: dict[str, Any] = {}


def files_of(exp_name: str) -> dict[str, Any]:
    """Return the contents of a run's files of weights by place and name, less clocks."""
    paths = [path for path in Path().rglob("*.pth*") if exp_name in path.parts]
    return {
        "/".join(each for each in path.parts if each != exp_name): without_clocks(read_checkpoint(path))
        for path in sorted(paths)
    }


def rows_of(exp_name: str) -> Any:
    file = Path(exp_name, "log", "metrics.jsonl")
    return without_clocks([json.loads(line) for line in file.read_text().splitlines()])


def frozen(tree: Any) -> Any:
    """Return a tree with tensors as bytes."""
    if isinstance(tree, torch.Tensor):
        return (
            str(tree.dtype),
            tuple(tree.shape),
            tree.contiguous().flatten().view(torch.uint8).numpy().tobytes(),
        )
    if isinstance(tree, Mapping):
        return {name: frozen(each) for name, each in tree.items()}
    return [frozen(each) for each in tree] if isinstance(tree, list | tuple) else tree
