"""From a compiled config to data sets and a network."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.seed import torch_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.data import SplitDataset, SyntheticDataset
from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import ImageClassifier, load_initial_weights, new_network, num_channels
from ding_cls.models.weights.loading import former_network
from ding_cls.pipeline.datasets.dataset_cfg import inner_of
from ding_cls.pipeline.datasets.input_checks import check_normalization, note_image_size
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.datasets.splits import evaluation_set, names_folder, training_set
from ding_cls.pipeline.datasets.value_checks import warn_of_values

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
    warn_of_values(train_set)
    if not cfg.policy.eval.evaluator.validate and not names_folder(collect, "val"):
        # Nothing is evaluated: what stands in for the data is not read.
        warn_left_out(train_set)
        return (train_set, train_set) if readable is None else readable(train_set, train_set)
    eval_set = evaluation_set(cfg, "val", train_set.classes)
    _warn_common_samples(collect, train_set, eval_set)
    warn_left_out(train_set, eval_set)
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


def build_network(
    cfg: Any,
    num_classes: int,
    *,
    load_weights: bool = True,
    check: Callable[[torch.nn.Module], object] | None = None,
) -> tuple[torch.nn.Module, str]:
    """Return the network that ``policy.model`` describes, and a line about the weights it begins with.

    Args:
        cfg: the compiled config.
        num_classes: classes in the data.
        load_weights: load what ``policy.model.pretrained`` asks for; a resumed run has its own weights.
        check: looks at the new network before weights are loaded; None: ``check_network``.

    Raises:
        ConfigError: the config asks for another number of classes than the data have.
        CheckpointError: weights of a run's folder that holds none.
        ModelError: an unknown name, or weights that are missing or do not fit.
    """
    for key, wanted in configured_num_classes(cfg).items():
        if wanted != num_classes:
            raise ConfigError(
                f"{key} is {wanted}, but the training data have {num_classes} classes; "
                "leave the key out to take the data's"
            )
    description = _with_checkpoints(plain_copy(cfg.policy.model))
    network = new_network(description, num_classes=num_classes)
    if check is None:
        check_network(network, cfg, num_classes)
    else:
        check(network)
    name = network_text(network, description)
    if not load_weights:
        return network, f"{name} with the weights of the checkpoint"
    reports = load_initial_weights(network, description)
    loaded = "; then ".join(map(str, reports))
    return network, f"{name}: {loaded}" if reports else f"{name} with random weights"


def _with_checkpoints(description: dict[str, Any]) -> dict[str, Any]:
    """Return a network's description with the best checkpoint where a run's folder is named for weights."""
    found = dict(description)
    for name, value in description.items():
        if isinstance(value, dict):
            found[name] = _with_checkpoints(value)
        elif name in ("pretrained", "checkpoint") and isinstance(value, str | os.PathLike):
            folder = os.path.expanduser(value)
            found[name] = str(checkpoint_file(folder)) if os.path.isdir(folder) else value
    return found


def configured_num_classes(cfg: Any) -> dict[str, int]:
    """Return which keys of the config set the number of classes, and to what; none: it is the data's."""
    model = cfg.policy.model
    head = model.get("head")
    owners = {"policy.model.head": head if isinstance(head, Mapping) else {}, "policy.model": model}
    numbers = {f"{key}.num_classes": owner.get("num_classes") for key, owner in owners.items()}
    return {key: number for key, number in numbers.items() if number is not None}


def network_text(network: torch.nn.Module, description: Mapping[str, Any]) -> str:
    """Return what a network is called: its name, or its type; of one of parts with theirs."""
    if not isinstance(network, ImageClassifier):
        return str(description.get("type") or description.get("name"))
    parts = [type(each).__name__ for each in network.children()]
    return f"{type(network).__name__} of {', '.join(parts)}"


def check_network(
    network: torch.nn.Module,
    cfg: Any,
    num_classes: int,
    *,
    shape: tuple[int, int, int] | None = None,
    split: str = "",
) -> torch.Tensor:
    """Send one black image through the network before anything is trained, and return its logits.

    Args:
        network: it is left as it is.
        cfg: the compiled config.
        num_classes: logits that are to come out.
        shape: channels, height and width of the image; by ``policy.collect.image_size`` where None.
        split: whose images have this shape, where a pipeline makes it.

    Raises:
        ConfigError: the network cannot take pictures of this size.
        ModelError: what comes out is not one logit for each class, of each task where there are several.
    """
    name, size_px = type(network).__name__, cfg.policy.collect.image_size
    weight = next(network.parameters(), torch.zeros(()))
    shape = (num_channels(network), size_px, size_px) if shape is None else shape
    image = torch.zeros(1, *shape, device=weight.device, dtype=weight.dtype)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch_randomness(0):
            logits = network(image)
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(_misfit(network, image, name, reason, split=split)) from error
    finally:
        network.train(was_training)
    found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    num_tasks = getattr(getattr(network, "head", None), "num_tasks", None)
    wanted = (1, num_classes) if num_tasks is None else (1, num_tasks, num_classes)
    if not isinstance(logits, torch.Tensor) or found != wanted:
        raise ModelError(
            f"{name} turns one image into {found}; for {num_classes} classes it must be {wanted}"
        )
    return logits


def _misfit(network: torch.nn.Module, image: torch.Tensor, name: str, reason: str, *, split: str) -> str:
    """Return what is wrong with a network that failed on a image: the image's size, or its own parts."""
    channels, height, width = image.shape[1:]
    if channels != (wanted := num_channels(network)):
        return (
            f"{name} is for images of {wanted} channels, and those of policy.collect have {channels}; build "
            f"it for {channels} (policy.model.in_channels), or let the pipelines make floats of as many"
        )
    size = f"{name} cannot take pictures of {width} px ({reason}); set policy.collect.image_size"
    if split:
        key = f"policy.collect.{split}"
        size = f"{name} cannot take the {height} x {width} px of {key} ({reason}); resize them there"
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
        f"features as {shapes} ({reason}); set policy.model.head.in_channels{former_network(network)}"
    )
