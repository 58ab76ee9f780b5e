"""What two runs left behind, compared bit by bit: checkpoints, and the rows of ``metrics.jsonl``."""

import json
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import BEST_NAME, CheckpointKeeper

# Seconds and speeds differ from run to run.
CLOCKS = {"seconds", "forward_time", "backward_time", "sync_time", "data_time", "images_per_s"}
# The folder's name is not the run's.
NAMES = {"exp_name"}


@dataclass
class Differences:
    """How far a run is from the uninterrupted one.

    Attributes:
        bits: bits of tensors and floats that differ.
        tensors: tensors that were compared.
        values: other values, and keys, that differ, each with its place.
        missing: rows of ``metrics.jsonl`` that the run lacks.
        doubled: rows that it has once more than the other, or that the other lacks.
        rows: rows with other numbers, each with its place.
        num_rows: rows that were compared.
    """

    bits: int = 0
    tensors: int = 0
    values: list[str] = field(default_factory=list)
    missing: int = 0
    doubled: int = 0
    rows: list[str] = field(default_factory=list)
    num_rows: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether there is none, and something was compared at all."""
        found = self.bits or self.values or self.missing or self.doubled or self.rows
        return not found and self.tensors > 0 and self.num_rows > 0

    @property
    def summary(self) -> str:
        """What differs, in a line, with the first places."""
        places = [*self.rows, *self.values][:3]
        return (
            f"{self.bits} bits differ, {self.missing} rows missing, {self.doubled} rows doubled, "
            f"{len(self.rows)} rows and {len(self.values)} values differ {places}"
        )

    def add(self, others: "Differences") -> None:
        """Add those of another run."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(others, each.name))


def compare_runs(found: Path, expected: Path) -> Differences:
    """Compare what two runs left: the final checkpoint, the best, all others that both kept, and the rows.

    Args:
        found: folder of the run that was killed or stopped, and resumed until it was finished.
        expected: folder of the uninterrupted one.

    Raises:
        CheckpointError: a checkpoint cannot be read.
    """
    differences = Differences()
    files, others = (
        {each.name for each in CheckpointKeeper(run / "ckpt").iterations()} for run in (found, expected)
    )
    final = CheckpointKeeper(expected / "ckpt").iterations()[0].name
    for name in sorted({final, BEST_NAME} | (files & others)):
        pair = [run / "ckpt" / name for run in (found, expected)]
        if not pair[0].is_file():
            differences.values.append(f"{name} is missing")
            continue
        compare_trees(*(read_checkpoint(each) for each in pair), differences, where=name)
    compare_rows(*(_rows(run / "log" / "metrics.jsonl") for run in (found, expected)), differences)
    return differences


def compare_trees(found: Any, expected: Any, differences: Differences, *, where: str) -> None:
    """Add how two trees of tensors and plain values differ; what clocks and names say is left out."""
    if isinstance(expected, torch.Tensor) and isinstance(found, torch.Tensor):
        differences.tensors += 1
        if (found.shape, found.dtype) == (expected.shape, expected.dtype):
            differences.bits += _differing_bits(_bytes_of(found), _bytes_of(expected))
        else:
            differences.values.append(f"{where}: {_form(found)} for {_form(expected)}")
    elif isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in [*expected, *(each for each in found if each not in expected)]:
            place = f"{where}.{name}"
            if name not in found or name not in expected:
                differences.values.append(f"{place} is {'missing' if name not in found else 'new'}")
            elif not _is_left_out(name):
                compare_trees(found[name], expected[name], differences, where=place)
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(found) != len(expected):
            differences.values.append(f"{where}: {len(found)} entries for {len(expected)}")
        for number, pair in enumerate(zip(found, expected, strict=False)):
            compare_trees(*pair, differences, where=f"{where}[{number}]")
    elif isinstance(expected, float) and isinstance(found, float):
        differences.bits += _differing_bits(struct.pack("d", found), struct.pack("d", expected))
    elif type(found) is not type(expected) or found != expected:
        differences.values.append(f"{where}: {found!r:.60} for {expected!r:.60}")


def compare_rows(
    found: list[dict[str, Any]], expected: list[dict[str, Any]], differences: Differences
) -> None:
    """Add how the rows of two runs differ: each update, evaluation and epoch stands once, in one order."""
    differences.num_rows += len(expected)
    keys, others = ([(row.get("kind"), row.get("train_iter")) for row in rows] for rows in (found, expected))
    differences.missing += (Counter(others) - Counter(keys)).total()
    differences.doubled += (Counter(keys) - Counter(others)).total()
    if Counter(keys) == Counter(others) and keys != others:
        differences.rows.append("the rows stand in another order")
    numbers = dict(zip(others, expected, strict=True))
    for key, row in zip(keys, found, strict=True):
        if key in numbers and _without_clocks(row) != _without_clocks(numbers[key]):
            differences.rows.append(f"{key[0]} at {key[1]}")


def _rows(file: Path) -> list[dict[str, Any]]:
    # Strict on purpose: a line that is no JSON is a fault to be seen.
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _without_clocks(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not _is_left_out(name)}


def _is_left_out(name: Any) -> bool:
    return str(name).removesuffix("_avg").removesuffix("_val") in CLOCKS | NAMES


def _bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _differing_bits(found: bytes, expected: bytes) -> int:
    pair = [np.frombuffer(each, np.uint8) for each in (found, expected)]
    return int(np.unpackbits(pair[0] ^ pair[1]).sum())


def _form(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
