"""Parameters that an update did not reach: ``policy.learn.detect_anomalous_params``."""

import logging

from torch import nn

from ding_cls.common.counting import first_few

_LOGGER = logging.getLogger(__name__)
_MAX_LISTED = 10


class UnusedParameterReporter:
    """Names the trainable parameters that take no part in the loss, whenever they are others than before."""

    def __init__(self) -> None:
        self._has_reported: list[str] = []

    def __call__(self, model: nn.Module) -> None:
        """Look at a network after its backward pass; nothing waits for the device."""
        names = [name for name, each in model.named_parameters() if each.requires_grad and each.grad is None]
        if names == self._has_reported:
            return
        self._has_reported = names
        listed = first_few(names, _MAX_LISTED) or "none"
        _LOGGER.warning("%d parameters take no part in the loss: %s", len(names), listed)
