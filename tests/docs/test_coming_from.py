"""``docs/coming-from``: a page for each system, whose commands run and whose keys exist."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ding_cls.cli import _parser, main
from ding_cls.config.defaults import ROOT as ROOT_KEYS
from ding_cls.config.defaults import Key
from ding_cls.models import build_model
from tests.conftest import write_pictures

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "coming-from").glob("*.md"))
NAMES = ["di-engine", "easy-classification", "mmclassification", "oneflow-benchmark", "transfer-learning"]
# How many commands the blocks of a page have.
COUNTS = {"di-engine": 0, "easy-classification": 4, "mmclassification": 8, "oneflow-benchmark": 3}
COUNTS["transfer-learning"] = 4
# Small images and few epochs: what is tested is that the words are accepted and the command ends well.
SMALL = ["policy.collect.image_size=32", "--epochs", "1", "policy.cuda=False"]

# A config in mmclassification's spelling.
CONFIG = """
norm = dict(type='Normalize', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train = [dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', size=32), dict(norm)]
val = [dict(type='LoadImageFromFile'), dict(type='Resize', size=(32, -1)),
       dict(type='CenterCrop', crop_size=32), dict(norm)]
data = dict(samples_per_gpu=8, workers_per_gpu=0,
            train=dict(type='CustomDataset', data_prefix='DIR/train', pipeline=train),
            val=dict(type='CustomDataset', data_prefix='DIR/val', pipeline=val))
model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18),
             neck=dict(type='GlobalAveragePooling'),
             head=dict(type='LinearClsHead', num_classes=3, in_channels=512))
optimizer = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001)
lr_config = dict(policy='step', step=[1])
runner = dict(type='EpochBasedRunner', max_epochs=2)
evaluation = dict(interval=1, metric='accuracy')
"""


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page's blocks, in words."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


def test_there_is_a_page_for_each_system() -> None:
    assert [page.stem for page in PAGES] == NAMES
    for page in PAGES:
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 110
        assert "## What you type" in page.read_text() or page.stem == "transfer-learning"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_commands_can_be_typed(page: Path) -> None:
    typed = commands(page)
    assert len(typed) == COUNTS[page.stem]
    for words in typed:
        assert words[0] == "ding-cls"
        _parser().parse_args(words[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_tables_name_verbs_and_scripts_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    verbs = set(re.findall(r"`ding-cls ([\w-]+)", text))
    known = set(_parser()._subparsers._group_actions[0].choices)
    assert verbs <= known
    scripts = re.findall(r"entry/\w+\.sh", text)
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_keys_are_keys_of_a_config(page: Path) -> None:
    keys = sorted(set(re.findall(r"\bpolicy(?:\.[a-z]\w*)+", page.read_text(encoding="utf-8"))))
    assert [key for key in keys if not is_key(key)] == []


def is_key(path: str) -> bool:
    """Return whether the schema has a key or a section at a path; below a free section it may be any."""
    tree: Any = ROOT_KEYS
    for name in path.split("."):
        if not isinstance(tree, Mapping):
            return not isinstance(tree, Key) or tree.default is None
        if name not in tree:
            return False
        tree = tree[name]
    return True


def test_a_flag_of_oneflows_is_answered_as_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = re.findall(r"^```text\n\$ ding-cls (.*)\n(.*)\n```", page_of("oneflow-benchmark"), re.M)
    with pytest.raises(SystemExit):
        main(shlex.split(shown[0]))
    assert capsys.readouterr().err.splitlines()[-1].endswith(shown[1].removeprefix("error: "))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_its_commands_run(page: Path, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        write_pictures(Path("DIR", split), classes=("ash", "birch", "fir"), per_class=6, size_px=40)
    write_pictures(Path("PHOTOS"), classes=("ash", "birch", "fir"), per_class=72, size_px=40)
    write_pictures(Path("photos"), classes=("unsorted",), per_class=3, size_px=40)
    for name in ("fish.jpg", "cat.jpg"):
        Image.new("RGB", (50, 40), (200, 90, 30)).save(name)
    Path("mmcls_config.py").write_text(CONFIG)
    for words in commands(page):
        assert main(made_small(words[1:])) == 0, words
        assert "error" not in capsys.readouterr().err


def made_small(words: list[str]) -> list[str]:
    """Return a command for a small network, from a file of weights instead of an address."""
    words = ["resnet18" if each == "resnet50" else each for each in words]
    if "--pretrained" in words:
        torch.save(build_model("resnet18", num_classes=1000).state_dict(), "weights.pth")
        words.insert(words.index("--pretrained") + 1, "weights.pth")
    trains = words[0] in ("train", "kfold") and "mmcls_config.py" not in words
    return [*words, *SMALL] if trains else words


def page_of(name: str) -> str:
    return (ROOT / "docs" / "coming-from" / f"{name}.md").read_text(encoding="utf-8")
