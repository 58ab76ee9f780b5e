"""An evaluation on several processes: the same result, and the same files to the last byte."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.distributed import dist_init
from ding_cls.pipeline import evaluate
from tests.distributed.ranks import free_port, run_ranks
from tests.harness import run_tiny, tiny_parts

ALONE = "policy.learn.learner.dataloader.num_workers=0"
METRICS: list[Any] = [None, ["confusion", "recall"], ["auroc", "f1"], {"type": "t_evaluated", "scale": 1.0}]


def evaluate_all(folder: str, mark: str, ports: list[int]) -> list[dict[str, Any]]:
    """Evaluate by each metric into each kind of file; every process group ends with its evaluation."""
    os.chdir(folder)
    from tests.pipeline import test_evaluate  # noqa: F401 (it enters a metric)

    found = []
    for number, (metric, ending) in enumerate(zip(METRICS, ("csv", "json", "npz", "npz"), strict=True)):
        if number and ports:
            os.environ["MASTER_PORT"] = str(ports[number])
            dist_init("gloo", timeout=60)
        out = f"{mark}_{number}.{ending}"
        found.append(evaluate("run", metric=metric, out=out, overrides=["policy.cuda=False"]))
    return found


@pytest.mark.dist
@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_files(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "run", ALONE, tiny_parts("LinearClsHead", in_channels=8))
    # 19 images: no number of processes divides them.
    (picture_folder / "val" / "fir" / "004.png").unlink()
    alone = evaluate_all(str(workdir), "1", [])
    assert {"acc1", "recall_macro"} <= set(json.loads(Path("1_1.json").read_text())["intervals"])
    for world_size in (2, 3):
        ports = [free_port() for _ in METRICS]
        ranks = run_ranks(evaluate_all, world_size, str(workdir), str(world_size), ports)
        for found in ranks:
            assert found == [pytest.approx(each, abs=1e-12) for each in alone[:1]] + alone[1:]
        for name in ("0.csv", "1.json"):
            assert Path(f"{world_size}_{name}").read_bytes() == Path(f"1_{name}").read_bytes()
        for name in ("2.npz", "3.npz"):
            expected, given = np.load(f"1_{name}"), np.load(f"{world_size}_{name}")
            assert sorted(given) == ["logits", "sample_ids", "targets"]
            assert all((given[each] == expected[each]).all() for each in given)
            assert given["sample_ids"].tolist() == list(range(19))


def evaluate_mirrored(folder: str, mark: str) -> dict[str, Any]:
    os.chdir(folder)
    return evaluate("run", tta=True, out=f"{mark}.npz", overrides=["policy.cuda=False"])


@pytest.mark.dist
@pytest.mark.slow
def test_mirror_images_give_the_same_numbers_on_two_processes(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "run", ALONE, tiny_parts("LinearClsHead", in_channels=8))
    (picture_folder / "val" / "fir" / "004.png").unlink()
    alone = evaluate_mirrored(str(workdir), "alone")
    assert run_ranks(evaluate_mirrored, 2, str(workdir), "two") == [pytest.approx(alone, abs=1e-12)] * 2
    expected, given = np.load("alone.npz"), np.load("two.npz")
    assert all((given[each] == expected[each]).all() for each in ("logits", "sample_ids", "targets"))
