"""Vision transformers' positions in a file for images of another size, resized by the networks' libraries.

It must not know where a file comes from, nor load anything into a network.
"""

import math
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
# Learnt tokens in front of the patches, under their names in timm and torchvision: (1, N, C) each.
_TOKENS = ("cls_token", "class_token", "dist_token", "reg_token", "register_tokens")
# Of networks that name them otherwise: a class and a distillation token.
_MOST_TOKENS = 2


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


def why_unfit(found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Return why positions in a file could not be fitted, to stand before the shapes; empty where they could.

    Args:
        found: a file's tensors, under the names of ``state``.
        state: the model's own.
    """
    tokens, own = _tokens(found), _tokens(state)
    if tokens != own and (tokens or own) and any(_is_of_positions(name) for name in found):
        given, wanted = (" and ".join(each) or "none" for each in (tokens, own))
        return (
            f"before the patches the file has the tokens {given}, the network {wanted}: take a network with "
            "the file's (policy.model.name, class_token, reg_tokens); "
        )
    for name, theirs in found.items():
        if (
            _is_of_positions(name)
            and theirs.dim() == 3
            and name in state
            and theirs.shape != state[name].shape
        ):
            most = max(_MOST_TOKENS, sum(_counts(found).values()))
            counts = range(max(theirs.shape[1] - most, 1), theirs.shape[1] + 1)
            if not any(math.isqrt(each) ** 2 == each for each in counts):
                return (
                    f"{name} holds {theirs.shape[1]} positions, which are no square of patches and cannot be "
                    "resized: build the network for the file's size (policy.model.img_size=[HEIGHT,WIDTH]); "
                )
    return ""


def _is_of_positions(name: str) -> bool:
    return name.rpartition(".")[2].startswith(_POSITIONS)


def _counts(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return how many tokens there are of each kind, by their names without what is in front."""
    last = {name.rpartition(".")[2]: tensor for name, tensor in tensors.items()}
    return {name: last[name].shape[-2] for name in _TOKENS if name in last and last[name].dim() > 1}


def _tokens(tensors: Mapping[str, Tensor]) -> list[str]:
    return [name if count == 1 else f"{count} x {name}" for name, count in _counts(tensors).items()]


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
    if fit is None:
        return inside
    try:
        return dict(fit(dict(inside), module))
    # Other tokens than the network's, or no square: what timm raises then is any error of a tensor's shape.
    except (RuntimeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError):
        return inside


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
