"""Images in class folders, and generated ones, as torch map-style datasets.

``dataset[i]`` is what any torch DataLoader wants: a normalised float image and a number.
``dataset.load(i)`` is what our loader wants: the pixels before that. Order is the samplers' business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset

from ding_cls.common.seed import Stream, generator
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.transforms.default import Preprocessing, TrainAugmentation
from ding_cls.data.transforms.preprocessing import PipelinePreprocessing
from ding_cls.errors import DataError
from ding_cls.images.image_io import load_rgb
from ding_cls.images.left_out import LeftOut
from ding_cls.images.listing import check_classes, list_classes, list_samples


@DATASETS.register_module()
class ImageNetDataset(Dataset[tuple[torch.Tensor, int]]):
    """Images in one folder for each class: ``root/CLASS/image.jpg``, also in folders below ``CLASS``.

    Args:
        root: folder of the class folders.
        is_training: augment, and refuse a class folder without images.
        transform: a `TrainAugmentation` or `Preprocessing` (by default the one or the other, by
            ``is_training``), another `PipelinePreprocessing`, or any callable from a Pillow RGB image to a
            tensor, which then also normalises.
        classes: class names in the order of their numbers; the folder's own names in bytewise order where
            None. Give the training set's list to every other split.

    Attributes:
        root: ``root`` as text.
        is_training: as given.
        classes: class names; the position is the class number.
        class_to_idx: class number by name.
        samples: (path relative to ``root``, class number), by folder and path in bytewise order.
        targets: class number of each sample.
        left_out: the files of ``root`` that are none of them.
        transform: what is applied to each image.
        geometry: ``transform`` where it is one of ours, else None.
        preprocessing: what evaluation does to the same images; None with a user's own transform.

    Raises:
        DataError: ``root`` is missing or holds no images, a class folder is unknown, or empty in training.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        is_training: bool,
        transform: Callable[[Image.Image], Any] | None = None,
        *,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.root = os.fspath(root)
        self.is_training = is_training
        if transform is None:
            transform = TrainAugmentation() if is_training else Preprocessing()
        self.transform = transform
        self.geometry = transform if isinstance(transform, PipelinePreprocessing) else None
        self.preprocessing = None if self.geometry is None else self.geometry.preprocessing()
        self.left_out = LeftOut()
        folders = list_classes(self.root, classes or (), self.left_out)
        self.classes = folders if classes is None else tuple(classes)
        check_classes(folders, self.classes, self.root)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples = list_samples(
            self.root, folders, self.class_to_idx, refuse_empty=is_training, left_out=self.left_out
        )
        self.targets = [target for _, target in self.samples]

    @property
    def draws_from_torch_only(self) -> bool:
        """Whether ``transform`` is one of ours whose random numbers all come from torch."""
        return self.geometry is not None and self.geometry.is_builtin

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return (float32 normalised ``(3, S, S)``, class number); a user's transform has the last word."""
        pixels, target = self.load(index)
        if self.geometry is None:
            return pixels, target
        return self.geometry.normalize(pixels[None])[0], target

    def image_file(self, index: int) -> str:
        """Return the path of a sample's image."""
        return os.path.join(self.root, self.samples[index][0])

    def load(self, index: int) -> tuple[torch.Tensor, int]:
        """Return (uint8 ``(S, S, 3)`` pixels, class number); with a user's transform, its output instead.

        Raises:
            DataError: the image cannot be read, or the user's transform returns no tensor.
        """
        target, path = self.samples[index][1], self.image_file(index)
        label = f"{path!r} (class {self.classes[target]!r}, index {index})"
        transformed = self.transform(load_rgb(path, label=label))
        if self.geometry is not None and isinstance(transformed, Image.Image):
            return self.geometry.to_tensor(transformed), target
        if not isinstance(transformed, torch.Tensor):
            raise DataError(
                f"the transform returned a {type(transformed).__name__} for {label}, not a tensor; "
                f"end it with v2.ToImage() and v2.ToDtype(torch.float32, scale=True)"
            )
        return transformed, target


@DATASETS.register_module()
class SyntheticDataset(Dataset[tuple[torch.Tensor, int]]):
    """Generated images that a network can learn: a coarse coloured pattern for each class, under noise.

    Sample ``i`` is a pure function of ``(seed, i)``, and a class's pattern of the class number alone. So two
    seeds are two draws from one task: give training and validation different ones.

    Args:
        num_samples: length of the dataset.
        num_classes: sample ``i`` has class ``i % num_classes``.
        size_px: side of the square images.
        seed: of the noise.
        classes: names of the classes; ``class_0``, ``class_1``, ... where None.

    Raises:
        DataError: a number is below 1, or ``classes`` has another length than ``num_classes``.
    """

    draws_from_torch_only = True

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        size_px: int,
        *,
        seed: int = 0,
        classes: Sequence[str] | None = None,
    ) -> None:
        if min(num_samples, num_classes, size_px) < 1:
            raise DataError(
                f"num_samples={num_samples}, num_classes={num_classes}, size_px={size_px} must be at least 1"
            )
        self.classes = tuple(classes or (f"class_{number}" for number in range(num_classes)))
        if len(self.classes) != num_classes:
            raise DataError(f"classes has {len(self.classes)} names for num_classes={num_classes}")
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.targets = [index % num_classes for index in range(num_samples)]
        self.preprocessing = Preprocessing(image_size=size_px, resize_size=size_px)
        self._size_px = size_px
        self._seed = seed

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return (float32 normalised ``(3, S, S)``, class number)."""
        pixels, target = self.load(index)
        return self.preprocessing.normalize(pixels[None])[0], target

    def image_pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """Return uint8 ``(S, S, 3)`` pixels."""
        pixels: npt.NDArray[np.uint8] = self.load(index)[0].numpy()
        return pixels

    def load(self, index: int) -> tuple[torch.Tensor, int]:
        """Return (uint8 ``(S, S, 3)`` pixels, class number)."""
        target = self.targets[index]
        number = index if index >= 0 else index + len(self)
        draws = generator(Stream.SYNTHETIC, 1, self._seed, number)
        noise = torch.randint(0, 128, (self._size_px, self._size_px, 3), generator=draws, dtype=torch.uint8)
        return self._pattern(target) + noise, target

    def _pattern(self, target: int) -> torch.Tensor:
        """Return the class's 4 x 4 coloured fields in [0, 128), enlarged to the images' size."""
        draws = generator(Stream.SYNTHETIC, 0, target)
        fields = torch.randint(0, 128, (4, 4, 3), generator=draws, dtype=torch.uint8)
        where = torch.arange(self._size_px) * 4 // self._size_px
        return fields[where][:, where]
