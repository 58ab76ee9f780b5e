"""From a compiled config to data sets and a network."""

from typing import Any

import torch

from ding_cls.common.seed import torch_randomness
from ding_cls.data import ImageNetDataset, Preprocessing, SyntheticDataset, TrainAugmentation
from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import build_model, fetch_weights, load_pretrained

# Marks a network that was handed in: its name alone cannot build it again.
GIVEN = " (given)"

Datasets = tuple[ImageNetDataset | SyntheticDataset, ImageNetDataset | SyntheticDataset]


def preprocessing_of(cfg: Any) -> Preprocessing:
    """Return what a run's evaluation, and whoever uses its checkpoint later, does to a picture."""
    collect = cfg.policy.collect
    return Preprocessing(
        image_size=collect.image_size,
        resize_size=collect.resize_size,
        mean=tuple(collect.mean),
        std=tuple(collect.std),
    )


def build_datasets(cfg: Any) -> Datasets:
    """Return the training and the evaluation set; both number their classes by the training folder's list.

    Raises:
        DataError: a folder is missing or empty, or the evaluation folder has a class that training lacks.
    """
    collect = cfg.policy.collect
    if collect.synthetic:
        num_classes = cfg.policy.model.num_classes or 1000
        sizes = (collect.synthetic_samples, collect.synthetic_eval_samples)
        train_set, eval_set = (
            SyntheticDataset(size, num_classes, collect.image_size, seed=cfg.seed + number)
            for number, size in enumerate(sizes)
        )
        return train_set, eval_set
    augmentation = TrainAugmentation(
        image_size=collect.image_size,
        crop_scale=tuple(collect.crop_scale),
        crop_ratio=tuple(collect.crop_ratio),
        hflip=collect.hflip,
        mean=tuple(collect.mean),
        std=tuple(collect.std),
    )
    pictures = ImageNetDataset(collect.learn_data_path, True, augmentation)
    judged = ImageNetDataset(collect.eval_data_path, False, preprocessing_of(cfg), classes=pictures.classes)
    return pictures, judged


def build_network(cfg: Any, num_classes: int, *, load_weights: bool = True) -> tuple[torch.nn.Module, str]:
    """Return the network that ``policy.model`` names, and a line about the weights it begins with.

    Args:
        cfg: the compiled config.
        num_classes: classes in the data.
        load_weights: load what ``policy.model.pretrained`` asks for; a resumed run has its own weights.

    Raises:
        ConfigError: the config asks for another number of classes than the data have.
        ModelError: an unknown name, or weights that are missing or do not fit.
    """
    arguments = dict(cfg.policy.model)
    name, pretrained = arguments.pop("name"), arguments.pop("pretrained", False)
    wanted = arguments.pop("num_classes", None)
    if wanted is not None and wanted != num_classes:
        raise ConfigError(
            f"policy.model.num_classes is {wanted}, but the training data have {num_classes} classes; "
            "leave the key out to take the data's"
        )
    network = build_model(name, num_classes=num_classes, **arguments)
    check_network(network, cfg, num_classes)
    if not load_weights:
        return network, f"{name} with the weights of the checkpoint"
    if not pretrained:
        return network, f"{name} with random weights"
    report = load_pretrained(network, fetch_weights(name) if pretrained is True else pretrained)
    return network, f"{name}: {report}"


def check_network(network: torch.nn.Module, cfg: Any, num_classes: int) -> None:
    """Send one black picture through the network before anything is trained.

    Raises:
        ConfigError: the network cannot take pictures of this size.
        ModelError: what comes out is not one logit for each class.
    """
    name, size_px = type(network).__name__, cfg.policy.collect.image_size
    weight = next(network.parameters(), torch.zeros(()))
    picture = torch.zeros(1, 3, size_px, size_px, device=weight.device, dtype=weight.dtype)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch_randomness(0):
            logits = network(picture)
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{name} cannot take pictures of {size_px} px ({reason}); set policy.collect.image_size"
        ) from error
    finally:
        network.train(was_training)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (1, num_classes):
        raise ModelError(
            f"{name} turns one picture into {shape}; for {num_classes} classes it must be (1, {num_classes})"
        )
