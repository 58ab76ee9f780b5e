"""A run's numbers to an experiment tracker: every row of ``metrics.jsonl``, from rank 0.

The packages are extras. A resumed run goes on with the tracker's run, whose name is in the run's folder. A
tracker has a thread of its own: a server that is slow or gone costs training nothing but a warning.
"""

import importlib.util
import inspect
import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ding_cls.errors import ConfigError, RunStopped
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS

_FINISHED, _STOPPED, _FAILED = "FINISHED", "KILLED", "FAILED"

# Rows that wait for a tracker; the oldest go first.
_MAX_WAITING = 10_000
# From a failed try to the next one, in seconds.
_RETRY_S = 10.0
# How long the end of a run waits for a tracker, in seconds: for one that gets a file too, for one that works,
# for one that does not answer, or has not yet, and where the run was stopped or failed.
_FILE_WAIT_S, _WAIT_S, _SILENT_WAIT_S, _STOPPED_WAIT_S = 300.0, 60.0, 30.0, 10.0


class Tracker(ABC):
    """Takes rows while a run lasts.

    ``open``, ``send`` and ``close`` are called in a thread. What they raise is a warning, once. A row that
    could not be sent is sent again later; a tracker that could not be opened gets nothing.

    Args:
        package: what it needs; ``ding_cls[package]`` is the extra.
        takes_file: ``close`` sends a checkpoint.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, package: str, *, takes_file: bool = False) -> None:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"{type(self).__name__} needs {package}, which is not installed here: "
                f"pip install 'ding_cls[{package}]'"
            )
        self._package = package
        self._rows: queue.Queue[tuple[dict[str, float], int] | None] = queue.Queue(_MAX_WAITING)
        self._is_ending, self._works, self._status = threading.Event(), False, _FINISHED
        self._takes_file = takes_file
        # Since when a row is on its way; None: none is.
        self._sending_since: float | None = None

    def before_run(self, engine: Engine) -> None:
        """Open the tracker, on rank 0."""
        if engine.rank != 0:
            return
        engine.trackers.append(self)
        self._is_ending.clear()
        # The thread may outlive the run, and a program may change its working directory then.
        note = Path(engine.exp_name, "log", f"{self._package}_run").absolute()
        self._engine, self._thread = engine, threading.Thread(target=self._work, args=(note,), daemon=True)
        self._thread.start()

    def end(self, status: str) -> None:
        """Send what waits and close the tracker, as far as that is done in time."""
        self._status = status
        self._is_ending.set()
        self._put(None)
        wait_s = _FILE_WAIT_S if self._takes_file else _WAIT_S
        if status != _FINISHED or not self._works:
            wait_s = _SILENT_WAIT_S if status == _FINISHED else _STOPPED_WAIT_S
        until = time.monotonic() + wait_s
        while self._thread.is_alive() and time.monotonic() < until and not self._is_silent():
            self._thread.join(0.1)
        if self._thread.is_alive():
            self._fail("did not answer in time at the end of the run; its last numbers are lost")

    def write(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a row under ``{kind}/{name}``."""
        numbers = {
            f"{row['kind']}/{name}": float(value)
            for name, value in row.items()
            if isinstance(value, int | float) and name != "train_iter"
        }
        if numbers:
            self._put((numbers, int(row["train_iter"])))

    def _put(self, item: tuple[dict[str, float], int] | None) -> None:
        if self._rows.full():
            with suppress(queue.Empty):
                self._rows.get_nowait()
        self._rows.put(item)

    def _work(self, note: Path) -> None:
        engine = self._engine
        try:
            known = note.read_text(encoding="utf-8").strip() if engine.has_loaded and note.is_file() else None
            opened = self.open(engine, known)
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(opened + "\n", encoding="utf-8")
        except Exception as error:
            self._fail(f"gets nothing of this run: {_reason(error)}")
            return
        self._works = True
        while (item := self._rows.get()) is not None:
            while not self._has_sent(*item) and not self._is_ending.wait(_RETRY_S):
                pass
        try:
            self.close(engine, self._status)
        except Exception as error:
            self._fail(f"could not be closed: {_reason(error)}")

    def _is_silent(self) -> bool:
        # The packages try again for minutes by themselves before they give a row up.
        since = self._sending_since
        return since is not None and time.monotonic() - since > _SILENT_WAIT_S

    def _has_sent(self, numbers: Mapping[str, float], step: int) -> bool:
        self._sending_since = time.monotonic()
        try:
            self.send(numbers, step)
        except Exception as error:
            self._fail(f"cannot be written; what comes until it can be is kept: {_reason(error)}")
            return False
        finally:
            self._sending_since = None
        self._works = True
        return True

    def _fail(self, message: str) -> None:
        self._works, name = False, type(self).__name__
        self._engine.logs.failures.report(name, f"{name} {message}")

    @abstractmethod
    def open(self, engine: Engine, known: str | None) -> str:
        """Begin a run of the tracker's, or go on with the ``known`` one; return its name."""

    @abstractmethod
    def send(self, numbers: Mapping[str, float], step: int) -> None:
        """Send numbers that belong to one update."""

    @abstractmethod
    def close(self, engine: Engine, status: str) -> None:
        """End the tracker's run: FINISHED, KILLED or FAILED."""


@contextmanager
def closing_trackers(engine: Engine) -> Iterator[None]:
    """Close the run's trackers after the block, however that ends."""
    status = _FAILED
    try:
        yield
        status = _FINISHED
    except RunStopped:
        status = _STOPPED
        raise
    finally:
        while engine.trackers:
            engine.trackers.pop().end(status)


def _reason(error: Exception) -> str:
    """Return the first line of an error, with its class."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


@HOOKS.register_module()
class MlflowLoggerHook(Tracker):
    """Send the numbers to MLflow: ``pip install 'ding_cls[mlflow]'``.

    Args:
        exp_name: the experiment; None: MLflow's own default.
        tags: of the run.
        params: of the run.
        log_model: send the best checkpoint at the end.
        tracking_uri: the server, the database or a folder, which gets a database ``mlflow.db``; None: as
            MLflow's own variables say, without them ``sqlite:///mlflow.db`` in the working folder.
        run_name: None: the run's folder.

    Raises:
        ConfigError: MLflow is not installed.
    """

    def __init__(
        self,
        exp_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        log_model: bool = False,
        tracking_uri: str | None = None,
        run_name: str | None = None,
    ) -> None:
        super().__init__("mlflow", takes_file=log_model)
        self._experiment, self._uri, self._run_name = exp_name, tracking_uri, run_name
        self._tags, self._params, self._log_model = dict(tags or {}), dict(params or {}), log_model

    def open(self, engine: Engine, known: str | None) -> str:
        """See ``Tracker``."""
        from mlflow.tracking import MlflowClient, is_tracking_uri_set

        uri = self._uri or (None if is_tracking_uri_set() else "sqlite:///mlflow.db")
        self._client = MlflowClient(None if uri is None else _store(uri))
        if known is not None:
            self._client.update_run(known, "RUNNING")
            self._id = known
            return known
        experiment = "0"
        if self._experiment is not None:
            found = self._client.get_experiment_by_name(self._experiment)
            experiment = found.experiment_id if found else self._client.create_experiment(self._experiment)
        run = self._client.create_run(
            experiment, run_name=self._run_name or Path(engine.exp_name).name, tags=self._tags
        )
        self._id = str(run.info.run_id)
        for name, value in self._params.items():
            self._client.log_param(self._id, name, value)
        return self._id

    def send(self, numbers: Mapping[str, float], step: int) -> None:
        """See ``Tracker``."""
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in numbers.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self, engine: Engine, status: str) -> None:
        """See ``Tracker``."""
        best = engine.best_checkpoint
        if self._log_model and best is not None and status == _FINISHED:
            self._client.log_artifact(self._id, str(best))
        self._client.set_terminated(self._id, status)


def _store(uri: str) -> str:
    """Return the address of a store that MLflow 3 opens: no longer a bare folder.

    Raises:
        ConfigError: what a database needs is not installed.
    """
    folder = uri.removeprefix("file://").removeprefix("file:")
    if "MLFLOW_ALLOW_FILE_STORE" not in os.environ and uri != "databricks" and ":" not in folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{Path(folder, 'mlflow.db')}"
    if uri.startswith("sqlite:") and importlib.util.find_spec("sqlalchemy") is None:
        raise ConfigError("a local store needs sqlalchemy and alembic: pip install 'ding_cls[mlflow]'")
    return uri


@HOOKS.register_module(name=["WandbLoggerHook", "MMClsWandbHook"])
class WandbLoggerHook(Tracker):
    """Send the numbers to Weights & Biases: ``pip install 'ding_cls[wandb]'``.

    Args:
        init_kwargs: arguments of ``wandb.init``, such as ``project``, ``mode``.
        log_checkpoint: send the best checkpoint at the end.

    Raises:
        ConfigError: wandb is not installed.
    """

    def __init__(self, init_kwargs: Mapping[str, Any] | None = None, log_checkpoint: bool = False) -> None:
        super().__init__("wandb", takes_file=log_checkpoint)
        self._settings, self._log_checkpoint = dict(init_kwargs or {}), log_checkpoint

    def open(self, engine: Engine, known: str | None) -> str:
        """See ``Tracker``."""
        import wandb

        if not _has_login(wandb, self._settings.get("mode")):
            raise ConfigError("no login here: run 'wandb login', or set WANDB_MODE=offline")
        folder = Path(engine.exp_name)
        own = {"dir": str(folder / "log"), "name": folder.name, **self._settings}
        if known is not None:
            own |= {"id": known, "resume": "allow"}
        self._run: Any = wandb.init(**own)
        return str(self._run.id)

    def send(self, numbers: Mapping[str, float], step: int) -> None:
        """See ``Tracker``."""
        self._run.log(dict(numbers), step=step)

    def close(self, engine: Engine, status: str) -> None:
        """See ``Tracker``."""
        best = engine.best_checkpoint
        if self._log_checkpoint and best is not None and status == _FINISHED:
            self._run.log_artifact(str(best), name=f"run-{self._run.id}-model", type="model")
        self._run.finish(exit_code=int(status == _FAILED))


def _has_login(wandb: Any, mode: str | None) -> bool:
    """Return whether W&B can begin a run without asking the terminal for a key."""
    mode = mode or os.environ.get("WANDB_MODE") or "online"
    if mode != "online" or not hasattr(wandb, "login"):
        return True
    if "prompt" in inspect.signature(wandb.login).parameters:
        return bool(wandb.login(prompt=False))
    return wandb.api.api_key is not None
