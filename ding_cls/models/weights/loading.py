"""Weights of a file into a network: names matched, shapes compared, then loaded as a whole or not at all."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ding_cls.common.tensors import odd_tensor, state_differences
from ding_cls.errors import CheckpointError, ModelError
from ding_cls.models.layers.ops import classifier_names, first_convolution
from ding_cls.models.weights.files import read_evaluated_weights
from ding_cls.models.weights.foreign_entries import foreign_entries, named_entries
from ding_cls.models.weights.position_embeddings import fit_positions, why_unfit
from ding_cls.models.wrap import unwrap

# What DataParallel, torch.compile, trainers, and libraries with a backbone and a head put in front.
_PREFIXES = ("module.", "_orig_mod.", "model.", "pretrain_", "net.", "backbone.", "head.")
# A file can have been through several of them.
_MAX_RENAMINGS = 4
_MAX_LISTED = 5
_COUNTER = "num_batches_tracked"
_COLOURS = 3
# Of a network of parts: what a file need not have, because another task has another.
_REPLACEABLE = ("neck.", "head.")

# Names in files on torchvision's server that its networks no longer use: those of DenseNet and of ViT.
_OLD_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.\w+$)")
_OLD_MLP_BLOCK = re.compile(r"(?<=\.mlp\.)linear_([12])(?=\.)")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What ``load_pretrained`` did; as text it is one line for a log.

    Attributes:
        source: the file.
        loaded: number of tensors taken from it.
        total: number of tensors in the model, less BatchNorm's batch counters where an old file has none.
        reinitialised: names of the tensors that keep the values they had before: the last layer's, or none;
            in a network of parts those of a neck or head that the file does not have.
        left_out: parts of the file that this model has switched off, such as auxiliary classifiers, or that
            are not in this part of a network.
        resized: what was fitted to another number of input channels, or to images of another size.
        foreign: entries of the file that belong to no network, such as a loss's weights or a counter.
        is_averaged: the file is a checkpoint of a run that evaluated an average of the weights, and that is
            what was taken.
    """

    source: str
    loaded: int
    total: int
    reinitialised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()
    is_averaged: bool = False
    foreign: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"loaded {self.loaded} of {self.total} tensors from {self.source}"
        if self.is_averaged:
            text += " (its averaged weights, which its run evaluated)"
        if self.resized:
            text += f"; resized: {', '.join(self.resized)}"
        if self.reinitialised:
            text += f"; newly initialised: {', '.join(self.reinitialised)}"
        if self.left_out:
            text += f"; left out: {', '.join(self.left_out)}"
        if self.foreign:
            text += f"; not the network's, left out: {', '.join(named_entries(self.foreign))}"
        return text


def load_pretrained(
    model: nn.Module, source: str | os.PathLike[str], *, prefix: str = "", is_part: bool = False
) -> LoadReport:
    """Load the weights in a file into a model, in place.

    Prefixes of wrappers (``module.``, ``model.``, ``backbone.`` ...) are taken off the file's names where
    that makes more of them fit. Tensors are converted to the model's types, fp16 to fp32 for example. The
    last layer keeps its values where the file has another number of classes, or none. What is beside it, such
    as a loss, an average or the counters of tools, is left out. The first convolution of a file for colour
    images is fitted to other channels: summed for one; for more, repeated, and scaled so that the sum stays.
    A vision transformer's positions are resized to another number of patches, as its library does.

    In a network of parts a file of a whole network finds its place: its last layer, ``fc``, in the head, the
    rest in the backbone. A neck or head keeps its values where the file's is another, or is not there.

    Args:
        model: the network, bare or in a wrapper.
        source: a file that ``torch.save`` wrote: a state dict, or a dict with one under 'model' or
            'state_dict'; or one of safetensors. Of a checkpoint of ours it takes what its run evaluated,
            which may be an average of the weights.
        prefix: take only the tensors whose names begin with it, and take it off; ``backbone`` is
            ``backbone.``.
        is_part: the model is a part of what the file holds, such as a backbone: the rest is left out.

    Raises:
        ModelError: if the file is missing or damaged, or a name or shape differs; the model is untouched.
    """
    model = unwrap(model)
    state = model.state_dict()
    file = read_evaluated_weights(source)
    given = _under(prefix, file.tensors, source)
    foreign = foreign_entries(given, state)
    found = _fit_names({key: each for key, each in given.items() if key not in {*foreign}}, state)
    resized = (*_fit_channels(model, found, state), *fit_positions(model, found, state))
    left_out = [key for key in found if key not in state]
    if is_part:
        found = {key: value for key, value in found.items() if key in state}
        swapped: tuple[str, ...] = ()
    elif _is_composed(model):
        swapped = _new_parts(found, state)
    else:
        swapped = _swapped_layer(model, found, state)
    _refuse_differences(model, found, state, swapped, source)
    taken = {key: value for key, value in found.items() if key in state and key not in swapped}
    # Updated in place: the dict carries the versions of the modules, without which MNASNet refuses it.
    state.update(taken)
    model.load_state_dict(state)
    return LoadReport(
        source=str(source),
        loaded=len(taken),
        total=sum(key in found or not key.endswith(_COUNTER) for key in state),
        reinitialised=swapped,
        left_out=tuple(dict.fromkeys(_part_of(model, key) for key in left_out)),
        resized=resized,
        is_averaged=file.is_averaged,
        foreign=(*foreign, *file.values),
    )


def load_exactly(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load weights strictly, in place; where they do not fit, the network is left as it was.

    Raises:
        CheckpointError: as `fitting`.
    """
    network.load_state_dict(fitting(network, weights))


def fitting(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names that the network has for them.

    Raises:
        CheckpointError: the first five keys that differ, with both shapes; or what is no ordinary tensor.
    """
    given = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    differences = state_differences(network.state_dict(), given)
    if differences:
        raise CheckpointError(
            f"the checkpoint does not fit this {type(network).__name__}: {len(differences)} keys differ: "
            + "; ".join(differences[:5])
            + former_network(network)
        )
    state = network.state_dict()
    for name, tensor in given.items():
        if odd := odd_tensor(tensor, like=state[name]):
            raise CheckpointError(f"the checkpoint does not fit this {type(network).__name__}: {name} {odd}")
    return given


def former_network(network: nn.Module) -> str:
    """Return, as the end of a message, which network its backbone's name stood for before; else nothing."""
    parts = (network, getattr(network, "backbone", None))
    text = next(filter(None, (getattr(each, "former_network", "") for each in parts)), "")
    return text and f"; {text}"


def _under(prefix: str, found: dict[str, Tensor], source: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    if not prefix:
        return found
    prefix = prefix if prefix.endswith(".") else f"{prefix}."
    taken = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    if not taken:
        names = ", ".join(dict.fromkeys(key.partition(".")[0] for key in found))
        raise ModelError(
            f"weights file {source} has nothing under prefix='{prefix}'; its names begin with: {names}"
        )
    return taken


def _fit_channels(model: nn.Module, found: dict[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Fit the first convolution of a file for colour images to the model's channels, in ``found``."""
    first = first_convolution(model)
    key = "" if first is None else f"{first[0]}.weight"
    if key not in found or key not in state:
        return ()
    theirs, ours = found[key], state[key]
    is_fit = theirs.dim() == 4 and theirs.shape[1] == _COLOURS and ours.shape[1] != _COLOURS
    if not is_fit or (theirs.shape[0], *theirs.shape[2:]) != (ours.shape[0], *ours.shape[2:]):
        return ()
    count = ours.shape[1]
    if count == 1:
        fitted = theirs.sum(1, keepdim=True)
    else:
        repeated = theirs.repeat(1, -(-count // _COLOURS), 1, 1)[:, :count]
        fitted = repeated * (_COLOURS / count)
    found[key] = fitted
    return (f"{key} ({_COLOURS} to {count} channels)",)


def _fit_names(found: dict[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``found`` under the names that fit the most of ``state``, by as few renamings as possible."""
    candidates = [tuple(found)]
    newest = candidates
    for _ in range(_MAX_RENAMINGS):
        renamed = dict.fromkeys(tuple(map(rename, names)) for names in newest for rename in _RENAMINGS)
        newest = [names for names in renamed if names not in candidates and len(set(names)) == len(names)]
        candidates = candidates + newest
    best = max(candidates, key=lambda names: sum(name in state for name in names))
    return dict(zip(best, found.values(), strict=True))


def _without(prefix: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix(prefix)


def _modern_name(name: str) -> str:
    name = _OLD_DENSE_LAYER.sub(r"\1", name)
    return _OLD_MLP_BLOCK.sub(lambda match: "0" if match[1] == "1" else "3", name)


def _name_in_parts(name: str) -> str:
    if name.startswith(("backbone.", *_REPLACEABLE)):
        return name
    return f"head.{name}" if name.startswith("fc.") else f"backbone.{name}"


def _name_in_network(name: str) -> str:
    """Return the name in a backbone that holds another library's network."""
    if name.startswith(_REPLACEABLE):
        return name
    inner = name.removeprefix("backbone.")
    return f"{name.removesuffix(inner)}network.{inner}"


_RENAMINGS: tuple[Callable[[str], str], ...] = (
    *map(_without, _PREFIXES),
    _modern_name,
    _name_in_parts,
    _name_in_network,
)


def _is_composed(model: nn.Module) -> bool:
    """Return whether a network is one of parts: an ``ImageClassifier`` declares it."""
    return bool(getattr(model, "is_composed", False))


def _new_parts(found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the names of the tensors of a neck or a head that is not built as that of the file."""
    return tuple(name for part in _REPLACEABLE for name in _differing_part(part, found, state))


def _differing_part(part: str, found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, ...]:
    ours = tuple(name for name in state if name.startswith(part))
    theirs = {name for name in found if name.startswith(part)}
    is_same = theirs == set(ours) and all(found[name].shape == state[name].shape for name in ours)
    return () if is_same else ours


def _swapped_layer(
    model: nn.Module, found: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[str, ...]:
    """Return the names of the last layer's tensors where only the number of classes differs, or the file has
    no last layer."""
    heads = tuple(f"{name}." for name in classifier_names(model))
    last = tuple(name for name in state if name.startswith(heads))
    if not any(name in found for name in last):
        return last
    differing = {
        name.rpartition(".")[0]
        for name in state
        if name.startswith(heads) and name in found and found[name].shape != state[name].shape
    }
    names = tuple(name for name in state if name.rpartition(".")[0] in differing)
    if any(name not in found for name in names):
        return ()
    pairs = [(found[name].shape, state[name].shape) for name in names]
    fits = all(theirs[1:] == ours[1:] and len(theirs) == len(ours) for theirs, ours in pairs)
    return names if fits else ()


def _refuse_differences(
    model: nn.Module,
    found: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    swapped: tuple[str, ...],
    source: str | os.PathLike[str],
) -> None:
    differing = [*_differing(found, state, swapped), *_unexpected(model, found, state)]
    if differing:
        listed = "; ".join(differing[:_MAX_LISTED])
        more = f"; and {len(differing) - _MAX_LISTED} more" if len(differing) > _MAX_LISTED else ""
        reason = why_unfit(found, state)
        raise ModelError(
            f"weights file {source} does not fit {type(model).__name__}: {reason}{listed}{more}"
            + former_network(model)
        )


def _differing(
    found: Mapping[str, Tensor], state: Mapping[str, Tensor], swapped: tuple[str, ...]
) -> Iterable[str]:
    for name, ours in state.items():
        theirs = found.get(name)
        if theirs is None:
            # Files from before torch 0.4.1 have no counters; BatchNorm does not need them for its usual
            # momentum.
            if not name.endswith(_COUNTER) and name not in swapped:
                yield f"{name} (file: missing, model: {_shape(ours)})"
        elif theirs.shape != ours.shape:
            if name not in swapped:
                yield f"{name} (file: {_shape(theirs)}, model: {_shape(ours)})"
        elif odd := odd_tensor(theirs, like=ours):
            yield f"{name} {odd} in the file"


def _unexpected(model: nn.Module, found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Iterable[str]:
    dropped: frozenset[str] = getattr(getattr(model, "backbone", None), "dropped", frozenset())
    for name, theirs in found.items():
        is_replaced = _is_composed(model) and name.startswith(_REPLACEABLE)
        is_replaced = is_replaced or name.removeprefix("backbone.network.") in dropped
        if name not in state and not is_replaced and not _switched_off(model, name):
            yield f"{name} (file: {_shape(theirs)}, model: missing)"


def _switched_off(model: nn.Module, name: str) -> str:
    """Return the part of the model that a tensor belongs to and that is switched off; '' where it is not.

    Such a part is there as an attribute, with the value None.
    """
    parts = name.split(".")[:-1]
    owner: object = model
    for depth, part in enumerate(parts, 1):
        if not hasattr(owner, part):
            return ""
        owner = getattr(owner, part)
        if owner is None:
            return ".".join(parts[:depth])
    return ""


def _part_of(model: nn.Module, name: str) -> str:
    return _switched_off(model, name) or name.rpartition(".")[0]


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
