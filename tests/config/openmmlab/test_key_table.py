"""The table of mmclassification's keys: conditions, conversions, and keys of the schema alone."""

from typing import Any

import pytest

from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.openmmlab.key_table import (
    LATER,
    NO_EFFECT,
    ROOTS,
    TABLE,
    TRAINING,
    counts_iters,
    is_sgd,
    saves_by_epoch,
    section,
)
from ding_cls.config.tree import leaves

LEARN = "policy.learn"
FREE = (
    "policy.model.",
    f"{LEARN}.optimizer.",
    f"{LEARN}.lr_schedule.",
    f"{LEARN}.momentum_schedule.",
    f"{LEARN}.learner.hook.",
    "policy.eval.metric.",
)


def test_the_rows_lead_to_keys_of_the_schema() -> None:
    assert len(TABLE) == 139
    known = dict(leaves(defaults(ROOT)))
    targets = [target for row in TABLE for target in row.targets]
    sections = ("policy.model", f"{LEARN}.optimizer")
    assert [each for each in targets if each not in (*known, *sections) and not each.startswith(FREE)] == []
    assert set(TRAINING) <= set(ROOTS)
    assert not set(ROOTS) & set(ROOT)


def test_a_row_has_keys_of_ours_or_none() -> None:
    for row in TABLE:
        assert bool(row.targets) == (row.new not in (LATER, NO_EFFECT)), row


def test_rows_of_one_name_have_conditions_that_exclude_each_other() -> None:
    for cfg in ({}, {"runner": {"type": "IterBasedRunner"}}, {"checkpoint_config": {"by_epoch": False}}):
        for name in ("checkpoint_config.interval", "checkpoint_config.filename_tmpl"):
            rows = [row for row in TABLE if row.old == name]
            assert sum(row.when is not None and row.when.holds(cfg) for row in rows) == 1


@pytest.mark.parametrize(
    ("cfg", "sgd", "iters", "by_epoch"),
    [
        ({}, True, False, True),
        ({"optimizer": {"type": "AdamW"}}, False, False, True),
        ({"runner": {"type": "IterBasedRunner"}}, True, True, False),
        ({"runner": 3, "optimizer": None, "checkpoint_config": {"by_epoch": False}}, True, False, False),
    ],
)
def test_what_a_whole_config_says(cfg: dict[str, Any], sgd: bool, iters: bool, by_epoch: bool) -> None:
    assert (is_sgd(cfg), counts_iters(cfg), saves_by_epoch(cfg)) == (sgd, iters, by_epoch)
    assert section(cfg, "runner") == (cfg.get("runner", {}) if isinstance(cfg.get("runner"), dict) else {})
