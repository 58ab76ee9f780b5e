"""Numbers that are read later than they are made, and together: one copy from the device for all of them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Percentage:
    """The number of True among ``flags`` times ``factor``, in float32; computed when it is read.

    Attributes:
        flags: bool ``(N,)``, where it was computed.
        factor: 100 / N for a percentage of these samples.
    """

    __slots__ = ("factor", "flags")

    def __init__(self, flags: Tensor, factor: float) -> None:
        self.flags, self.factor = flags, factor

    def __float__(self) -> float:
        return read_floats([self])[0]

    def item(self) -> float:
        """Return the number; this waits for the device, as that of a tensor does."""
        return float(self)

    def tensor(self) -> Tensor:
        """Return the number where the flags are, 0-dim float32."""
        return self.flags.sum().float() * self.factor


class Reading:
    """Numbers on their way to the host: packed by kind, and copied from a GPU without waiting.

    Args:
        values: 0-dim tensors, ``Percentage``, and whatever else ``float()`` reads.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._packs: list[tuple[list[int], Tensor]] = []
        self._last_copy: Any = None
        kinds: dict[Any, list[int]] = {}
        for place, value in enumerate(values):
            if isinstance(value, Percentage):
                kinds.setdefault((value.flags.numel(), value.flags.device), []).append(place)
            elif isinstance(value, Tensor) and not value.is_cpu:
                kinds.setdefault((value.dtype, value.device), []).append(place)
        for places in kinds.values():
            self._packs.append((places, self._to_host(_packed([values[each] for each in places]))))

    def floats(self) -> list[float]:
        """Return the numbers, in the order of ``values``; those on their way are waited for."""
        if self._last_copy is not None:
            self._last_copy.synchronize()
        found = list(self._values)
        for places, pack in self._packs:
            if isinstance(found[places[0]], Percentage):
                # As ``Percentage.tensor`` rounds.
                shares = pack.float()
                pack = shares * shares.new_tensor([found[place].factor for place in places])
            for place, number in zip(places, pack.tolist(), strict=True):
                found[place] = number
        # ``item``, which unlike ``float`` says nothing of what still has gradients.
        return [each.item() if isinstance(each, Tensor) else float(each) for each in found]

    def _to_host(self, pack: Tensor) -> Tensor:
        if not pack.is_cuda:
            return pack.cpu()
        host = torch.empty(pack.shape, dtype=pack.dtype, pin_memory=True)
        host.copy_(pack, non_blocking=True)
        self._last_copy = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._last_copy.record()
        return host


def read_floats(values: Sequence[Any]) -> list[float]:
    """Return numbers, 0-dim tensors and ``Percentage`` as floats, in their order."""
    return Reading(values).floats()


@torch.no_grad()
def _packed(alike: Sequence[Any]) -> Tensor:
    """Return values of one kind as one tensor; of a ``Percentage`` the number of True."""
    if isinstance(alike[0], Percentage):
        return torch.stack([each.flags for each in alike]).sum(1)
    return torch.stack([each.reshape(()) if each.dim() else each for each in alike])
