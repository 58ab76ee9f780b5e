"""Every option of training trains, has its effect, and resumes to the bit."""

from pathlib import Path

import pytest

from ding_cls.config.defaults import LEARN, POLICY
from tests.harness import assert_resumes_exactly
from tests.options.cases.mixtures_table import MIXTURES, QUICK
from tests.options.cases.table import CASES, EXTRAS, KEYS, PARTS, SLOW
from tests.options.cases.training_table import TRIALS, Trial, learner
from tests.options.training_runs import try_out, write_teacher
from tests.options.trials import keys_below, run

ALONE = "policy.learn.learner.dataloader.num_workers=0"


def test_every_key_has_a_trial() -> None:
    keys = keys_below(LEARN, "policy.learn") | keys_below(POLICY["eval"], "policy.eval")
    assert set(TRIALS) == keys
    assert all(any(key in each.changes for each in trials) for key, trials in TRIALS.items())
    assert (len(TRIALS), len(KEYS)) == (73, 110)


def test_the_number_of_cases() -> None:
    assert {*CASES} >= SLOW
    assert {*MIXTURES} > QUICK
    assert (len(KEYS), len(PARTS), len(MIXTURES), len(CASES)) == (110, 139, 121, 370)
    assert (len(QUICK), len(SLOW)) == (21, 191)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case in SLOW else []) for case in CASES]
)
def test_every_option_trains_has_its_effect_and_resumes(
    resumes: bool, case: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for name, package in EXTRAS.items():
        if case.endswith(f" {name}") or (name == "timm/" and name in case):
            pytest.importorskip(package)
    trial = CASES[case]
    if not isinstance(trial, Trial):
        stops_of_a_mixture(request.getfixturevalue("picture_folder"), case, resumes=resumes)
        return
    if case == "hook load_ckpt":
        run("begin", learner(hook={"save_ckpt_after_iter": 1}))
    try_out(trial, resumes=resumes)


def stops_of_a_mixture(data: Path, case: str, *, resumes: bool) -> None:
    """Stop inside an epoch; in the slow tier at the end of one, and at the first update and the last too."""
    write_teacher()
    inside, ends = (7,), (1, 5, 10)
    stops = (ends if resumes else inside) if case in QUICK else (*inside, *ends)
    assert assert_resumes_exactly(data, ALONE, *MIXTURES[case], stops=stops) == len(stops)
