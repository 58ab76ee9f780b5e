"""The rules that look at a config: settings that are allowed and nearly always a mistake.

``config lint``, a dry run and the run itself print what these rules find.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ding_cls.common.process import launched_world_size
from ding_cls.config.origins import DEFAULT, FileNotes
from ding_cls.config.tools import data_rules, file_rules, training_rules, value_rules
from ding_cls.config.tools.inspected import InspectedConfig
from ding_cls.config.tools.lint_rule import LintContext, LintFinding, Rule
from ding_cls.config.tree import OriginTable, place_of

RULES: tuple[Rule, ...] = (
    training_rules.rate_and_batch,
    training_rules.rate_too_high,
    training_rules.decay_after_end,
    training_rules.warmup_too_long,
    training_rules.frozen_too_long,
    training_rules.rate_upside_down,
    training_rules.clip_before_unscale,
    training_rules.softened_twice,
    training_rules.frozen_at_random,
    training_rules.nothing_saved_between,
    training_rules.average_too_late,
    training_rules.no_log_line,
    training_rules.stop_value_in_the_wrong_unit,
    training_rules.best_by_what,
    value_rules.mean_and_std_in_another_unit,
    value_rules.smoothing_per_cent,
    value_rules.factors_above_one,
    data_rules.unequal_sizes,
    data_rules.unequal_normalisation,
    data_rules.squashed,
    data_rules.crop_far_from_resize,
    data_rules.swapped_channels,
    data_rules.swapped_arrays,
    data_rules.random_evaluation,
    data_rules.evaluated_on_training_data,
    data_rules.loading_in_the_way,
    data_rules.size_without_effect,
    file_rules.replaced_data,
    file_rules.set_too_late,
    file_rules.read_by_nothing,
)


def lint(inspected: InspectedConfig, *, processes: int | None = None) -> list[LintFinding]:
    """Return what the rules find in a config, in the order of ``RULES``.

    A config that cannot be used is looked at all the same.

    Args:
        inspected: the config.
        processes: how many will train; None: as many as the launcher started, 1 without one.
    """
    tree, _ = inspected.tree_as_it_is
    return _findings(
        LintContext(tree, inspected.origin, processes or launched_world_size(), notes=inspected.notes)
    )


def lint_run(
    tree: Mapping[str, Any],
    origins: Mapping[str, str],
    *,
    processes: int,
    updates_per_epoch: int,
    notes: FileNotes | None = None,
) -> list[LintFinding]:
    """Return what the rules find in a run that is about to train, or that is looked at by a dry run.

    Args:
        tree: the compiled config, as nested plain dicts.
        origins: which line set what.
        processes: how many train.
        updates_per_epoch: updates in an epoch.
        notes: what reading the file has found.
    """
    places = OriginTable(origins)
    return _findings(
        LintContext(
            tree,
            lambda path: place_of(path, places) or DEFAULT,
            processes,
            updates_per_epoch,
            notes or FileNotes(),
        )
    )


def show_findings(findings: Sequence[LintFinding], inspected: InspectedConfig) -> str:
    """Return a line for each finding: where, which rule, which key, what happens, what to do."""
    return "\n".join(f"{inspected.origin(each.path)}: {each.rule}: {each}" for each in findings)


def _findings(context: LintContext) -> list[LintFinding]:
    findings: list[LintFinding] = []
    for rule in RULES:
        # A value of a type that the rule does not expect is the validator's business, or the part's.
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            findings += rule(context)
    return findings
