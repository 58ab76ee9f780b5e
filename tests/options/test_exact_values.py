"""Every loss, schedule, grouping and metric has a test of exact values, and that test can fail.

The table names the tests: against torch, the formula or scikit-learn. ``spoil.py`` makes one part a
thousandth wrong; its test must notice.
"""

import multiprocessing
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ding_cls.metrics import METRICS
from ding_cls.models import LOSSES
from ding_cls.optim import MOMENTUM_SCHEDULES, OPTIMIZER_BUILDERS, SCHEDULES, WEIGHT_DECAY_SCHEDULES
from tests.docs.test_coverage import names_of_tests
from tests.models.losses.test_torch import SWEEP
from tests.optim.schedules.test_mmcv import FORMULAS
from tests.options.cases.parts_table import OF_LOSSES
from tests.options.spoil import spoil
from tests.options.trials import ours

ROOT = Path(__file__).resolve().parents[2]
LOSS, FOCAL = "tests/models/losses/test_cross_entropy.py", "tests/models/losses/test_focal.py"
TORCHS = "tests/models/losses/test_torch.py"
SHORT, STRINGS = "tests/optim/schedules/test_shorthand.py", "tests/metrics/test_accuracy.py"
SETTING, RANKING = "tests/optim/schedules/test_momentum_and_decay.py", "tests/metrics/test_ranking.py"
CALIBRATION, PER_CLASS = "tests/metrics/test_calibration.py", "tests/metrics/test_per_class.py"
OF_ALL_POLICIES = "tests/optim/schedules/test_mmcv.py::test_every_value_is_the_formulas"
EXACT: dict[str, dict[str, str]] = {
    "loss": {
        "AsymmetricLoss": f"{FOCAL}::test_the_asymmetric_loss_is_its_formula",
        "CrossEntropyLoss": f"{LOSS}::test_cross_entropy_is_torchs_to_the_last_bit",
        "FocalLoss": f"{FOCAL}::test_the_focal_loss_of_sigmoids_is_its_formula",
        "KLDivLoss": f"{TORCHS}::test_the_divergence_has_a_mean_over_samples_of_its_own",
        "LabelSmoothLoss": f"{LOSS}::test_original_smoothing_is_torchs_to_the_last_bit",
        "SeesawLoss": "tests/models/losses/test_seesaw.py::test_the_loss_is_its_formula_and_counts_first",
        "SoftmaxFocalLoss": f"{FOCAL}::test_the_focal_loss_of_a_softmax_is_its_formula",
        **{
            name: f"{TORCHS}::test_without_weights_a_loss_of_torch_is_torchs_to_the_last_bit[{name}]"
            for name in SWEEP
        },
    },
    "schedule": {
        "CosineAnnealingWarmRestarts": "tests/optim/schedules/test_restarts.py::test_restarts_are_torchs",
        "ReduceLROnPlateau": "tests/optim/schedules/test_plateau.py::test_every_value_is_torchs",
        # pytest takes no longer ids than a file's name: the last of each name is the shortest.
        **{
            FORMULAS[case][0]["type"]: f"{OF_ALL_POLICIES}[{case}]"
            for case in sorted(FORMULAS, key=len)[::-1]
        },
    },
    "momentum": {
        "OneCycle": f"{SETTING}::test_one_cycle_is_torchs",
        **dict.fromkeys(
            ("CosineAnnealing", "Cyclic", "LinearAnnealing", "Step"),
            f"{SETTING}::test_momentum_is_the_formulas",
        ),
    },
    "weight decay": dict.fromkeys(
        ("CosineAnnealing", "CosineAnnealingWeightDecay", "LinearAnnealing", "Step"),
        f"{SETTING}::test_weight_decay_is_the_formulas_and_none_stays_none",
    ),
    "warm-up": {
        "by name": "tests/optim/schedules/test_base.py::test_warmup_by_hand",
        "native": "tests/optim/schedules/test_base.py::test_warmup_ends_at_its_boundary",
        "of short forms": f"{SHORT}::test_warm_up_is_a_line_and_the_rest_the_schedules",
    },
    "grouping": {
        "paramwise_cfg": "tests/optim/test_param_groups.py::test_settings_by_hand",
        "DefaultOptimizerConstructor": "tests/optim/test_param_groups.py::test_two_steps_with_groups_by_hand",
        **dict.fromkeys(
            ("LearningRateDecayOptimizerConstructor", "LearningRateDecayOptimWrapperConstructor"),
            "tests/optim/test_layer_decay.py::test_rates_fall_from_block_to_block",
        ),
    },
    "metric": {
        "Accuracy": f"{STRINGS}::test_top_k_is_that_of_scikit_learn",
        "Auroc": f"{RANKING}::test_auroc_of_several_classes_is_each_against_the_rest",
        "AveragePrecision": f"{RANKING}::test_map_over_labels_is_that_of_scikit_learn",
        "BrierScore": f"{CALIBRATION}::test_the_brier_score_is_the_sum_over_the_classes",
        "CalibrationError": f"{CALIBRATION}::test_the_calibration_error_is_the_bins_by_hand",
        "ClassificationMetrics": "tests/metrics/test_combined.py::test_each_gives_what_it_gives_alone",
        "ConfusionMatrix": f"{PER_CLASS}::test_the_confusion_matrix_is_that_of_scikit_learn",
        "ExactMatch": "tests/metrics/test_multilabel.py::test_exact_match_is_scikit_learns_subset_accuracy",
        "ImageClassificationMetric": (
            "tests/metrics/test_classification.py::test_results_equal_scikit_learn_and_torch"
        ),
        "MultiLabelMetric": "tests/metrics/test_multilabel.py::test_the_family_is_that_of_scikit_learn",
        "MultiTasksMetric": f"{STRINGS}::test_a_string_is_right_when_all_its_characters_are",
        "NegativeLogLikelihood": f"{CALIBRATION}::test_nll_is_scikit_learns_log_loss",
        "SingleLabelMetric": f"{PER_CLASS}::test_every_average_is_that_of_scikit_learn",
        "StringAccuracy": f"{STRINGS}::test_a_string_is_right_when_all_its_characters_are",
        "TorchMetric": "tests/metrics/test_from_torchmetrics.py::test_f1_of_several_classes_is_ours",
        "VOCAveragePrecision": f"{RANKING}::test_the_two_ways_of_voc_are_its_rules",
    },
}
PAIRS = [(kind, name) for kind, names in EXACT.items() for name in names]


def test_every_part_has_a_test_of_exact_values() -> None:
    assert {*EXACT["loss"]} == {*OF_LOSSES} >= ours(LOSSES)
    assert {*EXACT["schedule"]} == ours(SCHEDULES)
    assert {*EXACT["momentum"]} == ours(MOMENTUM_SCHEDULES)
    assert {*EXACT["weight decay"]} == ours(WEIGHT_DECAY_SCHEDULES)
    assert {*EXACT["grouping"]} == ours(OPTIMIZER_BUILDERS) | {"paramwise_cfg"}
    assert {*EXACT["metric"]} == ours(METRICS)
    assert len(PAIRS) == 65


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_the_test_is_there(kind: str, name: str) -> None:
    file, _, test = EXACT[kind][name].partition("::")
    assert test.partition("[")[0] in names_of_tests(file)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_the_test_notices_a_thousandth(kind: str, name: str) -> None:
    # In a fork: all is imported there, and what is spoiled there stays there.
    child = multiprocessing.get_context("fork").Process(target=spoiled_run, args=(kind, name))
    child.start()
    child.join(120)
    # 1: a test failed; 0 would say that none noticed, 2 to 5 that none ran.
    assert child.exitcode == 1


def spoiled_run(kind: str, name: str) -> None:
    os.chdir(ROOT)
    spoil(kind, name)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        code = pytest.main(["-x", "-p", "no:faulthandler", EXACT[kind][name]])
    os._exit(int(code))
