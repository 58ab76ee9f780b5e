"""What is wrong with single images.

It knows looks; it must not open files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from ding_cls.common.counting import counted
from ding_cls.data.image_depth import FEWEST_BITS
from ding_cls.data.tools.doctor.crop import KeptShare
from ding_cls.data.tools.doctor.findings import Data, Finding, Sample, Severity, single
from ding_cls.data.tools.doctor.look import ImageLook

_TURNED = {
    2: "mirrored",
    3: "by 180",
    4: "upside down",
    5: "mirrored",
    6: "by 90",
    7: "mirrored",
    8: "by 270",
}
# More than that the longer side is of the shorter one.
_LARGEST_ASPECT = 4
_TINY_PX = 32
# An image of 16 bits that uses so few is of another depth, or black.
_BITS_OF_OTHERS = 12
_LEAST_LOST, _MOST_LOST = 0.005, 0.75
_NUM_WORST = 12


def image_findings(data: Data, kept: KeptShare, crop: str) -> Iterator[Finding]:
    """Yield what is found of images, kind by kind.

    Args:
        data: what was looked at.
        kept: returns the share of an image of some width and height that evaluation keeps.
        crop: what evaluation does, in words; empty where that is not known.
    """
    yield from _unreadable(data)
    yield from _shallow(data)
    for kind, severity, what, remedy, is_one in _KINDS:
        found = [(sample, _note(data.looks[sample.image], kind)) for sample in _samples(data, is_one)]
        if found:
            yield Finding(kind, severity, f"{counted(len(found), 'image')} {what}", remedy, single(found))
    yield from _tiny(data)
    yield from _grey(data)
    if crop:
        yield from _cropped(data, kept, crop)


def _samples(data: Data, is_one: Callable[[ImageLook], bool]) -> list[Sample]:
    """Return the first sample of each image that is so."""
    first: dict[int, Sample] = {}
    for sample in data.samples:
        if sample.image not in first and is_one(data.looks[sample.image]):
            first[sample.image] = sample
    return list(first.values())


def _aspect(look: ImageLook) -> float:
    return max(look.width, look.height) / max(min(look.width, look.height), 1)


_KINDS: tuple[tuple[str, Severity, str, str, Callable[[ImageLook], bool]], ...] = (
    (
        "damaged",
        "warning",
        "decoded although the decoder complains",
        "look at them; write them anew or replace them",
        lambda look: bool(look.remark),
    ),
    (
        "animated",
        "warning",
        "with several frames: the first one alone counts",
        "take out the frame that is meant",
        lambda look: look.is_animated,
    ),
    (
        "extreme_shape",
        "warning",
        f"with a side more than {_LARGEST_ASPECT} times the other: a crop shows little of it",
        "cut them, or look at what the pipeline makes of them",
        lambda look: not look.fault and _aspect(look) > _LARGEST_ASPECT,
    ),
    (
        "cmyk",
        "warning",
        "in CMYK: converted to RGB without a colour profile",
        "convert them to sRGB where colours matter",
        lambda look: look.mode == "CMYK",
    ),
    (
        "transparent",
        "note",
        "with transparency: laid over white",
        "put them on another ground where white is wrong",
        lambda look: look.has_alpha,
    ),
    (
        "rotated",
        "note",
        "with an EXIF rotation: loaded upright, as viewers show it",
        "",
        lambda look: look.orientation != 1,
    ),
    (
        "deep",
        "note",
        "of 16 bits: scaled to 8",
        "",
        lambda look: look.brightest is not None,
    ),
)


def _note(look: ImageLook, kind: str) -> str:
    if kind == "damaged":
        return look.remark
    if kind == "rotated":
        return _TURNED[look.orientation]
    return f"{look.width} x {look.height}" if kind == "extreme_shape" else ""


def _unreadable(data: Data) -> Iterator[Finding]:
    faulty = _samples(data, lambda look: bool(look.fault))
    for kind, what in (
        ("unreadable", "that cannot be read"),
        ("truncated", "truncated: the file ends too early"),
    ):
        found = [each for each in faulty if data.looks[each.image].is_truncated == (kind == "truncated")]
        if found:
            shown = [(sample, data.looks[sample.image].fault) for sample in found]
            yield Finding(
                kind,
                "serious",
                f"{counted(len(found), 'image')} {what}",
                "mend or delete them, or leave them out: --quarantine FILE.csv",
                single(shown),
            )


def _shallow(data: Data) -> Iterator[Finding]:
    """Yield the images of 16 bits that use few of them: one by one, or all where the brightest one does."""
    deep = _samples(data, lambda look: look.brightest is not None)
    bits = {each.image: (data.looks[each.image].brightest or 0).bit_length() for each in deep}
    most = FEWEST_BITS - 1 if max(bits.values(), default=0) < FEWEST_BITS else _BITS_OF_OTHERS
    found = [(each, f"{max(bits[each.image], 1)} bits") for each in deep if bits[each.image] <= most]
    if found:
        yield Finding(
            "few_bits",
            "serious",
            f"{counted(len(found), 'image')} of 16 bits with few of them in use: nearly black to the network",
            "multiply the values in the files up to 65,535",
            single(found),
        )


def _tiny(data: Data) -> Iterator[Finding]:
    sides = [min(look.width, look.height) for look in data.looks if look.width]
    most = min(_TINY_PX, median(sides) / 2) if sides else 0
    found = _samples(data, lambda look: 0 < min(look.width, look.height) < most)
    if found:
        shown = [
            (each, f"{data.looks[each.image].width} x {data.looks[each.image].height}") for each in found
        ]
        yield Finding(
            "tiny",
            "warning",
            f"{counted(len(found), 'image')} with a side below {most:g} px, where the middle one of all has "
            f"{median(sides):g} px",
            "replace them by larger ones, or delete thumbnails",
            single(shown),
        )


def _grey(data: Data) -> Iterator[Finding]:
    grey = _samples(data, lambda look: look.is_grey)
    coloured = _samples(data, lambda look: bool(look.width) and not look.is_grey)
    if grey and coloured:
        yield Finding(
            "grey",
            "note",
            f"{len(grey):,} of {len(grey) + len(coloured):,} images without colour",
            "see whether they are all of one class or one source",
            single([(each, "") for each in grey]),
        )
    elif grey:
        yield Finding(
            "grey", "note", "all images are without colour; they are loaded as RGB of equal channels"
        )


def _cropped(data: Data, kept: KeptShare, crop: str) -> Iterator[Finding]:
    shares: dict[int, float] = {}
    for number, look in enumerate(data.looks):
        if look.width and (share := kept(look.width, look.height)) is not None:
            shares[number] = 1 - share
    worst = max(shares.values(), default=0.0)
    # Of a rounded number a thousandth is nothing.
    if worst < _LEAST_LOST:
        return
    samples = _samples(data, lambda look: bool(look.width))
    samples = sorted((each for each in samples if each.image in shares), key=lambda each: -shares[each.image])
    listed = [(each, f"{shares[each.image]:.0%} cut off") for each in samples[:_NUM_WORST]]
    yield Finding(
        "cropped",
        "warning" if worst > _MOST_LOST else "note",
        f"{crop} cuts off {median(shares.values()):.0%} of the median image, {worst:.0%} of the worst",
        "resize to the crop's own size, or to (size, size) without a crop, where edges matter",
        single(listed) if worst > median(shares.values()) else (),
    )
