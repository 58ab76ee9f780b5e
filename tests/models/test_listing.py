"""All networks by name."""

import sys

import pytest

from ding_cls.errors import ModelError
from ding_cls.models import model_names
from ding_cls.models.listing import list_networks


def test_the_list_has_every_name_and_its_library() -> None:
    found = {each.name: each.library for each in list_networks()}
    assert set(model_names()) <= set(found)
    assert found["resnet18"] == "ding_cls"
    assert found["vgg11"] == "torchvision"
    assert found["ConvMixer"] == "backbone; timm"
    assert found["ConvNeXt"] == "backbone; torchvision and timm"
    assert found["ResNet_CIFAR"] == "backbone; ding_cls"
    assert found["timm/NAME"].startswith("timm (")
    assert not any(name.startswith("timm/") for name in found if name != "timm/NAME")


def test_a_glob_chooses_in_either_case() -> None:
    assert [each.name for each in list_networks("RESNET1*")] == ["resnet101", "resnet152", "resnet18"]
    assert list_networks("nothing*") == []


def test_parameters_are_counted_where_asked() -> None:
    pytest.importorskip("timm")
    (ours,) = list_networks("squeezenet1_1", with_parameters=True)
    assert ours.num_parameters == 1_235_496
    (theirs,) = list_networks("timm/resnet18", with_parameters=True)
    assert theirs.num_parameters == 11_689_512
    assert [each.num_parameters for each in list_networks("ConvMixer", with_parameters=True)] == [None]


def test_without_timm_its_names_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'ding_cls\[timm\]'"):
        list_networks("timm/vit*")
