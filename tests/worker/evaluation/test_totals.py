"""Results of data sets in a row: of all, and of each."""

import numpy as np
import pytest
import torch

from ding_cls.data import ConcatDataset, SyntheticDataset, build_eval_loader
from ding_cls.errors import ConfigError
from ding_cls.metrics import METRICS
from ding_cls.worker import MetricSerialEvaluator
from ding_cls.worker.evaluation.totals import MetricTotals

SIZES = (5, 9, 3)


class ByPixel:
    """A policy that guesses from one pixel."""

    def forward(self, batch):
        values = batch.images[:, 0, 0].float()
        return torch.cat([values, values.flip(1)], 1)[:, :4]

    def get_attribute(self, name):
        return None

    def reset(self):
        pass


def evaluated(dataset, metric, batch_size):
    loader = build_eval_loader(dataset, batch_size)
    return MetricSerialEvaluator({}, [loader, metric], ByPixel(), exp_name=None).eval()[1]


def assert_close(found, expected):
    for name, value in expected.items():
        pair = np.array(found[name], float), np.array(value, float)
        assert np.allclose(*pair, rtol=1e-6, atol=0, equal_nan=True), name


@pytest.mark.parametrize("batch_size", [1, 4, 7, 32])
@pytest.mark.parametrize("kind", ["ImageClassificationMetric", "Auroc", "SingleLabelMetric"])
def test_each_data_set_has_the_result_that_it_has_alone(kind, batch_size):
    parts = [SyntheticDataset(size, 4, 6, seed=size) for size in SIZES]
    build = METRICS.get(kind)
    whole = evaluated(ConcatDataset(parts), build(), batch_size)
    together = evaluated(ConcatDataset(parts, separate_eval=False), build(), batch_size)
    assert_close(whole, together)
    assert len(whole) == len(together) * (1 + len(SIZES))
    for number, part in enumerate(parts):
        alone = evaluated(part, build(), batch_size)
        assert_close({name: whole[f"{number}_{name}"] for name in alone}, alone)


def test_a_single_data_set_has_no_parts():
    loader = build_eval_loader(ConcatDataset([SyntheticDataset(4, 2, 4)]), 2)
    assert MetricTotals(METRICS.get("ImageClassificationMetric")(), loader)._parts == []


@pytest.mark.parametrize("key", ["1_acc1", "1_accuracy_top-1"])
def test_a_data_sets_own_result_may_decide_which_is_best(key):
    dataset = ConcatDataset([SyntheticDataset(size, 4, 6, seed=size) for size in SIZES])
    metric = METRICS.get("ImageClassificationMetric")()
    loader = build_eval_loader(dataset, 4)
    judge = MetricSerialEvaluator({"save_best": key}, [loader, metric], ByPixel(), exp_name=None)
    result = judge.eval()[1]
    assert judge.ranking.score(result) == ("1_acc1", result["1_acc1"])
    dataset.separate_eval = False
    with pytest.raises(ConfigError, match="of data set 1; the evaluation data are one data set"):
        judge.reset_env([loader, metric])
