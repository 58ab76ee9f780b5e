"""An ONNX file that cannot be used is named in one line; weights come from its own folder only."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.inference.onnx.session import open_session, usable_cores
from tests.onnx_files import DESCRIPTION, weights, write_onnx


def refused(path: Path, error: type[Exception] = CheckpointError) -> str:
    with pytest.raises(error) as caught:
        open_session(os.fspath(path))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(os.fspath(path), "FILE")


def test_a_file_of_ours_is_opened(tmp_path: Path) -> None:
    session, description = open_session(os.fspath(write_onnx(tmp_path / "a.onnx")))
    assert description == DESCRIPTION
    assert [each.name for each in session.get_inputs()] == ["images"]


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    whole = write_onnx(tmp_path / "a.onnx").read_bytes()
    assert refused(tmp_path / "b.onnx").startswith("the ONNX file 'FILE' does not exist; ding-cls export")
    assert refused(tmp_path).startswith("the ONNX file 'FILE' is no file;")
    file = tmp_path / "c.onnx"
    for content, reason in (
        (b"", "No graph was found in the protobuf"),
        (b"hello" * 100, "Protobuf parsing failed"),
        (whole[:-50], "Protobuf parsing failed"),
    ):
        file.write_bytes(content)
        assert refused(file) == f"'FILE' cannot be used: {reason}; export it again"


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write_onnx(tmp_path / "a.onnx").read_bytes()
    for text in (b'"layout"', b"MatMul"):
        file = tmp_path / f"{len(text)}.onnx"
        assert whole.count(text) == 1
        file.write_bytes(whole.replace(text, text[:-2] + b"\xff" + text[-1:]))
        message = refused(file)
        assert message.startswith("'FILE' ")
        assert "SHA-256" not in message
    assert capfd.readouterr().out == ""


def test_a_file_of_another_program_is_told(tmp_path: Path) -> None:
    write_onnx(tmp_path / "a.onnx", entry="")
    os.rename(tmp_path / "a.onnx", tmp_path / "b.onnx")
    file = write_onnx(tmp_path / "a.onnx", entry="{}")
    assert refused(file).startswith("what 'FILE' says of itself cannot be read")
    from onnx import load, save

    model = load(file)
    del model.metadata_props[:]
    save(model, file)
    assert "was not written by ding-cls export" in refused(file)


def test_a_graph_that_takes_something_else_is_told(tmp_path: Path) -> None:
    from dataclasses import replace

    file = write_onnx(tmp_path / "a.onnx", entry=replace(DESCRIPTION, layout="float").to_json())
    message = refused(file)
    assert message.startswith(
        "'FILE' takes images tensor(uint8) and returns logits, where it says that it takes"
    )


def test_what_moves_the_cursor_is_written_out(tmp_path: Path) -> None:
    from onnx import load, save

    file = write_onnx(tmp_path / "a.onnx")
    model = load(file)
    model.graph.input[0].name = model.graph.node[0].input[0] = "x\n\x1b[31m"
    save(model, file)
    assert refused(file).startswith(r"'FILE' takes x\n\x1b[31m tensor(uint8) and returns logits, where")
    model.graph.node[0].op_type = "Y\x1b[31m"
    save(model, file)
    assert r"No Op registered for Y\x1b[31m with" in refused(file)


def test_weights_are_read_from_the_files_own_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    weights(DESCRIPTION).tofile(inside / "a.data")
    session, _ = open_session(os.fspath(write_onnx(inside / "a.onnx", location="a.data")))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), np.uint8)
    logits = session.run(["logits"], {"images": images})[0]
    np.testing.assert_allclose(logits, images.reshape(2, -1) @ weights(DESCRIPTION), rtol=0, atol=1e-4)


@pytest.mark.parametrize("way", ["../outside.data", "absolute", "link.data", "folder/outside.data", "gone"])
def test_weights_from_elsewhere_are_refused(way: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = tmp_path / "outside.data"
    weights(DESCRIPTION).tofile(outside)
    (inside / "link.data").symlink_to(outside)
    (inside / "folder").symlink_to(tmp_path)
    location = os.fspath(outside) if way == "absolute" else way
    assert "cannot be used: " in refused(write_onnx(inside / "a.onnx", location=location))


def test_without_onnx_runtime_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_onnx(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = refused(file, ConfigError)
    assert "pip install 'ding_cls[export]'" in message
    assert "pip install onnxruntime" in message


def test_an_onnx_runtime_that_reads_foreign_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "__version__", "1.23.2")
    assert refused(write_onnx(tmp_path / "a.onnx"), ConfigError) == (
        "ONNX Runtime 1.23.2 reads files from outside of a model's folder; pip install 'onnxruntime>=1.24'"
    )


def test_the_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def affinity(process: int) -> Any:
        return {0, 1, 5}

    monkeypatch.setattr(os, "sched_getaffinity", affinity, raising=False)
    for limit, cores in (("", 3), ("2", 2), ("8", 3), ("0", 3), ("2,1", 3)):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        assert usable_cores() == cores
