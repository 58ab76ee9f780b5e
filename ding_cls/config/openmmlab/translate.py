"""mmclassification's spelling of a config, put into ours by the rows of ``key_table``.

A config of either spelling enters the library here and is in ours afterwards. It must not know what the
values mean beyond the table, nor look up any part by its name.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ding_cls.config.defaults import ROOT
from ding_cls.config.merge import deep_merge_dicts, plain_copy
from ding_cls.config.messages import location_suffix, type_error_text
from ding_cls.config.normalize import move_arguments
from ding_cls.config.openmmlab.hooks_to_keys import hooks_to_keys
from ding_cls.config.openmmlab.ignored_arguments import drop_ignored
from ding_cls.config.openmmlab.key_table import (
    FP16_HOOKS,
    LATER,
    NO_EFFECT,
    ROOTS,
    TABLE,
    TRAINING,
    Row,
    counts_iters,
    is_sgd,
    section,
)
from ding_cls.config.openmmlab.variables import FileVariables
from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.overrides import apply_overrides
from ding_cls.config.suggestions import MAX_GUESSES, UNKNOWN, unknown_key
from ding_cls.config.tree import (
    MISSING,
    OriginTable,
    drop,
    last_name,
    leaves,
    place_of,
    put,
    section_of,
    sections_of,
    value_at,
)

# Where a value comes from that no line has set.
MM_DEFAULT = "mmclassification's default"

# Keys that both spellings have.
_SHARED = ("seed", "custom_imports")
_LEARN, _LEARNER = "policy.learn", "policy.learn.learner"
_HOOK, _EVALUATOR = f"{_LEARNER}.hook", "policy.eval.evaluator"
# What a head's layer is drawn from there where the config sets nothing.
_NORMAL = {"type": "Normal", "layer": "Linear", "std": 0.01}
_ZERO = {"type": "Constant", "layer": "Linear", "val": 0.0}
_DRAWN_FROM = {
    **dict.fromkeys(
        ("LinearClsHead", "MultiLabelLinearClsHead", "CSRAClsHead", "EfficientFormerClsHead"), _NORMAL
    ),
    **dict.fromkeys(("VisionTransformerClsHead", "DeiTClsHead"), _ZERO),
}
# Counted in batches their learning rates are no function of the number of updates alone.
_COUNTING_SCHEDULES = ("Exp", "Inv", "CosineRestart", "CosineAnnealingCooldown")
_FOR_FILES = re.compile(r"\{\{\s*(?:file\w+|_base_[\w.]*)\s*\}\}")


def to_native(
    cfg: Mapping[str, Any],
    overrides: Sequence[str] = (),
    origins: Mapping[str, str] | None = None,
    *,
    variables: Collection[str] | None = None,
    notes: FileNotes | None = None,
) -> tuple[NativeConfig, list[str]]:
    """Return a config of either spelling in ours, and the ``key=value`` words that are still to be set.

    Words in mmclassification's spelling are set before the translation, and only in a config of that
    spelling. Where such a config sets how to train, what it leaves out has mmclassification's default, not
    ours, wherever numbers depend on it: no momentum, a constant learning rate, an evaluation after each
    epoch.

    Args:
        cfg: as read; stays as it is.
        overrides: see ``apply_overrides``.
        origins: which line set what (see ``read_config_with_origins``); stays as it is.
        variables: top-level names that the files use. None: unknown.
        notes: what reading the file has found; takes the spelling, and the names that nothing reads.

    Raises:
        ConfigError: an override that cannot be applied.
    """
    values, places = plain_copy(cfg), dict(origins or {})
    move_arguments(values, places)
    drop_ignored(values)
    problems = list(leftovers(values, places))
    native_words = [word for word in overrides if _root(word) in ROOT]
    other_words = [word for word in overrides if _root(word) not in ROOT]
    if not any(key in ROOTS for key in values):
        refused = [word for word in other_words if _root(word) in ROOTS]
        problems += [*map(_refused, refused), *hooks_to_keys(values, places)]
        words = [word for word in overrides if word not in refused]
        return NativeConfig(values, places, problems), words
    values = apply_overrides(values, other_words, origins=places)
    problems += leftovers(values, places)
    translation = _Translation(
        values, places, variables if notes is None or not notes.file else notes.variables
    )
    translated = translation.run()
    if notes is not None:
        notes.is_openmmlab = True
        notes.unread.update(translation.unread)
    problems += [*translation.problems, *hooks_to_keys(translated, translation.new_origins)]
    return NativeConfig(translated, translation.new_origins, problems), native_words


class _Translation:
    """One translation: what has moved so far, and what was wrong with it.

    Attributes:
        problems: a line each.
        new_origins: which line set what in the native config.
        unread: variables of the file that nothing reads, and their places.
    """

    def __init__(
        self, cfg: dict[str, Any], origins: dict[str, str], variables: Collection[str] | None
    ) -> None:
        self.problems: list[str] = []
        self.unread: dict[str, str] = {}
        self.new_origins = {path: place for path, place in origins.items() if _root(path) in ROOT}
        self._cfg, self._origins = cfg, OriginTable(origins)
        self._variables = FileVariables(cfg, self._origins, variables)
        self._moved: dict[str, Any] = {}
        self._sources: dict[str, tuple[str, Row, bool]] = {}

    def run(self) -> dict[str, Any]:
        """Return the native config."""
        self._check_one_spelling()
        for key, value in self._cfg.items():
            if key in ROOTS:
                self._walk(key, value, None)
            elif key not in ROOT:
                self._check_variable(str(key))
        for target in self._sources:
            self._note_origins(target)
        self._add_defaults()
        self._count_updates()
        native = {key: value for key, value in self._cfg.items() if key in ROOT}
        return deep_merge_dicts(self._moved, native)

    def _check_one_spelling(self) -> None:
        # A word may have put what is taken out in the only key of theirs.
        theirs = next((key for key in self._cfg if key in ROOTS), "")
        for ours in (key for key in self._cfg if theirs and key in ROOT and key not in _SHARED):
            text = "are two spellings in one config; write all of it in one (ding-cls config convert"
            self._clash(theirs, ours, f"{text} translates a file of mmclassification's)")

    def _walk(self, path: str, value: Any, around: tuple[str, Row] | None) -> None:
        """Carry a value over, or what is in it.

        Args:
            path: where it is.
            value: what it is.
            around: the innermost row whose dict holds it, and the path of that dict.
        """
        rows = (row for row in _ROWS.get(path, ()) if row.when is None or row.when.holds(self._cfg))
        row = next(rows, None)
        if row is not None:
            around = path, row
        if isinstance(value, dict) and value and path in _SECTIONS:
            for key, item in value.items():
                self._walk(f"{path}.{key}", item, around)
        elif around is not None:
            self._carry(path, value, around[1], inner=path.removeprefix(around[0]))
        elif path not in _SECTIONS:
            siblings = [last_name(each) for each in _ROWS if section_of(each) == section_of(path)]
            self._add(path, self._unknown(path, list(_ROWS), siblings))
        elif value is not None and value != {}:
            self._add(path, type_error_text(value, (dict,)))

    def _carry(self, path: str, value: Any, row: Row, *, inner: str) -> None:
        """Put a value at its row's target; a key without a row of its own moves along with its dict."""
        is_own = not inner and not isinstance(value, dict)
        if not inner and _is_among(value, row.nothing):
            return
        if is_own and row.types and type(value) not in row.types:
            self._add(path, type_error_text(value, (*row.types, dict) if row.old in _SECTIONS else row.types))
        elif row.new is NO_EFFECT:
            return
        elif row.new is LATER or (row.only and not _is_among(value, row.only)):
            accepted = [repr(each) for each in row.only or row.nothing if each not in (None, [], {})]
            hint = f"; possible now: {', '.join(accepted)}" if accepted and not inner else ""
            self._add(path, f"is known but not supported yet{hint}")
        else:
            converted = row.convert(value) if row.convert is not None and is_own else value
            for target in row.targets:
                self._put(f"{target}{inner}", converted, path, row, has_same_shape=converted is value)

    def _put(self, target: str, value: Any, path: str, row: Row, *, has_same_shape: bool) -> None:
        if target in self._sources:
            other_path, other_row, _ = self._sources[target]
            if row.is_general:
                return
            if not other_row.is_general and not _is_same(value_at(self._moved, target), value):
                self._clash(other_path, path, "mean one thing and differ; keep one of them")
                return
        put(self._moved, target, value)
        self._sources[target] = path, row, has_same_shape

    def _note_origins(self, target: str) -> None:
        """Give a value, and what is in it where it is as it was, the places that its old key had."""
        path, _, has_same_shape = self._sources[target]
        inside = [*([path] if path in self._origins else []), *self._origins.inside(path)]
        if inside and has_same_shape:
            for each in inside:
                self.new_origins[target + each.removeprefix(path)] = self._origins[each]
        elif place := place_of(path, self._origins):
            self.new_origins[target] = place

    def _check_variable(self, key: str) -> None:
        """Let a file's variable go; refuse what was meant as a key."""
        if self._variables.is_of_mmpretrain(key):
            self._add(key, "is mmpretrain 1.x's spelling; that of mmclassification 0.x is read here")
        elif self._variables.is_meant_as_key(key):
            known = [*ROOTS, *ROOT]
            self._add(key, self._unknown(key, known, known))
        elif self._variables.is_unread(key):
            self.unread[key] = place_of(key, self._origins) or ""

    def _count_updates(self) -> None:
        """Turn numbers of batches into numbers of updates, of ``cumulative_iters`` batches each."""
        count = value_at(self._moved, f"{_LEARN}.accumulation_steps")
        if type(count) is not int or count < 2:
            return
        batch_size = value_at(self._moved, f"{_LEARN}.batch_size")
        if type(batch_size) is int:
            put(self._moved, f"{_LEARN}.batch_size", batch_size * count)
        counted = [
            f"{_LEARNER}.log_show_freq",
            f"{_LEARN}.max_iters",
            f"{_HOOK}.save_ckpt_after_iter",
        ]
        if value_at(self._moved, f"{_EVALUATOR}.by_epoch") is False:
            counted += [f"{_EVALUATOR}.eval_interval", f"{_EVALUATOR}.start"]
        for name in ("lr_schedule", "momentum_schedule"):
            schedule = value_at(self._moved, f"{_LEARN}.{name}")
            schedule = schedule if isinstance(schedule, dict) else {}
            counted.append(f"{_LEARN}.{name}.total_steps")
            if not schedule.get("warmup_by_epoch"):
                counted.append(f"{_LEARN}.{name}.warmup_iters")
            if schedule.get("by_epoch") is False and "step" in schedule:
                # The update with batch number ``step`` in it is the first with the new rate.
                schedule["step"] = _divided(schedule["step"], count)
            elif schedule.get("by_epoch") is False and schedule.get("type") in _COUNTING_SCHEDULES:
                text = "is known but not supported yet; possible now beside cumulative_iters: True"
                self._add("lr_config.by_epoch", text)
        for path in counted:
            length = value_at(self._moved, path)
            if type(length) is int:
                put(self._moved, path, -(-length // count))

    def _add_defaults(self) -> None:
        """Set what mmcv and mmclassification do where the config leaves a key out."""
        cfg, hook, optimizer = self._cfg, self._section("optimizer_config"), self._section("optimizer")
        is_fp16 = isinstance(cfg.get("fp16"), dict) or hook.get("type") in FP16_HOOKS or "loss_scale" in hook
        by_iters, is_run = counts_iters(cfg), any(cfg.get(name) is not None for name in TRAINING)
        evaluates_by_iters = by_iters and bool({"interval", "start"} & self._section("evaluation").keys())
        head = value_at(self._moved, "policy.model.head")
        is_drawn = is_run and isinstance(head, dict) and "init_cfg" not in head
        drawn_from = _DRAWN_FROM.get(str(head.get("type")), {}) if is_drawn else {}
        is_constant = is_run and not self._has(f"{_LEARN}.lr_schedule")
        defaults: tuple[tuple[object, str, Any], ...] = (
            (is_fp16, f"{_LEARN}.precision", "fp16"),
            (is_fp16, f"{_LEARN}.loss_scale", 512.0),
            (self._has("policy.eval.metric"), "policy.eval.metric.type", "ClassificationMetrics"),
            (evaluates_by_iters, f"{_EVALUATOR}.by_epoch", False),
            (by_iters and self._section("lr_config"), f"{_LEARN}.lr_schedule.by_epoch", False),
            (by_iters and self._section("momentum_config"), f"{_LEARN}.momentum_schedule.by_epoch", False),
            (optimizer, f"{_LEARN}.weight_decay", None),
            (optimizer and is_sgd(cfg), f"{_LEARN}.momentum", 0.0),
            (optimizer and is_sgd(cfg), f"{_LEARN}.nesterov", False),
            ("checkpoint_config" in cfg, f"{_HOOK}.save_ckpt_after_iter", False),
            (self._section("checkpoint_config"), f"{_LEARNER}.keep_checkpoints", 0),
            (is_run, f"{_EVALUATOR}.eval_freq", 1),
            (is_constant, f"{_LEARN}.lr_schedule", "constant"),
            (is_constant, f"{_LEARN}.warmup_epoch", 0),
            *((True, f"policy.model.head.init_cfg.{name}", value) for name, value in drawn_from.items()),
        )
        for holds, path, value in defaults:
            if holds:
                self._default(path, value, MM_DEFAULT)
        if optimizer:
            place = place_of("optimizer", self._origins) or "in the config"
            self._default(f"{_LEARN}.learning_rate", None, f"optimizer has no lr, {place}")

    def _default(self, path: str, value: Any, place: str) -> None:
        if not self._has(path):
            put(self._moved, path, value)
            self.new_origins[path] = place

    def _section(self, name: str) -> Mapping[str, Any]:
        return section(self._cfg, name)

    def _has(self, path: str) -> bool:
        return value_at(self._moved, path) is not MISSING

    def _clash(self, one: str, other: str, text: str) -> None:
        places = [f"{path}{location_suffix(place_of(path, self._origins))}" for path in (one, other)]
        self.problems.append(f"{' and '.join(places)} {text}")

    def _unknown(self, path: str, known: Sequence[str], siblings: Sequence[str]) -> str:
        return UNKNOWN if len(self.problems) >= MAX_GUESSES else unknown_key(path, known, siblings)

    def _add(self, path: str, text: str) -> None:
        self.problems.append(f"{path} {text}{location_suffix(place_of(path, self._origins))}")


def leftovers(cfg: dict[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Take out, and yield a line for each, what only the reader of a file could have resolved."""
    for key in ("_base_", "_delete_"):
        if key in cfg:
            del cfg[key]
            place = location_suffix(place_of(key, origins))
            yield f"{key} has a meaning in a config file alone; read the file with read_config{place}"
    for path, value in list(leaves(cfg)):
        found = _FOR_FILES.search(repr(value)) if isinstance(value, (str, list, tuple)) else None
        if found:
            drop(cfg, path)
            place = location_suffix(place_of(path, origins))
            yield f"{path} holds '{found[0]}', which has a meaning in a config file alone{place}"


def _root(word: str) -> str:
    """Return the top-level key of a path, or of the path in a ``key=value`` word."""
    return word.partition("=")[0].strip().partition(".")[0]


def _refused(word: str) -> str:
    """Return the line about a word in mmclassification's spelling for a config that is not."""
    path = word.partition("=")[0].strip()
    # What holds on a condition is said of that key alone, not of what is in it.
    rows = (
        row
        for each in sections_of(path)
        for row in _ROWS.get(each, ())
        if row.targets and (row.when is None or (each == path and each not in _SECTIONS))
    )
    row = next(rows, None)
    ours = " and ".join(f"{each}{path.removeprefix(row.old)}" for each in row.targets) if row else ""
    remedy = f"write {ours}" if ours else "docs/second-spelling.md has our keys"
    return f"{path} is mmclassification's spelling, and the config is in ours; {remedy} (override {word})"


def _divided(step: Any, count: int) -> Any:
    if isinstance(step, (list, tuple)):
        return [_divided(each, count) for each in step]
    return max(1, step // count) if type(step) is int else step


def _is_among(value: Any, accepted: tuple[Any, ...]) -> bool:
    return any(_is_same(value, each) for each in accepted)


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; a tuple equals a list, True is not 1."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


_ROWS: dict[str, list[Row]] = {}
for _row in TABLE:
    _ROWS.setdefault(_row.old, []).append(_row)
# Paths that have rows below them.
_SECTIONS = {row.old.rsplit(".", depth)[0] for row in TABLE for depth in range(1, row.old.count(".") + 1)}
