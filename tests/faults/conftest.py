"""What several faults need: a tiny trained network."""

from pathlib import Path

import pytest

from tests.conftest import write_pictures
from tests.harness import run_tiny


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of a network that knows four classes, and that any process can build."""
    root = tmp_path_factory.mktemp("tiny")
    for split, count in (("train", 10), ("val", 5)):
        write_pictures(root / split, classes=("ash", "birch", "cedar", "dogwood"), per_class=count)
    run_tiny(root, str(root / "run"), "policy.model.name=resnet18")
    return root / "run"
