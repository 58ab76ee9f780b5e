"""When a run saves, as its hooks' section says."""

from typing import Any

import pytest

from ding_cls.config.defaults import NEVER
from ding_cls.config.saving import save_intervals, updates_saved

LONG = {"type": "save_ckpt", "position": "after_epoch", "ext_args": {"freq": 2}}


@pytest.mark.parametrize(
    ("hooks", "intervals", "saved"),
    [
        ({}, [], set()),
        ({"save_ckpt_after_iter": 4}, [("after_iter", 4, "save_ckpt_after_iter")], {4, 8}),
        ({"save_ckpt_after_epoch": 1}, [("after_epoch", 1, "save_ckpt_after_epoch")], {5, 10}),
        ({"mine": LONG}, [("after_epoch", 2, "mine")], {10}),
        ({"save_ckpt_after_iter": False, "save_ckpt_after_run": True}, [], set()),
        ({"save_ckpt_after_iter": NEVER, "log_show_after_iter": 3}, [], set()),
        ({"mine": {**LONG, "type": "other"}}, [], set()),
    ],
)
def test_the_updates_after_which_a_run_saves(
    hooks: dict[str, Any], intervals: list[Any], saved: set[int]
) -> None:
    assert [*save_intervals(hooks)] == intervals
    assert updates_saved(hooks, updates_per_epoch=5, num_updates=11) == saved
