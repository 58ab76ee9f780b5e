"""Hundreds of tiny runs: none of them needs its files to outlive the machine."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def no_files_that_stay(tmp_path: Path) -> Iterator[None]:
    """pytest keeps its folders; checkpoints of hundreds of runs are too much of that."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
