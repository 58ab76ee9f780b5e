"""A heat map laid over an image: plain arrays in, a picture out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import DataError

# matplotlib's viridis at equal steps: its lightness rises evenly, for every kind of colour vision.
# fmt: off
_COLOURS = np.array(
    [
        (68, 1, 84), (72, 24, 106), (71, 45, 123), (66, 64, 134), (59, 82, 139), (51, 99, 141),
        (44, 114, 142), (38, 130, 142), (33, 145, 140), (31, 160, 136), (40, 174, 128), (63, 188, 115),
        (94, 201, 98), (132, 212, 75), (173, 220, 48), (216, 226, 25), (253, 231, 37),
    ],
    np.float64,
)
# fmt: on


def lay_over(
    image: npt.NDArray[np.uint8], heat: npt.NDArray[np.floating], *, strength: float = 0.55
) -> npt.NDArray[np.uint8]:
    """Return an image, without its own colours, under the colours of a heat map.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        heat: ``(h, w)`` in [0, 1]; of another size it is scaled to the image's.
        strength: share of the map's colour, in [0, 1].

    Returns:
        uint8 ``(H, W, 3)``: dark violet where the map is 0, over green to yellow where it is 1.

    Raises:
        DataError: arrays of other shapes.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or heat.ndim != 2:
        raise DataError(
            f"an image of {image.dtype} {image.shape} and a map {heat.shape} were given; they are uint8 "
            "(H, W, 3) and (h, w)"
        )
    height, width = image.shape[:2]
    if heat.shape != (height, width):
        scaled = Image.fromarray(heat.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        heat = np.asarray(scaled)
    # The map's colours mean something only where the image has none.
    grey = image @ np.array([0.299, 0.587, 0.114])
    mixed = (1 - strength) * grey[..., None] + strength * colours(heat)
    laid: npt.NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return laid


def colours(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the colour of each value in [0, 1] as RGB ``(..., 3)``, 0 to 255."""
    places = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(values, places, channel) for channel in _COLOURS.T], axis=-1)
