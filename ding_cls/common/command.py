"""The command that started this process, as it was typed, and the one that goes on with its run.

Only the command line knows that it is one: a program that trains by itself has no command to print.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ding_cls.common.process import in_slurm_step, launched_world_size

# A shell script that starts the command line writes down here what was typed instead.
LAUNCHER = "DING_CLS_COMMAND"
CONFIG_ENDINGS = (".py", ".json", ".yaml", ".yml")

_RESUME = "--resume"
_TRAIN = "train"
_TYPED: ContextVar[tuple[str, ...] | None] = ContextVar("typed", default=None)
_WHOLE: ContextVar[str | None] = ContextVar("whole", default=None)


@contextmanager
def command_line(argv: Sequence[str] | None) -> Iterator[None]:
    """Let `resume_command` answer while the block runs.

    Args:
        argv: what the command line was called with; None: the process's own arguments. Where they are not
            those of the process, some program called it, and there is no command to repeat.
    """
    is_typed = argv is None or list(argv[1:]) == sys.argv[1:]
    token = _TYPED.set(tuple(_typed_words()) if is_typed else ())
    try:
        yield
    finally:
        _TYPED.reset(token)


@contextmanager
def part_of(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Have runs inside the block resumed by the whole's folder, as a cross-validation's."""
    token = _WHOLE.set(str(folder))
    try:
        yield
    finally:
        _WHOLE.reset(token)


def is_command_line() -> bool:
    """Return whether the command line runs here, which prints a `RunStopped` by itself."""
    return _TYPED.get() is not None


def is_part_of_whole() -> bool:
    """Return whether the run here is one of several that are resumed together."""
    return _WHOLE.get() is not None


def resume_command(folder: str, then: str = "") -> str | None:
    """Return the line that goes on with the run in ``folder``, for a shell in the same working directory.

    It is what was typed, quoted, less any ``--resume``, and ``--resume FOLDER``; None in a program that is no
    command line.

    Args:
        folder: the run's.
        then: ``key=value`` words to go on with; typed values of the same keys are left out.
    """
    typed = _TYPED.get()
    if not typed:
        return None
    replaced = tuple(f"{word.partition('=')[0]}=" for word in then.split())
    kept = [word for word in _without_resume(typed) if not replaced or not word.startswith(replaced)]
    return shlex.join([*kept, _RESUME, _WHOLE.get() or folder, *then.split()])


def typed_command() -> str | None:
    """Return what was typed, for a shell in the same working directory; None in a program that is no command
    line."""
    typed = _TYPED.get()
    return shlex.join(typed) if typed else None


def whole_folder() -> str | None:
    """Return the folder that `part_of` names; None outside it."""
    return _WHOLE.get()


def restart_command(folder: str, file: str) -> str | None:
    """Return the line that begins a new run as the typed one, with the weights in ``file``; None as above.

    Where no config file was typed, that of the run in ``folder`` takes its place; the new run takes the next
    free name.
    """
    typed = _TYPED.get()
    if not typed or _WHOLE.get():
        return None
    kept = [word for word in _without_resume(typed) if word != "--allow-changed-data"]
    words = [
        word
        for last, word in zip(["", *kept[:-1]], kept, strict=True)
        if last.startswith("-") or not _is_folder(word, folder)
    ]
    verb = next((number for number, word in enumerate(words) if _is_verb(word)), None)
    if verb is None:
        # A program's own main has its config, and no option for weights.
        return shlex.join([*words, f"policy.model.pretrained={file}"])
    behind = words[verb + 1 :]
    if not any(word.endswith(CONFIG_ENDINGS) and os.path.isfile(word) for word in behind):
        behind.insert(0, os.path.join(folder, "total_config.py"))
    return shlex.join([*words[: verb + 1], *behind, "--pretrained", file])


def _is_verb(word: str) -> bool:
    """Return whether a word is ``train``, or one of the scripts that call it."""
    name = Path(word)
    return name.stem.endswith(_TRAIN) and name.suffix in ("", ".py", ".sh") and not name.is_dir()


def _is_folder(word: str, folder: str) -> bool:
    return os.path.isdir(word) and os.path.isdir(folder) and os.path.samefile(word, folder)


def names_a_run(word: str) -> bool:
    """Return whether a word behind ``--resume`` names a run; else it is a config file, or ``key=value``."""
    is_value = "=" in word and not os.path.exists(word)
    return not (is_value or word.startswith("-") or word.endswith(CONFIG_ENDINGS))


def _typed_words() -> list[str]:
    if os.environ.get(LAUNCHER):
        return shlex.split(os.environ[LAUNCHER])
    own = _as_typed(sys.orig_argv)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        launcher = _words_of(os.getppid())
        arguments = sys.argv[1:]
        if launcher and launcher[len(launcher) - len(arguments) :] == arguments:
            return _as_typed(launcher)
        program = [word for word in sys.orig_argv[1:] if word != "-u"]
        return ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", "1"), *program]
    if in_slurm_step():
        return ["srun", f"--ntasks={launched_world_size()}", *own]
    return own


def _as_typed(words: Sequence[str]) -> list[str]:
    """Return a command less the interpreter that runs an installed script; one on PATH by its name alone."""
    script = Path(words[1]) if len(words) > 1 and not words[1].startswith("-") else None
    if script is None or script.suffix or not os.access(script, os.X_OK):
        return list(words)
    found = shutil.which(script.name)
    is_on_path = found is not None and Path(found).samefile(script)
    return [script.name if is_on_path else words[1], *words[2:]]


def _words_of(process: int) -> list[str]:
    """Return the command of another process; nothing where the system does not show it (all but Linux)."""
    try:
        text = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return []
    return text.removesuffix("\0").split("\0")


def _without_resume(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    is_behind = False
    for word in words:
        name, _, value = word.partition("=")
        # argparse takes an option's beginning for the whole.
        is_resume = name.startswith("--r") and _RESUME.startswith(name)
        if not is_resume and not (is_behind and names_a_run(word)):
            kept.append(word)
        is_behind = is_resume and not value
    return kept
