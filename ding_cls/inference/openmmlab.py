"""mmclassification's three functions: ``init_model``, ``inference_model``, ``show_result_pyplot``.

Their names, arguments and results are those of mmclassification 0.x; `ding_cls.load` is our own way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from easydict import EasyDict
from torch import nn

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.form import EVALUATED, check_form
from ding_cls.config import checked_config, resolve
from ding_cls.config.merge import plain_copy
from ding_cls.config.preprocessing import eval_pipeline
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.pipeline_info import unwrapped
from ding_cls.data import PipelinePreprocessing, pipeline_preprocessing, preprocessing_from_state
from ding_cls.errors import CheckpointError, ConfigError, DataError, ModelError
from ding_cls.images import NUM_IMAGENET_CLASSES, imagenet_classes, readable_names
from ding_cls.inference.predictor import Predictor, device_of
from ding_cls.inference.saved_run import has_several_labels
from ding_cls.inference.sources import read_rgb
from ding_cls.models import evaluated_part, load_exactly, load_pretrained, new_network, weights_in
from ding_cls.models.weights.parts import weights_file


def init_model(
    config: str | os.PathLike[str] | Mapping[str, Any],
    checkpoint: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return the network that a config describes, with a checkpoint's weights, in evaluation mode.

    ``model.cfg`` is the compiled config, ``model.CLASSES`` are the names of the classes: the checkpoint's,
    the config's, ImageNet's where there are 1,000, or their numbers. ``model.preprocessing`` is what an image
    goes through: as the checkpoint says, or else the config's pipeline of evaluation.

    Args:
        config: a file in either spelling, a run's folder, or the config itself.
        checkpoint: a checkpoint of ours, or a file or https address of weights; None: new weights.
        device: such as ``'cuda:0'`` or ``'cpu'``; None: CUDA where there is one.
        options: keys of the config, with their values, that replace what it says.

    Raises:
        ConfigError: a config or option that cannot be used, or no such device.
        CheckpointError: the checkpoint does not fit the network.
        ModelError: the same of a file of weights.
    """
    words = [f"{key}={value!r}" for key, value in (options or {}).items()]
    if isinstance(config, Mapping):
        native = resolve(config, words)
        cfg = checked_config(native.cfg, origins=native.origins, problems=native.problems)
    else:
        cfg = EasyDict(inspect_config(os.fspath(config), words).tree)
    run: Mapping[str, Any] = {}
    state = None if checkpoint is None else _state_of_ours(checkpoint)
    if state is not None:
        run = state["run"]
    classes = run.get("class_names") or _classes_in(cfg, checkpoint)
    wanted = _num_classes(cfg)
    network = new_network(
        plain_copy(cfg.policy.model),
        num_classes=len(classes) if classes else wanted,
        draws_values=checkpoint is None,
    )
    if state is not None:
        load_exactly(network, weights_in(evaluated_part(state)))
    elif checkpoint is not None:
        _load_foreign(network, checkpoint)
    if not classes:
        are_imagenets = wanted == NUM_IMAGENET_CLASSES
        classes = list(imagenet_classes()) if are_imagenets else [str(number) for number in range(wanted)]
    described: Any = network
    described.cfg = cfg
    described.CLASSES = readable_names(classes)
    described.preprocessing = (
        preprocessing_from_state(run["preprocessing"]) if "preprocessing" in run else _preprocessing_in(cfg)
    )
    described.has_several_labels = has_several_labels(run, cfg, network)
    return network.to(device_of(device)).eval()


def inference_model(model: nn.Module, img: str | os.PathLike[str] | npt.NDArray[Any]) -> dict[str, Any]:
    """Return ``pred_label``, ``pred_score`` and ``pred_class`` of one image.

    Args:
        model: what `init_model` returned.
        img: a path, or an array of uint8 as OpenCV and mmcv read it: ``(H, W, 3)``, BGR.

    Raises:
        ConfigError: the model is another one.
        DataError: the image cannot be read.
    """
    described: Any = model
    if not all(hasattr(model, name) for name in ("CLASSES", "preprocessing", "has_several_labels")):
        raise ConfigError(
            f"inference_model takes what init_model returned, not a plain {type(model).__name__}; "
            "a network of your own goes into ding_cls.inference.Predictor"
        )
    weight = next(model.parameters(), torch.zeros(()))
    predictor = Predictor(
        model,
        described.preprocessing,
        described.CLASSES,
        has_several_labels=described.has_several_labels,
        device=weight.device,
    )
    (prediction,) = predictor(_as_rgb(img))
    if prediction.error:
        raise DataError(prediction.error)
    best = prediction.top(1)[0]
    return {"pred_label": best.label, "pred_score": best.score, "pred_class": best.name}


def show_result_pyplot(
    model: nn.Module,
    img: str | os.PathLike[str] | npt.NDArray[Any],
    result: Mapping[str, Any],
    fig_size: Sequence[float] = (15, 10),
    title: str = "result",
    wait_time: float = 0,
) -> None:
    """Show an image in a window of matplotlib, with its result written on it.

    Args:
        model: not used; it stands here as in mmclassification.
        img: as in `inference_model`.
        result: what that returned.
        fig_size: of the window, in inches.
        title: of the window.
        wait_time: how long it stays, in seconds; 0: until it is closed.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the image cannot be read.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ConfigError(
            "show_result_pyplot needs matplotlib, which is not installed: pip install 'ding_cls[report]'"
        ) from error
    figure = pyplot.figure(title, figsize=tuple(fig_size), frameon=False)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    axes.imshow(np.asarray(read_rgb(_as_rgb(img))))
    shown = {key: f"{value:.2f}" if isinstance(value, float) else value for key, value in result.items()}
    axes.text(
        0.01,
        0.99,
        "\n".join(f"{key}: {value}" for key, value in shown.items()),
        transform=axes.transAxes,
        verticalalignment="top",
        color="white",
        bbox={"facecolor": "black", "alpha": 0.7},
    )
    if wait_time:
        pyplot.pause(wait_time)
    else:
        pyplot.show(block=True)
    pyplot.close(figure)


def _as_rgb(img: Any) -> Any:
    """Return an image as the rest of the library takes it: RGB."""
    is_colour = isinstance(img, np.ndarray) and img.ndim == 3 and img.shape[-1] == 3
    return img[..., ::-1] if is_colour else img


def _state_of_ours(checkpoint: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return a checkpoint that a run of ours wrote; None: it is another file."""
    try:
        state = read_checkpoint(checkpoint)
    except CheckpointError:
        return None
    run = state.get("run")
    if not isinstance(run, dict) or "class_names" not in run:
        return None
    check_form(state, EVALUATED, f"'{checkpoint}'")
    return state


def _load_foreign(network: nn.Module, checkpoint: str | os.PathLike[str]) -> None:
    report = load_pretrained(network, weights_file(checkpoint))
    if report.reinitialised:
        raise ModelError(
            f"weights file {checkpoint} does not fit the config's network: it lacks "
            f"{', '.join(report.reinitialised)}, or has them for another number of classes"
        )


def _classes_in(cfg: Any, checkpoint: str | os.PathLike[str] | None) -> list[str] | None:
    """Return the names of the classes that a file of mmclassification, or the config's data, say."""
    if checkpoint is not None:
        file = weights_file(checkpoint)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        # What it holds is judged, with its reason, where its weights are loaded.
        except Exception:
            content = None
        meta = content.get("meta") if isinstance(content, Mapping) else None
        found = meta.get("CLASSES") if isinstance(meta, Mapping) else None
        if isinstance(found, list | tuple):
            return [str(each) for each in found]
    for split in ("test", "val", "train"):
        section, _ = unwrapped(plain_copy(cfg.policy.collect.get(split)), "")
        if isinstance(section.get("classes"), list | tuple):
            return [str(each) for each in section["classes"]]
    return None


def _num_classes(cfg: Any) -> int:
    model = cfg.policy.model
    head = model.get("head")
    owners = (head if isinstance(head, Mapping) else {}, model)
    found = (owner.get("num_classes") for owner in owners)
    return int(next((each for each in found if each is not None), NUM_IMAGENET_CLASSES))


def _preprocessing_in(cfg: Any) -> PipelinePreprocessing:
    """Return the pipeline of the config's test or validation data; else what its sizes come to."""
    collect = cfg.policy.collect
    sections = (unwrapped(plain_copy(collect.get(split)), "")[0] for split in ("test", "val"))
    own = next((each["pipeline"] for each in sections if each.get("pipeline")), None)
    return pipeline_preprocessing(own or eval_pipeline(collect), mean=collect.mean, std=collect.std)
