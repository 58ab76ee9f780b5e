"""The usual pipelines by a few numbers: `Preprocessing` for evaluation, `TrainAugmentation` for training.

It must not know files, datasets or devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, cast, get_args

from ding_cls.config.preprocessing import eval_pipeline, train_pipeline
from ding_cls.data.transforms.array_ops import IMAGENET_MEAN, IMAGENET_STD
from ding_cls.data.transforms.compose import Compose
from ding_cls.data.transforms.formatting import Normalization
from ding_cls.data.transforms.geometry import CenterCrop, Resize
from ding_cls.data.transforms.loading import LoadImageFromFile
from ding_cls.data.transforms.preprocessing import Description, PipelinePreprocessing
from ding_cls.errors import DataError

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(unsafe_hash=True)
class Preprocessing(PipelinePreprocessing):
    """The usual pipeline of evaluation: resize the shorter side, cut out the middle square, normalise.

    Args:
        image_size: side of the square that the network sees, in pixels.
        resize_size: length of the shorter side before the cut, in pixels; at least ``image_size``.
        mean: subtracted per channel from values in [0, 1]; ImageNet's by default.
        std: divides after that; likewise.
        interpolation: how Pillow resizes, always with antialiasing.

    Raises:
        DataError: sizes or statistics that cannot be used.
    """

    image_size: int = 224
    resize_size: int = 256
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        _check(self)
        if self.resize_size < self.image_size:
            raise DataError(
                f"resize_size={self.resize_size} is smaller than image_size={self.image_size}: the cut would "
                f"have black borders; set resize_size to at least {self.image_size}"
            )
        super().__init__(eval_pipeline(vars(self)), mean=self.mean, std=self.std)

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers alone, as plain values for a checkpoint: the pipeline follows from them."""
        return {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(self).items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the record that `state_dict` described.

        Raises:
            DataError: a key is missing or unknown.
        """
        names = [field.name for field in fields(cls)]
        # An old record does not say how it resizes: bilinearly, as everything did then.
        if sorted({"interpolation", *state}) != sorted(names):
            raise DataError(f"the preprocessing record has the keys {sorted(state)}, not {sorted(names)}")
        return cls(**state)


@dataclass(unsafe_hash=True)
class TrainAugmentation(PipelinePreprocessing):
    """The usual pipeline of training: a random cut, resized, and mirrored every second time.

    It draws from torch's default generator; the loader seeds that for each sample.

    Args:
        image_size: side of the square that the network sees, in pixels.
        crop_scale: smallest and largest share of the image's area that the cut covers.
        crop_ratio: smallest and largest width / height of the cut.
        hflip: mirror with probability one half.
        mean: as in `Preprocessing`.
        std: as in `Preprocessing`.
        interpolation: as in `Preprocessing`.

    Raises:
        DataError: sizes, ranges or statistics that cannot be used.
    """

    image_size: int = 224
    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    hflip: bool = True
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        _check(self)
        self.crop_scale, self.crop_ratio = (
            _range(getattr(self, name), name) for name in ("crop_scale", "crop_ratio")
        )
        if self.crop_scale[1] > 1:
            raise DataError(f"crop_scale={self.crop_scale} goes beyond 1, the whole picture")
        super().__init__(train_pipeline(vars(self)), mean=self.mean, std=self.std)

    def preprocessing(self) -> Preprocessing:
        """Return what evaluation does to the same images: resized to 8/7 of the cut, like 256 for 224."""
        resize_size = round(self.image_size * 256 / 224)
        return Preprocessing(self.image_size, resize_size, self.mean, self.std, self.interpolation)


def pipeline_preprocessing(
    pipeline: Description,
    *,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> PipelinePreprocessing:
    """Return what a pipeline of evaluation comes to; as `Preprocessing` where it is the usual one.

    Args:
        pipeline: as `PipelinePreprocessing` takes it, with the same ``mean`` and ``std``.

    Raises:
        ConfigError: a step cannot be built.
        DataError: the pipeline is no plain data.
    """
    found = PipelinePreprocessing(pipeline, mean=mean, std=std)
    return _as_usual(Compose(found.pipeline), found.normalization) or found


def preprocessing_from_state(state: Mapping[str, Any]) -> PipelinePreprocessing:
    """Return what a checkpoint keeps: the numbers of the usual pipeline, or another pipeline.

    Raises:
        DataError: a key is missing or unknown.
        ConfigError: a step cannot be built, such as one of a module that was not imported.
    """
    return (PipelinePreprocessing if "pipeline" in state else Preprocessing).from_state(state)


def _as_usual(compose: Compose, numbers: Normalization) -> Preprocessing | None:
    """Return the usual pipeline where these steps are it: read, resize the shorter side, cut the middle."""
    match compose.pixel_steps:
        case (LoadImageFromFile() as load, Resize() as resize, CenterCrop() as crop):
            pass
        case _:
            return None
    # A user's own subclass may do something else.
    are_ours = (type(resize), type(crop)) == (Resize, CenterCrop)
    resizes_shorter = resize.length is not None and resize.adaptive_side == "short"
    is_square = crop.height == crop.width and crop.crop_padding is None
    is_plain = load.is_plain and not numbers.is_swapped and resize.interpolation in get_args(Interpolation)
    if not (are_ours and resizes_shorter and is_square and is_plain) or crop.height > resize.height:
        return None
    return Preprocessing(
        image_size=crop.height,
        resize_size=resize.height,
        mean=numbers.mean,
        std=numbers.std,
        interpolation=cast(Interpolation, resize.interpolation),
    )


def _check(record: Preprocessing | TrainAugmentation) -> None:
    # Configs and checkpoints hold lists; a record that can be hashed holds tuples.
    record.mean, record.std = (tuple(map(float, each)) for each in (record.mean, record.std))
    if len(record.mean) != 3 or len(record.std) != 3 or min(record.std) <= 0:
        raise DataError(
            f"mean={record.mean} and std={record.std} must have three values each, those of std above 0"
        )
    if record.image_size < 1:
        raise DataError(f"image_size={record.image_size} must be at least 1")
    allowed = get_args(Interpolation)
    if record.interpolation not in allowed:
        raise DataError(f"interpolation={record.interpolation!r} is none of {', '.join(allowed)}")


def _range(limits: Sequence[float], name: str) -> tuple[float, float]:
    low_high = tuple(limits)
    if len(low_high) != 2 or not 0 < low_high[0] <= low_high[1]:
        raise DataError(f"{name}={low_high} must be two numbers, 0 < smallest <= largest")
    return low_high
