"""Known traps of configs: settings that are allowed and nearly always a mistake."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ding_cls.common.process import launched_world_size
from ding_cls.config.origins import OriginTable
from ding_cls.config.tools import data_rules as data_traps
from ding_cls.config.tools import training_rules as training_traps
from ding_cls.config.tools.inspected import DEFAULT, Subject
from ding_cls.config.tools.lint_rule import Checked, Finding, Rule
from ding_cls.config.validate import place_of

RULES: tuple[Rule, ...] = (
    training_traps.rate_and_batch,
    training_traps.rate_too_high,
    training_traps.decay_after_end,
    training_traps.warmup_too_long,
    training_traps.frozen_too_long,
    training_traps.rate_upside_down,
    training_traps.clip_before_unscale,
    training_traps.softened_twice,
    training_traps.frozen_at_random,
    training_traps.nothing_saved_between,
    training_traps.stop_value_in_the_wrong_unit,
    training_traps.best_by_what,
    data_traps.unequal_sizes,
    data_traps.unequal_normalisation,
    data_traps.squashed,
    data_traps.crop_far_from_resize,
    data_traps.swapped_channels,
    data_traps.random_evaluation,
    data_traps.judged_on_training_data,
    data_traps.loading_in_the_way,
)


def lint(subject: Subject, *, processes: int | None = None) -> list[Finding]:
    """Return the traps that a config has stepped into, in the order of ``RULES``.

    A config that cannot be used is looked at all the same.

    Args:
        subject: the config.
        processes: how many will train; None: as many as the launcher started, 1 without one.
    """
    tree, _ = subject.tree_as_it_is
    return _found(Checked(tree, subject.written, subject.origin, processes or launched_world_size()))


def lint_tree(tree: Mapping[str, Any], origins: Mapping[str, str], *, processes: int) -> list[Finding]:
    """Return the traps of a compiled config that is about to train.

    Args:
        tree: as nested plain dicts.
        origins: which line set what.
        processes: how many train.
    """
    places = OriginTable(origins)
    return _found(Checked(tree, {}, lambda path: place_of(path, places) or DEFAULT, processes))


def _found(checked: Checked) -> list[Finding]:
    findings: list[Finding] = []
    for rule in RULES:
        # A value of a type that the rule does not expect is the validator's business, or the part's.
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            findings += rule(checked)
    return findings


def show_findings(findings: Sequence[Finding], subject: Subject) -> str:
    """Return a line for each finding: where, which rule, what happens, what to do."""
    return "\n".join(
        f"{subject.origin(each.path)}: {each.rule}: {each.path}: {each.what}; {each.remedy}"
        for each in findings
    )
