"""Which kind of file something is that is no file of ``torch.save``: told by its beginning and its parts.

It opens nothing that could run code.
"""

import zipfile
from pathlib import Path

_BY_BEGINNING = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes it",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "an array of NumPy",
    b"<!DOCTYPE": "a page of the web: its download went wrong",
    b"<html": "a page of the web: its download went wrong",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself with git lfs pull",
}
_HEAD_BYTES = 32


def other_kind(path: Path) -> str:
    """Return what a file is, in words; an empty text where it may be one of ``torch.save``.

    Args:
        path: an existing file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if zipfile.is_zipfile(path):
            return _kind_of_archive(path)
    # What a damaged archive raises depends on the damage: whoever reads it says what is wrong.
    except Exception:
        return ""
    if path.suffix.lower() == ".onnx":
        return "an exported ONNX file, for predict, eval and serve"
    for beginning, kind in _BY_BEGINNING.items():
        if head[: len(beginning)].lower() == beginning.lower():
            return kind
    # A length of 8 bytes, then JSON.
    is_safetensors = head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < path.stat().st_size
    if not is_safetensors:
        return ""
    has_ending = path.suffix.lower() == ".safetensors"
    return f"one of safetensors, weights alone{'' if has_ending else ': give it the ending .safetensors'}"


def _kind_of_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return "a TorchScript program, which holds code"
    if "archive_format" in inside or "serialized_exported_program.json" in {*names, *inside}:
        return "a program of torch.export, which holds code"
    if ".data/extern_modules" in inside:
        return "a package of torch.package, which holds code"
    if names and all(name.endswith(".npy") for name in names):
        return "an .npz file of NumPy"
    if any(name.endswith(("keras_metadata.pb", "model.weights.h5")) for name in names):
        return "a model of Keras"
    return ""
