"""Distillation: the network also learns what a trained one, its teacher, says of the same pictures.

It must not know how the network's own loss comes about.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.form import EVALUATED, check_form
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.seed import torch_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.errors import ChangedRunError, CheckpointError, ConfigError
from ding_cls.models import (
    ImageClassifier,
    Outputs,
    evaluated_part,
    load_initial_weights,
    new_network,
    weights_in,
)

_KEY = "policy.learn.distill"


class Distillation:
    """Replaces the loss L by ``(1 - alpha) * L + alpha * T^2 * KL(teacher || student)``, both softmaxes at
    the temperature T; with ``feature_weight`` the mean squared difference of features is added.

    The teacher is in evaluation mode, has no gradients, and is in no checkpoint: its path and hash are.

    Args:
        teacher: a checkpoint of this library, a run's folder (its best one), or a file of weights for
            ``model``. Its classes must be the student's, and its pictures normalised alike.
        model: ``dict(name=, ...)`` or ``dict(type=, ...)`` of the teacher; None: as its checkpoint says.
            Without ``teacher`` its own ``pretrained`` names the weights.
        alpha: the teacher's share, in [0, 1].
        temperature: T, above 0.
        feature_weight: weight of the features; 0: they are not compared.
        feature_layers: the module, or the student's and the teacher's, whose outputs are compared; None: the
            neck or backbone of a network of parts, ``avgpool`` of others.

    Raises:
        ConfigError: a number outside its range, no teacher, or one without weights.
        CheckpointError: the file is missing or damaged, or does not fit.

    Source: Distilling the Knowledge in a Neural Network, Hinton et al. 2015, section 2 (arXiv:1503.02531);
    features: FitNets, Romero et al. 2014, eq. 3, without a regressor (arXiv:1412.6550).
    """

    def __init__(
        self,
        teacher: str | None = None,
        model: Mapping[str, Any] | None = None,
        alpha: float = 0.5,
        temperature: float = 4.0,
        feature_weight: float = 0.0,
        feature_layers: str | Sequence[str] | None = None,
    ) -> None:
        if not 0 <= alpha <= 1:
            raise ConfigError(f"{_KEY}.alpha is {alpha!r}; it must lie in [0, 1]")
        if not temperature > 0 or not feature_weight >= 0:
            raise ConfigError(
                f"{_KEY} has temperature={temperature!r}, which must be greater than 0, and "
                f"feature_weight={feature_weight!r}, which must not be negative"
            )
        if teacher is None and model is None:
            raise ConfigError(f"{_KEY} names no teacher; set {_KEY}.teacher=CHECKPOINT")
        teacher = None if teacher is None else str(checkpoint_file(teacher))
        self.alpha, self.temperature, self.feature_weight = alpha, temperature, feature_weight
        self._layers = [feature_layers] * 2 if isinstance(feature_layers, str) else feature_layers
        self._origin = {"teacher": teacher or "", "sha256": _sha256(teacher) if teacher else ""}
        self._state = read_checkpoint(teacher) if teacher else {}
        if "run" in self._state:
            check_form(self._state, EVALUATED, f"the teacher '{teacher}'")
        self._run = self._state.get("run") or {}
        self._described = dict(model or _described(self._run, teacher))
        self._teacher: nn.Module = nn.Identity()
        self._features: dict[str, Tensor] = {}

    def begin(self, student: nn.Module, device: torch.device, collect: Mapping[str, Any]) -> None:
        """Build the teacher on the student's device.

        Args:
            student: the network that learns.
            device: where it lies.
            collect: the config's ``policy.collect``: how its pictures are normalised.
        """
        self._check_normalization(collect)
        self._teacher = self._built(student).to(device).eval().requires_grad_(False)
        if self.feature_weight > 0:
            layers = self._layers or [_feature_layer(student), _feature_layer(self._teacher)]
            for name, network, layer in zip(
                ("student", "teacher"), (student, self._teacher), layers, strict=True
            ):
                _layer_of(network, layer).register_forward_hook(self._keeper(name))
        self._state = {}

    def check_classes(self, names: Sequence[str]) -> None:
        """Refuse a teacher of other classes.

        Raises:
            ConfigError: its checkpoint names others, or another order.
        """
        known = self._run.get("class_names")
        if known is not None and tuple(known) != tuple(names):
            raise ConfigError(
                f"the teacher '{self._origin['teacher']}' knows {len(known)} classes, "
                f"{', '.join(known[:3])} ..., which are not the {len(names)} of the training data, "
                f"{', '.join(list(names)[:3])} ...; distil from a network of the same classes"
            )

    def __call__(self, outputs: Outputs, images: Tensor, weights: Tensor | None) -> Outputs:
        """Return the outputs with what the teacher adds to their losses.

        Args:
            outputs: of the student in training, for these images.
            images: float ``(N, 3, H, W)``, normalised.
            weights: float ``(N,)``, weights of the samples; None: equal.

        Raises:
            ConfigError: the student gives no logits, or logits or features of another shape.
        """
        if outputs.logits is None:
            raise ConfigError(f"{_KEY} needs logits, and this head gives losses alone")
        with torch.no_grad():
            wanted = self._teacher(images).float()
        student, teacher = self._features.pop("student", None), self._features.pop("teacher", None)
        with torch.autocast(wanted.device.type, enabled=False):
            _check_shapes("logits", outputs.logits, wanted)
            own = {name: (1 - self.alpha) * value for name, value in outputs.losses.items()}
            divergence = self._divergence(outputs.logits, wanted)
            losses = {**own, "distill": self.alpha * _mean(divergence, weights)}
            if student is not None and teacher is not None:
                _check_shapes("features", student, teacher)
                distance = (student.float() - teacher.float()).square().flatten(1).mean(1)
                losses["features"] = self.feature_weight * _mean(distance, weights)
        return Outputs(outputs.logits, losses)

    def state_dict(self) -> dict[str, str]:
        """Return which file the teacher came from, and its hash."""
        return dict(self._origin)

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Check that the run goes on with the teacher it had.

        Raises:
            ChangedRunError: its file holds something else now.
        """
        if state and state["sha256"] != self._origin["sha256"]:
            raise ChangedRunError(
                f"the run learned from the teacher '{state['teacher']}' with the SHA-256 "
                f"{state['sha256'][:12]}..., and {_KEY}.teacher is '{self._origin['teacher']}' with "
                f"{self._origin['sha256'][:12]}... now"
            )

    def _divergence(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Return T^2 * KL(teacher || student) of each sample."""
        ours = (logits / self.temperature).log_softmax(-1)
        theirs = (wanted / self.temperature).log_softmax(-1)
        terms = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(-1)
        # Several tasks: their mean.
        return (
            self.temperature**2 * terms.flatten(1).mean(1) if terms.dim() > 1 else self.temperature**2 * terms
        )

    def _built(self, student: nn.Module) -> nn.Module:
        described = plain_copy(self._described)
        num_classes = described.get("num_classes") or len(self._run.get("class_names") or ()) or 1000
        # Weights that are drawn and thrown away shall not move the chance of the run.
        with torch_randomness(0):
            network = new_network(described, num_classes=num_classes, draws_values="run" not in self._state)
        if "run" in self._state:
            weights = weights_in(evaluated_part(self._state))
            try:
                network.load_state_dict(dict(weights))
            except RuntimeError as error:
                raise CheckpointError(
                    f"the teacher '{self._origin['teacher']}' does not fit {type(network).__name__}: "
                    f"{str(error).splitlines()[-1].strip()}"
                ) from error
            return network
        file = self._origin["teacher"]
        reports = load_initial_weights(network, {**described, "pretrained": file} if file else described)
        if not reports:
            raise ConfigError(
                f"{_KEY}.model has no weights; set {_KEY}.teacher=FILE or pretrained in the model"
            )
        # Of several files the last one is of the whole network.
        last = reports[-1]
        if not isinstance(last, str) and last.reinitialised:
            raise ConfigError(
                f"the teacher's file {last.source} has no {', '.join(last.reinitialised)} for {num_classes} "
                f"classes, and nothing is learned from random logits; name a file that has, or set "
                f"{_KEY}.model.num_classes"
            )
        return network

    def _check_normalization(self, collect: Mapping[str, Any]) -> None:
        saved = (self._run.get("config") or {}).get("policy", {}).get("collect", {})
        for name in ("mean", "std"):
            if name in saved and list(saved[name]) != list(collect[name]):
                raise ConfigError(
                    f"the teacher's pictures are normalised with policy.collect.{name}={list(saved[name])}, "
                    f"the student's with {list(collect[name])}; take the teacher's"
                )

    def _keeper(self, name: str) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if name == "teacher" or torch.is_grad_enabled():
                self._features[name] = output[-1] if isinstance(output, tuple | list) else output

        return keep


def _described(run: Mapping[str, Any], teacher: str | None) -> Mapping[str, Any]:
    model: Mapping[str, Any] | None = (run.get("config") or {}).get("policy", {}).get("model")
    if model is None or str(model.get("name", "")).endswith("(given)"):
        raise ConfigError(
            f"the teacher '{teacher}' does not say what network it is; describe it: "
            f"{_KEY}.model=dict(name=...)"
        )
    return model


def _sha256(path: str) -> str:
    with Path(path).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _feature_layer(network: nn.Module) -> str:
    if isinstance(network, ImageClassifier):
        return "backbone" if network.neck is None else "neck"
    return "avgpool"


def _layer_of(network: nn.Module, name: str) -> nn.Module:
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        raise ConfigError(
            f"{type(network).__name__} has no module '{name}' whose features could be compared; name it: "
            f"{_KEY}.feature_layers=['STUDENT_MODULE', 'TEACHER_MODULE']"
        ) from error


def _check_shapes(what: str, student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ConfigError(
            f"the {what} of student and teacher differ in shape: {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}; distillation compares them element by element"
        )


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()
