"""A key that is not known: the nearest one that is, or the keys beside it."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from ding_cls.config.defaults import ROOT
from ding_cls.config.tree import last_name

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
    found = [path for path in key_paths(ROOT) if name in (path, last_name(path))]
    return found or [path for other, path in _SYNONYMS.items() if other == name]


def key_paths(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all sections and keys of a schema."""
    for name, entry in tree.items():
        yield f"{prefix}{name}"
        if isinstance(entry, dict):
            yield from key_paths(entry, f"{prefix}{name}.")


def likeness(name: str, known: str) -> float:
    """Return how alike two names are, in [0, 1]; case does not count."""
    return SequenceMatcher(None, name.lower(), known.lower()).ratio()


def is_alike(name: str, known: str, least: float) -> bool:
    """Return whether ``likeness`` is at least so much; quick for names that are quite different."""
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
