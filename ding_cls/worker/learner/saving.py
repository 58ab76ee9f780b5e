"""How a learner's checkpoints are written: where, under which names, with what in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ding_cls.checkpoint import CheckpointKeeper
from ding_cls.checkpoint.keeper import BEST_NAME, checkpoint_folder
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.worker.learner.file_names import FileName, model_name
from ding_cls.worker.learner.finite_weights import FiniteWeights

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

_KEY = "policy.learn.learner.checkpoint"
_OPTIMIZER = "optimizer"


class Saving:
    """Writes the files of one run.

    Args:
        cfg: the config's ``policy.learn.learner`` section.
        exp_name: the run's folder.

    Attributes:
        keeper: the files.
        is_stop: the run ends here and is to go on: nothing is left out.

    Raises:
        ConfigError: a template names what does not exist.
    """

    def __init__(self, cfg: Mapping[str, Any], exp_name: str) -> None:
        options = cfg["checkpoint"]
        self.is_stop = False
        self._finite = FiniteWeights()
        self._is_one_only = bool(options["save_one_only"])
        self._has_optimizer = bool(options["save_optimizer"])
        keep = 1 if self._is_one_only else cfg["keep_checkpoints"]
        self.keeper = CheckpointKeeper(checkpoint_folder(exp_name, options["out_dir"]), keep=keep)
        fields = ("model", "epoch", "train_iter")
        self._file_name = _template(options, "file_name", fields)
        self._best_name = _template(options, "best_name", (*fields, "key", "score"))

    def save(self, engine: BaseLearner, name: str | None, state: dict[str, Any]) -> Path | None:
        """Write a state, and give it a further name where the config asks for one; return the file, or None
        where the weights are not finite and nothing is written.

        Args:
            engine: whose state it is.
            name: the file's; None means ``iteration_{train_iter}.pth.tar``.
            state: everything that a resume needs.
        """
        if not self._finite.has(engine, state):
            return None
        if not self._has_optimizer and not self.is_stop:
            state = {key: value for key, value in state.items() if key != _OPTIMIZER}
            state["left_out"] = [_OPTIMIZER]
        is_best = name == BEST_NAME
        template = self._best_name if is_best else self._file_name if name is None else None
        alias = None if template is None else template(self._values(engine, template))
        return self.keeper.save(
            name or f"iteration_{engine.train_iter}.pth.tar",
            state,
            alias=alias,
            is_only=is_best and self._is_one_only,
        )

    def _values(self, engine: BaseLearner, template: FileName) -> dict[str, Any]:
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


def _template(options: Mapping[str, Any], name: str, fields: tuple[str, ...]) -> FileName | None:
    template = options[name]
    return None if template is None else FileName(template, key=f"{_KEY}.{name}", fields=fields)
