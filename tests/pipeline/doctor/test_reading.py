"""Samples and looks: each image once, whatever samples it is of and in how many processes."""

from pathlib import Path

import pytest

from ding_cls.data.datasets.wrappers import ConcatDataset, RepeatDataset
from ding_cls.pipeline.doctor.reading import look_at_all
from ding_cls.pipeline.doctor.sets import DoctorSets, sets_of_data


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_an_image_is_looked_at_once(picture_folder: Path, num_workers: int) -> None:
    given = sets_of_data(str(picture_folder))
    train, val = given.sets.values()
    both = {"train": ConcatDataset([RepeatDataset(train, 2), val]), "val": val}
    counts: list[int] = []
    data, sources = look_at_all(DoctorSets("x", both), num_workers=num_workers, advance=counts.append)
    assert (len(data.samples), len(data.looks), sum(counts), len(sources)) == (120, 60, 60, 60)
    assert {each.width for each in data.looks} == {12}
    assert data.samples[0].labels == ("ash",)
    assert data.samples[0].name == sources[0] == f"{picture_folder}/train/ash/000.png"
    by_name = {each.name: each.image for each in data.samples}
    assert all(by_name[each.name] == each.image for each in data.samples)
