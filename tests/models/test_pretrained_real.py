"""Real ImageNet weights, in half precision, load with and without their head."""

import os
import tarfile
from pathlib import Path

import pytest
import torch
import torchvision

from ding_cls.models import build_model, load_pretrained


@pytest.fixture(scope="module")
def real_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("DING_TEST_DATA")
    if not folder:
        pytest.skip("DING_TEST_DATA is not set: real weights are not at hand")
    target = tmp_path_factory.mktemp("real")
    with tarfile.open(Path(folder) / "weights.tar") as archive:
        archive.extractall(target, filter="data")
    return target / "weights"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "filename", "total"),
    [
        ("mobilenet_v2", "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth", 314),
        ("squeezenet1_0", "squeezenet1_0_deepcompression.torchvision.fp16.pth", 52),
    ],
)
def test_real_weights_are_loaded_with_and_without_their_head(
    real_weights: Path, name: str, filename: str, total: int
) -> None:
    path = real_weights / filename
    state = torch.load(path, weights_only=True)
    assert any(value.dtype == torch.float16 for value in state.values())
    model = build_model(name, num_classes=1000)
    assert str(load_pretrained(model, path)) == f"loaded {total} of {total} tensors from {path}"
    assert all(torch.equal(value, state[key].to(value.dtype)) for key, value in model.state_dict().items())
    assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}

    report = load_pretrained(build_model(name, num_classes=5), path)
    assert str(report).startswith(f"loaded {total - 2} of {total} tensors from {path}; ")
    assert str(report).endswith("; newly initialised: classifier.1.weight, classifier.1.bias")
    theirs = torchvision.models.get_model(name, num_classes=1000)
    theirs.load_state_dict(state, strict=True)
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(model.eval()(images), theirs.eval()(images))
