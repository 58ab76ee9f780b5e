"""A flipped bit in an exported ONNX file is found, or harmless."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from ding_cls.errors import CheckpointError
from ding_cls.inference.onnx.seal import BLANK, SEAL, is_unharmed, sealed
from ding_cls.inference.onnx.session import open_session
from tests.onnx_files import DESCRIPTION, write_onnx


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = write_onnx(tmp_path / "a.onnx")
    model = onnx.load(path)
    model.metadata_props.add(key=SEAL, value=BLANK)
    path.write_bytes(sealed(model.SerializeToString()))
    return path


def test_a_sealed_file_is_opened(file: Path) -> None:
    assert is_unharmed(file)
    assert open_session(os.fspath(file))[1] == DESCRIPTION
    (entry,) = (each for each in onnx.load(file).metadata_props if each.key == SEAL)
    assert entry.value != BLANK


def flipped(whole: bytes, bit: int) -> bytes:
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def test_each_flipped_bit_is_found(file: Path) -> None:
    whole = file.read_bytes()
    begin = whole.rindex(SEAL.encode())
    bits = np.setdiff1d(np.arange(8 * len(whole)), np.arange(8 * begin, 8 * (begin + len(SEAL) + 2)))
    for bit in np.random.default_rng(0).choice(bits, 100, replace=False).tolist():
        file.write_bytes(flipped(whole, bit))
        assert not is_unharmed(file), bit


def test_in_the_name_of_the_entry_it_is_harmless(file: Path) -> None:
    whole = file.read_bytes()
    begin = whole.rindex(SEAL.encode())
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), np.uint8)
    wanted = open_session(os.fspath(file))[0].run(["logits"], {"images": images})[0]
    num_opened = 0
    for bit in range(8 * (begin - 3), 8 * (begin + len(SEAL) + 2)):
        file.write_bytes(flipped(whole, bit))
        try:
            session, description = open_session(os.fspath(file))
        except CheckpointError:
            continue
        num_opened += 1
        assert description == DESCRIPTION
        np.testing.assert_array_equal(session.run(["logits"], {"images": images})[0], wanted)
    assert num_opened


def test_a_damaged_file_is_named(file: Path) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[damaged.index(b"weight") + 200] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"a\.onnx' is damaged: its bytes have not the SHA-256"):
        open_session(os.fspath(file))


def test_bytes_behind_the_end_are_found(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\x00")
    assert not is_unharmed(file)


def test_without_the_entry_a_file_opens(file: Path) -> None:
    model = onnx.load(file)
    del model.metadata_props[-1]
    onnx.save(model, file)
    assert is_unharmed(file)
    assert open_session(os.fspath(file))[1] == DESCRIPTION
    file.write_bytes(b"")
    assert is_unharmed(file)
