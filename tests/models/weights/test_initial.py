"""Weights that a network begins with: which part asks for which file, and what comes from where."""

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import build_model, load_initial_weights, load_pretrained, new_network

RESNET = {"type": "ResNet", "depth": 18}
HEAD = {"type": "LinearClsHead", "in_channels": 512}


def of_parts(**more: Any) -> dict[str, Any]:
    return {
        "type": "ImageClassifier",
        "backbone": RESNET,
        "neck": {"type": "GlobalAveragePooling"},
        "head": HEAD,
        **more,
    }


def pretrained(checkpoint: str, **more: str) -> dict[str, Any]:
    return {"type": "Pretrained", "checkpoint": checkpoint, **more}


@pytest.mark.parametrize("as_list", [False, True])
def test_a_backbone_takes_its_part_of_a_file(file: str, state: dict[str, Tensor], as_list: bool) -> None:
    init: Any = [pretrained(file)] if as_list else pretrained(file)
    description = of_parts(backbone={**RESNET, "init_cfg": init})
    network = new_network(description, num_classes=3)
    assert not torch.equal(network.backbone.conv1.weight, state["conv1.weight"])
    (report,) = load_initial_weights(network, description)
    assert str(report) == f"loaded 120 of 120 tensors from {file}; left out: fc"
    assert all(torch.equal(each, state[name]) for name, each in network.backbone.state_dict().items())


@pytest.mark.parametrize("prefix", ["backbone", "backbone."])
def test_a_prefix_chooses_and_is_taken_off(tmp_path: Path, state: dict[str, Tensor], prefix: str) -> None:
    body = {f"backbone.{name}": each for name, each in state.items() if not name.startswith("fc.")}
    torch.save({**body, "head.fc.weight": torch.zeros(2, 512)}, tmp_path / "w.pth")
    init = pretrained(str(tmp_path / "w.pth"), prefix=prefix)
    description = of_parts(backbone={**RESNET, "init_cfg": init})
    network = new_network(description, num_classes=3)
    (report,) = load_initial_weights(network, description)
    assert (report.loaded, report.left_out) == (120, ())
    assert torch.equal(network.backbone.conv1.weight, state["conv1.weight"])
    with pytest.raises(
        ModelError, match=r"has nothing under prefix='trunk\.'; its names begin with: backbone, head"
    ):
        load_pretrained(network.backbone, tmp_path / "w.pth", prefix="trunk")


@pytest.mark.slow
def test_whole_backbone_and_pretrained_are_loaded_in_that_order(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        filled = {
            name: torch.full_like(each, number)
            for name, each in build_model("resnet18", num_classes=3).state_dict().items()
        }
        files.append(str(tmp_path / f"{number}.pth"))
        torch.save(filled, files[-1])
    first, second, third = files
    both = of_parts(init_cfg=pretrained(first), backbone={**RESNET, "pretrained": second})
    network = new_network(both, num_classes=3)
    assert len(load_initial_weights(network, both)) == 2
    assert (network.backbone.conv1.weight == 1).all()
    assert (network.head.fc.weight == 0).all()
    assert len(load_initial_weights(network, {**both, "pretrained": third})) == 3
    assert (network.head.fc.weight == 2).all()


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ({"type": "Pretrained"}, "it takes type='Pretrained', checkpoint="),
        (
            {"type": "Pretrained", "checkpoint": "w.pth", "prefx": "a"},
            "it takes type='Pretrained', checkpoint=",
        ),
    ],
)
def test_a_wrong_description_is_named(init: dict[str, Any], message: str) -> None:
    description = of_parts(backbone={**RESNET, "init_cfg": init})
    network = new_network(description, num_classes=3)
    with pytest.raises(ConfigError, match=message):
        load_initial_weights(network, description)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["module.", "model.", "pretrain_", "backbone.", "module.pretrain_"])
def test_prefixes_are_taken_off(tmp_path: Path, state: dict[str, Tensor], prefix: str) -> None:
    torch.save({prefix + name: each for name, each in state.items()}, tmp_path / "w.pth")
    network = build_model("resnet18", num_classes=7)
    assert load_pretrained(network, tmp_path / "w.pth").loaded == 122


@pytest.mark.parametrize("in_channels", [1, 2, 5])
def test_the_first_convolution_is_fitted_to_other_channels(
    file: str, state: dict[str, Tensor], in_channels: int
) -> None:
    network = build_model("resnet18", num_classes=7, in_channels=in_channels)
    report = load_pretrained(network, file)
    assert report.resized == (f"conv1.weight (3 to {in_channels} channels)",)
    assert f"; resized: conv1.weight (3 to {in_channels} channels)" in str(report)
    theirs, ours = state["conv1.weight"], network.conv1.weight
    if in_channels == 1:
        torch.testing.assert_close(ours, theirs.sum(1, keepdim=True))
        return
    for channel in range(in_channels):
        torch.testing.assert_close(ours[:, channel], theirs[:, channel % 3] * (3 / in_channels))


# Addresses: https only, cached in torch's folder, the hash in the name checked.


class Response(io.BytesIO):
    """What urllib gives for an address."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content))}

    def info(self) -> Any:
        return self

    def get_all(self, name: str) -> list[str]:
        return [self.headers[name]]


@pytest.fixture
def served(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[str]]:
    content, asked = Path(file).read_bytes(), []

    def urlopen(request: Any, *_: Any, **__: Any) -> Response:
        asked.append(request.full_url)
        return Response(content)

    monkeypatch.setattr("torch.hub.urlopen", urlopen)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    return content, asked


@pytest.mark.parametrize("where", ["pretrained", "init_cfg"])
def test_an_address_is_fetched_once(
    served: tuple[bytes, list[str]], state: dict[str, Tensor], tmp_path: Path, where: str
) -> None:
    content, asked = served
    url = f"https://example.org/v0/resnet18_8xb32_in1k_20210831-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    description = of_parts(**{where: url if where == "pretrained" else pretrained(url)})
    for _ in range(2):
        network = new_network(description, num_classes=7)
        load_initial_weights(network, description)
        assert torch.equal(network.backbone.conv1.weight, state["conv1.weight"])
    assert asked == [url]
    assert Path(tmp_path, "hub", "checkpoints", url.rpartition("/")[2]).read_bytes() == content


def test_another_hash_is_refused_and_nothing_is_kept(served: tuple[bytes, list[str]], tmp_path: Path) -> None:
    url = "https://example.org/w-00000000.pth"
    with pytest.raises(
        ModelError, match=r"the weights https://example\.org/w-00000000\.pth cannot be downloaded"
    ):
        load_initial_weights(build_model("resnet18", num_classes=7), {"name": "resnet18", "pretrained": url})
    assert served[1] == [url]
    assert not list(Path(tmp_path, "hub", "checkpoints").glob("*"))


@pytest.mark.parametrize("url", ["http://example.org/w.pth", "ftp://example.org/w.pth", "s3://w.pth"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ModelError, match="weights are fetched from https:// addresses alone"):
        load_initial_weights(nn.Linear(1, 1), {"pretrained": url})
