"""Checking a merged config against the schema: all problems, each in one line with the place that caused it.

It must not know where values come from beyond the table of origins, nor build anything.
"""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any

from ding_cls.config.defaults import NONE, ROOT, Either, Free, Key, Tree
from ding_cls.config.merge import not_plain, plain_copy
from ding_cls.config.tree import OriginTable, at, last_name, place_of
from ding_cls.errors import PartError

_TYPE_NAMES = {
    bool: "True or False",
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
    NONE: "None",
}

# What other systems call the same thing, where the name alone does not lead there.
_SYNONYMS = {
    "lr": "policy.learn.learning_rate",
    "epochs": "policy.learn.train_epoch",
    "max_epochs": "policy.learn.train_epoch",
    "wd": "policy.learn.weight_decay",
    "workers": "policy.learn.learner.dataloader.num_workers",
    "img_size": "policy.collect.image_size",
    "device": "policy.cuda",
}
_MIN_LIKENESS = 0.6
_HOP_PENALTY = 0.1
# A name with more characters is like no other.
_MAX_ALIKE = 100
UNKNOWN = "is not a known key"
# In a longer report the lines go on without a guess at what was meant.
MAX_GUESSES = 50


class Validator:
    """Checks one config and gathers what is wrong with it.

    Args:
        schema: the tree of keys.
        declared: keys that the user's own classes add to it, with their defaults.
        origins: which line set what; a path that is missing is placed where its section was set.
    """

    def __init__(self, schema: Tree, *, declared: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._schema = schema
        self._declared = declared
        self._origins = OriginTable(origins)
        self._known = [*_paths(schema), *_paths(declared)]

    def check(self, cfg: dict[str, Any]) -> None:
        """Gather the problems of ``cfg``; whole numbers and floats get the declared type in place."""
        self._section(cfg, self._schema, self._declared, "")
        self._sequences(cfg)
        self._across(cfg)

    def add(self, path: str, text: str) -> None:
        """Note a problem: the path, what is wrong and how to mend it, and where the value was set."""
        self.problems.append(f"{path} {text}{location_suffix(place_of(path, self._origins))}")

    def clash(self, one: str, other: str, text: str) -> None:
        """Note that two paths do not go together: both places, why, and how to mend it."""
        places = [f"{path}{location_suffix(place_of(path, self._origins))}" for path in (one, other)]
        self.problems.append(f"{' and '.join(places)} {text}")

    def _section(
        self, values: dict[str, Any], schema: Tree, declared: Mapping[str, Any], prefix: str
    ) -> None:
        for name, value in values.items():
            path = f"{prefix}{name}"
            entry, own = schema.get(name), declared.get(name)
            if isinstance(entry, Key):
                values[name] = self._value(path, value, entry)
            elif isinstance(entry, Either) and isinstance(value, str) and fits(entry.pattern, value):
                continue
            elif isinstance(entry, Either) and fits(entry.pattern, listed := _listed_again(value)):
                values[name] = listed
            elif isinstance(entry, Either) and not isinstance(value, dict):
                types = (*entry.types, dict)
                key = Key(entry.default, types, entry.help, entry.choices, example=entry.example)
                values[name] = self._value(path, value, key)
            elif isinstance(entry, (Free, Either)):
                self._free(path, value, entry.example)
            elif isinstance(entry, dict) or (isinstance(own, dict) and own):
                if isinstance(value, dict):
                    self._section(value, entry or {}, own if isinstance(own, dict) else {}, f"{path}.")
                else:
                    self.add(path, type_error_text(value, (dict,)))
            elif name in declared:
                self.problems.extend(not_plain(value, path))
            else:
                is_late = len(self.problems) >= MAX_GUESSES
                self.add(path, UNKNOWN if is_late else unknown_key(path, self._known, [*schema, *declared]))

    def _value(self, path: str, value: Any, key: Key) -> Any:
        converted = _as_number(value, key.types)
        if type(converted) not in key.types or (key.choices and converted not in key.choices):
            self.add(path, type_error_text(value, key.types, key.choices) + for_example(path, key.example))
        elif key.types == (float,) and not math.isfinite(converted):
            self.add(path, f"is {value!r}; it must be a finite number")
        elif key.minimum is not None and _is_number(converted) and not converted >= key.minimum:
            self.add(path, f"is {value!r}; the smallest accepted value is {key.minimum:g}")
        elif isinstance(converted, (list, tuple)):
            self.problems.extend(not_plain(converted, path))
        return converted

    def _free(self, path: str, value: Any, example: str) -> None:
        if isinstance(value, dict):
            self.problems.extend(not_plain(value, path))
        else:
            self.add(path, type_error_text(value, (dict,)) + for_example(path, example))

    def _sequences(self, cfg: dict[str, Any]) -> None:
        collect = at(cfg, "policy.collect")
        for name, length in (("crop_scale", 2), ("crop_ratio", 2), ("mean", 3), ("std", 3)):
            path, values = f"policy.collect.{name}", at(collect, name)
            if not isinstance(values, (list, tuple)):
                continue
            numbers = [_as_number(value, (float,)) for value in values]
            if len(numbers) != length or not all(type(n) is float and math.isfinite(n) for n in numbers):
                self.add(path, f"is {_shown(values)}; it must be a list of {length} numbers")
                continue
            collect[name] = numbers
            if name != "mean" and min(numbers) <= 0:
                self.add(path, f"is {_shown(values)}; its numbers must be greater than 0")
            elif length == 2 and numbers[0] > numbers[1]:
                self.add(path, f"is {_shown(values)}; the smaller number must come first")
            elif name == "crop_scale" and numbers[1] > 1:
                self.add(path, f"is {_shown(values)}; a crop covers at most the whole picture, 1.0")

    def _across(self, cfg: dict[str, Any]) -> None:
        learn, collect = at(cfg, "policy.learn"), at(cfg, "policy.collect")
        smoothing = at(learn, "label_smoothing")
        if _is_number(smoothing) and smoothing > 1:
            self.add("policy.learn.label_smoothing", f"is {smoothing!r}; the largest accepted value is 1")
        pieces, batch_size = at(learn, "accumulation_steps"), at(learn, "batch_size")
        if _is_number(pieces) and _is_number(batch_size) and pieces > batch_size >= 1:
            self.add(
                "policy.learn.accumulation_steps",
                f"is {pieces}; a batch of policy.learn.batch_size={batch_size} has no more pieces than that",
            )
        if at(learn, "nesterov") is True and at(learn, "momentum") == 0:
            self.add("policy.learn.nesterov", "is True; it needs policy.learn.momentum greater than 0")
        judge = at(cfg, "policy.eval.evaluator")
        if at(judge, "validate") is False and at(judge, "early_stop_patience") is not None:
            self.add(
                "policy.eval.evaluator.early_stop_patience",
                f"is {at(judge, 'early_stop_patience')}, and nothing is evaluated (validate=False); "
                "evaluate, or leave early_stop_patience out (None)",
            )
        resize_size, image_size = at(collect, "resize_size"), at(collect, "image_size")
        if _is_number(resize_size) and _is_number(image_size) and 1 <= resize_size < image_size:
            # CenterCrop would fill up with black and say nothing.
            self.add(
                "policy.collect.resize_size",
                f"is {resize_size}; it must be at least policy.collect.image_size={image_size}",
            )
        exp_name = cfg.get("exp_name")
        if isinstance(exp_name, str) and (Path(exp_name).name in ("", "..") or "\0" in exp_name):
            self.add("exp_name", f"is {exp_name!r}; it must be the name of a folder to create")


def fits(pattern: str, value: str) -> bool:
    """Return whether a string fits a pattern; none fits an empty one."""
    return bool(pattern) and re.fullmatch(pattern, value) is not None


def with_location(error: PartError, cfg: Any, origins: Mapping[str, str]) -> str:
    """Return the line of a wrong part, with its path and place where only one part has that name."""
    paths = list(_parts_named(error.name, plain_copy(cfg)))
    if len(paths) != 1:
        return str(error)
    path = "" if str(error).startswith(paths[0]) else f"{paths[0]}: "
    chosen = place_of(f"{paths[0]}.type", origins)
    given = origins.get(f"{paths[0]}.{error.argument}", chosen)
    if chosen is None or given == chosen or given is None or given.startswith("override "):
        return f"{path}{error}{location_suffix(given)}"
    # The usual reason: a file names another type, and its base's arguments are still there.
    return f"{path}{error}; '{error.argument}' comes from {given}: put _delete_=True beside type ({chosen})"


def location_suffix(place: str | None) -> str:
    """Return what a line about a value ends with."""
    return f" ({place})" if place else ""


def type_error_text(value: Any, types: Sequence[type], choices: Sequence[Any] = ()) -> str:
    """Return what to say of a value of none of the types; with choices, of none of these and no dict."""
    kinds = [kind for kind in types if kind is dict or not choices]
    kinds = [kind for kind in kinds if kind is not int or float not in kinds]
    wanted = [*map(repr, choices), *map(_type_name, kinds)]
    return f"is {_shown(value)}; it must be {'one of ' if choices else ''}{_either(wanted)}"


def for_example(path: str, example: str) -> str:
    """Return how a message goes on that shows what to type for a key; empty without an example."""
    first, *others = example.split(" or ")
    return f"; for example {' or '.join([shlex.quote(path + first), *others])}" if example else ""


def unknown_key(path: str, known: Sequence[str], siblings: Sequence[str]) -> str:
    """Return what to say of a path that is none of the known ones: the nearest, or else its siblings."""
    if path in known:
        # A key of a dict that holds dots: YAML's 'policy.learn.batch_size: 5'.
        return "is one flat key; write it nested, a dict in a dict"
    alike = [each for each in known if is_alike(last_name(path), last_name(each), _MIN_LIKENESS)]
    nearest = max(alike, key=lambda each: _nearness(path, each), default=_SYNONYMS.get(last_name(path)))
    if nearest is not None:
        return f"{UNKNOWN}; did you mean {nearest}?"
    return f"{UNKNOWN}; the keys here are {', '.join(dict.fromkeys(siblings))}"


def keys_named(name: str) -> list[str]:
    """Return the paths of the keys with such a last name, or such a path, or that others call so."""
    found = [path for path in _paths(ROOT) if name in (path, last_name(path))]
    return found or [path for other, path in _SYNONYMS.items() if other == name]


def likeness(name: str, known: str) -> float:
    """Return how alike two names are, in [0, 1]; case does not count."""
    return SequenceMatcher(None, name.lower(), known.lower()).ratio()


def is_alike(name: str, known: str, least: float) -> bool:
    """Return whether ``likeness`` is at least so much; of quite different names it says no at once."""
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    if len(longer) > _MAX_ALIKE or 2 * len(shorter) / max(len(longer) + len(shorter), 1) < least:
        return False
    one, other = _low_bytes(name), _low_bytes(known)
    # At most these characters of each match one of the other.
    shared = min(len(one) - len(one.translate(None, other)), len(other) - len(other.translate(None, one)))
    return 2 * shared / max(len(one) + len(other), 1) >= least and likeness(name, known) >= least


@lru_cache(1000)
def _low_bytes(name: str) -> bytes:
    """Return a byte for each character; equal characters have equal bytes."""
    return name.lower().encode("utf-32-le", "surrogatepass")[::4]


def _paths(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, entry in tree.items():
        yield f"{prefix}{name}"
        if isinstance(entry, dict):
            yield from _paths(entry, f"{prefix}{name}.")


def _listed_again(value: Any) -> str:
    """Return the text that a list came from where it was typed without brackets; empty for others."""
    return ",".join(map(str, value)) if isinstance(value, list) else ""


def _parts_named(name: str, tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, (list, tuple)):
        tree = {str(index): each for index, each in enumerate(tree)}
    if not isinstance(tree, dict):
        return
    if tree.get("type") == name:
        yield path
    for key, value in tree.items():
        yield from _parts_named(name, value, f"{path}.{key}" if path else str(key))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_number(value: Any, types: tuple[type, ...]) -> Any:
    """Return an int as a float, or a whole float as an int, where only the other one is accepted."""
    if type(value) is int and int not in types and float in types:
        return float(value) if abs(value) < 2**1023 else math.inf
    if type(value) is float and float not in types and int in types and value.is_integer():
        return int(value)
    return value


def _nearness(path: str, known: str) -> float:
    """Return how alike the last names are, less a little for each step between the two sections."""
    here, there = path.split(".")[:-1], known.split(".")[:-1]
    shared = sum(1 for _ in _common_prefix(here, there))
    return likeness(last_name(path), last_name(known)) - _HOP_PENALTY * (len(here) + len(there) - 2 * shared)


def _common_prefix(first: Sequence[str], second: Sequence[str]) -> Iterator[str]:
    for one, other in zip(first, second, strict=False):
        if one != other:
            return
        yield one


def _type_name(kind: type) -> str:
    return _TYPE_NAMES.get(kind, f"a {kind.__name__}")


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"
