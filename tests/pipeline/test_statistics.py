"""Pretrained weights bring their input statistics where the config is silent, and say so in one line."""

from typing import Any

import pytest

from ding_cls.pipeline.statistics import fill_input_statistics


def filled(model: dict[str, Any], **collect: Any) -> dict[str, Any]:
    cfg: dict[str, Any] = {"policy": {"model": model, "collect": collect}}
    fill_input_statistics(cfg)
    found: dict[str, Any] = cfg["policy"]["collect"]
    return found


INCEPTION = {"name": "inception_v3", "pretrained": True}


def test_a_silent_config_takes_them_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert filled(INCEPTION) == {"image_size": 299, "resize_size": 342}
    sizes = "policy.collect.image_size=299, policy.collect.resize_size=342"
    assert f"as torchvision's inception_v3 (IMAGENET1K_V1) expects: {sizes}" in capsys.readouterr().out


def test_what_the_config_says_stays() -> None:
    assert filled(INCEPTION, image_size=96) == {"image_size": 96}
    pytest.importorskip("timm")
    xception = {"name": "timm/legacy_xception", "pretrained": True}
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    assert filled(xception, image_size=96) == {"image_size": 96, **half}
    assert filled(xception, mean=[0.1] * 3) == {"mean": [0.1] * 3, "image_size": 299, "resize_size": 333}


@pytest.mark.parametrize(
    ("model", "collect"),
    [
        ({"name": "inception_v3"}, {}),
        ({"name": "inception_v3", "pretrained": "w.pth"}, {}),
        ({"name": "resnet18", "pretrained": True}, {}),
        (INCEPTION, {"train": {"type": "CustomDataset", "pipeline": []}}),
    ],
    ids=["not pretrained", "a file", "the usual numbers", "a pipeline"],
)
def test_nothing_is_changed(
    model: dict[str, Any], collect: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled(model, **collect) == collect
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "cfg", [{}, {"policy": 3}, {"policy": {"model": 3}}, {"policy": {"model": INCEPTION, "collect": 3}}]
)
def test_a_config_of_another_form_is_left_to_the_checks(cfg: dict[str, Any]) -> None:
    before = dict(cfg)
    fill_input_statistics(cfg)
    assert cfg == before
