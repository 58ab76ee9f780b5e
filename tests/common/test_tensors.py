"""Moving things between devices and types, however they are nested; how two state dicts differ."""

from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ding_cls.common.tensors import state_differences, to_device, to_ndarray, to_tensor
from ding_cls.types import Batch

Pair = namedtuple("Pair", ["left", "right"])
META = torch.device("meta")


def test_equal_state_dicts_do_not_differ() -> None:
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict()
    assert state_differences(state, dict(reversed(state.items()))) == []
    assert state_differences({}, {}) == []


def test_each_difference_is_one_phrase_in_the_order_of_the_model() -> None:
    expected = {"a": torch.zeros(2), "b": torch.zeros(3, 4), "c": torch.zeros(()), "d": torch.zeros(1)}
    given = {"z": torch.zeros(5), "d": torch.zeros(1), "b": torch.zeros(4, 3), "c": torch.zeros(1)}
    assert state_differences(expected, given) == [
        "a (2,) is missing",
        "b is (4, 3), the model's is (3, 4)",
        "c is (1,), the model's is ()",
        "z (5,) is left over",
    ]


def test_what_is_no_tensor_is_a_difference_not_a_crash() -> None:
    assert state_differences({"a": torch.zeros(2), "b": torch.zeros(2)}, {"a": 5, "b": None, "c": "x"}) == [
        "a is a int, the model's is (2,)",
        "b is a NoneType, the model's is (2,)",
        "c a str is left over",
    ]


def test_to_device_walks_every_container_and_moves_every_tensor() -> None:
    item = {
        "a": torch.ones(2),
        "b": [torch.ones(1), (torch.ones(3), "text", 5, None)],
        "c": OrderedDict(x=torch.ones(1)),
    }
    moved = to_device(item, META)
    tensors = (moved["a"], moved["b"][0], moved["b"][1][0], moved["c"]["x"])
    assert all(tensor.device == META for tensor in tensors)
    assert moved["b"][1][1:] == ("text", 5, None)
    assert type(moved["b"]) is list
    assert type(moved["b"][1]) is tuple
    assert item["a"].device.type == "cpu"


def test_to_device_asks_modules_and_batches_themselves() -> None:
    batch = Batch(torch.ones(2, 4, 4, 3), torch.ones(2), torch.ones(2))
    assert to_device([batch], META)[0].images.device == META
    module = nn.Linear(2, 2)
    assert to_device(module, META) is module
    assert module.weight.device == META


@pytest.mark.parametrize("item", ["text", b"bytes", 5, 2.5, None, True, range(3), {1, 2}])
@pytest.mark.parametrize("change", [lambda item: to_device(item, "cpu"), to_ndarray])
def test_what_holds_no_tensor_stays_itself(change: Any, item: Any) -> None:
    assert change(item) is item
    assert change([item]) == [item]


@pytest.mark.parametrize("change", [lambda item: to_device(item, "cpu"), to_ndarray, to_tensor])
def test_a_named_tuple_stays_one(change: Any) -> None:
    changed = change(Pair(torch.ones(2), {"x": torch.zeros(1)}))
    assert type(changed) is Pair
    assert changed.left.tolist() == [1.0, 1.0]
    assert changed.right["x"].tolist() == [0.0]


def test_to_tensor_turns_numbers_arrays_and_lists_of_numbers_into_tensors() -> None:
    for item, dtype in (
        (3, torch.int64),
        (2.5, torch.float32),
        (True, torch.bool),
        (np.float32(2.5), torch.float32),
        (np.float64(2.5), torch.float64),
        (np.int32(7), torch.int32),
        (np.bool_(True), torch.bool),
        (np.arange(3, dtype=np.uint8), torch.uint8),
        ([1, 2, 3], torch.int64),
        ((1, 2.5), torch.float32),
        ([np.float32(1), np.float32(2)], torch.float32),
    ):
        tensor = to_tensor(item)
        assert tensor.dtype == dtype, item
        np.testing.assert_array_equal(tensor.numpy(), np.asarray(item))
        assert to_tensor(item, torch.float64).dtype == torch.float64


def test_to_tensor_walks_containers_and_leaves_strings_and_none() -> None:
    found = to_tensor({"a": [{"b": 1}, "text", None], "c": (np.ones(2), [1, 2]), "d": []})
    assert found["a"][0]["b"].item() == 1
    assert found["a"][1:] == ["text", None]
    assert type(found["c"]) is tuple
    assert found["c"][1].tolist() == [1, 2]
    assert found["d"] == []


def test_to_tensor_keeps_a_tensor_and_changes_its_type_when_asked() -> None:
    tensor = torch.ones(2, dtype=torch.int32)
    assert to_tensor(tensor) is tensor
    assert to_tensor(tensor, torch.float16).dtype == torch.float16


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool]
)
def test_tensors_and_arrays_turn_into_each_other_without_loss(dtype: torch.dtype) -> None:
    tensor = (torch.arange(6).reshape(2, 3) % 2).to(dtype)
    array = to_ndarray(tensor)
    assert torch.equal(to_tensor(array), tensor)
    assert to_tensor(array).dtype == dtype


def test_bfloat16_becomes_a_float32_array_of_the_same_values() -> None:
    tensor = torch.randn(50).bfloat16()
    array = to_ndarray(tensor)
    assert array.dtype == np.float32
    assert torch.equal(torch.from_numpy(array).bfloat16(), tensor)


def test_to_ndarray_takes_what_needs_a_gradient_and_changes_types_when_asked() -> None:
    found = to_ndarray({"a": [torch.ones(2, requires_grad=True)], "b": np.ones(2)}, np.int16)
    assert (found["a"][0].dtype, found["b"].dtype) == (np.int16, np.int16)
    assert found["a"][0].tolist() == [1, 1]
