"""mmclassification's ``train_model`` and ``set_random_seed``, on top of ``train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import CheckpointKeeper
from ding_cls.common.seed import set_pkg_seed
from ding_cls.config.merge import plain_copy
from ding_cls.data import preprocessing_from_state
from ding_cls.errors import ConfigError
from ding_cls.inference.saved_run import has_several_labels
from ding_cls.pipeline.result import TrainResult
from ding_cls.pipeline.train import train

# What the launcher and the machine decide here.
_OF_THE_LAUNCHER = ("gpu_ids", "gpus", "device", "launcher", "local_rank")


def train_model(
    model: torch.nn.Module,
    dataset: Any,
    cfg: Mapping[str, Any],
    distributed: bool = False,
    validate: bool = False,
    timestamp: str | None = None,
    device: str | None = None,
    meta: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Train a network in place by a config in mmclassification's spelling; ``inference_model`` takes it then.

    Args:
        model: what ``build_classifier`` returned.
        dataset: of ``build_dataset(cfg.data.train)``, or a list of that alone; the run reads its images anew.
        cfg: the config; its ``work_dir`` is the run's folder.
        distributed: not used, like ``timestamp`` and ``meta``: the launcher's variables tell.
        validate: evaluate ``cfg.data.val`` as ``cfg.evaluation`` says.
        timestamp: not used.
        device: 'cpu' or 'cuda'; None: CUDA where there is one.
        meta: not used.

    Returns:
        What the run came to.

    Raises:
        ConfigError: another dataset than the config's.
        DingError: as of ``train``.
    """
    plain = {name: value for name, value in plain_copy(dict(cfg)).items() if name not in _OF_THE_LAUNCHER}
    _check_dataset(dataset, plain)
    words = [] if validate else ["policy.eval.evaluator.validate=False"]
    words += [] if device is None else [f"policy.cuda={device.startswith('cuda')}"]
    result = train(plain, model=model, overrides=words)
    described: Any = model
    saved = CheckpointKeeper(result.checkpoint_folder or result.run_folder / "ckpt").iterations()
    run = read_checkpoint(saved[0])["run"]
    described.preprocessing = preprocessing_from_state(run["preprocessing"])
    described.CLASSES = tuple(run["class_names"])
    described.has_several_labels = has_several_labels(run, cfg, model)
    model.eval()
    return result


def _check_dataset(dataset: Any, cfg: Mapping[str, Any]) -> None:
    """Refuse a dataset that is not what the config describes: the run would train on that."""
    given = list(dataset) if isinstance(dataset, Sequence) and not hasattr(dataset, "CLASSES") else [dataset]
    section = (cfg.get("data") or {}).get("train")
    kind = section.get("type") if isinstance(section, Mapping) else "ConcatDataset"
    found = ", ".join(type(each).__name__ for each in given)
    if found != kind:
        raise ConfigError(
            f"train_model got {found or 'no dataset'}, and cfg.data.train describes a {kind}, "
            "which a run reads; give it [build_dataset(cfg.data.train)]"
        )


def set_random_seed(seed: int, deterministic: bool = False) -> None:
    """Seed Python, NumPy and torch; with ``deterministic`` torch takes no kernel that gives other digits."""
    set_pkg_seed(seed)
    if deterministic:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
