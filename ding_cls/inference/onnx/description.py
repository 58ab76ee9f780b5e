"""What an exported file says of itself: one entry of its metadata, as JSON.

It must not know ONNX Runtime, nor what made the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ding_cls.errors import CheckpointError

KEY = "ding_cls"
"""The entry's name among a file's metadata."""

FORMAT = 1

MAX_SIDE = 16_384
"""Of an image that a graph takes, in pixels: such a side is the most that a checkpoint may say."""

_MAX_DIGITS = 18
# The surrogates between these stand for the bytes of a name that is no UTF-8.
_UNWRITABLE = re.compile("[\ud800-\udc7f\udd00-\udfff]")

Layout = Literal["uint8", "float"]


@dataclass(frozen=True)
class ModelDescription:
    """What a file must be told about the network in it, for images to become predictions.

    Attributes:
        classes: their names, by class number.
        height: of the images that the graph takes, in pixels.
        width: likewise.
        layout: 'uint8': ``(N, H, W, 3)`` RGB, which the graph normalises; 'float': ``(N, 3, H, W)`` float32,
            normalised.
        preprocessing: ``steps`` for `ding_cls.inference.onnx.preprocess`, ``mean`` and ``std`` for values in
            [0, 1]; empty where the run has steps of its own that this cannot say.
        has_several_labels: an image may have several labels, each class by itself.
        num_tasks: of K tasks the graph returns ``(N, K, C)``; None: one, ``(N, C)``.
        threshold: the probability from which on a label is named, where there are several.
        topk: the k likeliest labels count as guessed in an evaluation, where the run's metric says so, in
            place of those from ``threshold`` on; None: it does not.
        calibration: the entry of the checkpoint; empty where there is none.
        run: where it came from: ``checkpoint`` and ``name``, ``digest`` of the run's data, ``train_iter``,
            ``sha256`` of the checkpoint's file, ``ding_cls``: the version.
    """

    classes: tuple[str, ...]
    height: int
    width: int
    layout: Layout = "uint8"
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    has_several_labels: bool = False
    num_tasks: int | None = None
    threshold: float = 0.5
    topk: int | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as the text of the entry."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)
        # A name that is not UTF-8 has surrogates in it, which no file's text can hold: as JSON's escapes.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    @classmethod
    def from_json(cls, text: str, source: str) -> ModelDescription:
        """Return what an entry says.

        Args:
            text: the entry.
            source: how an error names the file.

        Raises:
            CheckpointError: it is no such entry, or of a later version.
        """
        try:
            entry = json.loads(text, parse_int=_whole_number)
            version = entry.pop("format")
            # Text would become its letters.
            classes = tuple(entry["classes"]) if isinstance(entry["classes"], list) else ()
            found = cls(**{**entry, "classes": classes})
        # Brackets in brackets end in the last of these.
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise CheckpointError(f"what {source!r} says of itself cannot be read ({error})") from None
        if version != FORMAT:
            raise CheckpointError(
                f"{source!r} was written by another version of ding_cls (form {version}, not {FORMAT}); "
                "export it again"
            )
        if problem := found._problem():
            raise CheckpointError(f"what {source!r} says of itself cannot be used: {problem}")
        return found

    def _problem(self) -> str:
        """Return what is wrong with its values; empty where nothing is."""
        sizes = (self.height, self.width, *(() if self.num_tasks is None else (self.num_tasks,)))
        mappings = (self.preprocessing, self.calibration, self.run)
        checks = {
            "classes": bool(self.classes) and all(map(_is_name, self.classes)),
            "sizes": all(type(each) is int and 0 < each <= MAX_SIDE for each in sizes),
            "layout": self.layout in get_args(Layout),
            "threshold": isinstance(self.threshold, int | float) and 0 <= self.threshold <= 1,
            "topk": self.topk is None or (type(self.topk) is int and self.topk > 0),
            "has_several_labels": isinstance(self.has_several_labels, bool),
            "preprocessing, calibration or run": all(isinstance(each, Mapping) for each in mappings),
        }
        return ", ".join(name for name, is_right in checks.items() if not is_right)


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"the number {digits[:_MAX_DIGITS]}... is too large")
    return int(digits)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _UNWRITABLE.search(value) is None
