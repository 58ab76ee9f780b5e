"""A run's numbers to an experiment tracker: every row of ``metrics.jsonl``, from rank 0.

The packages are extras. A resumed run goes on with the tracker's run, whose name lies in the run's folder.
"""

from __future__ import annotations

import importlib.util
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ding_cls.errors import ConfigError, RunStopped
from ding_cls.worker.learner.hook import HOOKS

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner
    from ding_cls.worker.learner.runner import Runner

_FINISHED, _STOPPED, _FAILED = "FINISHED", "KILLED", "FAILED"


class Tracker(ABC):
    """Takes rows while a run lasts.

    Args:
        package: what it needs; ``ding_cls[package]`` is the extra.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, package: str) -> None:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"{type(self).__name__} needs {package}, which is not installed here: "
                f"pip install 'ding_cls[{package}]'"
            )
        self._package = package

    def before_run(self, runner: Runner) -> None:
        """Open the tracker, on rank 0."""
        if runner.rank != 0:
            return
        engine = runner.learner
        name = Path(engine.exp_name, "log", f"{self._package}_run")
        known = name.read_text(encoding="utf-8").strip() if engine.has_loaded and name.is_file() else None
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(self.open(engine, known) + "\n", encoding="utf-8")
        engine.trackers.append(self)

    def write(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a row under ``{kind}/{name}``."""
        kind = row["kind"]
        numbers = {
            f"{kind}/{name}": float(value)
            for name, value in row.items()
            if isinstance(value, int | float) and name != "train_iter"
        }
        if numbers:
            self.send(numbers, int(row["train_iter"]))

    @abstractmethod
    def open(self, engine: BaseLearner, known: str | None) -> str:
        """Begin a run of the tracker's, or go on with the ``known`` one; return its name."""

    @abstractmethod
    def send(self, numbers: Mapping[str, float], step: int) -> None:
        """Send numbers that belong to one update."""

    @abstractmethod
    def close(self, engine: BaseLearner, status: str) -> None:
        """End the tracker's run: FINISHED, KILLED or FAILED."""


@contextmanager
def closing_trackers(engine: BaseLearner) -> Iterator[None]:
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
            engine.trackers.pop().close(engine, status)


@HOOKS.register_module()
class MlflowLoggerHook(Tracker):
    """Send the numbers to MLflow: ``pip install 'ding_cls[mlflow]'``.

    Args:
        exp_name: the experiment; None: MLflow's own default.
        tags: of the run.
        params: of the run.
        log_model: send the best checkpoint at the end.
        tracking_uri: the server or the folder; None: as MLflow's own variables say.
        run_name: None: the run's folder.
        interval, ignore_last, reset_flag, by_epoch: accepted: a row goes where a log line goes.

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
        interval: int | None = None,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        super().__init__("mlflow")
        self._experiment, self._uri, self._run_name = exp_name, tracking_uri, run_name
        self._tags, self._params, self._log_model = dict(tags or {}), dict(params or {}), log_model

    def open(self, engine: BaseLearner, known: str | None) -> str:
        """See ``Tracker``."""
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(self._uri)
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

    def close(self, engine: BaseLearner, status: str) -> None:
        """See ``Tracker``."""
        best = engine.best_checkpoint
        if self._log_model and best is not None and status == _FINISHED:
            self._client.log_artifact(self._id, str(best))
        self._client.set_terminated(self._id, status)


@HOOKS.register_module(name=["WandbLoggerHook", "MMClsWandbHook"])
class WandbLoggerHook(Tracker):
    """Send the numbers to Weights & Biases: ``pip install 'ding_cls[wandb]'``.

    Args:
        init_kwargs: arguments of ``wandb.init``, such as ``project``, ``mode``.
        log_checkpoint: send the best checkpoint at the end.
        interval, ignore_last, reset_flag, commit, by_epoch, with_step: accepted: a row goes where a log line
            goes.
        log_artifact: accepted; see ``log_checkpoint``.
        log_checkpoint_metadata: accepted: a checkpoint says what it was made for.
        num_eval_images: accepted: no pictures are sent.

    Raises:
        ConfigError: wandb is not installed.
    """

    def __init__(
        self,
        init_kwargs: Mapping[str, Any] | None = None,
        log_checkpoint: bool = False,
        interval: int | None = None,
        ignore_last: bool = True,
        reset_flag: bool = False,
        commit: bool = True,
        by_epoch: bool = True,
        with_step: bool = True,
        log_artifact: bool = False,
        log_checkpoint_metadata: bool = False,
        num_eval_images: int = 0,
    ) -> None:
        super().__init__("wandb")
        self._settings, self._log_checkpoint = dict(init_kwargs or {}), log_checkpoint

    def open(self, engine: BaseLearner, known: str | None) -> str:
        """See ``Tracker``."""
        import wandb

        folder = Path(engine.exp_name)
        own = {"dir": str(folder / "log"), "name": folder.name, **self._settings}
        if known is not None:
            own |= {"id": known, "resume": "allow"}
        self._run: Any = wandb.init(**own)
        return str(self._run.id)

    def send(self, numbers: Mapping[str, float], step: int) -> None:
        """See ``Tracker``."""
        self._run.log(dict(numbers), step=step)

    def close(self, engine: BaseLearner, status: str) -> None:
        """See ``Tracker``."""
        best = engine.best_checkpoint
        if self._log_checkpoint and best is not None and status == _FINISHED:
            self._run.log_artifact(str(best), name=f"run-{self._run.id}-model", type="model")
        self._run.finish(exit_code=int(status == _FAILED))


class _AlwaysWritten:
    """Accepted: what it writes, every run writes.

    Args:
        interval: refused: one interval holds for all.
        ignore_last, reset_flag, by_epoch: accepted.
    """

    def __init__(
        self,
        interval: int | None = None,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        if interval is not None:
            raise ConfigError(
                f"{type(self).__name__} has interval={interval}; one interval holds for all: "
                "policy.learn.learner.log_show_freq, or log_config.interval"
            )

    def before_run(self, runner: Runner) -> None:
        """Nothing is left to do."""


@HOOKS.register_module()
class TextLoggerHook(_AlwaysWritten):
    """Accepted: log lines and ``metrics.jsonl``."""


@HOOKS.register_module()
class TensorboardLoggerHook(_AlwaysWritten):
    """Accepted: TensorBoard's events."""
