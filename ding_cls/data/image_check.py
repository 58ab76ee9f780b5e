"""Whether the images of a dataset can be read, and a dataset without those that cannot.

It decodes files; it must not know runs, loaders of batches or configs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset

from ding_cls.common.seed import sample_randomness
from ding_cls.data.datasets.wrappers import IndexedDataset, image_file, loaded
from ding_cls.data.labels import sample_names
from ding_cls.data.loader import worker_options
from ding_cls.data.worker_loss import ReadTrace, watched
from ding_cls.distributed import gather_objects, get_rank, get_world_size
from ding_cls.errors import DataError
from ding_cls.images.image_io import load_rgb
from ding_cls.images.tables.files import missing_files

_BATCH_SIZE = 8
# What libraries raise for files that they cannot decode.
_FAULTS = (OSError, SyntaxError, ValueError, EOFError)


class BadImage(NamedTuple):
    """A sample whose image cannot be read.

    Attributes:
        sample_id: position in the dataset.
        name: what the dataset calls it.
        reason: one line with the path and what is wrong.
    """

    sample_id: int
    name: str
    reason: str


class ReadableDataset(IndexedDataset):
    """A dataset without the samples whose images cannot be read; no other takes their place.

    Args:
        dataset: the whole dataset.
        bad: those to leave out.

    Attributes:
        n_bad: how many samples are left out.

    Raises:
        DataError: one of them has another name now, or no sample is left.
    """

    def __init__(self, dataset: Any, bad: Sequence[BadImage]) -> None:
        names = sample_names(dataset) if bad else []
        for each in bad:
            if each.sample_id >= len(names) or names[each.sample_id] != each.name:
                raise DataError(
                    f"image {each.sample_id} of the data is no longer {each.name!r}, which the run was begun "
                    "without: the files have changed; put them back, or start a new run"
                )
        left_out = {each.sample_id for each in bad}
        super().__init__(dataset, [index for index in range(len(dataset)) if index not in left_out])
        self.n_bad = len(left_out)
        if not self.indices:
            raise DataError(f"none of {len(dataset):,} images can be read, the first being: {bad[0].reason}")

    @property
    def separate_eval(self) -> bool:
        """Whether evaluation gives the results of each part of the dataset too."""
        return bool(getattr(self.dataset, "separate_eval", False))

    @property
    def cumulative_sizes(self) -> list[int]:
        """Where each part of the dataset ends, without those left out."""
        return [bisect_left(self.indices, end) for end in getattr(self.dataset, "cumulative_sizes", ())]


def find_bad_images(
    dataset: Any, *, num_workers: int = 0, advance: Callable[[int], object] = lambda count: None
) -> list[BadImage]:
    """Return the samples whose images cannot be decoded, in order; all processes call it together.

    Each file is decoded once, in full, as training decodes it. What is no file is loaded by its dataset.

    Args:
        dataset: any that a loader takes.
        num_workers: reading processes of this process; 0 reads in this one.
        advance: called with how many images were read since the last call, all processes together.
    """
    keys: list[str | int] = [image_file(dataset, index) or index for index in range(len(dataset))]
    first = {key: index for index, key in reversed([*enumerate(keys)])}
    world_size = get_world_size()
    own = sorted(first.values())[get_rank() :: world_size]
    reasons: dict[str | int, str] = {}
    trace = ReadTrace(num_workers)
    reader: DataLoader[tuple[int, str]] = DataLoader(
        _Faults(dataset, own, trace),
        batch_size=_BATCH_SIZE,
        collate_fn=list,
        **worker_options(num_workers),
    )
    for batch in watched(reader, trace, lambda index: str(keys[index])) if own else ():
        reasons |= {keys[index]: reason for index, reason in batch if reason}
        advance(len(batch) * world_size)
    found = {key: reason for each in gather_objects(reasons) for key, reason in each.items()}
    bad = [index for index, key in enumerate(keys) if key in found]
    names = sample_names(dataset) if bad else []
    return [BadImage(index, names[index], found[keys[index]]) for index in bad]


def missing_images(dataset: Any) -> list[str]:
    """Return the paths of a dataset's images that do not exist, each once; of what is no file it says
    nothing."""
    paths = (image_file(dataset, index) for index in range(len(dataset)))
    return missing_files([path for path in paths if path is not None])


def fault_of(dataset: Any, index: int) -> str:
    """Return why a sample's image cannot be decoded, in a line; an empty text where it can."""
    file = image_file(dataset, index)
    try:
        if file is not None:
            load_rgb(file)
        else:
            with sample_randomness(0):
                loaded(dataset, index)
    except DataError as error:
        return str(error)
    except _FAULTS as error:
        text = " ".join(str(error).split())
        return f"sample {index} cannot be read ({type(error).__name__}: {text})"
    return ""


class _Faults(Dataset["tuple[int, str]"]):
    """Index and fault of some samples."""

    def __init__(self, dataset: Any, indices: Sequence[int], trace: ReadTrace) -> None:
        self._dataset, self._indices, self.trace = dataset, indices, trace

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, place: int) -> tuple[int, str]:
        index = self._indices[place]
        self.trace.note(index)
        return index, fault_of(self._dataset, index)
