"""The main job against a plain PyTorch loop, written out here: twenty steps, equal to the last bit."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from torchvision.models import resnet18
from torchvision.transforms import v2

from ding_cls.common.seed import Stream, derive_seed
from ding_cls.config import apply_overrides
from ding_cls.data import SyntheticDataset
from ding_cls.worker import BaseLearner
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config
from dizoo.image_classification.entry.imagenet_res18_main import main
from tests.conftest import write_pictures

STEPS, BATCH, SEED, SIZE = 20, 8, 3, 32
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SETTINGS = (
    "policy.model.num_classes=4",
    f"policy.collect.image_size={SIZE}",
    f"policy.collect.resize_size={SIZE}",
    f"policy.learn.batch_size={BATCH}",
    "policy.learn.train_epoch=4",
    "policy.learn.warmup_epoch=2",
    "policy.learn.decay_epoch=3",
    f"policy.learn.learner.train_iterations={STEPS}",
    "policy.learn.learner.log_show_freq=1",
    "policy.learn.learner.dataloader.num_workers=0",
)


def rate(position: float) -> float:
    """Warm-up from 1e-4 to 0.01 over two epochs, then a tenth after every third epoch."""
    if position < 2:
        return 1e-4 + (0.01 - 1e-4) * position / 2
    return 0.01 * 0.1 ** math.floor(position / 3)


def plain_loop(images_of: Any, num_samples: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Train torchvision's own ResNet-18 with nothing but torch; return losses and weights.

    Args:
        images_of: (epoch, index) -> (normalised float CHW image, class number).
        num_samples: length of the data set.
    """
    torch.manual_seed(SEED)
    model = resnet18(num_classes=4).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    per_epoch = math.ceil(num_samples / BATCH)
    size, num_larger = divmod(num_samples, per_epoch)
    losses = []
    for step in range(STEPS):
        epoch, batch = divmod(step, per_epoch)
        order = torch.Generator().manual_seed(derive_seed(Stream.ORDER, SEED, epoch))
        begin = batch * size + min(batch, num_larger)
        end = begin + size + (batch < num_larger)
        chosen = torch.randperm(num_samples, generator=order).tolist()[begin:end]
        pairs = [images_of(epoch, index) for index in chosen]
        images = torch.stack([image for image, _ in pairs])
        targets = torch.tensor([target for _, target in pairs])
        for group in optimizer.param_groups:
            group["lr"] = rate(step / per_epoch)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model.state_dict()


def run_main(monkeypatch: pytest.MonkeyPatch, *settings: str) -> tuple[list[float], dict[str, torch.Tensor]]:
    losses = []
    train = BaseLearner.train

    def recording(self: BaseLearner, data: Any, *args: Any, **kwargs: Any) -> None:
        train(self, data, *args, **kwargs)
        losses.append(float(self.monitor.__dict__["_values"]["total_loss"][-1]))

    monkeypatch.setattr(BaseLearner, "train", recording)
    result = main(apply_overrides(imagenet_res18_config, [*SETTINGS, *settings]), SEED)
    return losses, result.model.state_dict()


def assert_equal(found: Any, expected: Any) -> None:
    assert len(found[0]) == STEPS
    assert found[0] == expected[0]
    assert found[1].keys() == expected[1].keys()
    assert all(torch.equal(found[1][name], expected[1][name]) for name in expected[1])


# Six batches of 8; and of 8, 8, 8, 7, 7 and 7, so that each epoch shows all.
@pytest.mark.parametrize("num_samples", [pytest.param(48, marks=pytest.mark.slow), 45])
def test_twenty_steps_on_synthetic_data_equal_a_plain_loop(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, num_samples: int
) -> None:
    normalise = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    dataset = SyntheticDataset(num_samples, 4, SIZE, seed=SEED)

    def images_of(epoch: int, index: int) -> tuple[torch.Tensor, int]:
        pixels, target = dataset.load(index)
        return normalise(pixels.permute(2, 0, 1)), target

    found = run_main(
        monkeypatch,
        "policy.collect.synthetic=True",
        f"policy.collect.synthetic_samples={num_samples}",
        "policy.collect.synthetic_eval_samples=8",
    )
    assert_equal(found, plain_loop(images_of, num_samples))


@pytest.mark.slow
def test_twenty_steps_on_augmented_pictures_equal_a_plain_loop(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    names = ("a", "b", "c", "d")
    root = write_pictures(workdir / "train", classes=names, per_class=12, size_px=40)
    write_pictures(workdir / "val", classes=names, per_class=2, size_px=40)
    files = [(path, target) for target, name in enumerate(names) for path in sorted((root / name).iterdir())]
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )

    def images_of(epoch: int, index: int) -> tuple[torch.Tensor, int]:
        path, target = files[index]
        torch.manual_seed(derive_seed(Stream.AUGMENT, SEED, epoch, index))
        return transform(Image.open(path).convert("RGB")), target

    found = run_main(
        monkeypatch,
        f"policy.collect.learn_data_path={workdir / 'train'}",
        f"policy.collect.eval_data_path={workdir / 'val'}",
    )
    assert_equal(found, plain_loop(images_of, 48))
