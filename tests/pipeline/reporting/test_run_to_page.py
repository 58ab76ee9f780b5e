"""From a run to a page in a browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ding_cls.cli import main
from ding_cls.pipeline.evaluate import evaluate
from tests.conftest import write_pictures
from tests.harness import run_tiny, tiny_parts
from tests.report.browser.test_browser import Tab

CLASSES = ("<b>bold", 'a "quoted" & name', "with, comma", "new\nline")


@pytest.mark.slow
def test_a_run_becomes_a_page_that_a_browser_shows(
    tmp_path: Path, browser: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, count in (("train", 10), ("val", 8)):
        write_pictures(tmp_path / "images" / split, classes=CLASSES, per_class=count)
    run = tmp_path / "run"
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(tmp_path / "images", str(run), alone, tiny_parts("LinearClsHead", in_channels=8))
    capsys.readouterr()

    assert main(["report", str(run)]) == 0

    assert capsys.readouterr().out == f"report: {run / 'report.html'}\n"
    text = (run / "report.html").read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S)
    values = json.loads(found)
    assert len(values["names"]) == 32
    assert len(values["thumbnails"]) == 32
    assert f"Top-1 accuracy is {evaluate(run)['acc1']:.2f}" in text
    assert "override policy.learn.learner.dataloader.num_workers=0" in text
    for width, scheme in ((400, "dark"), (1600, "light")):
        tab = Tab(browser, run / "report.html", width=width, scheme=scheme)
        tab.check()
        tab.close()
