"""``docs/why.md``: its sources are numbered, its tests are there, what can be run of the others is run."""

import re
from pathlib import Path

import pytest
import torch

from ding_cls.config import read_config
from ding_cls.errors import ConfigError
from tests.docs.scripts import DOCS
from tests.docs.test_coverage import TEST, names_of_tests

PAGE = (DOCS / "why.md").read_text(encoding="utf-8")


def test_the_table_is_small_and_every_number_has_its_source() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 8
    assert {len(row) for row in rows} == {5}
    cited = [int(each) for row in rows for cell in row for each in re.findall(r"\[(\d+)\]", cell)]
    sources = [int(each) for each in re.findall(r"^(\d+)\. ", PAGE, re.M)]
    assert cited == sources == list(range(1, 26))


def test_every_test_it_names_is_there() -> None:
    named = TEST.findall(PAGE)
    assert len(named) >= 14
    assert [pair for pair in named if pair[1] not in names_of_tests(pair[0])] == []


def test_two_shares_of_five_images_are_six_images_elsewhere() -> None:
    samplers = [torch.utils.data.DistributedSampler]
    samplers.append(pytest.importorskip("timm").data.distributed_sampler.OrderedDistributedSampler)
    for sampler in samplers:
        seen = [index for rank in range(2) for index in sampler(range(5), num_replicas=2, rank=rank)]
        assert (len(seen), set(seen)) == (6, set(range(5)))


def test_a_config_of_mmengine_is_executed_and_ours_is_refused(workdir: Path) -> None:
    config = pytest.importorskip("mmengine").Config
    Path("config.py").write_text("open('witness', 'w').close()\nx = 1\n")
    with pytest.raises(ConfigError):
        read_config("config.py")
    assert not Path("witness").exists()
    config.fromfile("config.py")
    assert Path("witness").exists()
