"""Hundreds of tiny runs: none of them needs its files to outlive the machine."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["trains", pytest.param("resumes", marks=pytest.mark.slow)])
def resumes(request: pytest.FixtureRequest) -> bool:
    """Whether the run of an option is also killed and resumed: that is the slow tier's."""
    return bool(request.param == "resumes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what would be said twice: a case that is slow anyway trains where it resumes."""
    items[:] = [each for each in items if not (trains_alone(each) and each.get_closest_marker("slow"))]


def trains_alone(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    return spec is not None and spec.params.get("resumes") == "trains"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def no_files_that_stay(tmp_path: Path) -> Iterator[None]:
    """pytest keeps its folders; checkpoints of hundreds of runs are too much of that."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
