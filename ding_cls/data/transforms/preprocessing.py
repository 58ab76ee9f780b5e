"""What is done to an image before a network sees it: one pipeline, which a checkpoint can keep.

It knows pipelines and pixels; it must not know files, datasets or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from PIL import Image

from ding_cls.config.merge import not_plain, plain_copy
from ding_cls.data.transforms.array_ops import IMAGENET_MEAN, IMAGENET_STD, as_array, as_pixels, is_bytes
from ding_cls.data.transforms.compose import Compose
from ding_cls.data.transforms.formatting import Normalization
from ding_cls.data.transforms.loading import OPENED, LoadImageFromFile
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import DataError
from ding_cls.types import Batch

Description = Sequence[Mapping[str, Any]]


class PipelinePreprocessing:
    """What evaluation, prediction and export do to an image.

    Calling it runs the steps on one image; `normalize` does the rest on a whole batch.

    Args:
        pipeline: dicts of the steps, plain data. A `LoadImageFromFile` among them does not read here: the
            image is handed in.
        mean: for values in [0, 1], where the pipeline ends in uint8 and says no numbers itself.
        std: likewise.

    Attributes:
        pipeline: as given, copied.
        normalization: how a batch of uint8 is normalised.
        stated: the numbers that images end up normalised by, by the batch or by steps; None where a step of
            the user's own may do it.

    Raises:
        ConfigError: a step cannot be built.
        DataError: the pipeline is no plain data.
    """

    def __init__(
        self,
        pipeline: Description,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self.pipeline: list[dict[str, Any]] = plain_copy(list(pipeline))
        for problem in not_plain(self.pipeline, "pipeline"):
            raise DataError(f"{problem}: this pipeline cannot be kept in a checkpoint")
        compose = Compose(self.pipeline)
        self._fallback = Normalization(tuple(map(float, mean)), tuple(map(float, std)))
        self.normalization = compose.deferred or self._fallback
        self.stated = compose.normalization or (self.normalization if compose.is_known else None)
        # A loader of the user's own would read a file; the image is there.
        self._steps = Compose(
            [
                LoadImageFromFile(step.to_float32, step.color_type)
                if isinstance(step, LoadImageFromFile)
                else step
                for step in compose.steps
            ]
        )
        self._steps.described = compose.described

    @property
    def steps(self) -> Compose:
        """The steps as they run on an image that is handed in."""
        return self._steps

    @property
    def is_builtin(self) -> bool:
        """Whether neither this class nor a step is the user's own; see `Compose`."""
        return type(self).__module__.startswith("ding_cls.data.") and self._steps.is_builtin

    def __call__(self, image: Image.Image) -> Image.Image | torch.Tensor:
        """Return the image that the network sees; as float ``(3, H, W)`` where the pipeline makes it so.

        Args:
            image: RGB, as `load_rgb` gives it.
        """
        results: dict[str, Any] = {OPENED: image}
        if not self._steps.is_from_file:
            img = as_array(image)
            results = {"img": img, "img_shape": img.shape, "ori_shape": img.shape}
        img = self._steps.pixels(results)["img"]
        if isinstance(img, Image.Image):
            return img
        return Image.fromarray(as_array(img)) if is_bytes(img) else as_pixels(img)

    def to_tensor(self, image: Image.Image | torch.Tensor) -> torch.Tensor:
        """Return what a batch is made of: uint8 ``(H, W, 3)``, or the float tensor as it is."""
        return image if isinstance(image, torch.Tensor) else as_pixels(image)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 ``(N, H, W, 3)`` as normalised float32 ``(N, 3, H, W)``; floats pass unchanged."""
        return images if images.is_floating_point() else self.normalization(images)

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch with normalised images; images that are floating point already pass unchanged."""
        images = batch.images
        return batch if images.is_floating_point() else batch.with_images(self.normalization(images))

    def preprocessing(self) -> PipelinePreprocessing:
        """Return what evaluation does to the same images: this."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the record as plain values for a checkpoint."""
        return {
            "pipeline": _said_of_arrays(plain_copy(self.pipeline), to_rgb=False),
            "mean": list(self._fallback.mean),
            "std": list(self._fallback.std),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the record that `state_dict` described.

        Raises:
            DataError: a key is missing or unknown.
            ConfigError: a step cannot be built, such as one of a module that was not imported.
        """
        if sorted(state) != ["mean", "pipeline", "std"] or not isinstance(state["pipeline"], list):
            raise DataError(f"the preprocessing record has the keys {sorted(state)}, not mean, pipeline, std")
        # Records that do not say it are from a time when True was what a Normalize without it meant.
        pipeline = _said_of_arrays(state["pipeline"], to_rgb=True)
        return cls(pipeline, mean=state["mean"], std=state["std"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelinePreprocessing) and self.state_dict() == other.state_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pipeline!r})"


def _said_of_arrays(pipeline: list[Any], *, to_rgb: bool) -> list[Any]:
    """Return a pipeline for arrays with ``to_rgb`` in each `Normalize` that is silent; any other as it is."""
    steps = [step if isinstance(step, Mapping) else {} for step in pipeline]
    if any(_is_loading(step.get("type")) for step in steps):
        return pipeline
    return [
        {**step, "to_rgb": to_rgb} if _is_silent(step) else given
        for step, given in zip(steps, pipeline, strict=True)
    ]


def _is_silent(step: Mapping[str, Any]) -> bool:
    return step.get("type") == "Normalize" and step.get("to_rgb") is None


def _is_loading(kind: Any) -> bool:
    part = PIPELINES.get(kind) if isinstance(kind, str) and kind in PIPELINES else kind
    return isinstance(part, type) and issubclass(part, LoadImageFromFile)
