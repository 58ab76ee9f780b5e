"""The samples of the doctor's datasets, and a look at each image, in reading processes.

It must not judge.
"""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from ding_cls.data.image_check import fault_of
from ding_cls.data.labels import categories, sample_names
from ding_cls.data.loader import worker_options
from ding_cls.data.same_images import FilePlaces, Source, sources_of
from ding_cls.data.tools.doctor.findings import Data, Sample
from ding_cls.data.tools.doctor.look import ImageLook, look_at_file, look_at_pixels, with_exact_digests
from ding_cls.data.tools.doctor.near import load_hash
from ding_cls.data.worker_loss import ReadTrace, watched
from ding_cls.errors import DataError
from ding_cls.pipeline.doctor.sets import DoctorSets

_BATCH_SIZE = 16
_Job = tuple[str, Source, Any, int]


def default_workers() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def look_at_all(
    given: DoctorSets, *, num_workers: int, advance: Callable[[int], object] = lambda count: None
) -> tuple[Data, list[Source]]:
    """Look at each image of some datasets once, whatever samples it is of, and return all that is known, and
    what each image comes from.

    Args:
        given: the datasets.
        num_workers: reading processes; 0 reads in this one.
        advance: called with how many images were looked at since the last call.
    """
    jobs: list[_Job] = []
    known: dict[Hashable, int] = {}
    samples = [sample for split, each in given.sets.items() for sample in _samples(split, each, jobs, known)]
    looks: dict[int, ImageLook] = {}
    trace = ReadTrace(num_workers)
    load_hash()
    reader: DataLoader[tuple[int, ImageLook]] = DataLoader(
        _Looks(jobs, trace), batch_size=_BATCH_SIZE, collate_fn=list, **worker_options(num_workers)
    )
    for batch in watched(reader, trace, lambda place: jobs[place][0]) if jobs else ():
        looks |= dict(batch)
        advance(len(batch))
    sources = [source for _, source, _, _ in jobs]
    paths = [each if isinstance(each, str) else None for each in sources]
    found = with_exact_digests([looks[place] for place in range(len(jobs))], paths)
    return Data(given.splits(), samples, found), sources


def _samples(split: str, dataset: Any, jobs: list[_Job], known: dict[Hashable, int]) -> list[Sample]:
    """Return the samples of a dataset; the images that are not known yet join the jobs."""
    names, groups, labels = sample_names(dataset), getattr(dataset, "groups", None), _labels(dataset)
    places = FilePlaces()
    found = []
    for index, source in enumerate(sources_of(dataset)):
        is_file = isinstance(source, str)
        key: Hashable = places.of(os.path.normpath(source)) if isinstance(source, str) else (split, index)
        name = source if isinstance(source, str) else f"image {names[index]}"
        if key not in known:
            known[key] = len(jobs)
            jobs.append((name, source, dataset, index))
        group = "" if groups is None or groups[index] is None else str(groups[index])
        found.append(Sample(split, name, labels[index], known[key], group, is_file))
    return found


def _labels(dataset: Any) -> list[tuple[str, ...]]:
    """Return the names of the classes of each sample; none where the dataset does not say them."""
    try:
        numbers = categories(dataset)
    except DataError:
        return [()] * len(dataset)
    classes: Sequence[str] = dataset.classes
    known: Mapping[int, str] = dict(enumerate(classes))
    return [tuple(known.get(number, str(number)) for number in each) for each in numbers]


class _Looks(Dataset[tuple[int, ImageLook]]):
    """Place and look of each job."""

    def __init__(self, jobs: Sequence[_Job], trace: ReadTrace) -> None:
        self._jobs, self.trace = jobs, trace

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, place: int) -> tuple[int, ImageLook]:
        self.trace.note(place)
        name, source, dataset, index = self._jobs[place]
        if isinstance(source, str):
            return place, look_at_file(source)
        if isinstance(source, np.ndarray):
            return place, look_at_pixels(source, label=name)
        # Read in a way of its dataset's own: whether that works is all that can be told.
        return place, ImageLook(fault=fault_of(dataset, index))
