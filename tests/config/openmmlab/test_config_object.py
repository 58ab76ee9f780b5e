"""mmcv's ``Config``: read from files, changed by attribute and by dotted path."""

import copy
from pathlib import Path

import pytest

from ding_cls.config import Config
from ding_cls.errors import ConfigError

TEXT = "_base_ = ['base.py']\nmodel = dict(head=dict(num_classes=10))\nrunner = dict(max_epochs=4)\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "base.py").write_text(
        "model = dict(type='A', head=dict(type='B'))\nsteps = [dict(type='C')]\n"
    )
    (tmp_path / "own.py").write_text(TEXT)
    return Config.fromfile(tmp_path / "own.py")


def test_a_file_is_read_with_what_it_inherits(config: Config) -> None:
    assert config.model.head == {"type": "B", "num_classes": 10}
    assert config["model"]["type"] == config.model.type == "A"
    assert config.steps[0].type == "C"
    assert sorted(config) == ["model", "runner", "steps"]
    assert config.get("seed", 3) == 3
    with pytest.raises(AttributeError, match="the config has no key 'sed'"):
        _ = config.sed


def test_values_are_set_by_attribute_by_key_and_by_path(config: Config) -> None:
    config.model.head.num_classes = 2
    config["seed"] = 0
    config.optimizer = {"type": "SGD", "lr": 0.1}
    config.merge_from_dict({"optimizer.lr": 0.2, "model.neck.type": "N"})
    assert (config.model.head.num_classes, config.seed, config.optimizer.lr) == (2, 0, 0.2)
    assert config.model.neck.type == "N"
    other = copy.deepcopy(config)
    other.model.type = "Z"
    assert config.model.type == "A"


def test_its_text_is_a_config_again(config: Config, tmp_path: Path) -> None:
    config.dump(tmp_path / "again.py")
    assert (tmp_path / "again.py").read_text() == config.pretty_text
    assert dict(Config.fromfile(tmp_path / "again.py")) == dict(config)
    assert dict(Config({"a": {"b": 1}}).a) == {"b": 1}
    assert len(Config()) == 0


def test_code_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\nmodel = os.getcwd()\n")
    with pytest.raises(ConfigError, match=r"bad\.py"):
        Config.fromfile(tmp_path / "bad.py")
