"""The commands and the program of ``docs/cross-validation.md`` run, with a tiny network."""

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ding_cls
from ding_cls.cli import main
from tests.conftest import write_pictures
from tests.docs.scripts import DOCS
from tests.harness import SETTINGS, tiny_parts

PAGE = (DOCS / "cross-validation.md").read_text(encoding="utf-8")
TINY = tiny_parts("LinearClsHead", in_channels=8).replace("={", "={'_delete_': True, ")
WORDS = [*SETTINGS, TINY, "policy.learn.train_epoch=1", "policy.learn.learner.dataloader.num_workers=0"]


@pytest.fixture(autouse=True)
def pets(workdir: Path) -> None:
    for split, count in (("train", 5), ("test", 2)):
        write_pictures(Path("pets", split), classes=("cat", "dog"), per_class=count)


def test_every_command_runs_as_it_stands_there() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) == 7
    for command in commands:
        assert command[0] == "ding-cls"
        is_new = "--data" in command
        assert main([*command[1:], *(WORDS if is_new else [])]) == 0, command
    assert sorted(each.name for each in Path("runs").iterdir()) == ["grouped", "pets2", "pets5"]
    named = set(re.findall(r"^\| `(\w+\.\w+)`", PAGE, re.M))
    assert len(named) == 4
    for folder in Path("runs").iterdir():
        assert named <= {each.name for each in folder.iterdir()}
    assert Path("runs/pets5/summary_last.json").is_file()


def test_the_program_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    small: Any = partial(ding_cls.kfold, overrides=WORDS)
    monkeypatch.setattr(ding_cls, "kfold", small, raising=False)
    exec(compile(program, "cross-validation.md", "exec"), {})
    assert capsys.readouterr().out.rstrip().endswith("torch.Size([4, 2])")
    assert len(Path("test.csv").read_text().splitlines()) == 5
