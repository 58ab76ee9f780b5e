import pytest

from ding_cls.data import SyntheticDataset
from ding_cls.data.datasets.registry import DATASETS, build_dataset
from ding_cls.errors import ConfigError, DataError

TINY = {"type": "SyntheticDataset", "num_samples": 4, "num_classes": 2, "size_px": 8}


def test_a_dict_builds_the_dataset_of_its_type():
    dataset = build_dataset(TINY)
    assert type(dataset) is SyntheticDataset is DATASETS.get("SyntheticDataset")
    assert dataset.targets == [0, 1, 0, 1]


def test_defaults_apply_where_the_dict_is_silent():
    dataset = build_dataset(TINY, {"num_samples": 9, "classes": ["ant", "cat"]})
    assert (len(dataset), dataset.classes) == (4, ("ant", "cat"))


def test_wrong_names_arguments_and_values_are_named():
    with pytest.raises(ConfigError, match=r"dataset.*'SyntheticDatset'.*SyntheticDataset"):
        build_dataset({"type": "SyntheticDatset"})
    with pytest.raises(ConfigError, match=r"SyntheticDataset.*'size'.*size_px"):
        build_dataset({**TINY, "size": 8})
    with pytest.raises(DataError, match="num_classes=0"):
        build_dataset({**TINY, "num_classes": 0})


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_dicts_is_one_dataset_after_the_other(kind):
    dataset = build_dataset(kind([TINY, {**TINY, "num_samples": 2}]), {"classes": ["ant", "cat"]})
    assert (type(dataset).__name__, len(dataset)) == ("ConcatDataset", 6)
    assert dataset.classes == ("ant", "cat")
    assert build_dataset([TINY]).targets == [0, 1, 0, 1]
