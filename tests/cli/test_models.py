"""``ding-cls models``."""

import pytest

from ding_cls.cli import main


def test_names_and_libraries_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "squeezenet*", "--parameters"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "squeezenet1_0       1.25 M  torchvision",
        "squeezenet1_1       1.24 M  torchvision",
    ]
    assert main(["models", "*ne[wx]t"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "CSPResNeXt  backbone; timm",
        "ConvNeXt    backbone; torchvision and timm",
        "ResNeXt     backbone; ding_cls",
        "SEResNeXt   backbone; timm",
    ]


def test_a_glob_that_fits_nothing_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "nothing*"]) == 2
    assert "no network's name fits 'nothing*'; ding-cls models lists all of them" in capsys.readouterr().err
    assert main(["models", "resnext5"]) == 2
    hint = "no network's name fits 'resnext5'; did you mean resnext50_32x4d or "
    assert hint in capsys.readouterr().err
