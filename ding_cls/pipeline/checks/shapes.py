"""Does the network take the images of the datasets, and has batch normalization enough of them in an update.

Both are asked of the network itself, with black images, before anything is trained.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch

from ding_cls.data import TrainLoader
from ding_cls.distributed import get_world_size
from ding_cls.errors import ConfigError
from ding_cls.pipeline.build import check_network
from ding_cls.pipeline.datasets.input_checks import first_image
from ding_cls.policy import Policy

Shape = tuple[int, int, int]


def image_shape(cfg: Any, dataset: Any, split: str) -> Shape:
    """Return channels, height and width in pixels of a split's images, as the network sees them.

    Args:
        cfg: the compiled config.
        dataset: the split; one image of it is read where a dict describes it.
        split: 'train' or 'val'.

    Raises:
        DataError: the first sample cannot be loaded.
    """
    collect = cfg.policy.collect
    if not _is_described(cfg, split):
        return 3, collect.image_size, collect.image_size
    image = first_image(dataset, skips_bad=cfg.policy.learn.learner.dataloader.max_bad > 0)
    channels = image.shape[-1] if image.dtype == torch.uint8 else image.shape[0]
    height, width = image.shape[:2] if image.dtype == torch.uint8 else image.shape[1:]
    return int(channels), int(height), int(width)


def check_image_shapes(network: torch.nn.Module, cfg: Any, train_set: Any, eval_set: Any) -> None:
    """Check that a network takes the images of both sets, whatever their pipelines make of them.

    Raises:
        ConfigError: it does not: which images, how large they are, and what to change.
        DataError: a first sample cannot be loaded.
        ModelError: what comes out is not one logit for each class.
    """
    tried: set[Shape] = set()
    # Nothing is evaluated where one stands in for the other.
    sets = {"train": train_set} if eval_set is train_set else {"val": eval_set, "train": train_set}
    for split, dataset in sets.items():
        shape = image_shape(cfg, dataset, split)
        if shape not in tried:
            named = split if _is_described(cfg, split) else ""
            check_network(network, cfg, len(train_set.classes), shape=shape, split=named)
        tried.add(shape)


def _is_described(cfg: Any, split: str) -> bool:
    collect = cfg.policy.collect
    return not collect.synthetic and collect.get(split) is not None


def check_single_images(policy: Policy, cfg: Any, loader: TrainLoader) -> None:
    """Refuse batch normalization of a single value, where an update computes one image by itself.

    Raises:
        ConfigError: names the numbers that lead there.
    """
    learn, world_size = cfg.policy.learn, get_world_size()
    if loader.fewest // min(learn.accumulation_steps, loader.fewest) > 1:
        return
    network = policy.learn_mode.get_attribute("model")
    frozen = policy.learn_mode.get_attribute("always_frozen")
    norms = _norms_in_training(network, frozen, is_shared=world_size > 1)
    counts: list[int] = []
    hooks = [
        each.register_forward_pre_hook(lambda _, given: counts.append(given[0].numel() // given[0].shape[1]))
        for each in norms
    ]
    if hooks:
        shape = image_shape(cfg, loader.dataset, "train")
        check_network(network, cfg, len(loader.dataset.classes), shape=shape, split="train")
    for hook in hooks:
        hook.remove()
    if 1 in counts:
        whole = "policy.learn.learner.dataloader.drop_last=True"
        remedy = f"{whole}, " if learn.batch_size // learn.accumulation_steps > 1 else ""
        raise ConfigError(
            f"BatchNorm needs more than one value: {len(loader.dataset):,} training images in batches of "
            f"{learn.batch_size} (policy.learn.batch_size), {world_size} process(es) and "
            f"{learn.accumulation_steps} piece(s) a batch leave an update with a single image, and "
            f"{type(network).__name__} has one value for each channel of it; set a larger batch_size, fewer "
            f"accumulation_steps, {remedy}policy.learn.freeze, or a network without BatchNorm"
        )


def _norms_in_training(
    network: torch.nn.Module, frozen: Collection[str], *, is_shared: bool
) -> Sequence[torch.nn.Module]:
    """Return the batch normalizations that training takes statistics for from this process alone."""
    was_training = network.training
    network.train()
    for name in frozen:
        network.get_submodule(name).eval()
    shared = (torch.nn.SyncBatchNorm,) if is_shared else ()
    norms = [
        each
        for each in network.modules()
        if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)
        and each.training
        and not isinstance(each, shared)
    ]
    network.train(was_training)
    return norms
