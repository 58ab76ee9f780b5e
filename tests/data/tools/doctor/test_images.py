"""What is found of single images."""

from functools import partial

from ding_cls.data.tools.doctor.crop import DEFAULT_STEPS, kept_share
from ding_cls.data.tools.doctor.findings import Finding
from ding_cls.data.tools.doctor.images import image_findings
from tests.data.tools.doctor.looks import by_kind, data_of, paths

KEPT = partial(kept_share, DEFAULT_STEPS)


def found(*looks: dict[str, object], crop: str = "") -> dict[str, Finding]:
    rows = [("train", f"{number}.jpg", "a", look) for number, look in enumerate(looks)]
    return by_kind(image_findings(data_of(*rows), KEPT, crop))


def test_faults_by_their_kind() -> None:
    bad = {"width": 0, "height": 0, "pixel_digest": b""}
    got = found(
        {**bad, "fault": "'0.jpg' is truncated after 9 bytes; x"}, {**bad, "fault": "'1.jpg' is empty"}, {}
    )
    assert paths(got["truncated"]) == [["0.jpg"]]
    assert paths(got["unreadable"]) == [["1.jpg"]]
    assert {each.severity for each in got.values()} == {"serious"}


def test_a_few_bits_of_one_image_and_of_all() -> None:
    one = found({"brightest": 65_535}, {"brightest": 4_095}, {"brightest": 20_000}, {})
    assert paths(one["few_bits"]) == [["1.jpg"]]
    assert len(one["deep"].groups) == 3
    every = found({"brightest": 16_000}, {"brightest": 9_000})
    assert len(every["few_bits"].groups) == 2
    assert "few_bits" not in found({"brightest": 16_384}, {"brightest": 40_000})


def test_shapes_and_sizes() -> None:
    got = found(
        {}, {}, {"width": 900, "height": 150}, {"width": 600, "height": 150}, {"width": 20, "height": 25}
    )
    assert paths(got["extreme_shape"]) == [["2.jpg"]]
    assert paths(got["tiny"]) == [["4.jpg"]]
    assert "tiny" not in found(*[{"width": 28, "height": 28}] * 5)


def test_modes() -> None:
    got = found(
        {"mode": "CMYK"},
        {"is_animated": True},
        {"has_alpha": True},
        {"orientation": 6},
        {"is_grey": True},
        {"remark": "odd"},
    )
    kinds = ("cmyk", "animated", "transparent", "rotated", "grey", "damaged")
    assert [paths(got[kind]) for kind in kinds] == [[[f"{number}.jpg"]] for number in range(6)]
    assert "1 of 6 images" in got["grey"].what
    assert found({"is_grey": True})["grey"].groups == ()


def test_what_a_crop_cuts_off() -> None:
    got = found({}, {"width": 800, "height": 100}, {"width": 100, "height": 100}, crop="cropping")["cropped"]
    assert got.what == "cropping cuts off 43% of the median image, 90% of the worst"
    assert (got.severity, paths(got)[0]) == ("warning", ["1.jpg"])
    assert found({}, crop="") == {}
