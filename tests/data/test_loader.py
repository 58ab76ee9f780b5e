import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data.datasets.arrays import ArrayDataset
from ding_cls.data.datasets.folder import ImageNetDataset, SyntheticDataset
from ding_cls.data.loader import build_eval_loader, build_train_loader, load_sample
from ding_cls.data.transforms.default import Preprocessing, TrainAugmentation
from ding_cls.errors import DataError
from ding_cls.types import Batch, Share


@pytest.fixture
def pictures(make_pictures):
    return make_pictures("d", *(f"{name}/{number}.png" for name in ("ant", "cat") for number in range(7)))


@pytest.fixture
def dataset(pictures):
    return ImageNetDataset(pictures, is_training=True, transform=TrainAugmentation(8))


def draw_from_all_three(picture: Image.Image) -> torch.Tensor:
    return torch.tensor([[[random.random()]], [[np.random.random()]], [[torch.rand(()).item()]]])


def same(left: Batch, right: Batch) -> bool:
    pairs = zip(
        (left.images, left.targets, left.sample_ids),
        (right.images, right.targets, right.sample_ids),
        strict=True,
    )
    return all(torch.equal(*pair) for pair in pairs)


def all_same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def two_epochs(dataset, num_workers: int) -> list[Batch]:
    loader = build_train_loader(dataset, 4, seed=3, num_workers=num_workers)
    return [*loader, *loader]


def test_a_batch_holds_pixels_numbers_and_ids_and_weighs_all_alike(dataset):
    batch = next(iter(build_train_loader(dataset, 4, seed=3)))
    assert (batch.images.dtype, batch.images.shape) == (torch.uint8, (4, 8, 8, 3))
    assert (batch.targets.dtype, batch.sample_ids.dtype) == (torch.int64, torch.int64)
    assert batch.targets.tolist() == [dataset.targets[index] for index in batch.sample_ids]
    assert batch.weights is None


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_number_of_workers_changes_no_bit(dataset, num_workers):
    expected = two_epochs(dataset, 0)
    assert [len(batch) for batch in expected] == [4, 4, 3, 3] * 2
    assert all_same(two_epochs(dataset, num_workers), expected)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_transforms_that_draw_from_any_generator_repeat_under_any_number_of_workers(pictures, num_workers):
    dataset = ImageNetDataset(pictures, is_training=True, transform=draw_from_all_three)
    expected = two_epochs(dataset, 0)
    assert torch.cat([batch.images for batch in expected]).unique().numel() == 3 * 14 * 2
    assert all_same(two_epochs(dataset, num_workers), expected)


def test_order_and_augmentation_change_by_epoch(dataset):
    loader = build_train_loader(dataset, 14, seed=3)
    first, second = next(iter(loader)), next(iter(loader))
    assert not torch.equal(first.sample_ids, second.sample_ids)
    in_order = [batch.images[batch.sample_ids.argsort()] for batch in (first, second)]
    assert not in_order[0].eq(in_order[1]).flatten(1).all(1).any()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_set_position_continues_with_the_tail(dataset, num_workers):
    epochs = two_epochs(dataset, 0)
    loader = build_train_loader(dataset, 4, seed=3, num_workers=num_workers)
    for epoch, first_batch in ((0, 1), (1, 2), (0, 0), (1, 4)):
        loader.set_position(epoch, first_batch)
        assert all_same(list(loader), epochs[4 * epoch + first_batch : 4 * epoch + 4])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_epoch_left_in_the_middle_leaves_nothing_behind(dataset, num_workers):
    expected = two_epochs(dataset, 0)
    loader = build_train_loader(dataset, 4, seed=3, num_workers=num_workers)
    assert same(next(iter(loader)), expected[0])
    assert all_same(list(loader), expected[4:])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_reading_leaves_the_global_generators_alone(dataset, num_workers):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()
    two_epochs(dataset, num_workers)
    list(build_eval_loader(dataset, 4, num_workers=num_workers))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert all(np.array_equal(*pair) for pair in zip(np.random.get_state(), before[2], strict=True))


def test_ranks_share_the_global_batches_of_one_process(dataset):
    whole = list(build_train_loader(dataset, 6, seed=3))
    loaders = [build_train_loader(dataset, 2, seed=3, rank=rank, world_size=3) for rank in range(3)]
    assert {(each.batch_size, each.global_batch_size, len(each)) for each in loaders} == {(2, 6, 3)}
    for number, parts in enumerate(zip(*loaders, strict=True)):
        assert torch.equal(torch.cat([part.images for part in parts]), whole[number].images)
        assert torch.equal(torch.cat([part.sample_ids for part in parts]), whole[number].sample_ids)
    shares = [[batch.share for batch in loader] for loader in loaders]
    # 14 samples make batches of 5, 5 and 4.
    assert shares[0] == [Share(2, 5, 3), Share(2, 5, 3), Share(2, 4, 3)]
    assert shares[2] == [Share(1, 5, 3), Share(1, 5, 3), Share(1, 4, 3)]
    loaders[0].set_position(5, 1)
    assert [batch.share for batch in loaders[0]] == shares[0][1:]
    assert {batch.share for batch in whole} == {None}


def test_a_batch_that_the_ranks_share_equally_has_no_share(dataset):
    (loader,) = [build_train_loader(dataset, 2, seed=3, rank=1, world_size=3, drop_last=True)]
    assert [(len(batch), batch.share) for batch in loader] == [(2, None), (2, None)]
    assert (loader.num_left_out, loader.sizes, loader.fewest) == (2, (6, 6), 2)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_evaluation_shows_each_sample_once_in_data_order(pictures, world_size):
    dataset = ImageNetDataset(pictures, is_training=False, transform=Preprocessing(8, 8))
    loaders = [build_eval_loader(dataset, 3, rank=rank, world_size=world_size) for rank in range(world_size)]
    batches = [batch for loader in loaders for batch in loader]
    assert torch.cat([batch.sample_ids for batch in batches]).tolist() == list(range(14))
    assert [len(batch) for batch in batches] == [3, 3, 3, 3, 2]
    assert [loader.first_batch for loader in loaders] == [
        5 * rank // world_size for rank in range(world_size)
    ]
    assert sum(map(len, loaders)) == 5


def test_any_map_style_data_set_works():
    images, targets = torch.randn(6, 3, 4, 4), torch.tensor([1, 0, 2, 1, 0, 2])
    (batch,) = build_eval_loader(TensorDataset(images, targets), 8)
    assert torch.equal(batch.images, images)
    assert torch.equal(batch.targets, targets)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_bad_picture_is_one_line_in_the_main_process(pictures, num_workers):
    (pictures / "cat" / "3.png").write_bytes(b"")
    dataset = ImageNetDataset(pictures, is_training=False, transform=Preprocessing(8, 8))
    loader = build_eval_loader(dataset, 4, num_workers=num_workers)
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            list(loader)
        path = pictures / "cat" / "3.png"
        expected = f"'{path}' (class 'cat', index 10) is empty (0 bytes); delete it or replace it"
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (
            [torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)],
            r"samples 0 and 1 have the shapes \(3, 4, 4\) and \(3, 4, 5\)",
        ),
        ([torch.zeros(3, 4, 4, dtype=torch.uint8)] * 2, r"sample 0 is uint8 of shape \(3, 4, 4\)"),
        (["a", "b"], "sample 0 of the data set is a str"),
    ],
)
def test_images_that_make_no_batch_are_named(images, reason):
    class Given:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return images[index], 0

    with pytest.raises(DataError, match=reason):
        list(build_eval_loader(Given(), 2))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a worker who sent a signal")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_workers_outlive_a_signal_to_the_whole_job(number):
    dataset = SyntheticDataset(12, 3, 8)
    expected = list(build_train_loader(dataset, 2, seed=0))
    loader = build_train_loader(dataset, 2, seed=0, num_workers=2)
    batches = iter(loader)
    # A batch of each worker: both have started, and set their signals.
    received = [next(batches), next(batches)]
    workers = [worker.pid for worker in loader._loader._iterator._workers]
    for pid in workers:
        # From a third process: a worker does end on a SIGTERM of its own main process.
        subprocess.run(["kill", f"-{number.value}", str(pid)], check=True)
    received.extend(batches)
    assert all_same(received, expected)
    assert all(worker.is_alive() for worker in loader._loader._iterator._workers)
    assert len(workers) == 2


PROGRAM = """
    import os, sys, time
    from ding_cls.data import SyntheticDataset, build_train_loader
    loader = build_train_loader(SyntheticDataset(64, 2, 8), 2, seed=0, num_workers=2)
    batches = iter(loader)
    next(batches)
    print(*(worker.pid for worker in loader._loader._iterator._workers), flush=True)
    {ending}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param("raise SystemExit(75)", 75, id="exit", marks=pytest.mark.slow),
        # torch's watchdog looks every five seconds.
        pytest.param("time.sleep(60)", -signal.SIGKILL, id="killed", marks=pytest.mark.slow),
    ],
)
def test_workers_are_gone_soon_after_the_main_process(ending, code):
    program = textwrap.dedent(PROGRAM.format(ending=ending))
    main = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with main:
        workers = [int(pid) for pid in main.stdout.readline().split()]
        if code < 0:
            main.kill()
        assert main.wait(timeout=30) == code
    assert len(workers) == 2
    deadline = time.monotonic() + 15
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]


class Targets:
    """Black pictures with the targets that a test hands over."""

    def __init__(self, *targets):
        self.given = targets

    def __len__(self):
        return len(self.given)

    def __getitem__(self, index):
        return torch.zeros(3, 2, 2), self.given[index]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((2, 0), torch.tensor([2, 0])),
        ((np.int64(2), torch.tensor(0)), torch.tensor([2, 0])),
        ((torch.tensor([2, 0], dtype=torch.int32), torch.tensor([1, 1])), torch.tensor([[2, 0], [1, 1]])),
        ((np.array([2, 0]), [1, 1]), torch.tensor([[2, 0], [1, 1]])),
        ((torch.tensor([0.25, 0.75]), np.array([1.0, 0.0])), torch.tensor([[0.25, 0.75], [1.0, 0.0]])),
        ((torch.tensor([True, False]), torch.tensor([False, True])), torch.tensor([[1.0, 0.0], [0.0, 1.0]])),
    ],
)
def test_targets_are_numbers_tasks_or_shares(targets, expected):
    (batch,) = build_eval_loader(Targets(*targets), 2)
    assert batch.targets.dtype == expected.dtype
    assert torch.equal(batch.targets, expected)


def test_targets_that_make_no_batch_are_named():
    with pytest.raises(DataError, match=r"samples 0 and 1 have targets of the shapes \(2,\) and \(\)"):
        list(build_eval_loader(Targets(torch.zeros(2), 1), 2))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_weights_of_the_data_set_reach_the_batches(num_workers):
    dataset = Targets(*range(8))
    dataset.sample_weights = [0.5 + index for index in range(8)]
    for batch in build_train_loader(dataset, 3, seed=0, num_workers=num_workers):
        assert torch.equal(batch.weights, batch.sample_ids + 0.5)
    dataset.sample_weights = [2.0] * 8
    assert next(iter(build_train_loader(dataset, 3, seed=0))).weights is None


ORPHANED = """
import os, signal, sys, threading, time
from torch.utils.data import DataLoader
from ding_cls.data import loader

def begin(worker_id):
    print(os.getpid(), flush=True)
    time.sleep(0.5)
    loader.begin_worker(worker_id)

class Images(list):
    class trace:
        give_up = staticmethod(print)

threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
list(DataLoader(Images([1] * 9), num_workers=1, worker_init_fn=begin))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there a worker looks for its main process")
def test_a_worker_whose_main_process_was_killed_before_it_began_ends():
    # The pipe is closed once the worker, which has it too, is gone: else the time runs out.
    done = subprocess.run([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip().isdigit()


def test_a_worker_saves_no_state_of_a_generator(pictures, monkeypatch):
    dataset = ImageNetDataset(pictures, is_training=True, transform=draw_from_all_three)
    expected = two_epochs(dataset, 0)
    # Workers are forked, so they see what is replaced here; an error in one would end the loop.
    monkeypatch.setattr(random, "getstate", pytest.fail)
    monkeypatch.setattr(np.random, "get_state", pytest.fail)
    assert all_same(two_epochs(dataset, 2), expected)


def test_pythons_and_numpys_generators_are_seeded_only_where_a_step_may_draw_from_them(
    pictures, dataset, monkeypatch
):
    seeds = {"python": 0, "numpy": 0}

    def count(name, real):
        def counted(*args):
            seeds[name] += 1
            return real(*args)

        return counted

    monkeypatch.setattr(random, "seed", count("python", random.seed))
    monkeypatch.setattr(np.random, "seed", count("numpy", np.random.seed))
    two_epochs(dataset, 0)
    assert seeds == {"python": 0, "numpy": 0}
    two_epochs(ImageNetDataset(pictures, is_training=True, transform=draw_from_all_three), 0)
    assert seeds == {"python": 28, "numpy": 28}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_pixels_in_memory_are_the_same_bits_with_workers_and_stay_as_they_are(num_workers):
    images = np.random.default_rng(0).integers(0, 256, (14, 8, 8, 3), dtype=np.uint8)
    before = images.copy()
    steps = [{"type": "RandomCrop", "size": 8, "padding": 2}, {"type": "RandomFlip"}]
    for pipeline in ([], steps):
        dataset = ArrayDataset(images=images, labels=np.arange(14) % 2, pipeline=pipeline)
        batches = two_epochs(dataset, num_workers)
        # The way of a torch DataLoader, which copies each sample first.
        for number, batch in enumerate(batches):
            for image, index in zip(batch.images, batch.sample_ids.tolist(), strict=True):
                with sample_randomness(derive_seed(Stream.AUGMENT, 3, number // 4, index)):
                    assert np.array_equal(dataset[index]["img"], image)
        for batch in batches:
            batch.images.zero_()
        assert np.array_equal(images, before)


def test_a_sample_alone_is_what_the_batch_holds(picture_folder: Path) -> None:
    dataset = ImageNetDataset(picture_folder / "train", True, TrainAugmentation(image_size=8))
    loader = build_train_loader(dataset, 7, seed=3)
    loader.set_position(2, 1)
    keys = list(loader.keys())
    loader.set_position(2, 1)
    batches = list(loader)
    assert [[key.sample_id for key in each] for each in keys] == [
        each.sample_ids.tolist() for each in batches
    ]
    images = [load_sample(dataset, key, seed=3)[0] for key in keys[0]]
    assert torch.equal(torch.stack(images), batches[0].images)
