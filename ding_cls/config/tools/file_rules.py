"""Rules on a config file itself: variables that change nothing, data that the command line replaces.

Each rule is a pure function; it stays silent where it cannot know.
"""

from collections.abc import Iterator, Sequence

from ding_cls.common.counting import first_few
from ding_cls.config.openmmlab.key_table import ROOTS
from ding_cls.config.tools.lint_rule import LintContext, LintFinding

_NUM_NAMED = 5


def replaced_data(cfg: LintContext) -> Iterator[LintFinding]:
    """What of a config's own data the folder of the command line takes the place of."""
    if cfg.notes.replaced:
        yield LintFinding(
            "replaced-data",
            "policy.collect",
            f"--data {cfg.notes.data} takes the place of {', '.join(cfg.notes.replaced[:_NUM_NAMED])}",
            "a list in it is named by SPLIT.ann_file",
        )


def set_too_late(cfg: LintContext) -> Iterator[LintFinding]:
    """A variable of an inheriting file whose base has already used its own value."""
    too_late = {name: cfg.notes.overridden[name] for name in cfg.notes.overridden if _is_variable(cfg, name)}
    for name, (place, base) in list(too_late.items())[:1]:
        yield LintFinding(
            "set-too-late",
            name,
            f"set in {place} after {base} was used, so nothing changes{_likewise([*too_late][1:])}",
            "set what is made of it, too",
        )


def read_by_nothing(cfg: LintContext) -> Iterator[LintFinding]:
    """Variables of a file that nothing reads."""
    names = [name for name in cfg.notes.unread if name not in cfg.notes.overridden]
    for name in names[:1]:
        place = cfg.notes.unread[name]
        yield LintFinding(
            "read-by-nothing",
            name,
            f"a variable{f' ({place})' if place else ''} that nothing reads{_likewise(names[1:])}",
            "to change it changes nothing",
        )


def _is_variable(cfg: LintContext, name: str) -> bool:
    return cfg.notes.is_openmmlab and name not in ROOTS


def _likewise(names: Sequence[str]) -> str:
    """Return the other names, as the end of a clause."""
    return f"; likewise {first_few(names, _NUM_NAMED)}" if names else ""
