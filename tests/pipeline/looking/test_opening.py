"""A config is opened as a run would open it, and no run is begun."""

from pathlib import Path

import pytest

from ding_cls.errors import ConfigError
from ding_cls.pipeline import train
from ding_cls.pipeline.looking.opening import opened_config, training_loader
from tests.conftest import TinyNet
from tests.pipeline.looking.test_pipeline import GIVEN, SETTINGS


def test_a_runs_folder_is_the_config_that_it_was_begun_with(picture_folder: Path, workdir: Path) -> None:
    overrides = [*SETTINGS, "policy.collect.resize_size=8", "policy.collect.crop_scale=[0.5, 0.6]"]
    result = train(data=picture_folder, model=TinyNet(), epochs=1, overrides=overrides)
    moved = result.run_folder.rename(workdir / "moved")
    before = sorted(moved.rglob("*"))
    with opened_config(moved, **GIVEN, data=None, overrides=[]) as opened:
        assert list(opened.cfg.policy.collect.crop_scale) == [0.5, 0.6]
        train_set, _ = opened.datasets()
        assert len(training_loader(opened.cfg, train_set)) == 7
    assert sorted(moved.rglob("*")) == before
    assert not result.run_folder.exists()


def test_an_error_names_the_part_and_its_place(picture_folder: Path, workdir: Path) -> None:
    pipeline = "[dict(type='Resise', size=8)]"
    Path("c.py").write_text(
        f"policy = dict(collect=dict(train=dict(type='CustomDataset', pipeline={pipeline})))"
    )
    with (
        pytest.raises(ConfigError, match=r"c\.py:1"),
        opened_config("c.py", **GIVEN, data=picture_folder, overrides=[]) as opened,
    ):
        opened.datasets()
