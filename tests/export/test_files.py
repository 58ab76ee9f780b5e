"""A file is published only if it says the same, whole, and under its own name."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ding_cls.errors import ConfigError, DataError, DiskError, ExportError, ModelError
from ding_cls.export import files
from ding_cls.export.files import candidate_of, export_file, export_onnx
from tests.export.graphs import CLASSES, change_weight, tiny_predictor

OUT = Path("größe 1", "tiny model.safetensors")


def pictures(count: int = 12) -> list[npt.NDArray[np.uint8]]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 12, 10, 3), np.uint8))


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_and_nothing_else_is_there_afterwards(tmp_path: Path) -> None:
    exported = export_file(tiny_predictor(), OUT, "safetensors", images=pictures())
    assert exported.path == str(OUT)
    assert exported.report.is_equal
    assert exported.report.num_images == 12
    assert not exported.report.is_synthetic
    assert not exported.unsaid
    assert exported.description.classes == CLASSES
    assert exported.description.layout == "float"
    assert names_in(OUT.parent) == [OUT.name]


def test_synthetic_images_where_none_are_given(tmp_path: Path) -> None:
    report = export_file(tiny_predictor(), OUT, "safetensors", samples=5).report
    assert report.is_synthetic
    assert report.num_images == 5


def sabotaged(*arguments: Any) -> Any:
    inner = candidate_of(*arguments)
    return lambda images: inner(images)[:, ::-1]


def test_where_they_disagree_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "candidate_of", sabotaged)
    OUT.parent.mkdir()
    OUT.write_text("an earlier one")
    with pytest.raises(ExportError, match=r"^Are the results equal\? No; 12 images: .*was not written$"):
        export_file(tiny_predictor(), OUT, "safetensors", images=pictures())
    assert OUT.read_text() == "an earlier one"
    assert names_in(OUT.parent) == [OUT.name]


@pytest.mark.slow
def test_of_a_sabotaged_onnx_file_the_first_differing_node_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = tiny_predictor()
    assert export_onnx(predictor, "good.onnx", images=pictures()).is_equal
    onnx_content = files._CONTENTS["onnx"]

    def changed(*arguments: Any) -> bytes:
        Path("changed").write_bytes(onnx_content(*arguments))
        change_weight(Path("changed"), "model.fc.weight", lambda weight: weight[::-1])
        return Path("changed").read_bytes()

    monkeypatch.setitem(files._CONTENTS, "onnx", changed)
    with pytest.raises(
        ExportError, match=r"Are the results equal\? No; .*[Gg]emm.*'bad.onnx' was not written"
    ):
        export_onnx(predictor, "bad.onnx", images=pictures())
    assert not Path("bad.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"out": "x.onnx"}, ConfigError, "'x.onnx' must end in .safetensors"),
        ({"out": "folder.safetensors"}, DataError, "'folder.safetensors' is a folder; name a file"),
        ({"out": "file/x.safetensors"}, DataError, "cannot be written: .*file' is a file"),
        ({"samples": 0}, ConfigError, "samples=0 must be at least 1"),
        ({"images": "gone"}, DataError, "'gone' does not exist"),
        ({"images": ["file"]}, ExportError, "none of 1 images can be read: 'file'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_first(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    Path("folder.safetensors").mkdir()
    Path("file").touch()
    with pytest.raises(error, match=message):
        export_file(tiny_predictor(), **{"out": OUT, "format": "safetensors", **arguments})
    assert names_in(tmp_path) == ["file", "folder.safetensors"]


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", is_full)
    with pytest.raises(DiskError, match=r"No space left|full"):
        export_file(tiny_predictor(), OUT, "safetensors", images=pictures())
    assert names_in(OUT.parent) == []


def test_two_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def export(scale: float) -> None:
        try:
            export_file(tiny_predictor(scale=scale), OUT, "safetensors", images=pictures(2))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=export, args=(scale,)) for scale in (1.0, 2.0)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
    assert names_in(OUT.parent) == [OUT.name]


def test_there_are_as_many_logits_as_classes(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    predictor.model.fc = torch.nn.Linear(3, 5)
    with pytest.raises(ModelError, match=r"into \(1, 5\); for 4 classes it must be \(1, 4\)"):
        export_file(predictor, OUT, "safetensors", images=pictures())
    assert not OUT.exists()


def test_a_file_that_cannot_be_read_back_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(files._CONTENTS, "onnx", lambda *arguments: b"no such file")
    with pytest.raises(ExportError, match=r"^'x.onnx' cannot be used: ") as raised:
        export_file(tiny_predictor(), "x.onnx", "onnx", images=pictures())
    assert ".tmp" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_never_the_same_is_refused(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    predictor.model.register_forward_hook(lambda module, inputs, logits: torch.rand_like(logits))
    with pytest.raises(ExportError, match=r"Are the results equal\? No"):
        export_file(predictor, OUT, "safetensors", images=pictures())
