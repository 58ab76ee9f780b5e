"""Numbers that are read together are those that are read alone."""

import pytest
import torch

from ding_cls.common.late import Percentage, read_floats


@pytest.mark.parametrize("count", [1, 3, 7, 1000])
def test_a_percentage_has_the_digits_of_float32(count: int) -> None:
    for right in range(0, count + 1, max(count // 7, 1)):
        number = Percentage(torch.arange(count) < right, 100.0 / count)
        expected = (torch.zeros(()) + torch.tensor(right)) * (100.0 / count)
        assert float(number) == number.item() == expected.item() == number.tensor().item()


def test_kinds_mix_and_keep_their_order() -> None:
    class Late:
        def __float__(self) -> float:
            return 4.0

    flags = torch.tensor([True, False])
    values = [
        torch.tensor(0.1),
        Percentage(flags, 50.0),
        2,
        torch.tensor(5),
        Percentage(torch.ones(3, dtype=torch.bool), 1.0),
        torch.tensor([0.7]),
        Late(),
        torch.tensor(0.1, dtype=torch.float64),
        Percentage(~flags, 10.0),
    ]
    assert read_floats(values) == [float(each) for each in values]
    assert read_floats(values)[1::7] == [50.0, 10.0]
    assert read_floats([]) == []


def test_a_number_in_the_graph_is_read_as_it_is(recwarn: pytest.WarningsRecorder) -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    assert read_floats([weight * 2, 1]) == [4.0, 1.0]
    assert not recwarn.list
