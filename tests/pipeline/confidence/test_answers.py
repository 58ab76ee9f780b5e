"""Answers of one label, several, and several tasks, as columns that share a temperature."""

import numpy as np
import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.pipeline.confidence.answers import Answers


def answers_of(kind: str, logits: torch.Tensor, targets: torch.Tensor) -> Answers:
    """Return answers as an evaluation records them."""
    columns = (np.arange(len(logits)), targets.numpy(), logits.numpy())
    return Answers(SampleAnswers.of(kind, *columns, threshold=0.5))


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_one_label_has_one_column_also_as_shares() -> None:
    logits = drawn(6, 3)
    shares = torch.eye(3)[[0, 1, 2, 0, 1, 2]] * 0.8 + 0.1
    answers = answers_of("one", logits, shares)
    (column,) = answers.columns
    assert column.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(answers.scores(torch.full((6, 1), 2.0)), (logits.double() / 2).softmax(1).amax(1))
    for number, (images, scores, is_right) in enumerate(answers.by_class(torch.ones(6, 1))):
        assert images.tolist() == (logits.argmax(1) == number).nonzero().flatten().tolist()
        assert torch.equal(scores, logits.double().softmax(1)[images, number])
        assert is_right.tolist() == [each % 3 == number for each in images.tolist()]


def test_a_label_of_several_is_a_sigmoid_and_what_is_hard_to_say_is_left_out() -> None:
    logits = drawn(5, 3)
    targets = torch.tensor([[1, 0, -1], [0, 1, 1], [1, 1, 0], [-1, -1, -1], [0, 0, 1]])
    answers = answers_of("several", logits, targets)
    (column,) = answers.columns
    known = targets >= 0
    assert torch.allclose(column.logits.softmax(1)[:, 1], logits[known].sigmoid())
    assert column.targets.tolist() == targets[known].tolist()
    assert column.images.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 4, 4, 4]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[known].double() / 2, targets[known].double()
    )
    assert abs(answers.calibration(torch.full((5, 1), 2.0))["nll"] - float(expected)) < 1e-12
    images, scores, is_right = list(answers.by_class(torch.full((5, 1), 2.0)))[2]
    assert images.tolist() == [1, 2, 4]
    assert torch.equal(scores, (logits[[1, 2, 4], 2].double() / 2).sigmoid())
    assert is_right.tolist() == [True, False, True]
    # A half without a known label keeps its scores.
    assert [each.value for each in answers.fit(torch.arange(5) == 3)] == [1.0]


def test_each_task_has_a_column_and_the_least_certain_one_is_the_images_score() -> None:
    logits, targets = drawn(40, 2, 3), torch.randint(3, (40, 2), generator=torch.Generator().manual_seed(2))
    logits.scatter_add_(2, targets[..., None], torch.ones(40, 2, 1))
    answers = answers_of("tasks", logits, targets)
    assert [each.logits.shape for each in answers.columns] == [(40, 3)] * 2
    found = answers.fit()
    for number in range(2):
        alone = answers_of("one", logits[:, number], targets[:, number])
        assert alone.fit() == [found[number]]
    temperatures = torch.tensor([[each.value for each in found]], dtype=torch.float64).expand(40, -1)
    shares = (logits.double() / temperatures[..., None]).softmax(2)
    assert torch.equal(answers.scores(temperatures), shares.amax(2).amin(1))
