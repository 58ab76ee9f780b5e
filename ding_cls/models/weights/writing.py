"""Weights alone in a file that any program of PyTorch reads: a state dict, as ``.pth`` or ``.safetensors``.

It knows tensors by name; it must not know runs, networks or where weights come from.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from ding_cls.common.disk import os_error_behind
from ding_cls.common.files import atomic_write
from ding_cls.common.tables import checked_ending
from ding_cls.errors import ConfigError, ExportError

ENDINGS = (".pth", ".safetensors")
_LENGTH_BYTES = 8
_MISSING = ".safetensors files need safetensors, which is not installed: pip install 'ding_cls[export]'"


def write_weights(
    path: str | os.PathLike[str], state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Publish weights as ``path``, whole or not at all; the same weights always make the same bytes.

    Args:
        path: the file; its ending says in which form.
        state: tensors by name, as ``network.state_dict()`` gives them. In a ``.pth`` its record of the
            modules' versions stays, without which MNASNet refuses it.
        metadata: texts by name for a ``.safetensors`` file; a ``.pth`` has no place for them.

    Raises:
        ConfigError: another ending, or safetensors is not installed.
        ExportError: a kind of tensor that safetensors has no form for.
        OSError: the disk is full, the folder cannot be written, ...
    """
    if check_writable(path) == ".safetensors":
        content = safetensors_content(state, metadata or {})
        with atomic_write(path) as file:
            file.write(content)
        return
    tensors = _own_memory(state)
    if versions := getattr(state, "_metadata", None):
        tensors._metadata = versions  # type: ignore[attr-defined]
    try:
        with atomic_write(path) as file:
            torch.save(tensors, file)
    except RuntimeError as error:
        # torch's writer of zip files hides what the system said.
        raise os_error_behind(error) or error from error


def check_writable(path: str | os.PathLike[str]) -> str:
    """Return the ending of a file to write; ask before the work whose outcome it holds.

    Raises:
        ConfigError: another ending, or safetensors is not installed.
        DataError: nothing can be written there.
    """
    ending = checked_ending(path, ENDINGS)
    if ending == ".safetensors" and find_spec("safetensors") is None:
        raise ConfigError(_MISSING)
    return ending


def safetensors_content(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return a file of safetensors, with its metadata in the order of their names: the library itself writes
    them in another order in each process.

    Raises:
        ConfigError: safetensors is not installed.
        ExportError: a kind of tensor that it has no form for.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save
    except ImportError as error:
        raise ConfigError(_MISSING) from error
    try:
        content = memoryview(save(dict(_own_memory(state))))
    except (SafetensorError, KeyError, ValueError) as error:
        raise ExportError(f"a .safetensors file cannot hold these weights: {error}") from error
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(bytes(content[_LENGTH_BYTES:end]))
    described = {"__metadata__": dict(sorted(metadata.items())), **header} if metadata else header
    text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    return b"".join([len(text).to_bytes(_LENGTH_BYTES, "little"), text, content[end:]])


def read_back(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return what a program with nothing but PyTorch, or safetensors, reads from such a file."""
    if Path(path).suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    found: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return found


def _own_memory(state: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Return each tensor with memory of its own: of a view torch.save keeps all that is around it, and
    safetensors takes no memory twice."""
    return OrderedDict(
        (name, each.detach().cpu().clone(memory_format=torch.contiguous_format))
        for name, each in state.items()
    )
