import pytest

from ding_cls.data.pipelines.fill import Fill
from ding_cls.data.pipelines.loading import FROM_FILE
from ding_cls.errors import ConfigError


def test_three_numbers_are_backwards_for_files_as_in_mmclassifications_configs():
    fill = Fill([104, 116.4, 124], "Pad", "pad_val")
    assert fill.of({}) == [104.0, 116.4, 124.0]
    assert fill.of({FROM_FILE: True}) == [124.0, 116.4, 104.0]
    assert fill.rounded({FROM_FILE: True}) == (124, 116, 104)


@pytest.mark.parametrize("value", [7, [7], (7.0,)])
def test_one_number_is_grey(value):
    assert Fill(value, "Pad", "pad_val").of({FROM_FILE: True}) == [7.0, 7.0, 7.0]


@pytest.mark.parametrize("value", [-1, 256, [1, 2], "grey", [1, 2, "3"], None])
def test_what_is_no_colour_is_named(value):
    with pytest.raises(ConfigError, match=r"Pad: pad_val=.* must be a number from 0 to 255, or three"):
        Fill(value, "Pad", "pad_val")
