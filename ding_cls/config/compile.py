"""A user's config merged into the defaults and checked: what the rest of the library may rely on.

It must not know torch: what only the machine can answer (``cuda='auto'``) stays as it is.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from easydict import EasyDict

from ding_cls.common.files import create_unique_dir
from ding_cls.common.process import launched_rank
from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.merge import deep_merge_dicts, plain_copy, save_config, to_easydict
from ding_cls.config.normalize import (
    ONE_THING,
    check_contradictions,
    duplicate_settings,
    fill_resize_size,
    merge_sections,
    move_arguments,
    normalize_multi_gpu,
    override,
)
from ding_cls.config.openmmlab.hooks_to_keys import hooks_to_keys
from ding_cls.config.openmmlab.ignored_arguments import drop_ignored
from ding_cls.config.openmmlab.translate import leftovers, to_native
from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.tree import MISSING, value_at
from ding_cls.config.validate import Validator
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
        cfg: the user's values, in either spelling; stays as it is.
        seed: sets ``cfg.seed``; None keeps the config's.
        policy: a class whose ``default_config()`` adds to the defaults and the known keys under ``policy``.
        learner: the same under ``policy.learn.learner``.
        evaluator: the same under ``policy.eval.evaluator``.
        save_cfg: on rank 0, claim a new folder ``./{exp_name}`` (``NAME_2`` where ``NAME`` exists), name it
            in ``exp_name`` and save ``total_config.py`` in it. The other ranks must get that name.
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
    native, _ = to_native(cfg, (), origins)
    compiled = checked_config(
        native.cfg,
        seed,
        policy=policy,
        learner=learner,
        evaluator=evaluator,
        origins=native.origins,
        problems=native.problems,
    )
    if save_cfg and launched_rank() == 0:
        _save_in_new_folder(compiled)
    return compiled


def checked_config(
    cfg: Mapping[str, Any],
    seed: int | None = None,
    *,
    policy: object = None,
    learner: object = None,
    evaluator: object = None,
    origins: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
) -> EasyDict:
    """Return what ``compile_config`` does of a config in our own spelling, and save nothing.

    Args:
        cfg: as ``resolve`` returns it; stays as it is.
        seed: as there.
        policy: as there.
        learner: as there.
        evaluator: as there.
        origins: as there.
        problems: lines that ``resolve`` has found, for the one report.

    Raises:
        ConfigError: all problems, one line each.
    """
    given, places = plain_copy(cfg), dict(origins or {})
    if seed is not None:
        given["seed"], places["seed"] = seed, "argument seed"
    declared = _declared(policy, learner, evaluator)
    own = plain_copy(declared)
    move_arguments(own, {})
    clashes = move_arguments(given, places)
    twice = hooks_to_keys(given, places)
    base = merge_sections(defaults(ROOT), own)
    values = merge_sections(base, given)
    fill_resize_size(values, given)
    validator = Validator(ROOT, declared=declared, origins=places)
    for source, target in clashes:
        validator.clash(source, target, ONE_THING)
    validator.check(values)
    check_contradictions(values, validator, base=base)
    normalize_multi_gpu(values, given, validator)
    if found := [*problems, *twice, *validator.problems]:
        raise ConfigError("\n".join(found))
    compiled: EasyDict = to_easydict(values)
    return compiled


def resolve(
    cfg: Mapping[str, Any],
    overrides: Sequence[str] = (),
    origins: Mapping[str, str] | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    variables: Collection[str] | None = None,
    notes: FileNotes | None = None,
    under: NativeConfig | None = None,
) -> NativeConfig:
    """Return a config in our own spelling, with values and ``key=value`` words set in it.

    A config of mmclassification's, and words in that spelling, are translated first (see ``to_native``).

    Args:
        cfg: as read; stays as it is.
        overrides: see ``apply_overrides``.
        origins: which line set what; stays as it is.
        given: values by native path that win over the file and give way to the native ``overrides``.
        variables: see ``to_native``.
        notes: likewise.
        under: a config that all of this is merged into.

    Raises:
        ConfigError: an override that cannot be applied.
    """
    native, words = to_native(cfg, overrides, origins, variables=variables, notes=notes)
    values, places = native.cfg, native.origins
    if under is not None:
        values = merge_sections(under.cfg, values)
        known = {
            path: place for path, place in under.origins.items() if value_at(values, path) is not MISSING
        }
        places = known | places
    for word in (*(f"{path}={value!r}" for path, value in (given or {}).items()), *words):
        values = override(values, word, places)
    drop_ignored(values)
    problems = [*native.problems, *leftovers(values, places), *duplicate_settings(words, values)]
    return NativeConfig(values, places, problems)


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
        folder = create_unique_dir(exp_name)
        values["exp_name"] = str(folder)
        save_run_config(values, folder)
        # Known programs open a TensorBoard writer here on every rank; of mkdirs at once all but one fail.
        (folder / "log" / "serial").mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"exp_name is {exp_name!r}; the run's folder cannot be written: {error}") from error
