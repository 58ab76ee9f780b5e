"""Layers that stay as they are for some epochs: a pure function of the epoch, so that it resumes by itself.

It knows names of parameters and modules, and nothing of configs beyond ``policy.learn``.
"""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models import ImageClassifier, classifier_names
from ding_cls.policy.settings import build_optional

BODY = "body"
_MAX_LISTED = 5


class Freezing:
    """Keeps parameters, and BatchNorm's statistics, as they are until an epoch.

    A frozen parameter has no gradient: the optimizer leaves it alone, weight decay and momentum included.
    A module whose tensors are all frozen is in evaluation: its statistics stay, and its dropout is off.

    Args:
        patterns: names of parameters, with ``*`` for anything, or of modules with all that they hold; or
            'body': all but the head, or the layer that computes the logits.
        keep: likewise: what is trained all the same.
        until_epoch: finished epochs after which all is trained; None: never.
        norm_eval: False: frozen modules stay in training, and their statistics move.

    Raises:
        ConfigError: an argument of another form.
    """

    def __init__(
        self,
        patterns: str | Sequence[str] = BODY,
        keep: str | Sequence[str] = (),
        until_epoch: int | None = None,
        norm_eval: bool = True,
    ) -> None:
        is_count = isinstance(until_epoch, int) and not isinstance(until_epoch, bool) and until_epoch >= 0
        if until_epoch is not None and not is_count:
            raise ConfigError(
                f"policy.learn.freeze has until_epoch={until_epoch!r}; it must be a number of epochs, or None"
            )
        self._is_body = patterns == BODY
        self._patterns = _listed(patterns, "patterns")
        self._keep = _listed(keep, "keep")
        self._until_epoch = until_epoch
        self._norm_eval = norm_eval
        self._parameters: list[nn.Parameter] = []
        self._modules: dict[str, nn.Module] = {}
        self._network = nn.Module()
        self._is_frozen = False

    def attach(self, network: nn.Module) -> None:
        """Choose what in the network is frozen, and freeze it as at the beginning of a run.

        Raises:
            ConfigError: a pattern fits nothing, or nothing would be left to train.
        """
        patterns, keep = self._patterns, self._keep
        if self._is_body:
            patterns, keep = ["*"], [*keep, *_head_of(network)]
        names = [*dict(network.named_parameters()), *dict(network.named_buffers())]
        for pattern in (*patterns, *keep):
            if not any(_fits(name, pattern) for name in names):
                raise ConfigError(_nothing_fits(pattern, names))

        def is_chosen(name: str) -> bool:
            return any(_fits(name, each) for each in patterns) and not any(_fits(name, each) for each in keep)

        self._network = network
        trainable = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self._parameters = [each for name, each in trainable.items() if is_chosen(name)]
        if len(self._parameters) == len(trainable):
            raise ConfigError("policy.learn.freeze leaves no parameter to train; name some in its 'keep'")
        self._modules = {
            name: module for name, module in network.named_modules() if _is_whole(name, module, is_chosen)
        }
        self.update(0)

    @property
    def frozen_modules(self) -> Collection[str]:
        """Names of the modules that are in evaluation now, whatever the network is in."""
        return self._modules.keys() if self._is_frozen and self._norm_eval else ()

    @property
    def always_frozen(self) -> Collection[str]:
        """Names of the modules that are in evaluation all through training."""
        return self._modules.keys() if self._until_epoch is None and self._norm_eval else ()

    def update(self, finished_epochs: int) -> bool:
        """Freeze or free what was chosen, as the epoch wants it; called before each update.

        Returns:
            whether it has become otherwise since the last call.
        """
        is_frozen = self._until_epoch is None or finished_epochs < self._until_epoch
        if is_frozen and self._norm_eval:
            # Whoever switched the network to training switched these too.
            for module in self._modules.values():
                if module.training:
                    module.eval()
        if is_frozen == self._is_frozen:
            return False
        self._is_frozen = is_frozen
        for parameter in self._parameters:
            parameter.requires_grad_(not is_frozen)
        if not is_frozen:
            # As a whole: a backbone may keep parts of itself in evaluation.
            self._network.train()
        return True


def build_freezing(network: nn.Module, learn: Mapping[str, Any]) -> Freezing | None:
    """Return what ``learn.freeze`` or ``learn.freeze_nonlinear_epoch`` describes, in force; None: nothing.

    Raises:
        ConfigError: both do; or what ``Freezing`` raises.
    """
    epochs = learn["freeze_nonlinear_epoch"]
    freezing = build_optional(Freezing, learn, "freeze")
    if epochs and freezing is not None:
        raise ConfigError(
            f"policy.learn.freeze_nonlinear_epoch is {epochs}, and policy.learn.freeze is set too; keep one: "
            f"the first means freeze=dict(patterns='body', until_epoch={epochs})"
        )
    if epochs:
        freezing = Freezing(BODY, until_epoch=epochs)
    if freezing is not None:
        freezing.attach(network)
    return freezing


def _listed(patterns: str | Sequence[str], name: str) -> list[str]:
    found = [patterns] if isinstance(patterns, str) else list(patterns)
    if not all(isinstance(each, str) for each in found) or (name == "patterns" and not found):
        raise ConfigError(
            f"policy.learn.freeze has {name}={patterns!r}; it must be a name, or a list of names"
        )
    return found


def _head_of(network: nn.Module) -> tuple[str, ...]:
    return ("head",) if isinstance(network, ImageClassifier) else classifier_names(network)


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _nothing_fits(pattern: str, names: Sequence[str]) -> str:
    listed = ", ".join(names[:_MAX_LISTED])
    return (
        f"policy.learn.freeze has the pattern {pattern!r}, which fits none of the network's {len(names)} "
        f"names, such as {listed}"
    )


def _is_whole(name: str, module: nn.Module, is_chosen: Any) -> bool:
    """Return whether a module is frozen as a whole: all its tensors are; without any, by its own name."""
    owned = [each for each, _ in module.named_parameters()] + [each for each, _ in module.named_buffers()]
    prefix = f"{name}." if name else ""
    if not owned:
        return bool(name) and bool(is_chosen(name))
    return all(is_chosen(prefix + each) for each in owned)
