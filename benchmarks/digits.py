"""Three tasks made of MNIST's digits: ``python benchmarks/digits.py [--tasks mnist labels strings]``.

Needs the environment variable DING_TEST_DATA, the folder of ``mnist_idx.tar``. Of each seed the epoch that is
best on validation pictures, which come from MNIST's training part, is judged, once, on the test pictures.
"""

import argparse
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import ding_cls

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "dizoo" / "image_classification" / "mnist"
# What decides which epoch is kept, and is told of the test pictures.
KEYS = {"mnist": "acc1", "labels": "mAP", "strings": "acc_string"}


def prepare(folder: Path, task: str, source: Path) -> None:
    """Write the pictures of a task where its recipe looks for them, below ``folder``."""
    data = folder / "data"
    if not (data / "mnist").is_dir():
        with tarfile.open(source / "mnist_idx.tar") as archive:
            archive.extractall(data, filter="data")
    if task != "mnist":
        script = str(ROOT / "examples" / "digit_scenes.py")
        words = [task, str(data / task), "--digits", str(data / "mnist")]
        subprocess.run([sys.executable, script, *words], check=True)


def train_once(task: str, seed: int, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a run in the current folder came to on the test pictures, and its seconds."""
    began, cpu_began = time.perf_counter(), _cpu_seconds()
    result = ding_cls.train(RECIPES / f"{task}_config.py", seed=seed, overrides=overrides)
    tested = ding_cls.evaluate(result.best_checkpoint, split="test")
    key = KEYS[task]
    return {
        "task": task,
        "seed": seed,
        "key": key,
        "epoch": result.best_epoch,
        "val": result.best[key],
        "test": tested[key],
        "tested": tested,
        "wall_s": time.perf_counter() - began,
        "cpu_s": _cpu_seconds() - cpu_began,
    }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page's table: one line a run, and after those of a task mean and standard deviation."""
    lines = [
        "| task | seed | kept epoch | validation % | test % | wall, s | CPU, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == task]
        lines += [
            f"| {task}: {row['key']} | {row['seed']} | {row['epoch']} | {row['val']:.2f} | {row['test']:.2f} "
            f"| {row['wall_s']:.0f} | {row['cpu_s']:.0f} |"
            for row in own
        ]
        if len(own) > 1:
            tests = [row["test"] for row in own]
            val, wall, cpu = (mean(row[name] for row in own) for name in ("val", "wall_s", "cpu_s"))
            spread = f"{mean(tests):.2f} ± {stdev(tests):.2f}"
            lines.append(f"| | mean | | {val:.2f} | {spread} | {wall:.0f} | {cpu:.0f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Train tasks and seeds one after the other, and print the table."""
    parser = argparse.ArgumentParser(description="three tasks made of MNIST's digits")
    parser.add_argument("--tasks", nargs="+", choices=list(KEYS), default=list(KEYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the config")
    arguments = parser.parse_args(argv)
    source = os.environ.get("DING_TEST_DATA")
    if not source:
        print("not run: DING_TEST_DATA is not set; it names the folder of mnist_idx.tar")
        return []
    before, rows = Path.cwd(), []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for task in arguments.tasks:
                prepare(Path(folder), task, Path(before, source))
                rows += [train_once(task, seed, arguments.overrides) for seed in arguments.seeds]
        finally:
            os.chdir(before)
    print(f"\n{table(rows)}\n")
    for row in rows:
        print(f"{row['task']}, seed {row['seed']}: {row['tested']}")
    print(
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, ding_cls {ding_cls.__version__}"
    )
    return rows


if __name__ == "__main__":
    main()
