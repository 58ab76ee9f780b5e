"""Deep and shared nesting is found before a pickle is opened, and costs no more than reading its bytes."""

import io
import pickle
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.common.pickles import MAX_DEPTH, check_nesting, check_pickle
from ding_cls.errors import CheckpointError, ModelError
from ding_cls.models import read_weights

HEAD = b"\x80\x02}X\x01\x00\x00\x00a"
MANY = 300_000


def doubled(pair: bytes) -> bytes:
    """Return 60 values, each of which holds the one before it twice."""
    return b"Nq\x00" + b"".join(b"h%c%sq%c" % (n, pair, n + 1) for n in range(60))


# Each list holds the next one twice, and is filled after it was put into its own.
OUTSIDE_IN = b"]q\x00" + b"".join(b"h%c]q%cah%caa" % (n, n + 1, n + 1) for n in range(60))
HOSTILE = {
    "marks": HEAD + b"(" * MANY + b".",
    "tuples": HEAD + b"(" * MANY + b"t" * MANY + b"s.",
    "tuples of one": HEAD + b"N" + b"\x85" * MANY + b"s.",
    "lists": HEAD + b"]" * MANY + b"a" * (MANY - 1) + b"s.",
    "dicts": HEAD + b"}X\x01\x00\x00\x00b" * 1000 + b"N" + b"s" * 1001 + b".",
    "each twice": HEAD + doubled(b"\x86") + b"s.",
    "a key of these": b"\x80\x02}" + doubled(b"\x86") + b"Ns.",
    "lists, each twice": HEAD + OUTSIDE_IN + b"s.",
    "a huge array": HEAD + b"cbuiltins\nbytearray\n\x8a\x07\x00\x00\x00\x00\x00\x00\x10\x85Rs.",
}


def saved(path: Path, pickled: bytes | None = None, value: Any = None) -> Path:
    """Write a file of ``torch.save``, with another description in it where one is given."""
    torch.save({"a": torch.zeros(2)} if value is None else value, path)
    if pickled is None:
        return path
    with zipfile.ZipFile(path) as archive:
        members = {each.filename: archive.read(each) for each in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else content)
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_nesting_is_refused_in_a_second(name: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pth.tar", HOSTILE[name])
    for read, family in ((read_checkpoint, CheckpointError), (read_weights, ModelError)):
        began = time.process_time()
        with pytest.raises(family, match=r"x\.pth\.tar") as refused:
            read(file)
        assert time.process_time() - began < 1
        assert "\n" not in str(refused.value)


def test_the_older_format_is_looked_at_too(tmp_path: Path) -> None:
    file = tmp_path / "old.pth"
    torch.save({"w": torch.ones(2)}, file, _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(file)["w"], torch.ones(2))
    whole = pickle.dumps(1, 2)
    file.write_bytes(whole * 3 + HOSTILE["marks"])
    with pytest.raises(ModelError, match="nested more than 100 deep"):
        read_weights(file)


def test_ordinary_values_pass() -> None:
    shared = ["a", 1.5]
    value = OrderedDict(rows=[shared] * 3, deep=_deep(MAX_DEPTH - 5), empty=[(), {}, set()], text="x" * 999)
    content = pickle.dumps(value, 2)
    assert check_pickle(io.BytesIO(content), num_bytes=len(content))
    check_nesting(value, num_bytes=len(content))
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        check_nesting(_deep(MAX_DEPTH + 1), num_bytes=10**6)


def test_one_tensor_under_many_names_is_no_nesting(tmp_path: Path) -> None:
    one = torch.ones(2)
    file = saved(tmp_path / "x.pth.tar", value={"model": {str(number): one for number in range(2000)}})
    assert len(read_checkpoint(file)["model"]) == len(read_weights(file)) == 2000


def test_what_a_zip_declares_is_not_believed(tmp_path: Path) -> None:
    file = saved(tmp_path / "bomb.pth.tar")
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data/9", bytes(50_000_000))
    assert file.stat().st_size < 200_000
    for read, family in ((read_checkpoint, CheckpointError), (read_weights, ModelError)):
        with pytest.raises(family, match=r"bomb\.pth\.tar"):
            read(file)


def _deep(count: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(count):
        value = [value]
    return value
