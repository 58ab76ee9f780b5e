"""One checkpoint file: what goes in comes out, damage is found, a stranger's file runs nothing."""

import errno
import os
import pickle
import random
import resource
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import easydict
import numpy as np
import pytest
import torch
from torch import nn

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.checkpoint.state import SaveError, file_size, size_of
from ding_cls.errors import CheckpointError

SMALL = {
    "model": {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)},
    "last_iter": 7,
    "rows": [1, (2.5, None, "a"), {"loss": float("inf"), "ok": True}],
}


class RunsACommand:
    """A pickle that runs a shell command when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.canary}'",)


def are_equal(one: Any, other: Any) -> bool:
    """Compare types, values, dtypes and bits, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(are_equal(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(are_equal, one, other))
    return bool(one == other) or (one != one and other != other)


def outcome(file: Path) -> str:
    """Return 'found', 'unnamed', 'harmless' or 'silent'; any error but a CheckpointError passes through."""
    try:
        state = read_checkpoint(file)
    except CheckpointError as error:
        return "found" if str(file) in str(error) and "\n" not in str(error) else "unnamed"
    return "harmless" if are_equal(state, SMALL) else "silent"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ckpt" / "iteration_7.pth.tar"


def test_what_is_written_is_read(file: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    tensors = {
        "bf16": torch.randn(3).bfloat16(),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2**40),
        "bool": torch.tensor([True, False]),
        "rng": torch.get_rng_state(),
    }
    state = {
        **SMALL,
        "model": dict(network.state_dict()),
        "optimizer": optimizer.state_dict(),
        "tensors": tensors,
        "plain": {"a b/ü": [True, None, -1, 1e-300, "x\ny", (), [], {}, 2**70], 5: b"bytes", (1, "k"): "v"},
        "nan": float("nan"),
    }
    write_checkpoint(file, state)
    assert are_equal(read_checkpoint(file), state)


def test_a_state_dict_of_torch_keeps_its_order_and_type(file: Path) -> None:
    weights = nn.Linear(3, 2).state_dict()
    write_checkpoint(file, {"model": weights})
    read = read_checkpoint(file)["model"]
    assert type(read) is OrderedDict
    assert list(read) == ["weight", "bias"]


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(file: Path) -> None:
    for number in range(3):
        write_checkpoint(file, {"last_iter": number})
        assert read_checkpoint(file) == {"last_iter": number}
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_the_same_state_gives_the_same_bytes(file: Path) -> None:
    write_checkpoint(file, SMALL)
    first = file.read_bytes()
    write_checkpoint(file, SMALL)
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.float64(1.0), "numpy.float64"),
        (np.float32(1.0), "numpy.float32"),
        (np.zeros(2), "numpy.ndarray"),
        (easydict.EasyDict(a=1), "easydict.EasyDict"),
        (Path("x"), "Path"),
        (len, "builtin_function_or_method"),
        (Counter(a=1), "collections.Counter"),
        (nn.Linear(1, 1), "Linear"),
    ],
)
def test_what_could_not_be_read_back_is_refused_before_anything_is_written(
    value: Any, kind: str, file: Path
) -> None:
    write_checkpoint(file, SMALL)
    state = {"parts": {"mine": [0, {"best": value}]}}
    with pytest.raises(CheckpointError, match=rf"'parts', 'mine', 1, 'best': a .*{kind}") as caught:
        write_checkpoint(file, state)
    assert str(file) in str(caught.value)
    assert are_equal(read_checkpoint(file), SMALL)
    assert len(list(file.parent.iterdir())) == 1


def test_every_cut_is_found_and_named_with_the_bytes_that_are_left(file: Path) -> None:
    write_checkpoint(file, SMALL)
    whole = file.read_bytes()
    draw = random.Random(0)
    lengths = {0, 1, 2, 3, 4, 21, 22, 23, len(whole) - 1, *draw.sample(range(len(whole)), 340)}
    found = 0
    for length in lengths:
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(file)
        assert f"'{file}' ({length:,} bytes)" in str(caught.value)
        found += 1
    assert found == len(lengths) >= 340


def test_a_flipped_bit_is_found_or_harmless(file: Path) -> None:
    write_checkpoint(file, SMALL)
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        directory = archive.start_dir
        data = [each.header_offset for each in archive.infolist() if each.filename.endswith(("pkl", "/0"))]
    draw = random.Random(0)
    # Spread over the file, and denser where damage can mislead: the directory and two members' contents.
    bits = set(draw.sample(range(len(whole) * 8), 450))
    bits |= set(draw.sample(range(directory * 8, len(whole) * 8), 450))
    for offset in data:
        bits |= set(draw.sample(range((offset + 30) * 8, (offset + 160) * 8), 60))
    outcomes: Counter[str] = Counter()
    for bit in bits:
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        assert broken != whole
        file.write_bytes(broken)
        outcomes[outcome(file)] += 1
    assert outcomes.total() == len(bits) > 900
    assert outcomes.keys() == {"found", "harmless"}
    assert outcomes["found"] > 350


@pytest.mark.campaign
def test_each_single_bit_of_a_file_is_found_or_harmless(file: Path) -> None:
    write_checkpoint(file, SMALL)
    whole = file.read_bytes()
    outcomes: Counter[str] = Counter()
    for bit in range(len(whole) * 8):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        file.write_bytes(broken)
        outcomes[outcome(file)] += 1
    assert outcomes.total() == len(whole) * 8
    assert outcomes.keys() == {"found", "harmless"}


@pytest.mark.parametrize(("offset", "value"), [(38, 0x10), (10, 0x08), (10, 0x0C), (10, 0x0E), (10, 0x63)])
def test_a_member_marked_as_a_folder_or_as_compressed_is_found(offset: int, value: int, file: Path) -> None:
    """The one flip that checksums miss: torch takes a 'folder' for an empty member and reads no bytes."""
    write_checkpoint(file, SMALL)
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        at, names = archive.start_dir, archive.namelist()
    checked = 0
    for name in names:
        assert whole[at : at + 4] == b"PK\x01\x02"
        broken = bytearray(whole)
        broken[at + offset] ^= value
        file.write_bytes(broken)
        with pytest.raises(CheckpointError, match="is damaged: its part"):
            read_checkpoint(file)
        at += 46 + sum(int.from_bytes(whole[at + i : at + i + 2], "little") for i in (28, 30, 32))
        checked += len(name) > 0
    assert checked == len(names) >= 7


def test_random_bytes_in_a_row_are_found_or_harmless(file: Path) -> None:
    write_checkpoint(file, SMALL)
    whole = file.read_bytes()
    draw = random.Random(1)
    outcomes: Counter[str] = Counter()
    for _ in range(500):
        start, length = draw.randrange(len(whole)), draw.choice([1, 2, 4, 16, 64, 512])
        broken = bytearray(whole)
        broken[start : start + length] = draw.randbytes(min(length, len(whole) - start))
        file.write_bytes(broken)
        outcomes[outcome(file)] += 1
    assert outcomes.total() == 500
    assert outcomes.keys() == {"found", "harmless"}
    assert outcomes["found"] > 250


@pytest.mark.parametrize("form", ["torch", "torch_legacy", "pickle", "nested"])
def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(form: str, file: Path) -> None:
    file.parent.mkdir()
    canary = file.parent / "canary"
    trap: Any = RunsACommand(canary)
    if form == "pickle":
        file.write_bytes(pickle.dumps({"model": trap}))
    else:
        state = {"model": {"w": torch.ones(2), "deep": [trap] if form == "nested" else trap}}
        torch.save(state, file, _use_new_zipfile_serialization=form != "torch_legacy")
    with pytest.raises(CheckpointError, match=str(file)):
        read_checkpoint(file)
    assert not canary.exists()
    # The trap is a real one: an ordinary load springs it.
    if form == "pickle":
        pickle.loads(file.read_bytes())
    else:
        torch.load(file, weights_only=False)
    assert canary.exists()


def test_a_class_of_ones_own_is_refused_as_unsafe(file: Path) -> None:
    file.parent.mkdir()
    torch.save({"model": nn.Linear(1, 1)}, file)
    with pytest.raises(CheckpointError, match="holds more than tensors and plain values, and was not loaded"):
        read_checkpoint(file)


@pytest.mark.parametrize("value", [[1, 2], torch.ones(2), "text", None])
def test_a_file_that_holds_no_dict_is_refused(value: Any, file: Path) -> None:
    file.parent.mkdir()
    torch.save(value, file)
    with pytest.raises(CheckpointError, match=f"holds a {type(value).__name__}, not a checkpoint's dict"):
        read_checkpoint(file)


def test_a_zip_that_is_no_checkpoint_is_refused(file: Path) -> None:
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        read_checkpoint(file)


def test_a_compressed_bomb_is_refused_without_unpacking_it(file: Path) -> None:
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    assert file.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match=r"its part 'archive/data\.pkl'"):
        read_checkpoint(file)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(parents=True)])
def test_a_missing_file_or_a_folder_in_its_place_is_named(make: Any, file: Path) -> None:
    make(file)
    with pytest.raises(CheckpointError, match=f"there is no checkpoint '{file}'"):
        read_checkpoint(file)


def test_tensors_of_any_device_come_back_on_the_cpu(file: Path) -> None:
    write_checkpoint(file, {"w": torch.ones(2, device="cuda" if torch.cuda.is_available() else "cpu")})
    assert read_checkpoint(file)["w"].device.type == "cpu"


def test_a_write_that_fails_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(file, SMALL)

    def full(state: Any, target: Any) -> None:
        target.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(file, {"last_iter": 8})
    assert are_equal(read_checkpoint(file), SMALL)
    assert len(list(file.parent.iterdir())) == 1


def test_the_size_of_a_state_is_that_of_its_tensors_shared_memory_once() -> None:
    twice = torch.zeros(3, dtype=torch.float64)
    state = {"a": twice, "b": [torch.zeros(2, 2), 5, ("x", torch.zeros(1))], "again": twice.view(3, 1)}
    assert size_of(state) == 24 + 16 + 4


def test_no_size_is_above_that_of_the_file(file: Path) -> None:
    for count in (1, 10, 300):
        state = {f"backbone.{number}.weight": torch.zeros(number + 1) for number in range(count)}
        write_checkpoint(file, state)
        assert size_of(state) < file_size(state) <= file.stat().st_size


def test_a_limit_of_the_system_is_found_behind_torchs_words(file: Path) -> None:
    """``ulimit -f`` needs no root, and fails as a full disk does: in the middle of ``torch.save``."""
    write_checkpoint(file, SMALL)
    before = file.read_bytes()
    child = os.fork()
    if child == 0:
        code = 9
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20_000, resource.RLIM_INFINITY))
            write_checkpoint(file, {"w": torch.zeros(100_000)})
        except SaveError as error:
            is_right = (
                error.errno == errno.EFBIG and str(error) == f"'{file}' could not be saved: File too large"
            )
            code = 0 if is_right else 8
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert file.read_bytes() == before
    assert len(list(file.parent.iterdir())) == 1
