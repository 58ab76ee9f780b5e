"""Tensors by name: how two state dicts differ, and moving things between devices and types."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def state_differences(expected: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return one phrase for each key that is missing, left over, or of another shape, in the order of the
    model.

    Args:
        expected: the model's own state dict.
        given: the state dict that should fit it.
    """
    found = []
    for name, tensor in expected.items():
        if name not in given:
            found.append(f"{name} {_shape(tensor)} is missing")
        elif _shape(given[name]) != _shape(tensor):
            found.append(f"{name} is {_shape(given[name])}, the model's is {_shape(tensor)}")
    found.extend(f"{name} {_shape(given[name])} is left over" for name in given if name not in expected)
    return found


def odd_tensor(tensor: torch.Tensor, *, like: torch.Tensor | None = None) -> str:
    """Return what keeps a tensor from being copied into a network's, as a phrase; '' where nothing does.

    Args:
        tensor: of a file.
        like: the network's own; whole numbers do not become weights.
    """
    if tensor.is_meta:
        return "is a tensor without values"
    if tensor.is_nested or tensor.layout is not torch.strided:
        return "is a nested tensor" if tensor.is_nested else f"is a tensor of the layout {tensor.layout}"
    if tensor.is_quantized:
        return f"is a quantized tensor ({tensor.dtype})"
    if tensor.is_complex():
        return "is a tensor of complex numbers"
    is_float = tensor.is_floating_point()
    is_other = like is not None and is_float is not like.is_floating_point()
    return f"is {tensor.dtype} (the model's is {like.dtype})" if like is not None and is_other else ""


def to_device(item: Any, device: str | torch.device, non_blocking: bool = True) -> Any:
    """Return ``item`` with every tensor in it on ``device``; dicts, lists and tuples are walked.

    Anything with a ``.to(device)`` of its own (a module, a batch) is asked for that.
    """
    if isinstance(item, torch.Tensor):
        return item.to(device, non_blocking=non_blocking)
    if isinstance(item, Mapping):
        return {name: to_device(value, device, non_blocking) for name, value in item.items()}
    if isinstance(item, list | tuple):
        return _rebuild(item, [to_device(value, device, non_blocking) for value in item])
    return item.to(device) if hasattr(item, "to") else item


def to_tensor(item: Any, dtype: torch.dtype | None = None) -> Any:
    """Return ``item`` with numbers, NumPy arrays and lists of numbers as tensors; dicts and lists are walked.

    Args:
        item: a number, array, tensor, or nested container of them; strings and None stay.
        dtype: the tensors' type; None keeps each one's own.
    """
    if isinstance(item, torch.Tensor):
        return item if dtype is None else item.to(dtype)
    if isinstance(item, np.ndarray | np.number | np.bool_ | bool | int | float):
        return torch.as_tensor(item, dtype=dtype)
    if isinstance(item, Mapping):
        return {name: to_tensor(value, dtype) for name, value in item.items()}
    if isinstance(item, list | tuple):
        if item and all(isinstance(value, int | float | np.number) for value in item):
            return torch.as_tensor(item, dtype=dtype)
        return _rebuild(item, [to_tensor(value, dtype) for value in item])
    return item


def to_ndarray(item: Any, dtype: np.dtype[Any] | type | None = None) -> Any:
    """Return ``item`` with every tensor as a NumPy array on the CPU; dicts, lists and tuples are walked."""
    if isinstance(item, torch.Tensor):
        # NumPy has no bfloat16; every one of its values is a float32.
        plain = item.float() if item.dtype == torch.bfloat16 else item
        array = plain.detach().cpu().numpy()
        return array if dtype is None else array.astype(dtype)
    if isinstance(item, np.ndarray):
        return item if dtype is None else item.astype(dtype)
    if isinstance(item, Mapping):
        return {name: to_ndarray(value, dtype) for name, value in item.items()}
    if isinstance(item, list | tuple):
        return _rebuild(item, [to_ndarray(value, dtype) for value in item])
    return item


def _rebuild(like: Any, values: list[Any]) -> Any:
    if hasattr(like, "_fields"):
        return type(like)(*values)
    return tuple(values) if isinstance(like, tuple) else values


def _shape(value: Any) -> str:
    # A stranger's file may hold anything under a parameter's name.
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
