"""Losses by a short form: 'CE', 'BCE', 'Focalloss-2'. It must not know the losses themselves."""

import re
from typing import Any

from ding_cls.errors import ConfigError

_FOCAL = re.compile(r"(?:CEV2|Focalloss)-(\d+(?:\.\d+)?)", re.IGNORECASE)
_PLAIN: dict[str, dict[str, Any]] = {
    "CE": {"type": "CrossEntropyLoss"},
    "BCE": {"type": "CrossEntropyLoss", "use_sigmoid": True},
}


def described_loss(text: str) -> dict[str, Any]:
    """Return the dict that a short form stands for, or ``dict(type=text)`` of a loss's name.

    ``CEV2-g`` and ``Focalloss-g`` are the focal loss of a softmax with the exponent g.

    Raises:
        ConfigError: there is no such form.
    """
    if text.upper() in _PLAIN:
        return dict(_PLAIN[text.upper()])
    if match := _FOCAL.fullmatch(text):
        return {"type": "SoftmaxFocalLoss", "gamma": float(match[1])}
    if text.isidentifier() and text.endswith("Loss"):
        return {"type": text}
    raise ConfigError(
        f"there is no loss '{text}'; short forms are CE, BCE, CEV2-g and Focalloss-g with the exponent g, "
        "such as Focalloss-2; others are described by dict(type='Name', ...)"
    )
