"""How near one name is to others. It must not know where names come from."""

import difflib
from collections.abc import Sequence

# A shorter name is in too many others.
_LEAST_LENGTH = 3
_CUTOFF = 0.6


def nearest(name: str, known: Sequence[str], count: int) -> list[str]:
    """Return the known names that a name may mean, at most so many, likeliest first.

    Those that begin with it, or else contain it, come first, short before long: ``resnext50`` means
    ``resnext50_32x4d`` though it is more like ``resnet50``. Underscores do not count there.
    """
    holding = [each for each in known if holds(each, name)]
    beginning = [each for each in holding if _squeezed(each).startswith(_squeezed(name))]
    first = sorted(beginning or holding, key=lambda each: (len(each), each))[:count]
    alike = difflib.get_close_matches(name, known, n=count, cutoff=_CUTOFF)
    return list(dict.fromkeys([*first, *alike]))[:count]


def holds(known: str, name: str) -> bool:
    """Return whether a known name contains another, underscores apart."""
    return len(name) >= _LEAST_LENGTH and _squeezed(name) in _squeezed(known)


def likeness(name: str, known: str) -> float:
    """Return how alike two names are, in [0, 1]."""
    return difflib.SequenceMatcher(None, known, name).ratio()


def _squeezed(name: str) -> str:
    return name.replace("_", "")
