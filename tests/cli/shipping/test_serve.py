"""``ding-cls serve``: what it hands on, and what it refuses before anything is loaded."""

import sys
from typing import Any

import pytest

from ding_cls.cli import main
from ding_cls.serve import server, workers
from ding_cls.serve.server import ServedModel
from ding_cls.serve.settings import ServeSettings


@pytest.fixture(autouse=True)
def process_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server sets the levels of loggers for its whole process."""
    monkeypatch.setattr(server, "set_up_process", lambda: None)


def served(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[ServedModel, ServeSettings]:
    seen: list[Any] = []

    def serve(model: ServedModel, settings: ServeSettings) -> int:
        seen.extend((model, settings))
        return 0

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr(workers, "serve_by_workers", serve)
    assert main(["serve", *words]) == 0
    return seen[0], seen[1]


def test_the_loopback_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DING_CLS_TOKEN", raising=False)
    model, settings = served(monkeypatch, "runs/flowers/")
    assert model == ServedModel(["runs/flowers/"])
    assert settings == ServeSettings(name="flowers")
    assert (settings.host, settings.port, settings.token) == ("127.0.0.1", 8000, None)


def test_options_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["a", "b", "--host", "0.0.0.0", "--port", "0", "--token", "t", "--topk", "2"]
    words += ["--workers", "3", "--batch-size", "7"]
    words += ["--tta", "--calibrated", "--max-risk", "5", "--threshold", "0.3", "--allow-code"]
    model, settings = served(monkeypatch, *words)
    assert model == ServedModel(["a", "b"], 0.3, calibrated=True, max_risk=5.0, tta=True, allow_code=True)
    assert settings == ServeSettings("0.0.0.0", 0, "t", name="a, b", topk=2, workers=3, max_batch=7)


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DING_CLS_TOKEN", "hidden")
    assert served(monkeypatch, "a", "--host", "0.0.0.0")[1].token == "hidden"
    assert served(monkeypatch, "a", "--token", "shown")[1].token == "shown"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--host 0.0.0.0", "--host 0.0.0.0 can be reached from elsewhere, so it needs a token: --token TEXT"),
        ("--port 70000", "port 70000 must lie in 0 to 65535"),
        ("--batch-size 0", "--batch-size 0 must be at least 1"),
        ("--port 0", "there is no checkpoint 'none'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    monkeypatch.delenv("DING_CLS_TOKEN", raising=False)
    assert main(["serve", "none", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert len(err.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [each for each in sys.modules if each.startswith("ding_cls.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "runs/flowers"]) == 2
    assert "pip install 'ding_cls[serve]'" in capsys.readouterr().err
