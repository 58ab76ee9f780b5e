"""A file of weights that says of itself what it is of; any other says nothing."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.errors import CheckpointError
from ding_cls.inference.described_weights import described_weights
from ding_cls.inference.onnx.description import ModelDescription

ABOUT = ModelDescription(("ash", "<b>\n|", "\udcff"), 8, 8, layout="float").to_json()
OWN = PipelinePreprocessing([{"type": "Resize", "size": 8}], mean=[0.5] * 3, std=[0.25] * 3)
RECORD = '{"pipeline": [{"type": "Resize", "size": 8}], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}'


def saved(path: Path, metadata: dict[str, str] | None) -> Path:
    save_file({"w": torch.zeros(2)}, path, metadata)
    return path


def test_classes_and_preprocessing_come_back(tmp_path: Path) -> None:
    found = described_weights(saved(tmp_path / "x.safetensors", {"ding_cls": ABOUT, "preprocessing": RECORD}))
    assert found is not None
    about, preprocessing = found
    assert about.classes == ("ash", "<b>\n|", "\udcff")
    assert preprocessing == OWN
    assert preprocessing != Preprocessing()


def test_a_file_of_another_program_says_nothing(tmp_path: Path) -> None:
    assert described_weights(saved(tmp_path / "x.safetensors", None)) is None
    assert described_weights(saved(tmp_path / "x.safetensors", {"format": "pt"})) is None
    torch.save({"w": torch.zeros(2)}, tmp_path / "x.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"\xff" * 20)
    for name in ("x.pth", "damaged.safetensors", "missing.safetensors"):
        assert described_weights(tmp_path / name) is None


@pytest.mark.parametrize(
    ("about", "record", "reason"),
    [
        ("{", RECORD, "cannot be read"),
        (ABOUT.replace('"format": 1', '"format": 9'), RECORD, "another version"),
        (ABOUT, "[", "preprocessing in .* cannot be read"),
        (ABOUT, '{"mean": 3}', "run.preprocessing in .* cannot be used"),
        (ABOUT, "7", "run.preprocessing in .* cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(about: str, record: str, reason: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.safetensors", {"ding_cls": about, "preprocessing": record})
    with pytest.raises(CheckpointError, match=reason):
        described_weights(file)
