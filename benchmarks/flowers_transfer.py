"""Fine-tune MobileNetV2 on 500 photographs of five flowers: ``python benchmarks/flowers_transfer.py``.

Needs the environment variable DING_TEST_DATA, the folder of ``flowers5_500_50_250.tar`` and ``weights.tar``.
Three seeds; of each the better of the last two epochs on ``valid`` (50 pictures) is judged, once, on ``test``
(250). Earlier epochs do not compete: one picture of ``valid`` is 2 %, and folds of ``train`` say that the
last are better.
"""

import argparse
import os
import platform
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
import torchvision

import ding_cls

ARCHIVES = ("flowers5_500_50_250.tar", "weights.tar")
EPOCHS = 12
WEIGHTS = "weights/mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"


def recipe(weights: Path, epochs: int) -> dict[str, Any]:
    """Return the config.

    The early layers, up to 28 x 28 px, stay as they are: they cost the most and change the least. The rest
    learns with BatchNorm in training, because the statistics in the file of weights are approximate.
    Evaluation sees the whole shorter side, and larger than training does, whose crops enlarge what they show.

    Source: cosine schedule: SGDR, Loshchilov & Hutter 2017 (arXiv:1608.03983). Label smoothing: Szegedy et
    al. 2016, section 7 (arXiv:1512.00567). Random crops: Szegedy et al. 2014, section 6 (arXiv:1409.4842).
    MobileNetV2: Sandler et al. 2018 (arXiv:1801.04381). Larger pictures in evaluation: Fixing the train-test
    resolution discrepancy, Touvron et al. 2019 (arXiv:1906.06423).
    """
    crop = {"type": "RandomResizedCrop", "size": 224, "scale": [0.35, 1.0]}
    return {
        "exp_name": "runs/flowers_transfer",
        "policy": {
            "model": {"name": "mobilenet_v2", "pretrained": str(weights)},
            "learn": {
                "train_epoch": epochs,
                "batch_size": 32,
                "learning_rate": 0.005,
                "lr_schedule": "cosine",
                "warmup_epoch": 1,
                "warmup_lr": 0.0005,
                "label_smoothing": 0.1,
                "channels_last": True,
                "freeze": {"patterns": [f"features.{number}" for number in range(7)]},
                "learner": {"hook": {"save_ckpt_after_iter": False}},
            },
            "collect": {
                "train": {
                    "type": "ImageNet",
                    "pipeline": [{"type": "LoadImageFromFile"}, crop, {"type": "RandomFlip"}],
                },
                "image_size": 256,
                "resize_size": 256,
            },
            "eval": {"evaluator": {"eval_interval": 1, "start": max(epochs - 1, 1)}},
        },
    }


def train_once(data: Path, weights: Path, *, seed: int, epochs: int, workers: int) -> dict[str, float]:
    """Return accuracies, in percent, and wall and CPU seconds of a run with its test."""
    began, cpu_began = time.perf_counter(), _cpu_seconds()
    result = ding_cls.train(
        recipe(weights, epochs),
        data=data,
        seed=seed,
        overrides=[f"policy.learn.learner.dataloader.num_workers={workers}"],
    )
    tested = ding_cls.evaluate(result.best_checkpoint, split="test")
    return {
        "epoch": -1 if result.best_epoch is None else result.best_epoch,
        "valid": result.best["acc1"],
        "test": tested["acc1"],
        "wall_s": time.perf_counter() - began,
        "cpu_s": _cpu_seconds() - cpu_began,
    }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def table(rows: dict[int, dict[str, float]]) -> str:
    """Return the page's table: one line a seed, then mean and standard deviation."""
    lines = ["| seed | kept epoch | valid % | test % | wall, s | CPU, s |", "|---|---|---|---|---|---|"]
    for seed, row in rows.items():
        lines.append(
            f"| {seed} | {row['epoch']:.0f} | {row['valid']:.1f} | {row['test']:.1f} "
            f"| {row['wall_s']:.0f} | {row['cpu_s']:.0f} |"
        )
    tests = [row["test"] for row in rows.values()]
    spread = f" ± {stdev(tests):.1f}" if len(tests) > 1 else ""
    valid, wall, cpu = (mean(row[name] for row in rows.values()) for name in ("valid", "wall_s", "cpu_s"))
    lines.append(f"| mean | | {valid:.1f} | {mean(tests):.1f}{spread} | {wall:.0f} | {cpu:.0f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[int, dict[str, float]]:
    """Train the seeds one after the other, and print the table."""
    parser = argparse.ArgumentParser(description="fine-tune MobileNetV2 on five flowers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--workers", type=int, default=2, help="loader processes")
    arguments = parser.parse_args(argv)
    source = os.environ.get("DING_TEST_DATA")
    if not source:
        print("not run: DING_TEST_DATA is not set; it names the folder of", " and ".join(ARCHIVES))
        return {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ARCHIVES:
            with tarfile.open(Path(source, name)) as archive:
                archive.extractall(folder, filter="data")
        rows = {
            seed: train_once(
                Path(folder, "flowers5"),
                Path(folder, WEIGHTS),
                seed=seed,
                epochs=arguments.epochs,
                workers=arguments.workers,
            )
            for seed in arguments.seeds
        }
    print(f"\n{table(rows)}\n")
    print(
        f"{arguments.epochs} epochs; {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"{platform.machine()}; Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}, ding_cls {ding_cls.__version__}"
    )
    return rows


if __name__ == "__main__":
    main()
