"""Export of the usual families, judged on 800 photographs: ``python benchmarks/export.py``.

Needs the environment variable DING_TEST_DATA, the folder of ``flowers5_500_50_250.tar`` and ``weights.tar``.

Each network is exported, and the gate compares it with its file on all images. Then half the channels of a
middle layer of the file are negated, and the gate must refuse it and name that layer's node. Two networks
have real weights. Of the others the weights are random, and the last layer is fitted to photographs, so that
classes, and logits, are unlike each other. Statistics of BatchNorm stay as they begin: fitted to few
photographs they blow up another one, whose logits torch itself then has no nearer than 3e-4 (by float64).
"""

import argparse
import os
import platform
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper
from torch import nn

import ding_cls
from ding_cls.export import export_onnx
from ding_cls.export.checking.equality import EqualityReport, check_equality
from ding_cls.inference import Predictor, find_images
from ding_cls.inference.loading import library_preprocessing
from ding_cls.models import build_model

ARCHIVES = ("flowers5_500_50_250.tar", "weights.tar")
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
REAL = {
    "mobilenet_v2": "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth",
    "squeezenet1_0": "squeezenet1_0_deepcompression.torchvision.fp16.pth",
}
FITTED = (
    "resnet18",
    "resnet50",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "convnext_tiny",
    "timm/vit_small_patch16_224",
    "swin_t",
    "torchvision.resnet18",
    "torchvision.resnet50",
)


def fitted(name: str, images: Sequence[str]) -> Predictor:
    """Return a predictor of a network with random weights whose last layer is fitted to images.

    Scales that begin at 0 or 1e-6 are drawn anew: with these, parts of a network have no say.

    Args:
        name: as ``build_model`` takes it; or torchvision's own network of that name.
        images: files whose folder is their class.
    """
    torch.manual_seed(0)
    library = name.removeprefix("torchvision.")
    if library == name:
        network = build_model(name, num_classes=len(CLASSES))
    else:
        network = torchvision.models.get_model(library, num_classes=len(CLASSES))
    with torch.no_grad():
        for part, values in network.named_parameters():
            is_scale = part.endswith(("layer_scale", "gamma", "weight"))
            if is_scale and values.abs().max() < 1e-4:
                values.uniform_(0.2, 1)
    predictor = Predictor(network, library_preprocessing(library), CLASSES, device="cpu")
    pixels = torch.stack([predictor.preprocess(each) for each in images])
    labels = torch.tensor([CLASSES.index(Path(each).parent.name) for each in images])
    layer = [each for each in network.modules() if isinstance(each, nn.Linear)][-1]
    features: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].detach()))
    with torch.no_grad():
        for batch in pixels.split(25):
            network(batch)
        handle.remove()
        fit_linear(layer, torch.cat(features), labels)
    return predictor


def fit_linear(layer: nn.Linear, features: torch.Tensor, labels: torch.Tensor) -> None:
    """Set a layer to the ridge regression from features ``(N, D)`` to +4 for the class and -1 for others."""
    wide = features.double()
    mean = wide.mean(0)
    centred = wide - mean
    targets = 5 * nn.functional.one_hot(labels, layer.out_features).double() - 1
    kernel = centred @ centred.T
    ridge = kernel.diagonal().mean() * torch.eye(len(kernel)).double()
    weight = (centred.T @ torch.linalg.solve(kernel + ridge, targets - targets.mean(0))).T
    layer.weight.copy_(weight)
    layer.bias.copy_(targets.mean(0) - weight @ mean)


def sabotage(file: Path, out: Path) -> str:
    """Write a file with half the channels of a middle layer negated, and return the node that they are of."""
    model = onnx.load(file)
    sizes = {each.name: len(each.dims) for each in model.graph.initializer}
    users = [
        (node, name)
        for node in model.graph.node
        for name in node.input[1:2]
        if node.op_type in ("Conv", "MatMul", "Gemm") and sizes.get(name, 0) >= 2
    ]
    node, name = users[len(users) // 2]
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    values = numpy_helper.to_array(tensor).copy()
    axis = -1 if node.op_type == "MatMul" else 0
    channels = np.moveaxis(values, axis, 0)
    channels[: len(channels) // 2] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, out)
    return node.name


def spread(predictor: Predictor, images: Sequence[str]) -> float:
    """Return the mean standard deviation of a class's logit over images."""
    with torch.inference_mode():
        logits = predictor.model(torch.stack([predictor.preprocess(each) for each in images]))
    return float(logits.std(0).mean())


def row(name: str, build: Callable[[], Predictor], images: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return what came of one network."""
    predictor = build()
    good, bad = folder / "good.onnx", folder / "bad.onnx"
    began = time.perf_counter()
    report: EqualityReport = export_onnx(predictor, good, images=list(images))
    seconds = time.perf_counter() - began
    node = sabotage(good, bad)
    refused = check_equality(predictor, bad, list(images[::80]))
    return {
        "network": name,
        "weights": "real" if name in REAL else "fitted",
        "spread": spread(predictor, images[::40]),
        "report": report,
        "seconds": seconds,
        "megabytes": good.stat().st_size / 1e6,
        "refused": not refused.is_equal,
        "named": re.search(rf"\b{re.escape(node)}\b", refused.differing_node) is not None,
        "line": refused.differing_node,
    }


def line(found: dict[str, Any]) -> str:
    """Return a row of the table."""
    report: EqualityReport = found["report"]
    cells = (
        found["network"],
        found["weights"],
        f"{report.num_images}",
        f"{found['spread']:.2f}",
        f"{report.max_logit:.1f}",
        f"{report.max_difference:.1e}",
        f"{report.num_different}",
        f"{report.torch_rate:.1f}",
        f"{report.rate:.1f}",
        f"{report.rate / report.torch_rate:.2f}",
        f"{found['megabytes']:.1f}",
        ("refused" if found["refused"] else "NOT REFUSED")
        + (", its node named" if found["named"] else f", another node named: {found['line']}"),
    )
    return f"| {' | '.join(cells)} |"


PAGE = Path(__file__).resolve().parents[1] / "docs" / "export.md"
BEGIN, END = "<!-- table of families, written by the benchmark -->", "<!-- end of the table -->"

HEAD = """\
| network | weights | images | spread of a logit | largest logit | largest difference | other first class | \
torch, images/s | ONNX Runtime, images/s | ratio | MB | half a layer negated |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def write_rows(lines: Sequence[str], page: Path = PAGE) -> None:
    """Enter rows in the table of a page; those of other networks stay."""
    before, _, rest = page.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    rows = {each.split("|")[1].strip(): each for each in [*old.splitlines(), *lines] if each.startswith("| ")}
    kept = [rows[name] for name in (*REAL, *FITTED) if name in rows]
    page.write_text("\n".join([f"{before}{BEGIN}", HEAD, *kept, f"{END}{after}"]))


def builders(source: Path, images: Sequence[str]) -> dict[str, Callable[[], Predictor]]:
    """Return what makes each predictor, by its name."""
    training = [each for each in images if "/train/" in each][::8]
    real = {
        name: (lambda name=name, file=file: ding_cls.load(next(source.rglob(file)), model=name, device="cpu"))
        for name, file in REAL.items()
    }
    return real | {name: (lambda name=name: fitted(name, training)) for name in FITTED}


def main(words: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Print a row for each network, and return them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=[*REAL, *FITTED], default=[*REAL, *FITTED])
    parser.add_argument("--write", action="store_true", help="enter the rows in docs/export.md")
    arguments = parser.parse_args(words)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for archive in ARCHIVES:
            with tarfile.open(Path(os.environ["DING_TEST_DATA"], archive)) as file:
                file.extractall(folder, filter="data")
        images = find_images([next(folder.rglob("flowers5"))])
        build = builders(folder, images)
        print(
            f"{len(images)} photographs, batches of 1, 2, 7 and 32, {torch.get_num_threads()} threads of the "
            f"CPU; torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, onnx "
            f"{onnx.__version__}, torchvision {torchvision.__version__}, Python {platform.python_version()}\n"
        )
        print(HEAD)
        for network in arguments.networks:
            rows.append(row(network, build[network], images, folder))
            print(line(rows[-1]), flush=True)
    if arguments.write:
        write_rows(list(map(line, rows)))
    return rows


if __name__ == "__main__":
    main()
