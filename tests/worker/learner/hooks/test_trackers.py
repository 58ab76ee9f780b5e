"""Numbers to MLflow and W&B."""

import json
import sys
import threading
import time
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, RunStopped
from ding_cls.worker import LearnerHook
from ding_cls.worker.learner import learner_hooks
from ding_cls.worker.learner.hooks import trackers as tracking
from ding_cls.worker.learner.hooks.method_hook import method_hooks
from ding_cls.worker.learner.hooks.trackers import Tracker
from tests.worker.learner.parts import Loader, Note, learner
from tests.worker.tables import scripted

pytestmark = pytest.mark.usefixtures("workdir")

LOG = {"save_ckpt_after_iter": False, "save_ckpt_after_run": True, "log_show_after_iter": 2}


class FakeRun:
    """A run of a stand-in wandb: keeps what it was told."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.id = settings.get("id", "w1")
        self.settings = settings
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.artifacts: list[str] = []
        self.exit_code: int | None = None

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        self.logged.append((step, numbers))

    def log_artifact(self, path: str, *, name: str, type: str) -> None:
        self.artifacts.append(Path(path).name)

    def finish(self, *, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def wandb_runs(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """Put a stand-in for wandb in its place; return the runs that are begun."""
    runs: list[FakeRun] = []

    def init(**settings: Any) -> FakeRun:
        runs.append(FakeRun(settings))
        return runs[-1]

    module = types.ModuleType("wandb")
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return runs


def tracked(entry: dict[str, Any], **cfg: Any) -> Any:
    return learner(loggers=[entry], hook=LOG, **cfg)[0]


def test_every_row_reaches_the_tracker(wandb_runs: list[FakeRun]) -> None:
    engine = tracked({"type": "WandbLoggerHook", "init_kwargs": {"project": "p"}, "log_checkpoint": True})
    engine.start(Loader(4), max_epochs=2, evaluator=scripted([1.0, 2.0, 3.0], eval_freq=1)[0])
    (run,) = wandb_runs
    assert run.settings == {"dir": "run/log", "name": "run", "project": "p"}
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    assert [step for step, _ in run.logged] == [row["train_iter"] for row in rows]
    assert {kind for _, numbers in run.logged for kind in {name.split("/")[0] for name in numbers}} == {
        "train",
        "epoch",
        "eval",
    }
    for (_, numbers), row in zip(run.logged, rows, strict=True):
        assert numbers == {
            f"{row['kind']}/{name}": value
            for name, value in row.items()
            if name not in ("kind", "train_iter")
        }
    assert (run.exit_code, run.artifacts) == (0, ["ckpt_best.pth.tar"])


def test_a_resumed_run_goes_on_with_the_trackers_run(wandb_runs: list[FakeRun]) -> None:
    entry = {"type": "WandbLoggerHook"}
    first = tracked(entry)
    first.start(Loader(2), max_epochs=1)
    again = tracked(entry)
    again.load_checkpoint("run/ckpt/iteration_2.pth.tar")
    again.start(Loader(2), max_epochs=2)
    assert wandb_runs[1].settings["id"] == wandb_runs[0].id
    assert wandb_runs[1].settings["resume"] == "allow"


@pytest.mark.parametrize(("error", "code"), [(ValueError, 1), (RunStopped, 0)])
def test_a_run_that_ends_early_closes_it(wandb_runs: list[FakeRun], error: Any, code: int) -> None:
    engine = tracked({"type": "WandbLoggerHook"})

    class Fail(Note):
        def __call__(self, engine: Any) -> None:
            raise error("here")

    engine.register_hook(Fail([], "fail", position="after_iter"))
    with pytest.raises(error):
        engine.start(Loader(2), max_epochs=1)
    assert wandb_runs[0].exit_code == code
    assert engine.trackers == []


def test_other_ranks_send_nothing(wandb_runs: list[FakeRun]) -> None:
    engine = tracked({"type": "WandbLoggerHook"})
    engine.rank = 1
    engine.call_hook("before_run")
    assert (wandb_runs, engine.trackers) == ([], [])


@pytest.mark.parametrize(
    ("name", "package"),
    [("MlflowLoggerHook", "mlflow"), ("WandbLoggerHook", "wandb"), ("MMClsWandbHook", "wandb")],
)
def test_a_missing_package_is_named_with_its_command(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None)
    with pytest.raises(
        ConfigError, match=rf"loggers\.0: .* needs {package}.*pip install 'ding_cls\[{package}\]'"
    ):
        learner_hooks({"loggers": [{"type": name}]})


class Sent(Tracker):
    """A tracker that does at each call what a test wants."""

    def __init__(self, act: Callable[[str, int], None] = lambda call, step: None) -> None:
        super().__init__("json")
        self.act, self.steps = act, []

    def open(self, engine: Any, known: str | None) -> str:
        self.act("open", 0)
        return "s1"

    def send(self, numbers: Mapping[str, float], step: int) -> None:
        self.act("send", step)
        self.steps.append(step)

    def close(self, engine: Any, status: str) -> None:
        self.act("close", 0)
        self.steps.append(-1)


def run_with(tracker: Sent, before_end: Callable[[], Any] = lambda: None) -> list[int]:
    class Wait(LearnerHook):
        def __call__(self, engine: Any) -> None:
            before_end()

    engine = learner(hook=LOG)[0]
    engine.register_hook(Wait("wait", 50, position="after_run"))
    for hook in method_hooks(tracker, "sent", 50):
        engine.register_hook(hook)
    engine.start(Loader(4), max_epochs=2)
    engine.close()
    return [json.loads(line)["train_iter"] for line in Path("run/log/metrics.jsonl").read_text().splitlines()]


def test_what_could_not_be_sent_is_sent_later_and_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "_RETRY_S", 0.01)
    failures, is_back = iter(range(5)), threading.Event()

    def act(call: str, step: int) -> None:
        if call == "send" and next(failures, None) is not None:
            raise ConnectionError("no server\nand many details")
        if call == "send":
            is_back.set()

    tracker = Sent(act)
    rows = run_with(tracker, before_end=lambda: is_back.wait(60))
    assert is_back.is_set()
    assert tracker.steps == [*rows, -1]
    (record,) = caplog.records
    assert record.getMessage() == (
        "Sent cannot be written; what comes until it can be is kept: ConnectionError: no server; training "
        "goes on"
    )


@pytest.mark.parametrize("broken", ["open", "close"])
def test_a_tracker_that_fails_ends_no_run(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    def act(call: str, step: int) -> None:
        if call == broken:
            raise OSError(28, "No space left on device")

    tracker = Sent(act)
    rows = run_with(tracker)
    assert rows == [2, 4, 4, 6, 8, 8]
    assert tracker.steps == ([] if broken == "open" else rows)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left on device" in caplog.text


@pytest.mark.parametrize("stuck", ["open", "send", "close"])
def test_a_tracker_that_hangs_keeps_neither_training_nor_the_end(
    stuck: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("_WAIT_S", "_SILENT_WAIT_S", "_STOPPED_WAIT_S"):
        monkeypatch.setattr(tracking, name, 0.2)
    is_over = threading.Event()

    def act(call: str, step: int) -> None:
        if call == stuck:
            is_over.wait(60)

    began = time.monotonic()
    assert run_with(Sent(act)) == [2, 4, 4, 6, 8, 8]
    assert time.monotonic() - began < 10
    is_over.set()
    assert "did not answer" in caplog.text


def test_a_server_that_is_lost_on_the_way_keeps_the_end_no_longer_than_one_that_never_was(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "_SILENT_WAIT_S", 0.2)
    is_over = threading.Event()

    def act(call: str, step: int) -> None:
        if call == "send" and step > 2:
            is_over.wait(60)

    tracker = Sent(act)
    began = time.monotonic()
    run_with(tracker)
    assert time.monotonic() - began < 10 < tracking._WAIT_S
    assert tracker.steps == [2]
    is_over.set()
    assert "did not answer" in caplog.text


def test_wandb_without_a_login_is_one_line_and_asks_nothing(
    wandb_runs: list[FakeRun], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def login(*, prompt: bool = True) -> bool:
        asked.append(prompt)
        return False

    monkeypatch.setattr(sys.modules["wandb"], "login", login, raising=False)
    engine = tracked({"type": "WandbLoggerHook"})
    engine.start(Loader(2), max_epochs=1)
    assert (asked, wandb_runs) == ([False], [])
    (record,) = caplog.records
    assert record.getMessage() == (
        "WandbLoggerHook gets nothing of this run: ConfigError: no login here: run 'wandb login', or set "
        "WANDB_MODE=offline; training goes on"
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracked({"type": "WandbLoggerHook"}).start(Loader(2), max_epochs=1)
    assert len(wandb_runs) == len(asked) == 1


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("http://server:5000", "http://server:5000"),
        ("databricks", "databricks"),
        ("sqlite:///own.db", "sqlite:///own.db"),
        ("runs/ml", "sqlite:///runs/ml/mlflow.db"),
        ("file:///tmp/ding-mlflow", "sqlite:////tmp/ding-mlflow/mlflow.db"),
    ],
)
def test_a_folder_for_mlflow_gets_a_database(uri: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: wanted)
    assert tracking._store(uri) == store


def test_a_local_store_of_mlflow_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None)
    with pytest.raises(ConfigError, match=r"sqlalchemy and alembic: pip install 'ding_cls\[mlflow\]'"):
        tracking._store("sqlite:///mlflow.db")


# SQLAlchemy has much to say about how MLflow uses it.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_mlflow_keeps_a_run_without_being_told_where(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(package, reason=f"not run: {package} is not installed")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    tracked({"type": "MlflowLoggerHook"}).start(Loader(4), max_epochs=1)
    from mlflow.tracking import MlflowClient

    (run,) = MlflowClient("sqlite:///mlflow.db").search_runs(["0"])
    assert (run.info.status, run.data.metrics["train/total_loss_avg"]) == ("FINISHED", 2.5)


@pytest.mark.slow
def test_mlflow_itself_gets_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = Path("mlruns").absolute().as_uri()
    entry = {
        "type": "MlflowLoggerHook",
        "exp_name": "digits",
        "tracking_uri": uri,
        "tags": {"who": "me"},
        "params": {"lr": 0.1},
        "log_model": True,
    }
    engine = tracked(entry)
    engine.start(Loader(4), max_epochs=1, evaluator=scripted([1.0, 2.0], eval_freq=1)[0])
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.info.status == "FINISHED"
    assert (run.info.run_name, run.data.tags["who"], run.data.params) == ("run", "me", {"lr": "0.1"})
    history = client.get_metric_history(run.info.run_id, "eval/score")
    assert [(each.step, each.value) for each in history] == [(0, 1.0), (4, 2.0)]
    losses = client.get_metric_history(run.info.run_id, "train/total_loss_avg")
    assert [(each.step, each.value) for each in losses] == [(2, 1.5), (4, 2.5)]
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["ckpt_best.pth.tar"]
    # The run that goes on is the same one there.
    again = tracked(entry)
    again.load_checkpoint("run/ckpt/iteration_4.pth.tar")
    again.start(Loader(4), max_epochs=2)
    assert len(client.search_runs([run.info.experiment_id])) == 1
