"""timm as a library, and the weights it has for its networks.

It must not know which networks there are, nor files of weights.
"""

import importlib
from typing import Any

from torch import nn

from ding_cls.errors import ModelError
from ding_cls.models.layers.ops import classifier_names

PREFIX = "timm/"
INSTALL = "pip install 'ding_cls[timm]'"


def timm_library(wanted: str = "a network of timm") -> Any:
    """Return the module ``timm``.

    Args:
        wanted: for whom, in words.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ModelError(f"{wanted} needs timm, which is not installed: {INSTALL}") from error


def copy_timm_weights(network: nn.Module) -> str:
    """Load timm's own weights of a network that ``timm_network`` made, in place; return a line about them.

    A last layer of another size stays new, and a first convolution is fitted to other channels, as timm does.

    Raises:
        ModelError: there are none, or they cannot be downloaded.
    """
    source: Any = network.timm_source
    name, arguments = source
    timm = timm_library(f"{PREFIX}{name}")
    try:
        twin = timm.create_model(name, pretrained=True, **arguments)
    except Exception as error:  # what the hub, the file system and the network raise has no common base
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"timm's weights of {name} cannot be had ({line}); give a file as pretrained, or bring what "
            "Hugging Face's cache lacks"
        ) from error
    state, own = network.state_dict(), getattr(twin, "pretrained_cfg", {})
    new = [] if arguments.get("num_classes") in (None, own.get("num_classes")) else _last_tensors(network)
    taken = {key: each for key, each in twin.state_dict().items() if key in state and key not in new}
    state.update(taken)
    network.load_state_dict(state)
    tag = own.get("tag") or "default"
    text = f"loaded {len(taken)} of {len(state)} tensors of timm's weights {name} ({tag})"
    text += _resized_positions(twin, arguments.get("img_size"))
    return f"{text}; newly initialised: {', '.join(new)}" if new else text


def _last_tensors(network: nn.Module) -> list[str]:
    heads = tuple(f"{name}." for name in classifier_names(network))
    return [name for name in network.state_dict() if name.startswith(heads)]


def _resized_positions(twin: Any, size: Any) -> str:
    """Return what timm did to positions that were made for images of another size."""
    own = tuple(getattr(twin, "pretrained_cfg", {}).get("input_size", ()))[1:]
    wanted = (size, size) if isinstance(size, int) else tuple(size or own)
    if wanted == own or getattr(twin, "pos_embed", None) is None:
        return ""
    sides = ["x".join(map(str, each)) for each in (own, wanted)]
    return f"; resized: pos_embed, from {sides[0]} px to {sides[1]} px"
