"""A user's config laid over the defaults, checked and settled: what the rest of the library may rely on.

It must not know torch: what only the machine can answer (``cuda='auto'``) stays as it is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from easydict import EasyDict

from ding_cls.common.files import claim_folder
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.merge import deep_merge_dicts, plain_copy, save_config, to_easydict
from ding_cls.config.validate import Validator, at
from ding_cls.errors import ConfigError


def compile_config(
    cfg: Mapping[str, Any],
    seed: int | None = None,
    policy: object = None,
    learner: object = None,
    evaluator: object = None,
    save_cfg: bool = True,
    *,
    origins: Mapping[str, str] | None = None,
    env: object = None,
    env_manager: object = None,
    collector: object = None,
    buffer: object = None,
    auto: bool = False,
    create_cfg: object = None,
) -> EasyDict:
    """Return the whole config of a run: defaults, then the classes' own, then the user's, checked as one.

    ``policy.multi_gpu`` (or ``policy.learn.multi_gpu``, the same switch) comes out as True or False;
    ``'auto'`` is True under a launcher of more than one process.

    Args:
        cfg: the user's values; stays as it is.
        seed: sets ``cfg.seed``; None keeps the config's.
        policy: a class whose ``default_config()`` adds to the defaults and the known keys under ``policy``.
        learner: the same under ``policy.learn.learner``.
        evaluator: the same under ``policy.eval.evaluator``.
        save_cfg: on rank 0, claim a new folder ``./{exp_name}`` (``NAME_2`` where ``NAME`` exists), name it
            in ``exp_name`` and save ``total_config.py`` in it. The other ranks must be told that name.
        origins: which line set what (see ``read_config_with_origins``), for the messages.
        env: accepted for compatibility, like the rest; has no effect.
        env_manager: no effect.
        collector: no effect.
        buffer: no effect.
        auto: no effect.
        create_cfg: no effect.

    Raises:
        ConfigError: all problems, one line each; or the run folder cannot be created.
    """
    declared = _declared(policy, learner, evaluator)
    given: dict[str, Any] = {} if seed is None else {"seed": seed}
    values = defaults(ROOT)
    for layer in (declared, plain_copy(cfg), given):
        values = deep_merge_dicts(values, layer)
    places = {**(origins or {}), **dict.fromkeys(given, "argument seed")}
    validator = Validator(ROOT, declared=declared, origins=places)
    validator.check(values)
    _settle_multi_gpu(values, plain_copy(cfg), validator)
    if validator.problems:
        raise ConfigError("\n".join(validator.problems))
    if save_cfg and launched_rank() == 0:
        _save_in_new_folder(values)
    compiled: EasyDict = to_easydict(values)
    return compiled


def _declared(policy: object, learner: object, evaluator: object) -> dict[str, Any]:
    """Return what the classes' ``default_config()`` say, each at its place in the tree."""
    tree: dict[str, Any] = {}
    for owner, sections in (
        (policy, ("policy",)),
        (learner, ("policy", "learn", "learner")),
        (evaluator, ("policy", "eval", "evaluator")),
    ):
        default_config = getattr(owner, "default_config", None)
        if default_config is None:
            continue
        branch = default_config()
        if not isinstance(branch, Mapping):
            name = getattr(owner, "__name__", repr(owner))
            raise ConfigError(f"{name}.default_config() returned {branch!r}; it must return a dict")
        for section in reversed(sections):
            branch = {section: branch}
        tree = deep_merge_dicts(tree, plain_copy(branch))
    return tree


def _settle_multi_gpu(values: dict[str, Any], cfg: dict[str, Any], validator: Validator) -> None:
    """Make one of the two spellings of the switch, and True or False of ``'auto'``."""
    if not isinstance(at(values, "policy.learn"), dict):
        return
    # What the user says goes before what a class declares.
    explicit = _switches(cfg) or _switches(values)
    world_size = launched_world_size()
    if len(set(explicit.values())) == 2:
        text = "contradicts policy.multi_gpu; they are one switch: set one of them"
        validator.add("policy.learn.multi_gpu", text)
    elif False in explicit.values() and world_size > 1:
        text = f"is False, but a launcher started {world_size} processes; start one, or set it to 'auto'"
        validator.add(next(iter(explicit)), text)
    switch = next(iter(explicit.values()), world_size > 1)
    values["policy"]["multi_gpu"] = values["policy"]["learn"]["multi_gpu"] = switch


def _switches(cfg: dict[str, Any]) -> dict[str, bool]:
    spellings = ((path, at(cfg, path)) for path in ("policy.multi_gpu", "policy.learn.multi_gpu"))
    return {path: value for path, value in spellings if isinstance(value, bool)}


def save_run_config(cfg: Mapping[str, Any], folder: Path) -> None:
    """Save a compiled config as ``total_config.py``, so that any number of processes can use it again.

    How many there were is the launch's choice: False, from one process, is saved as ``'auto'``.
    """
    switch = cfg["policy"]["multi_gpu"] or "auto"
    processes = {"policy": {"multi_gpu": switch, "learn": {"multi_gpu": switch}}}
    save_config(deep_merge_dicts(cfg, processes), folder / "total_config.py")


def _save_in_new_folder(values: dict[str, Any]) -> None:
    exp_name = values["exp_name"]
    try:
        folder = claim_folder(exp_name)
        values["exp_name"] = str(folder)
        save_run_config(values, folder)
        # Known programs open a TensorBoard writer here on every rank; of mkdirs at once all but one fail.
        (folder / "log" / "serial").mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"exp_name is {exp_name!r}; the run's folder cannot be written: {error}") from error
