"""``docs/serving.md``: its commands can be typed and do what it says, its limits are the server's."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ding_cls.cli import _parser
from ding_cls.cli.arguments import parse
from ding_cls.serve.app import MAX_EXPLAINING
from ding_cls.serve.protocol import DeadlineProtocol
from ding_cls.serve.requests.decoding import LARGE_PIXELS
from ding_cls.serve.requests.metrics import ServerMetrics
from ding_cls.serve.settings import ServeSettings
from tests.faults.server.started import served
from tests.serve.onnx_files import write_onnx
from tests.serve.toy import painted

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    for line in block.splitlines()
]


def test_its_commands_can_be_typed() -> None:
    own = [command for command in COMMANDS if command[0] == "ding-cls"]
    assert len(own) == 5
    for command in own:
        assert parse(_parser(), command[1:]).verb.__name__ == "_serve"


def test_its_limits_are_the_servers() -> None:
    settings, protocol = ServeSettings(), DeadlineProtocol
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", PAGE.split("## Limits")[1], re.M)
    stated = dict(rows[1:])
    assert stated == {
        "body": f"{settings.max_bytes // 2**20} MiB, counted as it comes",
        "pixels of an image": f"{settings.max_pixels:,}, by its header",
        "files of a form": str(settings.queue),
        "all bodies at once": f"{settings.max_held_bytes // 2**20} MiB",
        "images that wait": str(settings.queue),
        "heat maps at once": str(MAX_EXPLAINING),
        "time from body to answer": f"{settings.timeout_s:g} s",
        "head of a request, its body": f"{protocol.HEAD_S:g} s each, the body longer at "
        f"{protocol.BYTES_PER_S // 1000} kB/s or more",
        "head of a request": f"{protocol.MAX_HEAD_BYTES // 1024} KiB",
        "connections": str(protocol.MAX_CONNECTIONS),
        "time to answer after SIGTERM or Ctrl-C": f"{settings.drain_s} s",
    }
    assert protocol.HEAD_S == protocol.BODY_S
    assert f"more than {LARGE_PIXELS // 10**6} megapixels are decoded one at a time" in PAGE
    assert f"`--batch-size` ({settings.max_batch}) images" in PAGE
    assert f"`--topk` ({settings.topk}) classes" in PAGE


def test_the_counts_that_it_names_are_there() -> None:
    text = ServerMetrics().text().decode()
    for name in re.findall(r"`(ding_cls_\w+)`", PAGE):
        assert name.removesuffix("_total") in text
        assert name in text or name.endswith("_total")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="not run: there is no curl")
def test_its_requests_are_answered_as_it_says(tmp_path: Path) -> None:
    Path("photos").mkdir()
    for name, content in (
        ("sun", painted(220, 180, 0, kind="JPEG")),
        ("tulip", painted(200, 0, 60, kind="JPEG")),
    ):
        Path(f"photos/{name}.jpg").write_bytes(content)
    Path("photos/cut.jpg").write_bytes(painted(200, 0, 60, kind="JPEG")[:-40])
    asked = [command for command in COMMANDS if command[0] == "curl" and "127.0.0.1" in command[-1]]
    with served(write_onnx(tmp_path / "flowers.onnx"), tmp_path) as running:
        done = [
            subprocess.run(
                [*command[:-1], command[-1].replace(":8000/", f":{running.port}/"), "-sS"],
                capture_output=True,
                check=False,
                text=True,
            )
            for command in asked
        ]
    *answered, explained = done
    assert [each.returncode for each in answered] == [0, 0, 0]
    form, body, several = (json.loads(each.stdout) for each in answered)
    # An ONNX file has no heat map: --fail keeps the error's text out of map.png.
    assert explained.returncode == 22
    assert "404" in explained.stderr
    assert not Path("map.png").exists()
    assert form == body == several[0]
    example, error = (json.loads(each) for each in re.findall(r"^```json\n(.*?)^```", PAGE, re.S | re.M))
    assert set(form) == set(example)
    assert [set(each) for each in form["top"]] == [set(each) for each in example["top"]][:4]
    assert set(several[1]) == set(error)
    assert re.fullmatch(r"'cut.jpg' is truncated after \d+ bytes", several[1]["error"])
