"""The SHA-256 that an ONNX file has of its own bytes, in an entry of its metadata: a flipped bit is found.

It must not know ONNX Runtime, nor what made the file.
"""

import hashlib
import mmap
import os

SEAL = "ding_cls.sha256"
"""The entry's name among a file's metadata; its value is the SHA-256 of all other bytes, in hexadecimal."""

BLANK = "0" * 64
"""Its value before the others are known."""

# As protobuf writes the entry: the name, then field 2 with 64 bytes. JSON in other entries escapes the 18.
_HEAD = SEAL.encode() + b"\x12\x40"
# Metadata are written behind the graph.
_TAIL = 1 << 25


def sealed(content: bytes) -> bytes:
    """Return a file whose entry `SEAL` is `BLANK` with the entry filled in."""
    begin = content.rindex(_HEAD) + len(_HEAD)
    end = begin + len(BLANK)
    return content[:begin] + _sha256(content[:begin], content[end:]).encode() + content[end:]


def is_unharmed(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the bytes that it says; True of one that says nothing.

    Raises:
        OSError: it cannot be read.
    """
    if not os.path.getsize(path):
        return True
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
    ):
        found = content.rfind(_HEAD, max(0, len(content) - _TAIL))
        if found < 0:
            return True
        begin = found + len(_HEAD)
        end = begin + len(BLANK)
        with view[:begin] as before, view[end:] as after:
            return content[begin:end] == _sha256(before, after).encode()


def _sha256(*parts: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for each in parts:
        digest.update(each)
    return digest.hexdigest()
