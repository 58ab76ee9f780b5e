"""Checking a merged config against the schema: all problems, each in one line with the place that caused it.

It must not know where values come from beyond the table of origins, nor build anything.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ding_cls.config.defaults import Either, Free, Key, Tree
from ding_cls.config.merge import not_plain
from ding_cls.config.messages import for_example, location_suffix, shown, type_error_text
from ding_cls.config.suggestions import MAX_GUESSES, UNKNOWN, key_paths, unknown_key
from ding_cls.config.tree import OriginTable, at, place_of


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
        self._known = [*key_paths(schema), *key_paths(declared)]

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
                self.add(path, f"is {shown(values)}; it must be a list of {length} numbers")
                continue
            collect[name] = numbers
            if name != "mean" and min(numbers) <= 0:
                self.add(path, f"is {shown(values)}; its numbers must be greater than 0")
            elif length == 2 and numbers[0] > numbers[1]:
                self.add(path, f"is {shown(values)}; the smaller number must come first")
            elif name == "crop_scale" and numbers[1] > 1:
                self.add(path, f"is {shown(values)}; a crop covers at most the whole image, 1.0")

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
        evaluator = at(cfg, "policy.eval.evaluator")
        if at(evaluator, "validate") is False and at(evaluator, "early_stop_patience") is not None:
            self.add(
                "policy.eval.evaluator.early_stop_patience",
                f"is {at(evaluator, 'early_stop_patience')}, and nothing is evaluated (validate=False); "
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


def _listed_again(value: Any) -> str:
    """Return the text that a list came from where it was typed without brackets; empty for others."""
    return ",".join(map(str, value)) if isinstance(value, list) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_number(value: Any, types: tuple[type, ...]) -> Any:
    """Return an int as a float, or a whole float as an int, where only the other one is accepted."""
    if type(value) is int and int not in types and float in types:
        return float(value) if abs(value) < 2**1023 else math.inf
    if type(value) is float and float not in types and int in types and value.is_integer():
        return int(value)
    return value
