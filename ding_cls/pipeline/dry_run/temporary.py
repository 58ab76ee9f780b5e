"""A run that leaves nothing behind: what its parts must write goes to a temporary folder."""

import contextlib
import io
import logging
import logging.handlers
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ding_cls.common.logs.log import forward_library_logs
from ding_cls.config import checked_config
from ding_cls.pipeline.run_context import Run, open_run
from ding_cls.pipeline.train import read_run_and_code


class TemporaryRun(NamedTuple):
    """An open run in a temporary folder.

    Attributes:
        run: the run.
        origins: which line of which file set each key of its config.
        wanted: the folder that the run would have.
        warned: the warnings since it was opened, in ``buffer``.
    """

    run: Run
    origins: Mapping[str, str]
    wanted: Path
    warned: logging.handlers.BufferingHandler


@contextlib.contextmanager
def temporary_run(
    config: str | os.PathLike[str] | Mapping[str, Any] | None,
    *,
    seed: int | None,
    arguments: Mapping[str, Any],
    change: Callable[[Any], None] | None = None,
) -> Iterator[TemporaryRun]:
    """Open the run that ``train`` would begin, silent, in a folder that is removed at the end.

    Args:
        config: as in ``train``.
        seed: as there.
        arguments: ``train``'s others, as ``data`` and ``overrides``.
        change: called with the config as read, before it is checked.

    Raises:
        DingError: what the run would have raised.
    """
    read, settings = read_run_and_code(config, resume=False, **arguments)
    notes = settings.pop("notes")
    if change is not None:
        change(read)
    wanted = Path(checked_config(read, seed, **settings).exp_name)
    with tempfile.TemporaryDirectory(prefix="ding_cls_dry_run_") as temporary:
        cfg = {**read, "exp_name": os.path.join(temporary, "run")}
        # What a run says while it is built names the temporary folder.
        warned = logging.handlers.BufferingHandler(capacity=1000)
        warned.setLevel(logging.WARNING)
        forwarded = logging.Logger("dry run")
        forwarded.addHandler(warned)
        with (
            forward_library_logs(forwarded),
            contextlib.redirect_stdout(io.StringIO()),
            open_run(cfg, seed=seed, notes=notes, **settings) as run,
        ):
            yield TemporaryRun(run, settings["origins"], wanted, warned)


def load_first_weights(run: Run, learner: Any) -> None:
    """Begin with the checkpoint that the run's first hook would load."""
    if path := run.cfg.policy.learn.learner.hook.get("load_ckpt_before_run"):
        learner.load_checkpoint(path)
