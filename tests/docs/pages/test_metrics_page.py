"""``docs/metrics.md``: its tables are those of the registry, its commands can be typed."""

import re
import shlex
from typing import Any

import numpy as np
import pytest

from ding_cls.cli import _parser
from ding_cls.cli.arguments import parse
from ding_cls.config.overrides import parsed_value
from ding_cls.data import ArrayDataset
from ding_cls.metrics import METRICS, SumMetric, build_metric, described_metric
from ding_cls.metrics.combined import SHORT_NAMES
from ding_cls.pipeline.checks.labels import metric_for
from tests.docs.scripts import DOCS
from tests.metrics.cases import labels, single, tasks

PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
KINDS = {"one": single, "several": labels, "tasks": tasks}


def rows(head: str) -> list[list[str]]:
    """Return the rows of the table with this head."""
    lines = PAGE.split(head)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


TYPES = {cells[0].strip("`"): cells[1:] for cells in rows("| type | keys of its result |")}
SHORT = {
    cells[0].strip("`"): re.findall(r"`(\w+)`", cells[1]) for cells in rows("| name | keys of its result |")
}


def result_of(metric: Any, kind: str) -> dict[str, Any]:
    result: dict[str, Any] = metric.eval(*KINDS[kind]())
    return result


def test_every_metric_of_the_library_has_its_row() -> None:
    ours = [name for name in METRICS.names() if METRICS.get(name).__module__.startswith("ding_cls.")]
    assert sorted(TYPES) == sorted(ours)
    assert sorted(SHORT) == sorted(SHORT_NAMES)


@pytest.mark.parametrize("name", list(TYPES))
def test_a_metric_gives_the_keys_of_its_row(name: str) -> None:
    keys, decides, kinds, meaning = TYPES[name]
    arguments = {}
    if name == "TorchMetric":
        pytest.importorskip("torchmetrics")
        arguments = dict(re.findall(r"(\w+)=('?\w+'?)", meaning))
        arguments = {key: parsed_value(value) for key, value in arguments.items()}
    metric = build_metric({"type": name, **arguments})
    assert isinstance(metric, SumMetric)
    kind = kinds.split(",")[0]
    assert list(result_of(metric, kind)) == re.findall(r"`(\w+)`", keys)
    assert metric.primary == decides.strip("`")
    smaller = [key for key, way in metric.directions.items() if way == "min"]
    assert smaller == re.findall(r"`(\w+)` ↓", keys)


@pytest.mark.parametrize("name", list(SHORT))
def test_a_short_name_gives_the_keys_of_its_row(name: str) -> None:
    # A list by class alone decides nothing.
    described = described_metric([name, "accuracy"] if name == "support" else [name])
    kind = "tasks" if name == "string_accuracy" else "one"
    kind = "several" if name in ("mAP", "CP", "CR", "CF1", "OP", "OR", "OF1", "exact_match") else kind
    found = list(result_of(build_metric(described), kind))
    assert [key for key in found if name != "support" or not key.startswith("acc")] == SHORT[name]


@pytest.mark.parametrize(("number", "kind"), list(enumerate(KINDS)))
def test_the_metric_without_a_choice_is_that_of_the_page(number: int, kind: str) -> None:
    _, targets = KINDS[kind]()
    images = np.zeros((len(targets), 2, 2), np.uint8)
    dataset = ArrayDataset(images=images, labels=targets.numpy(), classes=list("abcdef")[: 6 - number])
    named = rows("| a label is | metric |")[number][1]
    metric = metric_for(None, dataset)
    assert type(metric).__name__ == re.findall(r"`(\w+)`", named)[0]
    if kind == "several":
        assert list(metric.directions) == re.findall(r"`(\w+)`", named)[1:]


def test_every_command_can_be_typed_and_its_metric_built() -> None:
    (block,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        parse(_parser(), command[1:])
        for word in command:
            if word.startswith("policy.eval.metric={"):
                build_metric(parsed_value(word.partition("=")[2]))
