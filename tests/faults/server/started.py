"""``ding-cls serve`` as a process of its own, on the loopback, for faults that need one."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.serve.wire import exchange


@dataclass
class Served:
    """A running server."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def memory_mb(self) -> float:
        """Return the resident memory of the process and of its children."""
        total = 0.0
        for pid in (self.process.pid, *self.children()):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) / 1024
        return total

    def stop(self, timeout_s: float = 20) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how long the end took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        return code, time.monotonic() - began


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(body: bytes, *headers: str, path: str = "/predict", kind: str = "image/png") -> bytes:
    """Return a request with a body; a header that is given takes the place of the usual one."""
    usual = {"host": "localhost", "content-type": kind, "content-length": str(len(body))}
    for each in headers:
        usual.pop(each.partition(":")[0].lower(), None)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in usual.items()), *headers]
    return (
        "\r\n".join(line for line in lines if not line.endswith(":")).encode("latin-1") + b"\r\n\r\n" + body
    )


@contextlib.contextmanager
def served(model: Path, folder: Path, *options: str, start_s: float = 90) -> Iterator[Served]:
    """Yield a server that answers; whatever is left of it afterwards is killed."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "ding_cls", "serve", str(model), "--port", "0", *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    server = Served(process, 0, log)
    try:
        end = time.monotonic() + start_s
        while not _is_ready(server):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        left = [] if process.poll() is not None else server.children()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait(10)


def _is_ready(server: Served) -> bool:
    if not server.port:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", server.log.read_text())
        if found is None:
            return False
        server.port = int(found[1])
    with contextlib.suppress(OSError):
        return exchange(server.port, get("/health"))[0] == 200
    return False
