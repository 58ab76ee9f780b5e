"""``docs/report.md``: its commands and its program run, and its sections are those of the page."""

import re
import shlex
from pathlib import Path

import pytest

from ding_cls.cli import main
from ding_cls.pipeline.reporting import report as reporting
from tests.conftest import write_pictures
from tests.docs.scripts import DOCS
from tests.harness import SETTINGS, tiny_parts
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained

PAGE = (DOCS / "report.md").read_text(encoding="utf-8")
TINY = tiny_parts("LinearClsHead", in_channels=8).replace("={", "={'_delete_': True, ")
WORDS = [*SETTINGS, TINY, "policy.learn.train_epoch=1", "policy.learn.learner.dataloader.num_workers=0"]


@pytest.mark.slow
def test_every_command_and_the_program_run(
    workdir: Path,
    trained: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(reporting, "heat_maps", lambda *arguments: ({}, ""))
    write_pictures(Path("pets", "train"), classes=("cat", "dog"), per_class=6)
    Path("runs").mkdir()
    Path("runs/pets").symlink_to(trained)
    Path("photos").symlink_to(images / "val")
    (images / "test").symlink_to(images / "val")
    request.addfinalizer((images / "test").unlink)
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    commands = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        assert command[0] == "ding-cls"
        assert main([*command[1:], *(WORDS if command[1] == "kfold" else [])]) == 0, command
    written = ["runs/pets/report.html", "runs/pets/report_test.html", "photos.html"]
    assert all(Path(each).is_file() for each in written)
    text = Path("runs/pets/report.html").read_text(encoding="utf-8")
    sections = re.findall(r"^\| (\w[\w ]*) \| ", PAGE, re.M)[1:]
    assert len(sections) == 9
    for each in sections:
        assert f">{each}<" in text or each in ("Time", "Worst mistakes", "Likely label errors"), each

    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    exec(compile(program, "report.md", "exec"), {})


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    assert f"at most\n{reporting.NUM_THUMBNAILS:,} of them" in PAGE
    assert f"for the first {reporting.NUM_HEAT_MAPS})" in PAGE
