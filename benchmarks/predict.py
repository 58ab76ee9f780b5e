"""``predict`` beside a bare loop of the same decoding, transform and network: ``benchmarks/predict.py``.

Needs the environment variable DING_TEST_DATA, the folder of ``flowers5_500_50_250.tar`` and ``weights.tar``.
Both run in one process, in turns, so that a busy machine slows both; the ratio of the medians counts.
"""

import argparse
import os
import platform
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

import ding_cls
from ding_cls.inference import Predictor, find_images

WEIGHTS = "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"


class BareImages(torch.utils.data.Dataset[torch.Tensor]):
    """Files, decoded by Pillow and transformed by torchvision, as anybody would write it."""

    def __init__(self, paths: list[str], resize_size: int) -> None:
        self._paths = paths
        self._transform = v2.Compose(
            [
                v2.Resize(resize_size, antialias=True),
                v2.CenterCrop(224),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self._paths[index]) as image:
            pixels: torch.Tensor = self._transform(image.convert("RGB"))
        return pixels


def bare(predictor: Predictor, paths: list[str], *, batch_size: int, num_workers: int) -> torch.Tensor:
    """Return the probabilities of a loop that does nothing else."""
    images = BareImages(paths, predictor.preprocessing.resize_size)
    loader = DataLoader(images, batch_size=batch_size, num_workers=num_workers)
    with torch.inference_mode():
        return torch.cat([predictor.model(images.to(predictor.device)).softmax(1).cpu() for images in loader])


def ours(predictor: Predictor, paths: list[str], *, batch_size: int, num_workers: int) -> torch.Tensor:
    """Return the probabilities of the library's records."""
    records = predictor(paths, batch_size=batch_size, num_workers=num_workers)
    return torch.stack([torch.from_numpy(each.probabilities) for each in records])


def measure(predictor: Predictor, paths: list[str], *, num_workers: int, repeats: int) -> dict[str, float]:
    """Return images per second of both, whose probabilities must be equal."""
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for number in range(repeats + 1):
        found = {}
        for name, predict in (("bare", bare), ("ours", ours)):
            began = time.perf_counter()
            found[name] = predict(predictor, paths, batch_size=32, num_workers=num_workers)
            # The first round fills caches.
            if number:
                times[name].append(time.perf_counter() - began)
        assert torch.allclose(found["bare"], found["ours"], atol=1e-5)
    return {name: len(paths) / median(each) for name, each in times.items()}


def main() -> None:
    """Print images per second of both, and their ratio, for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=250)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments = parser.parse_args()
    source = Path(os.environ["DING_TEST_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        for name in ("flowers5_500_50_250.tar", "weights.tar"):
            with tarfile.open(source / name) as archive:
                archive.extractall(folder, filter="data")
        predictor = ding_cls.load(next(Path(folder).rglob(WEIGHTS)), model="mobilenet_v2")
        paths = find_images([folder])[-arguments.images :]
        print(
            f"MobileNetV2, 224 px, {len(paths)} JPEG images, batches of 32, on {predictor.device}; torch "
            f"{torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads, "
            f"Python {platform.python_version()}; medians of {arguments.repeats}"
        )
        for num_workers in arguments.workers:
            rates = measure(predictor, paths, num_workers=num_workers, repeats=arguments.repeats)
            print(
                f"{num_workers} workers: bare {rates['bare']:.1f} images/s, ours {rates['ours']:.1f}, "
                f"ratio {rates['ours'] / rates['bare']:.3f}"
            )


if __name__ == "__main__":
    main()
