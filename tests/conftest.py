"""What all tests share: quiet threads, tiny networks, folders of pictures, an empty directory, a limit."""

import gc
import io
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import nn

from ding_cls.common.seed import generator
from ding_cls.data import worker_loss

# Two cores and many tiny tensors: threads would only wait for one another.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Fake tensors let autograd see a GPU that is not there; were the first backward after that, it would start
# threads, and no forked rank could go backward.
torch.ones(1, requires_grad=True).sum().backward()

# What imports and collecting make stays: a million objects that nobody need look through again and again,
# here or in a fork.
gc.disable()
# Nor need any of a hundred ranks and workers look through what it inherits.
os.register_at_fork(after_in_child=gc.freeze)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


# A job in the background of a shell is started deaf to Ctrl-C; tests that send it want it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So one of nohup to a closed terminal.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class TinyNet(nn.Module):
    """Convolution, BatchNorm, dropout, linear: everything that has state or randomness, at 8 px."""

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.25)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(torch.relu(self.norm(self.stem(images))).mean((2, 3))))


def write_pictures(root: Path, *, classes: tuple[str, ...], per_class: int, size_px: int = 12) -> Path:
    """Write PNG class folders whose classes differ in brightness; the same pixels for the same arguments.

    The files name the folder: those of two splits are no copies.
    """
    for number, name in enumerate(classes):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(per_class):
            brightness = 190 * number / max(len(classes) - 1, 1)
            (folder / f"{index:03d}.png").write_bytes(png(number, index, size_px, brightness, root.name))
    return root


@cache
def png(number: int, index: int, size_px: int, brightness: float, text: str) -> bytes:
    noise = torch.rand(size_px, size_px, 3, generator=generator(number, index))
    file = io.BytesIO()
    about = PngInfo()
    about.add_text("folder", text)
    image = Image.fromarray((noise * 60 + brightness).to(torch.uint8).numpy())
    image.save(file, "PNG", pnginfo=about)
    return file.getvalue()


@pytest.fixture
def tiny_net() -> TinyNet:
    torch.manual_seed(0)
    return TinyNet()


def write_splits(root: Path) -> Path:
    """Write ``train`` (4 classes of 10) and ``val`` (4 classes of 5)."""
    classes = ("ash", "birch", "cedar", "fir")
    write_pictures(root / "train", classes=classes, per_class=10)
    write_pictures(root / "val", classes=classes, per_class=5)
    return root


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """A folder with ``train`` (4 classes of 10) and ``val`` (4 classes of 5)."""
    return write_splits(tmp_path / "pictures")


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory: runs write below it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("not run: there is no CUDA device")


@pytest.fixture(autouse=True)
def away_from_the_checkout(
    request: pytest.FixtureRequest, empty_folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs write below the current directory: it is an empty one, for each test its own."""
    if "tmp_path" in request.fixturenames:
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))
        return
    # To make thousands of them takes its time: what a test has left empty, the next may have.
    if any(empty_folders[-1].iterdir()):
        empty_folders.append(Path(tempfile.mkdtemp(dir=empty_folders[0].parent)))
    monkeypatch.chdir(empty_folders[-1])


@pytest.fixture(scope="session")
def empty_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [Path(tempfile.mkdtemp(dir=tmp_path_factory.mktemp("away")))]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of tiny runs: of the default tier none needs its files to outlive the machine."""
    if not is_in_a_slow_tier(request.node):
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def no_worker_outlives_its_test() -> Iterator[None]:
    """A traceback may keep a loader; a later fork that drops its copy would end the loader's workers."""
    yield
    for batches in list(worker_loss._WATCHED):
        if not batches._shutdown:
            worker_loss._end_all(batches)
    worker_loss._WATCHED.clear()


@pytest.fixture(scope="session", autouse=True)
def checkout_stays_clean() -> Iterator[None]:
    """A test that forgets its working directory would write its run folders into the checkout."""
    root = Path(__file__).parents[1]
    before = {each.name for each in root.iterdir()}
    yield
    assert {each.name for each in root.iterdir()} - before <= {".mypy_cache", ".ruff_cache"}


# Processor seconds of one test of the default tier, of which none is to take over five seconds on an idle
# machine; on a busy one it costs up to twice that. A clock would say more about a machine's other users.
LIMIT_S = 10.0
TIERS = ("slow", "campaign", "gpu", "slurm")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test of the default tier that uses too much time, its child processes included."""
    begin = cpu_s()
    result = yield
    if found := too_long(item, cpu_s() - begin):
        pytest.fail(found, pytrace=False)
    return result


def too_long(item: pytest.Item, used_s: float) -> str | None:
    if used_s <= LIMIT_S or is_in_a_slow_tier(item):
        return None
    return f"{used_s:.1f} s of processor time, at most {LIMIT_S:g}: make it smaller, or mark it slow"


def is_in_a_slow_tier(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(each) for each in TIERS)


def cpu_s() -> float:
    """Return the processor seconds of this process, and of its children that have ended."""
    used = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Debian's Chromium, without a window, driven by playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright, which drives a browser, is missing"
    )
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed")
    home = str(tmp_path_factory.mktemp("home"))
    with playwright.sync_playwright() as driver:
        # A container's root has no sandbox, and perhaps no home.
        options = {"args": ["--no-sandbox"], "env": {**os.environ, "HOME": home}}
        opened = driver.chromium.launch(executable_path=chromium, **options)
        yield opened
        opened.close()
