"""A program of torch's own, which runs without the code of the network."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ding_cls.export.network import example_image
from ding_cls.export.torch_program import ProgramCandidate, program_content
from ding_cls.inference.onnx.description import ModelDescription
from tests.export.graphs import CLASSES, tiny_predictor

pytestmark = pytest.mark.slow

ALONE = """\
import json, sys, torch
extra = {"ding_cls": ""}
program = torch.export.load("tiny.pt2", extra_files=extra)
for count in (1, 2, 7):
    logits = program.module()(torch.full((count, 8, 8, 3), 77, dtype=torch.uint8))
    assert logits.shape == (count, 4), logits.shape
print(json.loads(extra["ding_cls"])["classes"], "ding_cls" in sys.modules)
"""


@pytest.mark.parametrize("layout", ["uint8", "float"])
def test_it_computes_what_torch_does(tmp_path: Path, layout: str) -> None:
    predictor = tiny_predictor()
    description = ModelDescription(CLASSES, 8, 8, layout=layout)  # type: ignore[arg-type]
    Path("tiny.pt2").write_bytes(program_content(predictor, example_image(predictor, None), description))
    candidate = ProgramCandidate("tiny.pt2", predictor, description)
    for count in (1, 2, 7):
        images = torch.randint(0, 256, (count, 8, 8, 3), dtype=torch.uint8)
        wanted = predictor.model(predictor.preprocessing.normalize(images)).detach()
        assert torch.equal(torch.from_numpy(candidate(images)), wanted)


def test_torch_alone_runs_it(tmp_path: Path) -> None:
    predictor = tiny_predictor()
    description = ModelDescription(CLASSES, 8, 8)
    content = program_content(predictor, example_image(predictor, None), description)
    Path("tiny.pt2").write_bytes(content)
    command = [sys.executable, "-I", "-c", ALONE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"{list(CLASSES)} False"
    assert str(Path(__file__).parents[2]).encode() not in content
