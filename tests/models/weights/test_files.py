"""Files of weights: found where torchvision keeps them, read without running code, refused when damaged."""

import argparse
import hashlib
import os
import urllib.error
import zipfile
from email.message import Message
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch

from ding_cls.errors import ModelError
from ding_cls.models import build_model, fetch_weights, read_weights
from ding_cls.models.weights.files import read_evaluated_weights

URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


def refuse(*_: object, **__: object) -> None:
    raise urllib.error.URLError("Name or service not known")


def save_state(path: Path) -> dict[str, torch.Tensor]:
    state = {"a": torch.arange(4000.0), "b": torch.ones(2, 3)}
    torch.save(state, path)
    return state


def test_without_a_network_it_says_what_to_bring_and_where(hub: Path, monkeypatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(ModelError) as caught:
        build_model("resnet18", num_classes=5, pretrained=True)
    message = str(caught.value)
    assert f"bring {URL} to {hub / 'resnet18-f37072fd.pth'}" in message
    assert "give the path of a file as pretrained" in message
    assert "Name or service not known" in message
    assert "\n" not in message


def test_a_file_that_was_brought_is_used(hub: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    hub.mkdir(parents=True)
    torch.manual_seed(5)
    state = build_model("resnet18", num_classes=1000).state_dict()
    torch.save(state, hub / "resnet18-f37072fd.pth")
    model = build_model("resnet18", num_classes=1000, pretrained=True)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_a_download_that_fails_its_checksum_leaves_nothing(hub: Path, tmp_path: Path, monkeypatch) -> None:
    wrong = tmp_path / "other.pth"
    wrong.write_bytes(b"not the weights")
    assert not hashlib.sha256(wrong.read_bytes()).hexdigest().startswith("f37072fd")
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: OpenedFile(wrong))
    with pytest.raises(ModelError, match=r"resnet18 cannot be downloaded .*invalid hash value"):
        fetch_weights("resnet18")
    assert list(hub.iterdir()) == []


class OpenedFile:
    """What urlopen returns, as far as it is read here."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")

    def info(self) -> Message:
        return Message()

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def __enter__(self) -> "OpenedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    close = __exit__


def test_a_network_without_published_weights_is_named() -> None:
    with pytest.raises(ModelError, match="no pretrained weights for resnet19; give a file"):
        fetch_weights("resnet19")


@pytest.mark.parametrize("keys", [(), ("model",), ("state_dict",), ("state_dict", "model")])
@pytest.mark.parametrize("new_format", [True, False])
def test_state_dict_is_found_in_both_formats(tmp_path: Path, keys: tuple[str, ...], new_format: bool) -> None:
    state = {"a": torch.arange(3), "b": torch.ones(2, dtype=torch.float16)}
    content: dict[str, object] = dict(state)
    for key in keys:
        content = {"epoch": 3, "classes": ["x", "y"], key: content}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    found = read_weights(tmp_path / "w.pth")
    assert list(found) == ["a", "b"]
    assert all(
        torch.equal(found[key], value) and found[key].dtype == value.dtype for key, value in state.items()
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": 1, "b": torch.ones(1)}, "holds a dict with the keys 'a', 'b'; expected tensors by name"),
        ({}, "holds an empty dict"),
        ({"model": {}}, "holds an empty dict"),
        (torch.ones(3), "holds a Tensor"),
    ],
)
def test_anything_else_is_described(tmp_path: Path, content: object, expected: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=expected):
        read_weights(tmp_path / "w.pth")


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, ("/nowhere/at/all",))


def test_a_file_that_names_a_command_is_not_opened(tmp_path: Path) -> None:
    torch.save({"model": {"a": _Harmful()}}, tmp_path / "w.pth")
    with pytest.raises(
        ModelError, match=r"holds posix\.mkdir, and opening that could run code; if it is not"
    ):
        read_weights(tmp_path / "w.pth")


def test_a_file_that_could_run_code_is_not_opened(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.ones(1)}, "out": PurePosixPath("/runs")}, tmp_path / "w.pth")
    with pytest.raises(
        ModelError,
        match=r"holds pathlib\.\S*PurePosixPath, and opening that could run code; if it is not damaged, save",
    ) as caught:
        read_weights(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("new_format", [True, False])
def test_arguments_and_figures_beside_the_weights_are_passed_over(tmp_path: Path, new_format: bool) -> None:
    content = {
        "model": {"a": torch.ones(1)},
        "args": argparse.Namespace(lr=np.float64(0.1), layers=[1]),
        "best": np.float32(3),
        "curve": np.arange(3),
    }
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    assert list(read_weights(tmp_path / "w.pth")) == ["a"]


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema"])
def test_an_average_is_taken_where_it_is_alone_and_named_beside_the_weights(tmp_path: Path, key: str) -> None:
    torch.save({key: {"a": torch.zeros(1)}, "epoch": 3}, tmp_path / "average.pth")
    assert read_weights(tmp_path / "average.pth")["a"] == 0
    torch.save({key: {"a": torch.zeros(1)}, "model": {"a": torch.ones(1)}}, tmp_path / "both.pth")
    found = read_evaluated_weights(tmp_path / "both.pth")
    assert found.tensors["a"] == 1
    assert found.values == (key,)


def test_a_remedy_of_its_own_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match=r"fetch the file itself with git lfs pull$"):
        read_weights(tmp_path / "w.pth")


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"weights file {tmp_path}/none.pth does not exist"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(ModelError, match=f"weights file {tmp_path} is a folder"):
        read_weights(tmp_path)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_file_is_named(tmp_path: Path, new_format: bool, share: float) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.arange(4000.0)}, path, _use_new_zipfile_serialization=new_format)
    length = path.stat().st_size
    os.truncate(path, int(length * share))
    assert path.stat().st_size < length
    with pytest.raises(ModelError, match=f"weights file {path} cannot be read: .*damaged") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_flipped_bit_in_a_tensor_is_found(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    state = save_state(path)
    content = bytearray(path.read_bytes())
    position = content.index(state["a"].numpy().tobytes()) + 4001
    content[position] ^= 0x10
    path.write_bytes(content)
    # torch alone takes it for good.
    assert not torch.equal(torch.load(path, weights_only=True)["a"], state["a"])
    with pytest.raises(ModelError, match=r"it is damaged .*Bad CRC-32"):
        read_weights(path)


def test_file_written_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        state = save_state(tmp_path / "w.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        assert {member.CRC for member in archive.infolist()} == {0}
    assert torch.equal(read_weights(tmp_path / "w.pth")["a"], state["a"])


def test_home_folder_is_expanded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save_state(tmp_path / "w.pth")
    assert list(read_weights("~/w.pth")) == ["a", "b"]
