"""What the pixels look like: colours, with mmclassification's names and meanings."""

from __future__ import annotations

from torchvision.transforms import v2

from ding_cls.data.pipelines.from_torchvision import OnImage
from ding_cls.data.pipelines.registry import PIPELINES
from ding_cls.errors import ConfigError


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
