"""Whether what is minimised fits the classes, the network and the targets, before anything is trained."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ding_cls.common.seed import torch_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.models import ClsHead, build_loss, described_loss
from ding_cls.models.losses.class_weight import ClassWeightLoss
from ding_cls.models.losses.torch import FLOATS_OR, wants_floats, wants_logarithms
from ding_cls.models.registry import loss_of_classes
from ding_cls.pipeline.build import check_network
from ding_cls.pipeline.checks.labels import check_tasks, has_class_numbers, labels_of
from ding_cls.policy.stages import stages_of

# Their classes compete for one label.
_OF_ONE_LABEL = ("CrossEntropyLoss", "LabelSmoothLoss", "NLLLoss", "SoftmaxFocalLoss", "SeesawLoss")
# One number for all classes will do: torch broadcasts it.
_BROADCASTS = (nn.BCELoss, nn.BCEWithLogitsLoss, nn.MultiLabelSoftMarginLoss)


def fill_num_classes(cfg: Any, num_classes: int) -> None:
    """Give ``policy.learn.loss`` the data's number of classes, where it needs one and has none."""
    described = cfg.policy.learn.loss
    if described is not None:
        plain = described_loss(described) if isinstance(described, str) else plain_copy(described)
        filled = loss_of_classes(plain, num_classes)
        if filled is not plain:
            cfg.policy.learn.loss = filled


def check_losses(cfg: Any, network: nn.Module, dataset: Any) -> None:
    """Check that head and losses of a run are made for the labels of its training data.

    Raises:
        ConfigError: the head is for more or fewer tasks; a loss asks for one label where there are several,
            weights more or fewer classes than there are, wants targets for each class where the data give
            class numbers, or logarithms of probabilities where the network gives logits.
    """
    num_classes, labels = len(dataset.classes), labels_of(dataset)
    hint = ""
    if labels.kind == "tasks" and num_classes == 2:
        head = f"policy.model.head=dict(type='MultiTaskHead', num_tasks={labels.num_tasks})"
        hint = f"where each 0 or 1 says whether a label is there, give them as floats; for tasks set {head}"
    check_tasks(network, labels, data="the training data", remedy=hint)
    for key, loss, are_mixed in _losses(cfg, network):
        if labels.kind == "several":
            _check_competition(key, loss, network)
        _check_weights(key, loss, num_classes)
        # Torch's own come in a wrapper.
        inner = getattr(loss, "loss", loss)
        name = type(inner).__name__
        if wants_floats(inner) and not are_mixed and has_class_numbers(dataset):
            raise ConfigError(
                f"{key}: {name} compares every logit with a target of its own, and the training data give "
                f"class numbers; {FLOATS_OR}"
            )
        if wants_logarithms(inner) and not _are_logarithms(check_network(network, cfg, num_classes)):
            cross_entropy = "take CrossEntropyLoss, " if isinstance(inner, nn.NLLLoss) else ""
            raise ConfigError(
                f"{key}: {name} takes logarithms of probabilities, and {type(network).__name__} gives "
                f"logits; {cross_entropy}set policy.model.head.type='LogSoftmaxHead', or let your network "
                "end in nn.LogSoftmax(1)"
            )


def _losses(cfg: Any, network: nn.Module) -> Iterator[tuple[str, Any, bool]]:
    """Yield the key of each loss, the loss, and whether the targets that it gets are mixtures.

    None is the default cross-entropy.
    """
    learn, stages = cfg.policy.learn, stages_of(cfg.policy.learn)
    if getattr(network, "computes_loss", False):
        if (loss := getattr(getattr(network, "head", None), "compute_loss", None)) is not None:
            yield "policy.model.head.loss", loss, bool(stages[0].batch_augments)
    else:
        loss = None if learn.loss is None else _built(learn.loss)
        yield "policy.learn.loss", loss, bool(stages[0].batch_augments)
    for number, stage in enumerate(stages[1:]):
        if stage.loss is not None:
            yield f"policy.learn.recipes.{number}.loss", _built(stage.loss), bool(stage.batch_augments)


def _built(described: str | Mapping[str, Any]) -> Any:
    # A loss with weights of its own, which are refused later, shall not move the chance of the run.
    with torch_randomness(0):
        return build_loss(described_loss(described) if isinstance(described, str) else plain_copy(described))


def _check_competition(key: str, loss: Any, network: nn.Module) -> None:
    """Refuse a loss whose classes compete for one label."""
    # torch's own losses come in a wrapper.
    name = "the default cross-entropy" if loss is None else type(getattr(loss, "loss", loss)).__name__
    is_for_each = getattr(loss, "use_sigmoid", False) or getattr(loss, "mode", "") == "multi_label"
    if loss is not None and (name not in _OF_ONE_LABEL or is_for_each):
        return
    has_head = isinstance(getattr(network, "head", None), ClsHead)
    head = "policy.model.head.type='MultiLabelLinearClsHead', or " if has_head else ""
    raise ConfigError(
        f"an image of the training data has several labels, and {name} lets the classes compete for one; "
        f"set {head}{key}=dict(type='CrossEntropyLoss', use_sigmoid=True)"
    )


def _check_weights(key: str, loss: Any, num_classes: int) -> None:
    modules = loss.modules() if isinstance(loss, nn.Module) else ()
    for module in modules:
        if not isinstance(module, ClassWeightLoss | nn.modules.loss._Loss):
            continue
        for name, weights in module.named_buffers(recurse=False):
            if name not in ("class_weight", "weight", "pos_weight") or weights.dim() != 1:
                continue
            count = len(weights)
            if count != num_classes and not (isinstance(module, _BROADCASTS) and count == 1):
                raise ConfigError(
                    f"{key}: {name} holds {count} numbers, and there are {num_classes} classes; "
                    "give one for each, in the order of the class names"
                )


def _are_logarithms(logits: torch.Tensor) -> bool:
    """Return whether the probabilities that these would be the logarithms of add up to 1."""
    return bool((logits.float().logsumexp(-1).abs() < 1e-2).all())
