"""``ding-cls serve`` under load beside ``predict``: ``python benchmarks/serve.py MODEL... --images DIR``.

For each model (a checkpoint or an ONNX file): ``predict`` alone, then 64 clients for 60 seconds, then
``predict`` again, on the same images and cores, so that a busy machine slows both; the ratio counts. Every
answer is compared with what ``predict`` said of that image. ``--write`` puts the table into
``docs/serving.md``.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "serving.md"
OFFLINE = """
import json, sys, time
import ding_cls
from ding_cls.inference.sources import sources_of
model, folder, seconds, out = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
predictor = ding_cls.load(model)
sources = sources_of(folder)
found = {each.path: [each.label, each.probabilities.tolist()] for each in predictor(sources)}
rates = {}
for num_workers in (0, 2):
    count, began = 0, None
    for _ in predictor.stream(sources * 20, num_workers=num_workers):
        # The first batch has the workers' start in it.
        if began is None and count == predictor.batch_size:
            count, began, cpu = 0, time.perf_counter(), time.process_time()
        count += 1
        if began is not None and time.perf_counter() - began > seconds:
            break
    rates[num_workers] = count / (time.perf_counter() - began), count / (time.process_time() - cpu)
json.dump([rates, found], open(out, "w"))
"""


@dataclass
class Load:
    """What the clients of one server saw."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    drain_s: float = 0.0


def offline(model: str, folder: str, seconds: float) -> tuple[float, float, dict[str, Any]]:
    """Measure ``predict``.

    Returns:
        Images/s at the better of 0 and 2 workers, images per second of processor time without workers, and
        what it says of each file.
    """
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.json"
        subprocess.run([sys.executable, "-c", OFFLINE, model, folder, str(seconds), str(out)], check=True)
        rates, found = json.loads(out.read_text())
    return max(rate for rate, _ in rates.values()), rates["0"][1], found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def wait_until_ready(number: int, server: "subprocess.Popen[str]", seconds: float = 120) -> None:
    """Return when ``/health`` answers 200."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{number}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and of its children."""
    total = 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (str(pid), *children):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) / 1024
    return total


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[str, dict[str, str], bytes]:
    """Send one request; return status, headers and body."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return first.split()[1], headers, body


async def client(number: int, start: int, requests: Sequence[bytes], end: float, load: Load) -> None:
    """Ask for one image after the other on one connection; a 503 is waited out as it says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    position = start
    while time.perf_counter() < end:
        index = position % len(requests)
        began = time.perf_counter()
        try:
            status, headers, body = await asyncio.wait_for(exchange(reader, writer, requests[index]), 60)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            load.statuses[f"lost: {type(error).__name__}"] += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            continue
        if status == "503" and "retry-after" not in headers:
            status = "503 without Retry-After"
        load.statuses[status] += 1
        if status == "200":
            load.latencies_s.append(time.perf_counter() - began)
            load.answers.append((index, body))
            position += 1
        else:
            await asyncio.sleep(float(headers.get("retry-after", "0")))
        if headers.get("connection") == "close":
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.close()


async def attack(number: int, pid: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Return what so many clients saw in so many seconds."""
    load, began, used = Load(), time.perf_counter(), cpu_s(pid)
    end = began + seconds

    async def watch() -> None:
        while time.perf_counter() < end:
            load.memory_mb.append(memory_mb(pid))
            await asyncio.sleep(1)

    step = len(requests) // clients + 1
    await asyncio.gather(
        watch(), *(client(number, each * step, requests, end, load) for each in range(clients))
    )
    load.seconds, load.cpu_s = time.perf_counter() - began, cpu_s(pid) - used
    return load


def serve(model: str, paths: Sequence[Path], chosen: argparse.Namespace) -> Load:
    """Start a server, attack it, and stop it by SIGTERM."""
    requests = [
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (path.stat().st_size, path.read_bytes())
        for path in paths
    ]
    number = free_port()
    command = [sys.executable, "-m", "ding_cls", "serve", model, "--port", str(number), *chosen.options]
    with subprocess.Popen(command, text=True) as server:
        try:
            wait_until_ready(number, server)
            asyncio.run(attack(number, server.pid, requests, chosen.clients, 3))
            load = asyncio.run(attack(number, server.pid, requests, chosen.clients, chosen.seconds))
            began = time.perf_counter()
            server.send_signal(signal.SIGTERM)
            server.wait(30)
            load.drain_s = time.perf_counter() - began
        finally:
            server.kill()
    return load


def wrong_answers(
    load: Load, paths: Sequence[Path], said: dict[str, Any], tolerance: float
) -> tuple[int, float]:
    """Return how many answers differ from what ``predict`` said, and the largest difference of a score."""
    wrong, largest = 0, 0.0
    for index, body in load.answers:
        label, probabilities = said[str(paths[index])]
        answer = json.loads(body)
        differences = [abs(each["score"] - probabilities[each["label"]]) for each in answer["top"]]
        largest = max(largest, *differences)
        wrong += answer["label"] != label or max(differences) > tolerance
    return wrong, largest


def row(model: str, chosen: argparse.Namespace) -> str:
    """Measure one model; return its row of the table."""
    paths = sorted(path for path in Path(chosen.images).rglob("*") if path.is_file())
    before, efficiency, said = offline(model, chosen.images, chosen.offline_seconds)
    load = serve(model, paths, chosen)
    after, again, _ = offline(model, chosen.images, chosen.offline_seconds)
    wrong, largest = wrong_answers(load, paths, said, 1e-5)
    answers = load.statuses["200"]
    rate, alone = answers / load.seconds, mean((before, after))
    p50, p99 = (quantiles(load.latencies_s, n=100)[each] * 1000 for each in (49, 98))
    quarter = max(1, len(load.memory_mb) // 4)
    memory = [mean(each) for each in (load.memory_mb[:quarter], load.memory_mb[-quarter:])]
    lost = sum(count for status, count in load.statuses.items() if status not in ("200", "503"))
    print(
        f"{model}: {dict(load.statuses)}; predict {before:.1f} and {after:.1f} images/s; drain "
        f"{load.drain_s:.1f} s; processor time of an image {1000 * load.cpu_s / answers:.1f} ms, in "
        f"predict {1000 / efficiency:.1f} and {1000 / again:.1f} ms; memory in MB "
        f"{' '.join(f'{each:.0f}' for each in load.memory_mb)}",
        flush=True,
    )
    kind = "ONNX file" if model.endswith(".onnx") else "checkpoint"
    efficiency_ratio = answers / load.cpu_s / mean((efficiency, again))
    return (
        f"| {kind} | {answers} | {load.statuses['503']} | {lost} | {wrong} | {largest:.0e} | {rate:.1f} | "
        f"{alone:.1f} | {rate / alone:.2f} | {efficiency_ratio:.2f} | {p50:.0f} | {p99:.0f} | "
        f"{memory[0]:.0f} | {memory[1]:.0f} |"
    )


def main() -> None:
    """Print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="checkpoints or ONNX files")
    parser.add_argument("--images", required=True, help="a folder of JPEG files")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--offline-seconds", type=float, default=15)
    parser.add_argument("--options", nargs="*", default=[], help="further ones of serve, without the dashes")
    parser.add_argument("--write", action="store_true", help="put the table into docs/serving.md")
    chosen = parser.parse_args()
    chosen.options = [part for each in chosen.options for part in (f"--{each}").split("=")]
    lines = [
        f"`python benchmarks/serve.py`: {chosen.clients} clients, one connection each, "
        f"{chosen.seconds:.0f} s; {os.cpu_count()} cores that server and clients share; "
        f"{platform.machine()}, Python {platform.python_version()}.",
        "",
        "| model | answers | 503 | lost | wrong | largest difference of a score | images/s | of `predict` | "
        "ratio | ratio per second of processor time | p50, ms | p99, ms | MB, first quarter | last |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [row(model, chosen) for model in chosen.models]
    print("\n".join(lines))
    if chosen.write:
        from page import write_block

        write_block("load", "benchmarks/serve.py", lines, PAGE)


if __name__ == "__main__":
    main()
