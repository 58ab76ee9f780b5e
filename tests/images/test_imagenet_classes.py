"""ImageNet's names are those of the libraries, in the order of the class numbers."""

import json
import os
from pathlib import Path

import pytest
from torchvision.models import ResNet18_Weights

from ding_cls.images import NUM_IMAGENET_CLASSES, imagenet_classes, readable_names


def test_there_are_a_thousand_in_bytewise_order() -> None:
    names = imagenet_classes()
    assert len(names) == NUM_IMAGENET_CLASSES == 1000
    assert list(names) == sorted(names)
    assert list(names.values())[:2] == ["tench, Tinca tinca", "goldfish, Carassius auratus"]


def test_the_first_words_are_torchvisions() -> None:
    theirs = ResNet18_Weights.DEFAULT.meta["categories"]
    ours = [name.partition(",")[0] for name in imagenet_classes().values()]
    differing = [(name, other) for name, other in zip(ours, theirs, strict=True) if name != other]
    # torchvision tells two of a kind apart.
    assert differing == [("crane", "crane bird"), ("maillot", "maillot tank suit")]


@pytest.mark.data
@pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="DING_TEST_DATA is not set")
def test_the_synsets_are_those_of_the_published_index() -> None:
    index = json.loads(Path(os.environ["DING_TEST_DATA"], "imagenet_class_index.json").read_text())
    assert [index[str(number)][0] for number in range(1000)] == list(imagenet_classes())


def test_only_synsets_are_renamed() -> None:
    assert readable_names(["n02123045", "cat", "n99999999"]) == ("tabby, tabby cat", "cat", "n99999999")
