"""Vision transformers' positions in a file for images of another size, resized by the networks' libraries.

It must not know where a file comes from, nor load anything into a network.
"""

import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

_TIMM = "timm.models."
# timm's tables of relative positions go through an index that torch has deprecated: where those differ,
# nothing is resized, and their shapes are named.
_POSITIONS, _TABLES = "pos_embed", "rel"


def fit_positions(model: nn.Module, found: dict[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Resize what belongs to positions to the model's number of patches, in ``found``.

    torchvision's transformers by ``interpolate_embeddings``, timm's by what timm itself loads its own weights
    with: both bicubic.

    Args:
        model: the network, or a network of parts with one inside.
        found: a file's tensors, under the names of ``state``.
        state: the model's own.

    Returns:
        each tensor that was resized, with both shapes.
    """
    differing = {name for name in found if name in state and found[name].shape != state[name].shape}
    network = next((each for each in model.named_modules() if _is_known(each[1])), None)
    places = {name.rpartition(".")[2] for name in differing}
    is_plain = any(each.startswith(_POSITIONS) for each in places)
    if network is None or not is_plain or any(each.startswith(_TABLES) for each in places):
        return ()
    path, module = network
    prefix = f"{path}." if path else ""
    fitted = _fitted(
        module, {key.removeprefix(prefix): found[key] for key in found if key.startswith(prefix)}
    )
    resized = []
    for name in sorted(differing):
        new = fitted.get(name.removeprefix(prefix), found[name])
        if new.shape == state[name].shape:
            resized.append(f"{name} ({_shape(found[name])} to {_shape(new)})")
            found[name] = new
    return tuple(resized)


def _is_known(module: nn.Module) -> bool:
    return isinstance(module, VisionTransformer) or type(module).__module__.startswith(_TIMM)


def _fitted(module: nn.Module, inside: dict[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a network's tensors as its library fits them; as they are where it does not."""
    if isinstance(module, VisionTransformer):
        try:
            return interpolate_embeddings(module.image_size, module.patch_size, OrderedDict(inside))
        except (KeyError, ValueError):
            # Not there, or for no square: their shapes are named as any that differ.
            return inside
    fit: Any = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    return inside if fit is None else dict(fit(dict(inside), module))


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
