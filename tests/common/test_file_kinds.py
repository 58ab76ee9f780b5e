"""Files that are none of torch.save are told by what they are, without opening them."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.common.file_kinds import other_kind
from ding_cls.errors import CheckpointError, ModelError
from ding_cls.models import read_weights


def zipped(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"1")

    return write


def saved_safely(path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    library.save_file({"a": torch.ones(3)}, path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a TorchScript program": zipped("w/data.pkl", "w/constants.pkl", "w/code/__torch__.py"),
    "a program of torch.export": zipped("w/archive_format", "w/models/model.json"),
    "a package of torch.package": zipped("w/.data/extern_modules", "w/model.pkl"),
    "a model of Keras": zipped("config.json", "model.weights.h5"),
    "an .npz file": lambda path: np.savez(path.open("wb"), a=np.ones(2)),
    "an HDF5 file": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n123"),
    "a gzip archive": lambda path: path.write_bytes(gzip.compress(b"123")),
    "a page of the web": lambda path: path.write_text("<!doctype html><title>Sign in"),
    "a pointer of Git LFS": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "one of safetensors": saved_safely,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_is_named_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.pth"
    WRITERS[kind](path)
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(f"weights file {path} is {kind}")
    assert "\n" not in message
    with pytest.raises(CheckpointError, match=f"w.pth' is {kind}.*; it is no checkpoint of a run"):
        read_checkpoint(path)
    assert "weights_only" not in message
    assert "jit.load" not in message


def test_an_onnx_file_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x0a\x12\x07pytorch")
    with pytest.raises(
        CheckpointError, match=r"a\.onnx' is an exported ONNX file, for predict, eval and serve;"
    ):
        read_checkpoint(tmp_path / "a.onnx")


@pytest.mark.parametrize("new_format", [True, False])
def test_files_of_torch_are_none(tmp_path: Path, new_format: bool) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    assert other_kind(tmp_path / "w.pth") == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_torch_writes_of_programs_is_known(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 2)
    torch.jit.script(network).save(tmp_path / "s.pt")
    torch.export.save(torch.export.export(network, (torch.ones(1, 2),)), tmp_path / "e.pt2")
    assert "TorchScript" in other_kind(tmp_path / "s.pt")
    assert "torch.export" in other_kind(tmp_path / "e.pt2")
