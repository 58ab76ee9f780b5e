"""From an entry of the annotations to pixels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ding_cls.data.transforms.array_ops import FROM_FILE, described_sample
from ding_cls.data.transforms.fill_color import NORM_CFG, not_normalized
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.image_io import load_rgb

OPENED = "opened_image"
"""Key of ``results``: the RGB image of the file, where it has been read already."""


@PIPELINES.register_module()
class LoadImageFromFile:
    """Reads ``img_info['filename']``, below ``img_prefix`` where there is one, as `load_rgb` does.

    ``img`` becomes an RGB array, where mmclassification's is BGR; `Normalize` makes up for that.

    Args:
        to_float32: hand on float32 instead of uint8, from 0 to 255 all the same.
        color_type: 'color', or 'grayscale': three equal channels.
        file_client_args: ``dict(backend='disk')``; other backends do not exist here.

    Raises:
        ConfigError: another colour type or backend.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = "color",
        file_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        if color_type not in ("color", "grayscale"):
            raise ConfigError(f"LoadImageFromFile: color_type={color_type!r} must be 'color' or 'grayscale'")
        backend = (file_client_args or {}).get("backend", "disk")
        if backend != "disk":
            raise ConfigError(
                f"LoadImageFromFile: file_client_args has the backend {backend!r}; only 'disk' is supported"
            )
        self.to_float32 = to_float32
        self.color_type = color_type

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img``, ``img_shape``, ``ori_shape``, ``filename`` and ``ori_filename``;
        ``img_fields`` is ``['img']``, and ``img_norm_cfg`` says that nothing is normalised.

        Raises:
            DataError: as `image_of`.
        """
        img = np.array(self.image_of(results))
        results["img"] = img.astype(np.float32) if self.to_float32 else img
        return results

    @property
    def is_plain(self) -> bool:
        """Whether it hands on the pixels as `load_rgb` reads them."""
        return not self.to_float32 and self.color_type == "color"

    def image_of(self, results: dict[str, Any]) -> Image.Image:
        """Return the RGB image of a sample, and note in the sample where it comes from.

        Raises:
            DataError: the sample names no file, or that cannot be read.
        """
        image: Image.Image = results[OPENED] if OPENED in results else self._read(results)
        results["ori_shape"] = results["img_shape"] = (image.height, image.width, 3)
        results["img_fields"] = ["img"]
        results[NORM_CFG] = not_normalized()
        results[FROM_FILE] = True
        return image if self.color_type == "color" else image.convert("L").convert("RGB")

    @staticmethod
    def path_of(sample: Mapping[str, Any]) -> str:
        """Return the path of the file that a sample names."""
        name: str = os.fspath(sample["img_info"]["filename"])
        return os.path.join(sample.get("img_prefix") or "", name)

    def _read(self, results: dict[str, Any]) -> Image.Image:
        info = results.get("img_info")
        if not isinstance(info, Mapping) or "filename" not in info:
            raise DataError(
                f"LoadImageFromFile finds no img_info['filename'] in {described_sample(results)}; "
                "leave this step out where load_annotations gives the pixels themselves"
            )
        results["filename"] = self.path_of(results)
        results["ori_filename"] = os.fspath(info["filename"])
        return load_rgb(results["filename"], label=described_sample(results))
