"""A page is one file: escaped, readable without a network."""

import pytest

from ding_cls.report.page import data_uri, shown

pytest.importorskip("jinja2")


def test_text_of_any_kind_becomes_readable() -> None:
    assert shown("caf\udce9\n\x00\u2028 é") == r"caf\xe9\n\x00\u2028 é"
    assert shown("a" * 10_000) == "a" * 150 + "…" + "a" * 150
    assert shown(None) == "None"


def test_an_image_is_an_address_of_its_kind() -> None:
    assert data_uri(b"\xff\xd8\xff") == "data:image/jpeg;base64,/9j/"
    assert data_uri(b"RIFF").startswith("data:image/webp;base64,")
