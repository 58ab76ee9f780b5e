"""What the pixels look like: colours, with mmclassification's names and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import (
    FROM_FILE,
    as_array,
    described_sample,
    probability,
    with_image,
)
from ding_cls.data.transforms.fill_color import is_normalized
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.data.transforms.torchvision import OnImage
from ding_cls.errors import ConfigError, DataError


@PIPELINES.register_module()
class ColorJitter(OnImage):
    """Changes brightness, contrast, saturation and hue by chance, in random order.

    Args:
        brightness: factor from ``[max(0, 1 - brightness), 1 + brightness]``.
        contrast: likewise.
        saturation: likewise.
        hue: turn from ``[-hue, hue]``, at most 0.5, half the circle.
        backend: 'cv2' or 'pillow'; Pillow does it in any case.

    Raises:
        ConfigError: a value outside its range.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        backend: str = "pillow",
    ) -> None:
        if backend not in ("cv2", "pillow"):
            raise ConfigError(f"ColorJitter: backend={backend!r} is none of cv2, pillow")
        try:
            super().__init__(v2.ColorJitter(brightness, contrast, saturation, hue))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"ColorJitter: {error}") from error


@PIPELINES.register_module()
class RandomGrayscale(OnImage):
    """Makes the image grey by chance; it keeps three channels.

    Args:
        gray_prob: how often, in [0, 1].

    Raises:
        ConfigError: a probability outside [0, 1].
    """

    def __init__(self, gray_prob: float = 0.1) -> None:
        super().__init__(v2.RandomGrayscale(probability(gray_prob, "RandomGrayscale", "gray_prob")))


@PIPELINES.register_module()
class Lighting:
    """Adds noise along the principal axes of the training set's colours, the same to every pixel.

    Pixels in uint8 are rounded and kept in their range; mmclassification lets them wrap around.

    Args:
        eigval: the three eigenvalues of the colours' covariance, for pixels from 0 to 255.
        eigvec: their eigenvectors, a row for each channel.
        alphastd: standard deviation of the three factors that are drawn.
        to_rgb: as in `Normalize`: the order of the channels that the noise is for. True hands on R, G, B for
            files, so that a `Normalize` behind it needs ``to_rgb=False``.

    Raises:
        ConfigError: not three eigenvalues with 3 x 3 eigenvectors, or a negative deviation.

    Source: ImageNet Classification with Deep Convolutional Neural Networks, Krizhevsky et al. 2012,
    section 4.1.
    """

    def __init__(
        self,
        eigval: Sequence[float],
        eigvec: Sequence[Sequence[float]],
        alphastd: float = 0.1,
        to_rgb: bool = True,
    ) -> None:
        try:
            values, vectors = (torch.as_tensor(each, dtype=torch.float64) for each in (eigval, eigvec))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Lighting: eigval={eigval!r}, eigvec={eigvec!r}: {error}") from error
        if values.shape != (3,) or vectors.shape != (3, 3) or not alphastd >= 0:
            raise ConfigError(
                f"Lighting: eigval={eigval!r} must be three numbers, eigvec three rows of three, and "
                f"alphastd={alphastd!r} at least 0"
            )
        self._axes = vectors * values
        self.alphastd = float(alphastd)
        self.to_rgb = bool(to_rgb)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample in another light.

        Raises:
            DataError: the image is normalised already.
        """
        if is_normalized(results):
            raise DataError(
                f"Lighting takes pictures from 0 to 255, and {described_sample(results)} is normalised "
                "already; let it stand before Normalize"
            )
        img = as_array(results["img"])
        # Drawn in any case, and in float32: the numbers do not depend on the settings of torch.
        factors = torch.randn(3, dtype=torch.float32).double() * self.alphastd
        noise = (self._axes @ factors).numpy()
        is_from_file = bool(results.get(FROM_FILE))
        if self.to_rgb:
            # What Normalize says of files holds no longer: the channels are in the order that was asked for.
            results[FROM_FILE] = False
            img = img if is_from_file else img[..., ::-1]
        elif is_from_file:
            noise = noise[::-1]
        lit = img + noise
        if img.dtype == np.uint8:
            return with_image(results, lit.round().clip(0, 255).astype(np.uint8))
        return with_image(results, lit.astype(img.dtype))
