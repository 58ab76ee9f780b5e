"""A backbone's weights by their source: its library, a file, an address.

It must not know how the backbone was built.
"""

import os
from typing import Any

from torch import nn

from ding_cls.errors import ModelError
from ding_cls.models.weights.files import fetch_url, fetch_weights, is_url
from ding_cls.models.weights.loading import LoadReport, load_pretrained
from ding_cls.models.weights.timm import copy_timm_weights

_TORCHVISION = "torchvision://"


def load_part(module: nn.Module, source: bool | str | os.PathLike[str]) -> LoadReport | str:
    """Load weights into a backbone in place; the last layer of a file of a whole network is left out.

    Args:
        module: the backbone.
        source: True: its library's own weights; or a file, an https URL, or ``torchvision://NAME``.

    Raises:
        ModelError: there are no such weights, they cannot be downloaded, or they do not fit.
    """
    if source is not True:
        return load_pretrained(module, weights_file(str(source)), is_part=True)
    inner = getattr(module, "network", None)
    if isinstance(inner, nn.Module) and hasattr(inner, "timm_source"):
        return copy_timm_weights(inner)
    return load_pretrained(module, fetch_weights(torchvision_name(module)), is_part=True)


def weights_file(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the file that a path, an https URL or ``torchvision://NAME`` means, downloaded once.

    Raises:
        ModelError: it cannot be downloaded.
    """
    text = os.fspath(source)
    if text.startswith(_TORCHVISION):
        return fetch_weights(text.removeprefix(_TORCHVISION))
    return fetch_url(text) if is_url(text) else source


def torchvision_name(module: Any) -> str:
    """Return torchvision's name of a backbone or network.

    Raises:
        ModelError: it has none.
    """
    name = getattr(module, "torchvision_name", None)
    if not name:
        raise ModelError(
            f"there are no pretrained weights for a {type(module).__name__}; give a file as pretrained"
        )
    return str(name)
