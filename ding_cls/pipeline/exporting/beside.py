"""What is written beside an exported file: a program that prepares images for it, the network in int8."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from ding_cls.answers.evaluation.summary import printable
from ding_cls.common.tables import checked_ending, published
from ding_cls.errors import ConfigError, DataError
from ding_cls.export.files import ENDINGS, ExportedFile, Format
from ding_cls.export.quantized import quantize_onnx
from ding_cls.inference.onnx.description import KEY
from ding_cls.inference.onnx.steps import written_preprocess
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source, name_of_source
from ding_cls.pipeline.exporting.images import ComparedImages

# What a file is run by, and how the program beside it is called: two files of one name take other numbers.
_CALLS = {
    "onnx": ("session.run(None, {'images': preprocess(file)})", "preprocess.py"),
    "torch_export": (
        "torch.export.load(NAME).module()(torch.from_numpy(preprocess(file)))",
        "pt2_preprocess.py",
    ),
}
# How a program begins; in a file it is the name of what that says of itself.
_MARK = b"Images as the exported file beside this one takes them"


def write_preprocess(exported: ExportedFile) -> str:
    """Write the program that prepares images for a graph, and say so; or why there is none.

    Raises:
        DataError: it cannot be written.
    """
    call, path = _CALLS[exported.format][0], _preprocess_path(Path(exported.path), exported.format)
    if exported.unsaid:
        old = f"; {printable(str(path))} is of another export" if path.exists() else ""
        return f"no program for the preprocessing: {exported.unsaid}; prepare images with ding_cls{old}"
    with published(path) as file:
        file.write(written_preprocess(exported.description, call=call).encode())
    return f"preprocessing, by NumPy and Pillow: {printable(str(path))}"


def check_ours(target: Path, format: Format, *, is_named: bool, int8: bool) -> None:
    """Refuse, before the work, to write over a file that the user has not named and no export has written.

    Raises:
        DataError: it is such a file, or a folder.
    """
    unnamed = [] if is_named else [target]
    unnamed += [_preprocess_path(target, format)] if format in _CALLS else []
    unnamed += [int8_path(target)] if int8 else []
    for path in unnamed:
        if path.exists() and not _is_ours(path):
            other = quote(str(target.with_stem(f"{target.stem}_2")))
            raise DataError(
                f"'{path}' is there and of no export; move it, or name another file: --out {other}"
            )


def _preprocess_path(target: Path, format: Format) -> Path:
    return target.with_name(f"{target.stem}_{_CALLS[format][1]}")


def _is_ours(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            if not os.path.getsize(path):
                return True
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(_MARK if path.suffix == ".py" else KEY.encode()) >= 0
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}; take another --out FILE") from error


def check_int8(format: Format, target: Path, images: ComparedImages) -> None:
    """Refuse what cannot lead to a file in int8, before the work.

    Raises:
        ConfigError: another format, or there are no images.
        DataError: the file cannot be written.
    """
    if format != "onnx":
        raise ConfigError(f"--int8 is for ONNX files; leave out --format {format}")
    if images.sources is None:
        raise ConfigError(
            f"--int8 takes the ranges of values from real images, and {images.reason}; name some: --data PATH"
        )
    checked_ending(int8_path(target), (ENDINGS["onnx"],))


def int8_path(target: Path) -> Path:
    """Return where the network in int8 is written."""
    return target.with_name(f"{target.stem}_int8{target.suffix}")


def write_int8(
    predictor: Predictor, target: Path, images: ComparedImages, training: Sequence[Source] | None
) -> Iterator[str]:
    """Write a network in int8 beside the ONNX file of it; yield where, and what it costs.

    Args:
        predictor: what the file was made of.
        target: the ONNX file.
        images: what both are judged on.
        training: what the ranges of values are taken from; None, or where ``images`` are among them: some of
            these.

    Raises:
        DataError: there are too few images.
        ExportError: ONNX Runtime cannot quantize the network.
    """
    out, judged = int8_path(target), images.sources or []
    names = set(map(_place, judged))
    others = None if any(_place(each) in names for each in training or ()) else training
    report = quantize_onnx(predictor, target, out, judged, targets=images.targets, calibration=others)
    yield f"int8: {printable(str(out))}"
    yield from report.lines()


def _place(source: Source) -> str | None:
    """Return where an image is, however its path is spelled."""
    name = name_of_source(source)
    return name and os.path.realpath(name)
