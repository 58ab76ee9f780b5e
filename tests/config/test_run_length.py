"""How long a run is, by epochs, by updates, and by the learner's limit."""

from types import SimpleNamespace

import pytest

from ding_cls.config.run_length import last_update, num_epochs, num_updates


@pytest.mark.parametrize(
    ("epochs", "iters", "limit", "expected"),
    [(3, None, 1e9, (3, 30)), (3, None, 25, (3, 25)), (3, 41, 1e9, (5, 41)), (3, 41, 7, (5, 7))],
)
def test_the_shortest_of_the_limits_counts(
    epochs: int, iters: int | None, limit: float, expected: tuple[int, int]
) -> None:
    learn = SimpleNamespace(
        train_epoch=epochs, max_iters=iters, learner=SimpleNamespace(train_iterations=limit)
    )
    assert (num_epochs(learn, 10), num_updates(learn, 10)) == expected
    assert last_update(learn) == min(limit, iters or limit)
