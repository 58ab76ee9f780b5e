"""Files of weights: where torchvision's are, and reading one safely into named tensors.

It does not know the network they are for.
"""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import torch
from torch import Tensor
from torchvision.models import get_model_weights

from ding_cls.common.file_kinds import other_kind
from ding_cls.common.pickles import check_archive, check_nesting, check_pickle
from ding_cls.errors import CheckpointError, ModelError

_STATE_KEYS = ("state_dict", "model", "model_state_dict", "net")
# An average of the weights beside them, as timm, DeiT and others name it; taken where it is alone.
_AVERAGE_KEYS = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
# What training scripts save beside the weights: their arguments, figures of NumPy. Nothing here needs it.
_BESIDE = (
    "argparse.Namespace",
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"{module}.multiarray.{name}"
        for module in ("numpy.core", "numpy._core")
        for name in ("scalar", "_reconstruct")
    ),
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Float16", "Float32", "Float64", "Int32", "Int64")),
)
# A file of tensors by name may hold a few other values among them: at most one for so many tensors.
_TENSORS_FOR_A_VALUE = 4
# Under 'model' of a checkpoint are the weights that were evaluated. Where that is an average of them, those
# in training are under this key.
TRAINING = "training_model"
# What an average needs beside these to go on; in older files its weights too, and 'model' those in training.
AVERAGED = "averaged"
_CHUNK_BYTES = 1 << 20
_SAVE_STATE = "save the state dict alone: torch.save(model.state_dict(), PATH)"


class WeightsInFile(NamedTuple):
    """What a file of weights holds.

    Attributes:
        tensors: on the CPU by name, in the file's order and types.
        is_averaged: the file is a checkpoint of a run that evaluated an average of the weights: these are it.
        values: names of what is no tensor among them, such as an epoch's number; and of an average beside.
    """

    tensors: dict[str, Tensor]
    is_averaged: bool = False
    values: tuple[str, ...] = ()


class _LeftOut:
    """Stands for a value that is read past: it takes everything and does nothing."""

    def __new__(cls, *_: object, **__: object) -> "_LeftOut":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def fetch_weights(name: str) -> Path:
    """Return the file of torchvision's default weights for a model, downloading it where it is not there yet.

    Args:
        name: a name of torchvision's classification models.

    Raises:
        ModelError: if there are none, or they cannot be downloaded: which file to bring, and where to.
    """
    return _fetched(_weights_url(name), f"the pretrained weights of {name}")


def is_url(source: str) -> bool:
    """Return whether a source of weights is an address, rather than a file."""
    return "://" in source


def fetch_url(url: str) -> Path:
    """Return the file of weights at an address, downloading it where it is not there yet.

    The eight or more hexadecimal digits at the end of its name, ``NAME-0123abcd.pth``, are checked: they
    begin its SHA-256.

    Raises:
        ModelError: it is no https address, or it cannot be downloaded.
    """
    if not url.startswith("https://"):
        raise ModelError(f"weights are fetched from https:// addresses alone, not from {url}; or give a file")
    return _fetched(url, f"the weights {url}")


def _fetched(url: str, what: str) -> Path:
    filename = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / filename
    if path.exists():
        return path
    digest = re.search(r"-([0-9a-f]{8,})\.", filename)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digest and digest[1], progress=False)
    except (
        Exception
    ) as error:  # urllib, http.client, the file system and the hash check raise without a common base
        raise ModelError(
            f"{what} cannot be downloaded ({_first_line(error)}); bring {url} "
            f"to {path}, or give the path of a file as pretrained"
        ) from error
    return path


def read_weights(source: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a state dict from a file that ``torch.save`` or safetensors wrote; nothing in it is executed.

    The state dict may be under the key 'state_dict', 'model', 'model_state_dict' or 'net', or where none of
    them is there under one of an average, such as 'model_ema'. Of a checkpoint of ours it is what the run
    evaluated: the averaged weights, where it evaluated some. Arguments of argparse and values of NumPy beside
    them are passed over.

    Args:
        source: the file.

    Returns:
        tensors on the CPU by name, in the file's order and types.

    Raises:
        ModelError: if the file is missing, damaged, or holds something else.
    """
    return read_evaluated_weights(source).tensors


def read_evaluated_weights(source: str | os.PathLike[str]) -> WeightsInFile:
    """Return what ``read_weights`` does, and what it is."""
    path = Path(source).expanduser()
    if not path.is_file():
        raise ModelError(f"weights file {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    if path.suffix == ".safetensors":
        return WeightsInFile(_read_safetensors(path))
    if kind := other_kind(path):
        # Some kinds name their own remedy.
        raise ModelError(f"weights file {path} is {kind if ':' in kind else f'{kind}; {_SAVE_STATE}'}")
    try:
        _check_members(path)
        num_bytes = _check_description(path)
        with torch.serialization.safe_globals([(_LeftOut, name) for name in _BESIDE]):
            content = torch.load(path, map_location="cpu", weights_only=True)
        check_nesting(content, num_bytes=num_bytes)
    except Exception as error:  # what unpickling a damaged file raises depends on the damage
        raise ModelError(f"weights file {path} cannot be read: {_reason(error)}") from error
    if not isinstance(content, Mapping):
        return _find_state(content, path)
    part = evaluated_part(content)
    return _find_state(part, path)._replace(is_averaged=part is not content or TRAINING in content)


def evaluated_part(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a checkpoint whose 'model' is what was evaluated: the checkpoint; of an
    older file of a run that evaluated an average, that average's own."""
    averaged = state.get(AVERAGED)
    return averaged if isinstance(averaged, Mapping) and "model" in averaged else state


def weights_in(state: Mapping[str, Any], *, key: str = "model") -> Mapping[str, Tensor]:
    """Return the network's weights in a checkpoint.

    Raises:
        CheckpointError: there are none under the key.
    """
    weights = state.get(key)
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in weights.items()
    ):
        raise CheckpointError(
            f"the checkpoint holds no weights under '{key}'; a file of weights alone is loaded with "
            "policy.model.pretrained=FILE"
        )
    return weights


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ModelError(
            f"weights file {path} needs safetensors, which is not installed: pip install safetensors"
        ) from error
    try:
        return dict(load_file(path))
    except Exception as error:  # the library's own, and what the file system raises, have no common base
        raise ModelError(f"weights file {path} cannot be read: {_first_line(error)}") from error


def _weights_url(name: str) -> str:
    try:
        weights = get_model_weights(name)
        return str(weights["DEFAULT"].url)
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"torchvision has no pretrained weights for {name}; give a file as pretrained"
        ) from error


def _check_members(path: Path) -> None:
    """Compare the checksum of every member, which ``torch.load`` does not; older formats have none."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"its part {member.filename} is compressed, which torch.save does not do")
            # torch writes zero for all when it is set to compute none.
            if member.CRC == 0:
                continue
            with archive.open(member) as stream:
                while stream.read(_CHUNK_BYTES):
                    pass


def _check_description(path: Path) -> int:
    """Refuse nested values that would take too long to read; return the length of their description."""
    if zipfile.is_zipfile(path):
        return check_archive(path)
    # The older format: a number, its version, the machine, and then what was saved.
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        for _ in range(4):
            if not check_pickle(file, num_bytes=num_bytes):
                break
    return num_bytes


def _find_state(content: object, path: Path) -> WeightsInFile:
    if isinstance(content, Mapping):
        parts = [key for key in (*_STATE_KEYS, *_AVERAGE_KEYS) if isinstance(content.get(key), Mapping)]
        if parts:
            weights = _find_state(content[parts[0]], path)
            beside = [key for key in parts[1:] if key in _AVERAGE_KEYS]
            return weights._replace(values=(*weights.values, *beside))
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        values = tuple(str(key) for key, value in content.items() if not isinstance(value, Tensor))
        if tensors and len(tensors) >= _TENSORS_FOR_A_VALUE * len(values):
            return WeightsInFile(tensors, values=values)
        found = (
            f"a dict with the keys {', '.join(map(repr, list(content)[:5]))}" if content else "an empty dict"
        )
    else:
        found = f"a {type(content).__name__}"
    raise ModelError(
        f"weights file {path} holds {found}; expected tensors by name, "
        f"or a dict with those under {' or '.join(map(repr, _STATE_KEYS))}"
    )


def _reason(error: Exception) -> str:
    forbidden = re.search(r"unsupported (?:global: )?GLOBAL (\S+)", str(error), re.IGNORECASE)
    if forbidden:
        # An older file that was cut off within a name looks the same.
        return (
            f"it holds {forbidden[1]}, and opening that could run code; if it is not damaged, {_SAVE_STATE}"
        )
    if isinstance(error, pickle.UnpicklingError):
        # torch's own words advise to open it all the same.
        return "it is damaged or no file of torch.save"
    return f"it is damaged or no file of torch.save ({type(error).__name__}: {_first_line(error)})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
