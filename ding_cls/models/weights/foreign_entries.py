"""What files of weights hold beside a network: a loss, an average, counters of tools, parts of pretraining.

It must not know the network's parts, nor where a file comes from.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from torch import Tensor

# What averaging (torch.optim.swa_utils) and counting operations (thop) add to each module.
_COUNTERS = frozenset({"n_averaged", "total_ops", "total_params"})
_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
_LOSS = r"criterion|criterions|criteria|loss|losses|loss_fn|loss_fct|loss_func|loss_function"
_AVERAGE = r"ema|ema_model|model_ema|module_ema|ema_module|shadow|teacher|swa_model"
_METRIC = r"metrics?|(?:train|training|val|valid|validation|test)_(?:acc|accuracy|metrics?|f1|auroc|top\d)\w*"
# Of pretraining by masked images.
_PRETRAINING = r"mask_token|decoder_(?:embed|blocks|norm|pred|pos_embed)"
_SCALAR = r"step|steps|initted|decay|num_updates|epoch|global_step|best_\w+"
# The whole name of a part beside the network.
_PART = re.compile(rf"(?:{_LOSS}|{_AVERAGE}|{_METRIC}|\w+_(?:loss|criterion|metrics?|ema))")
_SINGLE = re.compile(_SCALAR)
_UNMASKED = re.compile(_PRETRAINING)
_FLAT_AVERAGE = "ema_"
_MAX_NAMED = 5


def foreign_entries(found: Mapping[str, Tensor], state: Collection[str]) -> list[str]:
    """Return the names in a file that belong to no network, in the file's order.

    Args:
        found: the file's tensors.
        state: the names of the network's own; what the network has under such a name is none.
    """
    parts = {name.partition(".")[0] for name in state}
    # mmcv's EMAHook keeps the average under the parameter's name with underscores.
    flat = {f"{_FLAT_AVERAGE}{_plain(name).replace('.', '_')}" for name in found}
    foreign = [
        name
        for name, tensor in found.items()
        if name not in state and _is_foreign(_plain(name), tensor, parts, flat)
    ]
    # A file of an average alone: whatever it is, it is not beside a network.
    return foreign if len(foreign) < len(found) else []


def named_entries(names: Iterable[str]) -> list[str]:
    """Return names for a line: those with one beginning, or one end, as one with their number."""
    groups = Counter(_group(name) for name in names)
    listed = [group if count == 1 else f"{group} ({count} entries)" for group, count in groups.items()]
    more = len(listed) - _MAX_NAMED
    return [*listed[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])]


def _is_foreign(name: str, tensor: Tensor, parts: Collection[str], flat: Collection[str]) -> bool:
    if name.rpartition(".")[2] in _COUNTERS:
        return True
    first, dot, _ = name.partition(".")
    if first in parts:
        return False
    if _UNMASKED.fullmatch(first):
        return True
    if not dot:
        return name in flat or bool(tensor.numel() == 1 and _SINGLE.fullmatch(name))
    return _PART.fullmatch(first) is not None


def _plain(name: str) -> str:
    return _WRAPPERS.sub("", name)


def _group(name: str) -> str:
    plain = _plain(name)
    last = plain.rpartition(".")[2]
    if last in _COUNTERS:
        return last
    first, dot, rest = plain.partition(".")
    if not dot and first.startswith(_FLAT_AVERAGE):
        return f"{_FLAT_AVERAGE}*"
    return f"{first}.*" if "." in rest else plain
