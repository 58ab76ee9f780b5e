"""What docs/hooks.md says of order, names and counts is what the code does."""

import re
from pathlib import Path

from ding_cls.config import compile_config
from ding_cls.config.defaults import EVALUATOR, LEARNER
from ding_cls.pipeline.hooks import run_hooks
from ding_cls.worker.learner import HOOKS, Engine, Hook, Priority, show_hooks
from ding_cls.worker.learner.hooks.base import POSITIONS
from ding_cls.worker.learner.hooks.method_hook import METHODS

PAGE = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """Return the cells of the table whose first line begins with ``head``."""
    lines = PAGE[PAGE.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_priorities_are_the_codes() -> None:
    assert {name.strip("`"): int(number) for name, number in rows("| name | number |")} == {
        each.name: each.value for each in Priority
    }


def test_the_order_is_that_of_a_run() -> None:
    (order,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.S)
    hook = {"save_ckpt_after_epoch": 1}
    cfg = compile_config({"policy": {"learn": {"learner": {"hook": hook}}}}, save_cfg=False)
    assert order == show_hooks(run_hooks(cfg, world_size=2))


def test_every_position_and_method_has_its_row() -> None:
    table = rows("| position | methods |")
    assert {position.strip("`") for position, _, _ in table} == set(POSITIONS)
    for position, methods, _ in table:
        assert tuple(re.findall(r"`(\w+)`", methods)) == METHODS[position.strip("`")]  # type: ignore[index]


def test_every_name_of_the_engine_and_the_base_class_exists() -> None:
    named = [name for cell, _ in rows("| `engine.` |") for name in re.findall(r"`(\w+)", cell)]
    assert len(named) == 23
    public = {name for name in {*dir(Engine), *Engine.__annotations__} if not name.startswith("_")}
    assert set(named) < public
    others = [name for _, cell in rows("| in mmcv |") for name in re.findall(r"`engine\.(\w+)", cell)]
    assert len(others) > 10
    assert set(others) < public
    helpers = re.findall(r"`(every_n_\w+|is_last_\w+)`", PAGE)
    assert set(helpers) == {name for name in vars(Hook) if name.startswith(("every_", "is_"))}


def test_the_known_names_are_the_registrys() -> None:
    named = [name for cell, _ in rows("| hook | what it does |") for name in re.findall(r"`(\w+)`", cell)]
    ours = {"load_ckpt", "save_ckpt", "log_reduce", "log_show"}
    # Other tests register hooks of their own.
    library = {name for name in HOOKS.names() if HOOKS.get(name).__module__.startswith("ding_cls.")}
    assert set(named) == library - ours


def test_the_options_of_the_page_are_keys() -> None:
    keys = {*EVALUATOR, *LEARNER["checkpoint"], "hook"}
    settings = [cell for _, cell in rows("| wanted | set |")]
    named = [name for cell in settings for name in re.findall(r"(?<![\w.-])([a-z_]+)(?:\.\w+)?=", cell)]
    assert len(named) == 13
    assert set(named) <= keys
