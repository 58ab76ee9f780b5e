"""What the recipes that ship reach, each beside a plain torch loop: ``python benchmarks/defaults.py``.

Needs the environment variable DING_TEST_DATA, the folder of the archives in ``ARCHIVES``. Every run is the
one-liner ``ding-cls train --data DIR --model NAME [--pretrained FILE] --epochs N``, nothing tuned; the epoch
that is best on the validation images is judged, once, on the test images. The plain loop makes the same
passes over the same images. Finished runs lie in ``docs/defaults.jsonl`` and are not repeated (delete
a line to repeat its run); the table in ``docs/defaults.md`` is drawn from them.
"""

import argparse
import gzip
import json
import os
import platform
import shutil
import struct
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision import datasets
from torchvision.transforms import v2

import ding_cls
from ding_cls.models import build_model

ARCHIVES = ("flowers5_500_50_250.tar", "weights.tar", "cifar10_lossless_4k_1k.npz", "mnist_idx.tar")
DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS, PAGE = DOCS / "defaults.jsonl", DOCS / "defaults.md"
BEGIN, END = "<!-- table, written by benchmarks/defaults.py -->", "<!-- end of the table -->"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MNIST_TRAIN = 50_000
OURS, PLAIN = "ding_cls", "plain loop"


@dataclass(frozen=True)
class Case:
    """A network and a data set, trained for some epochs.

    Attributes:
        name: what the table calls it.
        data: folder below the working folder.
        model: the network's name.
        epochs: epochs.
        weights: file of weights below the working folder, or the case whose network it begins with.
        size_px: side of the images, of 32 px ones too; 224 is what the one-liner takes.
        seeds: which are run.
        plain_seeds: which are run of the plain loop.
    """

    name: str
    data: str
    model: str
    epochs: int
    weights: str = ""
    size_px: int = 224
    seeds: Sequence[int] = (0, 1, 2)
    plain_seeds: Sequence[int] = (0, 1, 2)

    @property
    def overrides(self) -> list[str]:
        """The words beside the options."""
        if self.size_px == 224:
            return []
        return [f"policy.collect.{name}={self.size_px}" for name in ("image_size", "resize_size")]

    @property
    def command(self) -> str:
        """The command line, as a user types it."""
        pretrained = [f"--pretrained {Path(self.weights).name}"] if self.weights else []
        words = [f"--data {self.data} --model {self.model}", *pretrained, f"--epochs {self.epochs}"]
        return " ".join(["ding-cls train", *words, *self.overrides])


MOBILENET = "weights/mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"
SQUEEZENET = "weights/squeezenet1_0_deepcompression.torchvision.fp16.pth"
CASES = (
    Case("MobileNetV2, flowers", "flowers5", "mobilenet_v2", 5, MOBILENET, plain_seeds=(0,)),
    Case("SqueezeNet 1.0, flowers", "flowers5", "squeezenet1_0", 5, SQUEEZENET, seeds=(0,), plain_seeds=(0,)),
    Case("ResNet-18, MNIST 500", "mnist500", "resnet18", 6, size_px=32),
    Case("ResNet-18, MNIST 50", "mnist50", "resnet18", 30, size_px=32),
    Case("ResNet-18, CIFAR-10 3,600", "cifar4k", "resnet18", 5, size_px=32, seeds=(0,), plain_seeds=(0,)),
    Case(
        "ResNet-18 of CIFAR-10, MNIST 500",
        "mnist500",
        "resnet18",
        5,
        "ResNet-18, CIFAR-10 3,600",
        size_px=32,
    ),
    Case("ResNet-18, MNIST 50,000", "mnist50000", "resnet18", 1, size_px=32, seeds=(0,), plain_seeds=(0,)),
)


def prepare(folder: Path, source: Path, cases: Sequence[Case]) -> None:
    """Write the data sets of some cases as folders of images, and the weights, below ``folder``."""
    for name in ("flowers5_500_50_250.tar", "weights.tar"):
        with tarfile.open(source / name) as archive:
            archive.extractall(folder, filter="data")
    names = {each.data for each in cases}
    if "cifar4k" in names:
        _write_cifar(folder / "cifar4k", source)
    counts = sorted(int(each.removeprefix("mnist")) for each in names if each.startswith("mnist"))
    if counts:
        _write_mnist(folder, source, counts)


def _write_cifar(folder: Path, source: Path) -> None:
    with np.load(source / "cifar10_lossless_4k_1k.npz") as arrays:
        names = [str(each) for each in arrays["classes"]]
        images, labels = arrays["x_train"], arrays["y_train"]
        _write(folder / "train", images[:3600], labels[:3600], names)
        _write(folder / "val", images[3600:], labels[3600:], names)
        _write(folder / "test", arrays["x_test"], arrays["y_test"], names)


def _write_mnist(folder: Path, source: Path, counts: Sequence[int]) -> None:
    """Write data sets of so many training images, validated on 1,000 others and tested on 2,000."""
    with tarfile.open(source / "mnist_idx.tar") as archive:
        archive.extractall(folder, filter="data")
    files = {each.name: each for each in folder.rglob("*ubyte.gz")}
    images, labels = (_idx(files[f"train-{name}-ubyte.gz"]) for name in ("images-idx3", "labels-idx1"))
    tests = [_idx(files[f"t10k-{name}-ubyte.gz"]) for name in ("images-idx3", "labels-idx1")]
    digits = [str(each) for each in range(10)]
    classes = [np.flatnonzero(labels[:MNIST_TRAIN] == each) for each in range(10)]
    for count in counts:
        chosen = np.concatenate([each[: count // 10] if count < MNIST_TRAIN else each for each in classes])
        _write(folder / f"mnist{count}/train", images[chosen], labels[chosen], digits)
        _write(folder / f"mnist{count}/val", images[MNIST_TRAIN:][:1000], labels[MNIST_TRAIN:][:1000], digits)
        _write(folder / f"mnist{count}/test", tests[0][:2000], tests[1][:2000], digits)


def _write(folder: Path, images: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / names[label] / f"{number:05d}.png")


def _idx(file: Path) -> np.ndarray:
    content = gzip.decompress(file.read_bytes())
    shape = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def train_ours(case: Case, seed: int, folder: Path, *, workers: int) -> dict[str, Any]:
    """Return what the one-liner comes to."""
    result = ding_cls.train(
        None,
        data=folder / case.data,
        model=case.model,
        pretrained=_weights(case, folder, workers) or False,
        epochs=case.epochs,
        seed=seed,
        exp_name=str(folder / "runs" / f"{case.name}_{seed}"),
        overrides=[*case.overrides, f"policy.learn.learner.dataloader.num_workers={workers}"],
    )
    if seed == case.seeds[0]:
        torch.save(result.model.state_dict(), _kept(case.name, folder))
    tested = ding_cls.evaluate(result.best_checkpoint, split="test")
    shutil.rmtree(result.run_folder)
    valid = [row["val_acc1"] for row in result.history]
    return {"test": tested["acc1"], "valid": valid, "num_test": tested["num_samples"]}


def train_plainly(case: Case, seed: int, folder: Path, *, workers: int) -> dict[str, Any]:
    """Return what a plain loop comes to: SGD with Nesterov momentum, one rate for all layers, cosine.

    The rate is one that many begin with: 0.05 from random weights, 0.01 from others; batches of 32 images;
    the crops are the recipe's, so that the optimizer is what differs.
    """
    torch.manual_seed(seed)
    normalize = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    crop = v2.RandomResizedCrop(case.size_px, scale=(0.08 if case.weights else 0.35, 1.0), antialias=True)
    resize = [v2.Resize(256 if case.size_px == 224 else case.size_px), v2.CenterCrop(case.size_px)]
    parts = {
        "train": datasets.ImageFolder(
            folder / case.data / "train", v2.Compose([crop, v2.RandomHorizontalFlip(), *normalize])
        )
    }
    for split in ("val", "test"):
        found = next(each for each in (split, "valid") if (folder / case.data / each).is_dir())
        parts[split] = datasets.ImageFolder(folder / case.data / found, v2.Compose([*resize, *normalize]))
    network = build_model(
        case.model,
        num_classes=len(parts["train"].classes),
        pretrained=_weights(case, folder, workers) or False,
    )
    rate = 0.01 if case.weights else 0.05
    settings = {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}
    optimizer = torch.optim.SGD(network.parameters(), rate, **settings)
    loader = torch.utils.data.DataLoader(
        parts["train"], 32, shuffle=True, num_workers=workers, drop_last=False
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, case.epochs * len(loader))
    valid, best, tested = [], -1.0, 0.0
    for _ in range(case.epochs):
        network.train()
        for images, targets in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), targets).backward()
            optimizer.step()
            schedule.step()
        valid.append(_accuracy(network, parts["val"], workers))
        if valid[-1] > best:
            best, tested = valid[-1], _accuracy(network, parts["test"], workers)
    return {"test": tested, "valid": valid, "num_test": len(parts["test"])}


@torch.no_grad()
def _accuracy(network: nn.Module, dataset: Any, workers: int) -> float:
    network.eval()
    loader = torch.utils.data.DataLoader(dataset, 100, num_workers=workers)
    right = sum(int((network(images).argmax(1) == targets).sum()) for images, targets in loader)
    return 100 * right / len(dataset)


def _weights(case: Case, folder: Path, workers: int) -> Path | None:
    """Return the file of weights that a case begins with; another case's network is trained if need be."""
    if not case.weights or "/" in case.weights:
        return folder / case.weights if case.weights else None
    kept = _kept(case.weights, folder)
    if not kept.is_file():
        base = next(each for each in CASES if each.name == case.weights)
        train_ours(base, base.seeds[0], folder, workers=workers)
    return kept


def _kept(name: str, folder: Path) -> Path:
    return folder / f"{name}.pth"


def rows() -> Iterator[dict[str, Any]]:
    """Yield what was measured before."""
    if RESULTS.is_file():
        yield from map(json.loads, RESULTS.read_text().splitlines())


def measure(folder: Path, cases: Sequence[Case], *, workers: int) -> None:
    """Run what has not been run yet, one after the other."""
    done = {(row["case"], row["seed"], row["who"]) for row in rows()}
    for case in cases:
        for who, program, seeds in (
            (OURS, train_ours, case.seeds),
            (PLAIN, train_plainly, case.plain_seeds),
        ):
            for seed in (each for each in seeds if (case.name, each, who) not in done):
                began, cpu_began = time.perf_counter(), _cpu_seconds()
                row = {"case": case.name, "seed": seed, "who": who}
                row |= program(case, seed, folder, workers=workers)
                row |= {
                    "wall_s": round(time.perf_counter() - began),
                    "cpu_s": round(_cpu_seconds() - cpu_began),
                    "where": _where(),
                }
                with RESULTS.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _where() -> str:
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {torch.get_num_threads()} threads; Python "
        f"{platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}"
    )


def table() -> str:
    """Return the page's table, a line for each case, and what it was measured on."""
    lines = [
        "| network, data | epochs | n | validation % by epoch | largest fall | test % "
        "| plain loop: n, test % | CPU, s: ours, plain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    found = list(rows())
    for case in CASES:
        ours, plain = (
            [r for r in found if (r["case"], r["who"]) == (case.name, who)] for who in (OURS, PLAIN)
        )
        if not ours:
            continue
        epochs = [mean(each) for each in zip(*(row["valid"] for row in ours), strict=True)]
        shown = epochs if len(epochs) <= 6 else [*epochs[:3], *epochs[-2:]]
        valid = ", ".join(f"{each:.1f}" for each in shown)
        fall = max(a - b for row in ours for a, b in zip([0, *row["valid"]], row["valid"], strict=False))
        lines.append(
            f"| {case.name} | {case.epochs} | {len(ours)} | {valid} | {max(fall, 0):.1f} | {_spread(ours)} "
            f"| {len(plain)}: {_spread(plain)} | {', '.join(_seconds(each) for each in (ours, plain))} |"
        )
    commands = [case.command for case in CASES if any(row["case"] == case.name for row in found)]
    where = sorted({row["where"] for row in found})
    return "\n".join([*lines, "", "```bash", *commands, "```", "", f"Measured on {' and '.join(where)}."])


def _spread(found: Sequence[dict[str, Any]]) -> str:
    tests = [row["test"] for row in found]
    if not tests:
        return ""
    return f"{mean(tests):.1f}" + (f" ± {stdev(tests):.1f}" if len(tests) > 1 else "")


def _seconds(found: Sequence[dict[str, Any]]) -> str:
    return f"{mean(row['cpu_s'] for row in found):.0f}" if found else ""


def write_table() -> None:
    """Put the table between its two marks in the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write the table."""
    parser = argparse.ArgumentParser(description="measure the recipes that ship")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their names")
    parser.add_argument("--table", action="store_true", help="write the table; measure nothing")
    parser.add_argument("--workers", type=int, default=2, help="loader processes")
    arguments = parser.parse_args(argv)
    if not arguments.table:
        source = os.environ.get("DING_TEST_DATA")
        if not source:
            print("not run: DING_TEST_DATA is not set; it names the folder of", ", ".join(ARCHIVES))
            return
        with tempfile.TemporaryDirectory() as folder:
            cases = [each for each in CASES if arguments.only in each.name]
            bases = [each for each in CASES if each.name in {case.weights for case in cases}]
            prepare(Path(folder), Path(source), [*cases, *bases])
            measure(Path(folder), cases, workers=arguments.workers)
    write_table()


if __name__ == "__main__":
    main()
