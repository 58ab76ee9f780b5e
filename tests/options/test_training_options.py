"""Every key below ``policy.learn`` and ``policy.eval`` trains, has its effect, and resumes to the bit."""

import pytest

from ding_cls.config.defaults import LEARN, POLICY
from tests.options.training_runs import try_out
from tests.options.training_table import TRIALS, Trial
from tests.options.trials import keys_below

CASES = {f"{key}-{number}": each for key, trials in TRIALS.items() for number, each in enumerate(trials)}


def test_every_key_has_a_trial() -> None:
    keys = keys_below(LEARN, "policy.learn") | keys_below(POLICY["eval"], "policy.eval")
    assert set(TRIALS) == keys
    assert all(any(key in each.changes for each in trials) for key, trials in TRIALS.items())
    assert (len(TRIALS), len(CASES)) == (73, 110)


@pytest.mark.parametrize("case", CASES)
def test_every_option_trains_has_its_effect_and_resumes(resumes: bool, case: str) -> None:
    trial: Trial = CASES[case]
    try_out(trial, resumes=resumes)
