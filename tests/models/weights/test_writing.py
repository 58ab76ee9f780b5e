"""Weights alone in a file: any program of PyTorch reads it, and the same weights make the same bytes."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torchvision.models import mnasnet0_5

from ding_cls.errors import ConfigError, ExportError
from ding_cls.models.weights import writing
from ding_cls.models.weights.writing import ENDINGS, check_writable, read_back, write_weights

TEXTS = {"format": "pt", "ding_cls": '{"classes": ["猫", "a\\"b"]}', "a": "\u202e", "z": "1"}


def tied() -> nn.Module:
    """Two layers with one weight, a view into a large tensor, and weights in another order in memory."""
    first, second, conv = nn.Linear(4, 4), nn.Linear(4, 4), nn.Conv2d(3, 4, 3)
    second.weight = first.weight
    first.bias = nn.Parameter(torch.arange(400.0)[4:8])
    return nn.Sequential(first, second, conv.to(memory_format=torch.channels_last))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_read_back_is_what_was_there(ending: str, tmp_path: Path) -> None:
    network, path = tied(), tmp_path / f"x{ending}"
    write_weights(path, network.state_dict(), TEXTS)
    found = read_back(path)
    assert list(network.state_dict()) == list(found) or ending == ".safetensors"
    network.load_state_dict(found, strict=True)
    for name, tensor in network.state_dict().items():
        assert torch.equal(found[name], tensor), name
    assert path.stat().st_size < 4000


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_weights_make_the_same_bytes(ending: str, tmp_path: Path) -> None:
    network = tied()
    for name in "ab":
        write_weights(tmp_path / f"{name}{ending}", network.state_dict(), TEXTS)
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"a{ending}", f"b{ending}"]


def test_the_metadata_are_in_one_order(tmp_path: Path) -> None:
    # safetensors itself writes them in the order of a hash table, another one in each process.
    write_weights(tmp_path / "x.safetensors", {"w": torch.zeros(2)}, TEXTS)
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == TEXTS
    text = (tmp_path / "x.safetensors").read_bytes()
    places = [text.index(f'"{name}":'.encode()) for name in sorted(TEXTS)]
    assert places == sorted(places)
    assert int.from_bytes(text[:8], "little") % 8 == 0


def test_a_network_that_asks_for_versions_takes_it(tmp_path: Path) -> None:
    network = mnasnet0_5(weights=None, num_classes=3)
    write_weights(tmp_path / "x.pth", network.state_dict())
    network.load_state_dict(read_back(tmp_path / "x.pth"), strict=True)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in .pth or .safetensors"):
        write_weights(tmp_path / "x.bin", {"w": torch.zeros(2)})


def test_what_safetensors_cannot_hold_is_an_error(tmp_path: Path) -> None:
    numbers = torch.ones(3, dtype=torch.complex128)
    with pytest.raises(ExportError, match=r"cannot hold these weights"):
        write_weights(tmp_path / "x.safetensors", {"w": numbers})
    assert not list(tmp_path.iterdir())


def test_safetensors_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[export\]'"):
        check_writable(tmp_path / "x.safetensors")
    assert check_writable(tmp_path / "x.pth") == ".pth"
