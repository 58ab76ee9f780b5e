"""Networks of timm, whole or as backbones, where timm is installed.

It must not know which of timm's networks is used for which name; see ``openmmlab_names``.
"""

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.backbones.torchvision import keep_norms
from ding_cls.models.names import nearest
from ding_cls.models.openmmlab import BaseBackbone
from ding_cls.models.weights.parts import load_part
from ding_cls.models.weights.timm import PREFIX, timm_library
from ding_cls.registry import Library


def has_timm() -> bool:
    """Return whether timm is installed."""
    return importlib.util.find_spec("timm") is not None


def timm_names() -> list[str]:
    """Return the names of timm's networks; none where it is not installed."""
    return list(timm_library().list_models()) if has_timm() else []


def timm_network(name: str, **arguments: Any) -> nn.Module:
    """Return one of timm's networks, with new weights; ``dropout`` is timm's ``drop_rate``.

    Args:
        name: as timm spells it, with or without ``timm/``; a tag of weights may follow a dot.
        **arguments: of ``timm.create_model``.

    Raises:
        ModelError: timm is not installed, or has no such network or argument.
    """
    name = name.removeprefix(PREFIX)
    timm = timm_library(f"{PREFIX}{name}")
    _check_name(timm, name)
    for ours, theirs in (("dropout", "drop_rate"), ("in_channels", "in_chans")):
        if ours in arguments:
            arguments[theirs] = arguments.pop(ours)
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, **arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ModelError(f"model '{PREFIX}{name}' cannot be built with {arguments}: {error}") from error
    # What its pretrained weights are found by.
    network.timm_source = (name, dict(arguments))  # type: ignore[assignment]
    return network


class TIMMBackbone(BaseBackbone):
    """A network of timm without its last layer.

    Args:
        model_name: timm's name, such as 'resnet18'.
        features_only: give the maps of several resolutions, ``out_indices`` among the further arguments,
            instead of the deepest one; a network without maps (a transformer) gives its vectors ``(N, D)``.
        pretrained: True: timm's weights; or a file, or an https URL. In a config they are loaded when a run
            begins, not when it is resumed.
        checkpoint_path: a file of weights, as another spelling of ``pretrained``.
        in_channels: channels of the images.
        gives_vectors: give the vectors that the last layer would see, whatever the network.
        norm_eval: BatchNorm uses its running statistics in training too, and leaves them alone.
        **arguments: of ``timm.create_model``.

    Attributes:
        num_features: channels of the last map, or the length of the vectors.
        dropped: names of the whole network's weights that are not here.

    Raises:
        ModelError: timm is not installed, or has no such network or argument.
    """

    accepts_pretrained = True

    def __init__(
        self,
        model_name: str,
        features_only: bool = False,
        pretrained: bool | str = False,
        checkpoint_path: str = "",
        in_channels: int = 3,
        gives_vectors: bool = False,
        norm_eval: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__()
        if features_only and gives_vectors:
            raise ConfigError("TIMMBackbone has features_only or gives_vectors, not both")
        own: dict[str, Any] = {"features_only": True} if features_only else {"num_classes": 0}
        network = timm_network(model_name, in_channels=in_channels, **own, **arguments)
        trial = functools.partial(_trial, in_channels=in_channels, side=arguments.get("img_size"))
        if not features_only and not gives_vectors and trial(network, "forward_features")[-1].dim() == 4:
            # Without its pooling: what a head of timm does before that stays.
            network.reset_classifier(0, "")  # type: ignore[operator]
        self.norm_eval = norm_eval
        self.network = network
        # timm's Swin transformers and their like have the channels last.
        info: Any = getattr(network, "feature_info", ())
        formats = [each.get("output_fmt", "") for each in info] if features_only else []
        self._permutes = "NHWC" in (getattr(network, "output_fmt", "NCHW"), *map(str, formats))
        self.num_features = int(self._ordered(trial(network, "forward"))[-1].shape[1])
        self.timm_name = model_name.removeprefix(PREFIX)
        self.train()
        if pretrained or checkpoint_path:
            load_part(self, pretrained or checkpoint_path)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``(N, C, H, W)``, shallow to deep; or the vectors as a tuple of one.

        Args:
            images: float ``(N, in_channels, H, W)``, normalised.
        """
        found = self.network(images)
        return self._ordered(tuple(found) if isinstance(found, list | tuple) else (found,))

    def _ordered(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return maps with their channels second."""
        return tuple(
            each.permute(0, 3, 1, 2) if self._permutes and each.dim() == 4 else each for each in maps
        )

    def train(self, mode: bool = True) -> "TIMMBackbone":
        """Switch between training and evaluation; with ``norm_eval`` BatchNorm stays in evaluation."""
        super().train(mode)
        if mode and self.norm_eval:
            keep_norms(self)
        return self


def _trial(network: nn.Module, method: str, *, in_channels: int, side: Any) -> tuple[Tensor, ...]:
    """Return what a method makes of one image; it is tried without memory or arithmetic."""
    usual = getattr(network, "default_cfg", {}).get("input_size", (3, 224, 224))[1:]
    size = tuple(usual) if side is None else (side, side) if isinstance(side, int) else tuple(side)
    was_training = network.training
    with torch.no_grad(), torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
        found = getattr(network.eval(), method)(torch.zeros(1, in_channels, *size))
    network.train(was_training)
    return tuple(found) if isinstance(found, list | tuple) else (found,)


def _check_name(timm: Any, name: str) -> None:
    if name.partition(".")[0] in timm.list_models():
        return
    near = nearest(name.partition(".")[0], timm.list_models(), 3)
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "ding-cls models 'timm/*' lists those that there are"
    )
    raise ModelError(f"timm has no model {name!r}; {hint}")


def _find(name: str) -> Callable[..., nn.Module] | None:
    if not name.startswith(PREFIX):
        return None

    def build(**arguments: Any) -> TIMMBackbone:
        return TIMMBackbone(name.removeprefix(PREFIX), **arguments)

    build.__name__ = build.__qualname__ = name
    build.accepts_pretrained = True  # type: ignore[attr-defined]
    return build


TIMM_BACKBONES: Library[Callable[..., Any]] = Library(
    "timm, as timm/NAME", _find, lambda: [f"{PREFIX}{name}" for name in timm_names()]
)
