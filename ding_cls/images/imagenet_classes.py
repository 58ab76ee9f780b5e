"""The names of ImageNet's 1,000 classes (ILSVRC 2012), by their WordNet synsets.

It knows names alone; it must not know images or datasets.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources

NUM_IMAGENET_CLASSES = 1000


@cache
def imagenet_classes() -> dict[str, str]:
    """Return the names, such as ``'tench, Tinca tinca'``, by synset, such as ``'n01440764'``.

    The order is that of the class numbers, in ImageNet's folders and in the weights of torchvision and timm.
    """
    asset = resources.files("ding_cls.images") / "assets" / "imagenet_classes.txt"
    lines = asset.read_text(encoding="utf-8").splitlines()
    return {synset: name for synset, _, name in (line.partition("\t") for line in lines)}


def readable_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes as they are shown: ImageNet's own where a class is named by its synset."""
    known = imagenet_classes()
    return tuple(known.get(each, each) for each in classes)
