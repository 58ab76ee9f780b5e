"""From a compiled config to data sets and a network."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch

from ding_cls.common.seed import torch_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.data import SplitDataset, SyntheticDataset, TrainLoader
from ding_cls.distributed import get_world_size
from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import ImageClassifier, load_initial_weights, new_network, num_channels
from ding_cls.pipeline.datasets.dataset_cfg import inner_of
from ding_cls.pipeline.datasets.input_checks import check_normalization, note_image_size
from ding_cls.pipeline.datasets.splits import evaluation_set, names_folder, training_set
from ding_cls.policy import Policy

_LOGGER = logging.getLogger(__name__)


def build_datasets(
    cfg: Any, *, readable: Callable[[Any, Any], tuple[Any, Any]] | None = None
) -> tuple[Any, Any]:
    """Return the training and the evaluation set; both number their classes by the training set's list.

    Where dicts describe both, ``policy.collect.image_size`` of ``cfg`` follows their pictures.

    Args:
        cfg: the compiled config.
        readable: turns the two into those without the images that cannot be read; None: all can.

    Raises:
        ConfigError: a data set or a pipeline cannot be built.
        DataError: a folder is missing or empty, the evaluation set has a class that training lacks, or the
            two are normalised by different numbers.
    """
    collect = cfg.policy.collect
    if collect.synthetic:
        num_classes = next(iter(configured_num_classes(cfg).values()), 1000)
        sizes = (collect.synthetic_samples, collect.synthetic_eval_samples)
        train_set, eval_set = (
            SyntheticDataset(size, num_classes, collect.image_size, seed=cfg.seed + number)
            for number, size in enumerate(sizes)
        )
        return train_set, eval_set
    train_set = training_set(cfg)
    if not cfg.policy.eval.evaluator.validate and not names_folder(collect, "val"):
        # Nothing is evaluated: what stands in for the data is not read.
        return (train_set, train_set) if readable is None else readable(train_set, train_set)
    eval_set = evaluation_set(cfg, "val", train_set.classes)
    _warn_common_samples(collect, train_set, eval_set)
    if readable is not None:
        train_set, eval_set = readable(train_set, eval_set)
    check_normalization(cfg, train_set, eval_set)
    note_image_size(cfg, eval_set)
    return train_set, eval_set


def _warn_common_samples(collect: Any, train_set: Any, eval_set: Any) -> None:
    """Warn of samples that both parts of one data set hold: somebody has changed the shares of one alone."""
    if not (isinstance(train_set, SplitDataset) and isinstance(eval_set, SplitDataset)):
        return
    folders = {"train": collect.learn_data_path, "val": collect.eval_data_path}
    sources = [
        {"folder": folder, **inner_of(plain_copy(collect[split])), "pipeline": None, "test_mode": None}
        for split, folder in folders.items()
    ]
    common = len({*train_set.indices}.intersection(eval_set.indices))
    if common and sources[0] == sources[1]:
        _LOGGER.warning(
            "policy.collect: %s of the %s samples of val are trained on too; give train and val the same "
            "fractions, per_class, seed and grouped, and another part",
            f"{common:,}",
            f"{len(eval_set):,}",
        )


def build_network(cfg: Any, num_classes: int, *, load_weights: bool = True) -> tuple[torch.nn.Module, str]:
    """Return the network that ``policy.model`` describes, and a line about the weights it begins with.

    Args:
        cfg: the compiled config.
        num_classes: classes in the data.
        load_weights: load what ``policy.model.pretrained`` asks for; a resumed run has its own weights.

    Raises:
        ConfigError: the config asks for another number of classes than the data have.
        ModelError: an unknown name, or weights that are missing or do not fit.
    """
    for key, wanted in configured_num_classes(cfg).items():
        if wanted != num_classes:
            raise ConfigError(
                f"{key} is {wanted}, but the training data have {num_classes} classes; "
                "leave the key out to take the data's"
            )
    description = plain_copy(cfg.policy.model)
    network = new_network(description, num_classes=num_classes)
    check_network(network, cfg, num_classes)
    name = _name_of(network, description)
    if not load_weights:
        return network, f"{name} with the weights of the checkpoint"
    reports = load_initial_weights(network, description)
    loaded = "; then ".join(map(str, reports))
    return network, f"{name}: {loaded}" if reports else f"{name} with random weights"


def configured_num_classes(cfg: Any) -> dict[str, int]:
    """Return which keys of the config set the number of classes, and to what; none: it is the data's."""
    model = cfg.policy.model
    head = model.get("head")
    owners = {"policy.model.head": head if isinstance(head, Mapping) else {}, "policy.model": model}
    numbers = {f"{key}.num_classes": owner.get("num_classes") for key, owner in owners.items()}
    return {key: number for key, number in numbers.items() if number is not None}


def _name_of(network: torch.nn.Module, description: Mapping[str, Any]) -> str:
    if not isinstance(network, ImageClassifier):
        return str(description.get("type") or description.get("name"))
    parts = [type(each).__name__ for each in network.children()]
    return f"{type(network).__name__} of {', '.join(parts)}"


def check_network(network: torch.nn.Module, cfg: Any, num_classes: int) -> torch.Tensor:
    """Send one black image through the network before anything is trained, and return its logits.

    Raises:
        ConfigError: the network cannot take pictures of this size.
        ModelError: what comes out is not one logit for each class, of each task where there are several.
    """
    name, size_px = type(network).__name__, cfg.policy.collect.image_size
    weight = next(network.parameters(), torch.zeros(()))
    image = torch.zeros(1, num_channels(network), size_px, size_px, device=weight.device, dtype=weight.dtype)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch_randomness(0):
            logits = network(image)
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(_misfit(network, image, name, reason)) from error
    finally:
        network.train(was_training)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    num_tasks = getattr(getattr(network, "head", None), "num_tasks", None)
    wanted = (1, num_classes) if num_tasks is None else (1, num_tasks, num_classes)
    if shape != wanted:
        raise ModelError(
            f"{name} turns one image into {shape}; for {num_classes} classes it must be {wanted}"
        )
    found: torch.Tensor = logits
    return found


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
        check_network(network, cfg, len(loader.dataset.classes))
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


def _misfit(network: torch.nn.Module, image: torch.Tensor, name: str, reason: str) -> str:
    """Return what is wrong with a network that failed on a image: the image's size, or its own parts."""
    size = f"{name} cannot take pictures of {image.shape[-1]} px ({reason}); set policy.collect.image_size"
    if not isinstance(network, ImageClassifier):
        return size
    try:
        with torch.no_grad(), torch_randomness(0):
            features = network.extract_feat(image)
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return f"{size}, or see whether the neck fits the backbone"
    given = features if isinstance(features, tuple | list) else (features,)
    shapes = ", ".join(str(tuple(each.shape)) for each in given if isinstance(each, torch.Tensor))
    return (
        f"the head {type(network.head).__name__} does not fit backbone and neck, which give one image's "
        f"features as {shapes} ({reason}); set policy.model.head.in_channels"
    )
