"""An ONNX file opened by ONNX Runtime, with what it says of itself.

It must not know images.
"""

from __future__ import annotations

import os
import re
from typing import Any

from ding_cls.common.screen import in_a_line
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.inference.onnx.description import KEY, ModelDescription
from ding_cls.inference.onnx.seal import SEAL, is_unharmed

ENDING = ".onnx"

# From then on it refuses weights that a graph wants from outside of its own folder.
_OLDEST = (1, 24)
_ELEMENTS = {"uint8": "tensor(uint8)", "float": "tensor(float)"}


def open_session(path: str) -> tuple[Any, ModelDescription]:
    """Return a session of ONNX Runtime on the CPU, and what the file says of itself.

    Weights beside a graph are read from the graph's own folder only.

    Raises:
        CheckpointError: the file is missing, damaged, or none that ``ding-cls export`` has written.
        ConfigError: ONNX Runtime is missing, or too old.
    """
    if not os.path.isfile(path):
        what = "is no file" if os.path.exists(path) else "does not exist"
        raise CheckpointError(f"the ONNX file {path!r} {what}; ding-cls export CKPT --format onnx writes one")
    _check_seal(path)
    session = runtime_session(path, repr(path), num_threads=usable_cores())
    try:
        entry = session.get_modelmeta().custom_metadata_map.get(KEY)
    except UnicodeDecodeError:
        raise CheckpointError(f"{path!r} is damaged: its metadata are no text; export it again") from None
    if entry is None:
        raise CheckpointError(
            f"{path!r} does not say how images are prepared nor what its classes are: it was not written by "
            "ding-cls export; export the checkpoint again"
        )
    description = ModelDescription.from_json(entry, path)
    given = [(each.name, each.type) for each in session.get_inputs()]
    if given != [("images", _ELEMENTS[description.layout])] or "logits" not in _outputs(session):
        raise CheckpointError(
            f"{path!r} takes {in_a_line(', '.join(map(' '.join, given)))} and returns "
            f"{in_a_line(', '.join(_outputs(session)))}, where it says that it takes images as "
            f"{description.layout} and returns logits; export it again"
        )
    return session, description


def _check_seal(path: str) -> None:
    try:
        is_whole = is_unharmed(path)
    except OSError as error:
        raise CheckpointError(f"{path!r} cannot be read: {error.strerror}") from error
    if not is_whole:
        raise CheckpointError(
            f"{path!r} is damaged: its bytes have not the SHA-256 that ding-cls export wrote into it; "
            f"export it again (a program that changes files on purpose must take out their entry {SEAL!r})"
        )


def _outputs(session: Any) -> list[str]:
    return [each.name for each in session.get_outputs()]


def runtime_session(source: str | bytes, name: str, *, num_threads: int) -> Any:
    """Return a session of ONNX Runtime on the CPU.

    Args:
        source: a file, or its content.
        name: how an error names it.
        num_threads: it would take all cores of the machine, whatever a container or taskset allows.

    Raises:
        CheckpointError: it cannot be loaded.
        ConfigError: ONNX Runtime is missing, or too old.
    """
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads
    # Its threads would wait for one another in loops: with other work on the cores an image of MobileNetV2
    # cost 15 ms of processor time so, and 8 ms without, in less time as well.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Of warnings an optimised graph has many; what is wrong comes as an exception.
    options.log_severity_level = 4
    try:
        # To fall back it would print lines of its own, and try the same again.
        return runtime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    # Its errors have no class of their own but Exception.
    except Exception as error:
        raise CheckpointError(f"{name} cannot be used: {reason_of(error)}; export it again") from error


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "an ONNX file needs ONNX Runtime: pip install 'ding_cls[export]', or, where there is no torch, "
            f"pip install onnxruntime ({error})"
        ) from None
    version = onnxruntime.__version__
    if tuple(int(each) for each in version.split(".")[:2]) < _OLDEST:
        raise ConfigError(
            f"ONNX Runtime {version} reads files from outside of a model's folder; pip install "
            f"'onnxruntime>={'.'.join(map(str, _OLDEST))}'"
        )
    return onnxruntime


def reason_of(error: Exception) -> str:
    """Return what ONNX Runtime says, in a line, without its codes and file names of C++."""
    text = re.sub(r"\S+\.cc:\d+ ", "", " ".join(str(error).split()))
    reason = text.rpartition("failed:")[2].rpartition(" : ")[2].rpartition("Error: ")[2].rstrip(". ")
    return in_a_line(reason) or type(error).__name__


def usable_cores() -> int:
    """Return how many cores this process may use; ``OMP_NUM_THREADS`` is a limit, as torch takes it."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores
