"""The config that ``train``'s arguments describe, read and checked as a run would, with no run begun."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ding_cls.common.seed import set_pkg_seed
from ding_cls.config import checked_config
from ding_cls.config.merge import plain_copy
from ding_cls.config.messages import with_location
from ding_cls.config.origins import FileNotes
from ding_cls.data import TrainLoader, build_train_loader
from ding_cls.errors import ConfigError, PartError
from ding_cls.pipeline.build import build_datasets
from ding_cls.pipeline.checks.num_classes import follow_num_classes
from ding_cls.pipeline.image_check import readable_split
from ding_cls.pipeline.resume import SAVED_CONFIG, is_run
from ding_cls.pipeline.train import read_run_and_code


@dataclass(frozen=True, slots=True)
class OpenedConfig:
    """A checked config, and what is needed to follow the data with it.

    Attributes:
        cfg: the compiled config.
        origins: which line set which key.
        notes: what reading its file has found.
    """

    cfg: Any
    origins: Mapping[str, str]
    notes: FileNotes

    def datasets(self) -> tuple[Any, Any]:
        """Return the training and the evaluation set of a run, without the images that it would leave out.

        Raises:
            DingError: as ``build_datasets``.
        """
        loading = self.cfg.policy.learn.learner.dataloader
        limits = {"max_bad": loading.max_bad, "num_workers": loading.num_workers}

        def readable(train_set: Any, eval_set: Any) -> tuple[Any, Any]:
            is_one = train_set is eval_set
            kept = readable_split(train_set, None, **limits)
            return kept, kept if is_one else readable_split(eval_set, None, **limits)

        train_set, eval_set = build_datasets(self.cfg, readable=readable)
        follow_num_classes(self.cfg, len(train_set.classes), origins=self.origins, notes=self.notes)
        return train_set, eval_set


def training_loader(cfg: Any, train_set: Any) -> TrainLoader:
    """Return the training batches of a run of one process, read in this one."""
    return build_train_loader(
        train_set,
        cfg.policy.learn.batch_size,
        seed=cfg.seed,
        sampler=plain_copy(cfg.policy.collect.sampler),
        drop_last=cfg.policy.learn.learner.dataloader.drop_last,
    )


@contextmanager
def opened_config(
    config: str | os.PathLike[str] | Mapping[str, Any] | None, *, seed: int | None = None, **arguments: Any
) -> Iterator[OpenedConfig]:
    """Read, check and seed as a run would; errors about a part say which line described it.

    Args:
        config: as in ``train``; a run's folder is the config that it was begun with.
        seed: as there.
        arguments: the others of ``train``, but ``resume``.

    Raises:
        ConfigError: keys or values that cannot be used.
    """
    if isinstance(config, str | os.PathLike) and is_run(config):
        config = Path(config, SAVED_CONFIG)
    read, settings = read_run_and_code(config, resume=False, **arguments)
    notes, origins = settings.pop("notes"), settings["origins"]
    cfg = checked_config(read, seed, **settings)
    set_pkg_seed(cfg.seed, use_cuda=False)
    try:
        yield OpenedConfig(cfg, origins, notes)
    except PartError as error:
        raise ConfigError(with_location(error, cfg, origins)) from error
