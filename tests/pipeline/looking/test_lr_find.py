"""The range test reads losses as its page says, on the run's own parts, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.errors import DataError
from ding_cls.pipeline.looking import lr_find as module
from ding_cls.pipeline.looking.lr_find import FIRST_RATE, LAST_RATE, NUM_UPDATES, _read, lr_find
from tests.pipeline.dry_run.test_run import SETTINGS, tree

RATES = np.geomspace(FIRST_RATE, LAST_RATE, NUM_UPDATES)


def test_the_steepest_fall_is_where_it_was_put() -> None:
    # A fall around 1e-3 and a rise from 0.1 on, in noise.
    noise = 0.05 * np.random.default_rng(0).standard_normal(NUM_UPDATES)
    logs = np.log10(RATES)
    losses = 2.0 - 1.0 / (1 + np.exp(-4 * (logs + 3))) + 3 / (1 + np.exp(-6 * (logs + 0.5))) + noise
    found = _read(RATES, losses, 0.1)
    assert found.suggested == pytest.approx(1e-3, rel=0.5)
    assert 3e-3 < found.lowest < 0.2
    assert (found.configured, found.has_diverged) == (0.1, False)


def test_noise_alone_suggests_nothing() -> None:
    losses = 2.0 + 0.3 * np.random.default_rng(1).standard_normal(NUM_UPDATES)
    assert _read(RATES, losses, 0.1).suggested is None


@pytest.mark.slow
def test_it_trains_the_run_that_the_words_describe(picture_folder: Path, workdir: Path) -> None:
    arguments: dict[str, Any] = {"data": picture_folder, "model": "lenet5", "seed": 3, "overrides": SETTINGS}
    found = lr_find(**arguments)
    assert found.rates[0] == pytest.approx(FIRST_RATE)
    assert np.diff(np.log(found.rates)) == pytest.approx(np.log(RATES[1] / RATES[0]))
    assert found.configured == 1e-3
    assert lr_find(**arguments).losses.tolist() == found.losses.tolist()
    assert tree(workdir) == {}


def test_what_a_run_changes_on_its_way_is_left_out(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NUM_UPDATES", 4)
    monkeypatch.setattr(module, "MIN_UPDATES", 4)
    arguments: dict[str, Any] = {"data": picture_folder, "model": "lenet5", "seed": 3}
    # The first begins within the sweep; the second after its end, which was refused.
    later = [{"action_iter": 2, "loss": {"type": "FocalLoss"}}, {"action_iter": 50, "batch_augments": []}]
    words = [*SETTINGS, "policy.learn.max_iters=100"]
    found = lr_find(**arguments, overrides=[*words, f"policy.learn.recipes={later}"])
    assert found.losses.tolist() == lr_find(**arguments, overrides=words).losses.tolist()


def test_a_loss_that_is_never_finite_is_named(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RATE", 1e30)
    monkeypatch.setattr(module, "LAST_RATE", 1e32)
    with pytest.raises(DataError, match="the loss is not finite, or grows, from update"):
        lr_find(data=picture_folder, model="lenet5", overrides=SETTINGS)
