"""The nearest of many names."""

import pytest

from ding_cls.models.names import holds, likeness, nearest

KNOWN = ["resnet50", "resnet152", "resnext50_32x4d", "wide_resnet50_2", "legacy_xception", "xception41"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnext50", ["resnext50_32x4d", "resnet50"]),
        ("resnet50_", ["resnet50", "resnet152"]),
        ("wideresnet50", ["wide_resnet50_2", "resnet50"]),
        ("xception", ["xception41", "legacy_xception"]),
        ("legacy", ["legacy_xception"]),
        ("zz", []),
    ],
)
def test_those_that_begin_with_it_come_first(name: str, expected: list[str]) -> None:
    assert nearest(name, KNOWN, 2) == expected


def test_underscores_do_not_count_and_a_short_name_is_in_none() -> None:
    assert holds("mobilenet_v2", "mobilenetv2")
    assert not holds("mobilenet_v2", "v2")
    assert likeness("abc", "abc") == 1
    assert likeness("abc", "xyz") == 0
