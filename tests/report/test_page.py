"""A page is one file: escaped, readable without a network."""

import io
import re
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from ding_cls.report.page import data_uri, encoded, shown

pytest.importorskip("jinja2")


def test_text_of_any_kind_becomes_readable() -> None:
    assert shown("lost\udce9\n\x00\u2028 é") == r"lost\xe9\n\x00\u2028 é"
    assert shown("a" * 10_000) == "a" * 150 + "…" + "a" * 150
    assert shown(None) == "None"


def test_an_image_is_an_address_of_its_kind() -> None:
    assert data_uri(b"\xff\xd8\xff") == "data:image/jpeg;base64,/9j/"
    assert data_uri(b"RIFF").startswith("data:image/webp;base64,")


def test_few_pixels_are_kept_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(256, size=(8, 9, 3), dtype=np.uint8)

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded(pixels, 96)))), pixels)


def _variables(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


def _luminance(colour: str) -> float:
    parts = [each / 255 for each in bytes.fromhex(colour[1:])]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours. Source: WCAG 2.2, 1.4.3."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(scheme: str) -> None:
    css = (files("ding_cls.report") / "assets" / "page.css").read_text(encoding="utf-8")
    light, dark = css.split("@media screen and (prefers-color-scheme: dark)")
    colours = _variables(light if scheme == "light" else dark.split("\n}\n")[0])
    assert len(colours) == 15
    for ink in ("ink", "quiet", "accent"):
        for ground in ("page", "panel", "raised"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for mark in ("c0", "c1", "c2", "c3", "c4"):
        assert _contrast(colours[mark], colours["panel"]) >= 4.5, mark
    # The darkest cells of the confusion matrix.
    for shade in ("good", "bad"):
        one, other = (bytes.fromhex(colours[each][1:]) for each in (shade, "raised"))
        mixed = bytes(round(0.62 * a + 0.38 * b) for a, b in zip(one, other, strict=True))
        assert _contrast(colours["ink"], f"#{mixed.hex()}") >= 4.5, shade
