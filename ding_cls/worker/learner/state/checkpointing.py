"""How a learner's checkpoints are written: where, under which names, with what in them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Formatter
from typing import Any

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.checkpoint.keeper import BEST_NAME, checkpoint_folder
from ding_cls.checkpoint.state import SaveError
from ding_cls.common.folder_lock import check_not_lost
from ding_cls.distributed.comm import broadcast_object
from ding_cls.errors import CheckpointError, ConfigError, DiskError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.state.finite_weights import FiniteWeights

_KEY = "policy.learn.learner.checkpoint"
_OPTIMIZER = "optimizer"
# Failed saves in a row that end a run, as a number and in words.
_MAX_FAILED, _TOO_MANY = 3, "third"
_SAMPLE = {"model": "resnet18", "epoch": 1, "train_iter": 100, "key": "acc1", "score": 76.5}
# The names that a run finds its own files by.
_OWN = re.compile(r"iteration_\d+\.pth\.tar|ckpt_best\.pth\.tar")


class FileName:
    """A template of the names of files in one folder.

    Args:
        template: as for ``str.format``; ``{}`` is the epoch, as in mmcv.
        key: the config's key that it comes from, for messages.
        fields: what it may name.

    Raises:
        ConfigError: it names something else, or gives no plain file name.
    """

    def __init__(self, template: str, *, key: str, fields: Sequence[str]) -> None:
        self._template = template
        try:
            parts = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            named = {name or "epoch" for name in parts}
            if not named <= set(fields):
                raise KeyError
            sample = self({name: _SAMPLE[name] for name in fields})
        except (KeyError, ValueError, IndexError) as error:
            words = ", ".join(f"{{{name}}}" for name in fields)
            raise ConfigError(f"{key}={template!r} is no file name; it may hold {words}") from error
        if re.search(r"[\\/\0]", template) or sample.strip(". ") == "" or _OWN.fullmatch(sample):
            raise ConfigError(f"{key}={template!r} must be a file name other than those of the run itself")
        self.fields = frozenset(named)

    def __call__(self, values: Mapping[str, Any]) -> str:
        """Return the file name for these values."""
        return self._template.replace("{}", "{epoch}").format(**values)


class Saving:
    """Writes the files of one run.

    Args:
        cfg: the config's ``policy.learn.learner`` section.
        exp_name: the run's folder.

    Attributes:
        keeper: the files.
        has_optimizer: the optimizer's state is saved.
        is_stop: the run ends here and is to go on: nothing is left out.

    Raises:
        ConfigError: a template names what does not exist.
    """

    def __init__(self, cfg: Mapping[str, Any], exp_name: str) -> None:
        options = cfg["checkpoint"]
        self.is_stop = False
        self._finite = FiniteWeights()
        self._exp_name = exp_name
        self._num_failed = 0
        self._announced: set[Path] = set()
        self._is_one_only = bool(options["save_one_only"])
        self.has_optimizer = bool(options["save_optimizer"])
        keep = 1 if self._is_one_only else cfg["keep_checkpoints"]
        self.keeper = CheckpointKeeper(checkpoint_folder(exp_name, options["out_dir"]), keep=keep)
        fields = ("model", "epoch", "train_iter")
        self._file_name = _template(options, "file_name", fields)
        self._best_name = _template(options, "best_name", (*fields, "key", "score"))

    def save(self, engine: Engine, name: str | None, state: dict[str, Any]) -> Path | None:
        """Write a state, and give it a further name where the config asks for one; return the file, or None
        where the weights are not finite and nothing is written.

        Args:
            engine: whose state it is.
            name: the file's; None means ``iteration_{train_iter}.pth.tar``.
            state: everything that a resume needs.

        Raises:
            SaveError: an OSError: the file could not be written; older files are untouched.
            DiskError: so it was the two times before.
            ConfigError: another process has taken the run over.
        """
        check_not_lost(self._exp_name)
        if not self._finite.has(engine, state):
            return None
        if not self.has_optimizer and not self.is_stop:
            state = {key: value for key, value in state.items() if key != _OPTIMIZER}
            state["left_out"] = [_OPTIMIZER]
        is_best = name == BEST_NAME
        template = self._best_name if is_best else self._file_name if name is None else None
        alias = None if template is None else template(self._values(engine, template))
        file_name = name or f"iteration_{engine.train_iter}.pth.tar"
        try:
            path = self.keeper.save(file_name, state, alias=alias, is_only=is_best and self._is_one_only)
        except OSError as error:
            self._num_failed += 1
            failed = error
            if not isinstance(error, SaveError):
                failed = SaveError(error, self.keeper.folder / file_name, state)
            if self._num_failed < _MAX_FAILED or self.is_stop:
                raise failed from error
            raise DiskError(
                f"{failed}; it is the {_TOO_MANY} save in a row that failed; {self.newest()}; "
                "free space, and go on with --resume"
            ) from error
        self._num_failed = 0
        # A file is announced once; the best by the evaluation's line, that of a stop by the stop's.
        if path not in self._announced and path.name != BEST_NAME and not self.is_stop:
            self._announced.add(path)
            engine.logger.info(f"saved {path}")
        return path

    def failure_of(self, save: Callable[[], object]) -> str:
        """Save, and return why that failed and which checkpoint is left; empty where it did not."""
        try:
            save()
        except SaveError as error:
            return f"{error}; {self.newest()}"
        return ""

    def newest(self) -> str:
        """Return which checkpoint is the newest, in words."""
        if files := self.keeper.iterations():
            return f"the last checkpoint is '{files[0]}'"
        best = self.keeper.folder / BEST_NAME
        return f"of checkpoints there is only '{best}'" if best.is_file() else "no checkpoint was saved yet"

    def _values(self, engine: Engine, template: FileName) -> dict[str, Any]:
        values = {
            "model": model_name(engine.facts.get("config")),
            "epoch": engine.epoch if engine.updates_per_epoch else engine.epoch_info[0],
            "train_iter": engine.train_iter,
        }
        if not template.fields & {"key", "score"}:
            return values
        if engine.evaluator is None or engine.evaluator.best is None:
            raise ConfigError(f"{_KEY}.best_name holds a score, and this loop has told the learner of none")
        key, score = engine.evaluator.ranking.score(engine.evaluator.best)
        return {**values, "key": key, "score": score}


@contextmanager
def saving_together(engine: Engine) -> Iterator[Callable[..., bool]]:
    """Yield a ``save_checkpoint`` that survives a failing disk, and returns whether the file was written.

    A failed save is a warning, until it is one too many. That ends the run on all ranks alike, where the
    block ends: inside ``start`` all of them come there.

    Raises:
        DiskError: too many saves in a row have failed.
    """
    fatal: list[str] = []

    def save(ckpt_name: str | None = None) -> bool:
        try:
            # A program's own may return None.
            return engine.save_checkpoint(ckpt_name) is not False
        except SaveError as error:
            engine.logger.warning(
                f"{error}; training goes on, and the {_TOO_MANY} such failure in a row ends it"
            )
        except DiskError as error:
            fatal.append(str(error))
        return False

    yield save
    is_shared = engine.max_iter is not None
    found = broadcast_object(fatal) if is_shared else fatal
    if found:
        raise DiskError(found[0], is_on_all_ranks=is_shared)


def check_complete(state: Mapping[str, Any]) -> None:
    """Refuse to continue from a file that lacks what the run has learned about its weights.

    Raises:
        CheckpointError: it was saved without the optimizer.
    """
    if state.get("left_out"):
        raise CheckpointError(
            f"the checkpoint was saved without its {' and '.join(state['left_out'])}, as {_KEY}."
            "save_optimizer=False says: no run can go on from it; begin one with policy.model.pretrained=FILE"
        )


def model_name(config: Any) -> str:
    """Return how the network that a config describes is called in a file name."""
    model = config.get("policy", {}).get("model", {}) if isinstance(config, Mapping) else {}
    name = model.get("name") or (model.get("backbone") or {}).get("type") or model.get("type") or "model"
    return re.sub(r"[^\w.-]", "_", str(name).removesuffix(" (given)"))


def _template(options: Mapping[str, Any], name: str, fields: tuple[str, ...]) -> FileName | None:
    template = options[name]
    return None if template is None else FileName(template, key=f"{_KEY}.{name}", fields=fields)
