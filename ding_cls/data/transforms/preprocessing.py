"""What evaluation does to a picture, described by a pipeline: the record that a checkpoint keeps.

It knows pipelines and pixels; it must not know files, data sets or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import torch
from PIL import Image

from ding_cls.config.merge import not_plain, plain_copy
from ding_cls.data.transforms.array_ops import as_array, as_pixels, is_bytes
from ding_cls.data.transforms.compose import Compose
from ding_cls.data.transforms.default import IMAGENET_MEAN, IMAGENET_STD, Interpolation, Preprocessing
from ding_cls.data.transforms.formatting import Normalization
from ding_cls.data.transforms.geometry import CenterCrop, Resize
from ding_cls.data.transforms.loading import LoadImageFromFile
from ding_cls.errors import DataError
from ding_cls.types import Batch

Description = Sequence[Mapping[str, Any]]


class PipelinePreprocessing:
    """What evaluation, prediction and export do, where a pipeline says it: in the role of `Preprocessing`.

    Args:
        pipeline: dicts of the steps, plain data. A `LoadImageFromFile` among them does not read here: the
            picture is handed in.
        mean: for values in [0, 1], where the pipeline ends in uint8 and says no numbers itself.
        std: likewise.

    Attributes:
        pipeline: as given, copied.
        normalization: how a batch of uint8 is normalised.

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
        self._loading = [step for step in compose.steps if isinstance(step, LoadImageFromFile)]
        self._rest = Compose([step for step in compose.steps if not isinstance(step, LoadImageFromFile)])

    @property
    def is_builtin(self) -> bool:
        """Whether no step is the user's own; see `Compose`."""
        return self._rest.is_builtin

    def __call__(self, picture: Image.Image) -> Image.Image | torch.Tensor:
        """Return the picture that the network sees; as float ``(3, H, W)`` where the pipeline makes it so.

        Args:
            picture: RGB, as `load_rgb` gives it.
        """
        img = as_array(picture)
        results: dict[str, Any] = {"img": img, "img_shape": img.shape, "ori_shape": img.shape}
        for step in self._loading:
            results = step.entered(results, picture)
        img = self._rest.pixels(results)["img"]
        return Image.fromarray(as_array(img)) if is_bytes(img) else as_pixels(img)

    def to_tensor(self, picture: Image.Image | torch.Tensor) -> torch.Tensor:
        """Return what a batch is made of: uint8 ``(H, W, 3)``, or the float tensor as it is."""
        return picture if isinstance(picture, torch.Tensor) else as_pixels(picture)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 ``(N, H, W, 3)`` as normalised float32 ``(N, 3, H, W)``; floats pass unchanged."""
        return images if images.is_floating_point() else self.normalization(images)

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch with normalised images; images that are floating point already pass unchanged."""
        return batch if batch.images.is_floating_point() else batch.with_images(self.normalize(batch.images))

    def preprocessing(self) -> PipelinePreprocessing:
        """Return what evaluation does to the same pictures: this."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the record as plain values for a checkpoint."""
        return {
            "pipeline": plain_copy(self.pipeline),
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
        return cls(state["pipeline"], mean=state["mean"], std=state["std"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelinePreprocessing) and self.state_dict() == other.state_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PipelinePreprocessing({self.pipeline!r})"


AnyPreprocessing = Preprocessing | PipelinePreprocessing


def pipeline_preprocessing(
    pipeline: Description,
    *,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> AnyPreprocessing:
    """Return what a pipeline of evaluation comes to: a `Preprocessing` where it says no more than one can.

    Args:
        pipeline: as `PipelinePreprocessing` takes it, with the same ``mean`` and ``std``.

    Raises:
        ConfigError: a step cannot be built.
        DataError: the pipeline is no plain data.
    """
    general = PipelinePreprocessing(pipeline, mean=mean, std=std)
    return _as_preprocessing(Compose(general.pipeline), general.normalization) or general


def preprocessing_from_state(state: Mapping[str, Any]) -> AnyPreprocessing:
    """Return the record of either form that a checkpoint keeps.

    Raises:
        DataError: a key is missing or unknown.
        ConfigError: a step cannot be built, such as one of a module that was not imported.
    """
    return (PipelinePreprocessing if "pipeline" in state else Preprocessing).from_state(state)


def _as_preprocessing(compose: Compose, numbers: Normalization) -> Preprocessing | None:
    """Return the ordinary record of: read, resize the shorter side, cut the middle square, normalise."""
    match compose.pixel_steps:
        case (LoadImageFromFile() as load, Resize() as resize, CenterCrop() as crop):
            pass
        case _:
            return None
    resizes_shorter = resize.length is not None and resize.adaptive_side == "short"
    is_square = crop.height == crop.width and crop.crop_padding is None
    known = ("nearest", "bilinear", "bicubic", "lanczos")
    is_plain = load.is_plain and not numbers.is_swapped and resize.interpolation in known
    if not (resizes_shorter and is_square and is_plain) or crop.height > resize.height:
        return None
    return Preprocessing(
        image_size=crop.height,
        resize_size=resize.height,
        mean=numbers.mean,
        std=numbers.std,
        interpolation=cast(Interpolation, resize.interpolation),
    )
