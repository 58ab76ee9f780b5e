"""Running averages of what is logged, kept on the device until a line asks for them."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from ding_cls.common.late import read_floats

WINDOW = 10


class Tick:
    """Counts updates; ``monitor.time.step()`` closes one."""

    def __init__(self) -> None:
        self.value = 0

    def step(self) -> None:
        """Begin the next update."""
        self.value += 1


class _Averages(Mapping[str, Callable[[], float]]):
    def __init__(self, values: Mapping[str, deque[Any]]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Callable[[], float]:
        window = self._values[name]
        return lambda: _mean(window)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Monitor:
    """Averages of each name over its last ten values.

    ``monitor.total_loss = value`` adds a value (a number, a 0-dim tensor, or anything ``float()`` reads),
    ``monitor.avg['total_loss']()`` reads the average and waits for the device if it must.
    """

    time: Tick

    def __init__(self) -> None:
        object.__setattr__(self, "time", Tick())
        object.__setattr__(self, "_values", {})

    # The contract has hooks write setattr(monitor, name, value): an attribute is a series here.
    def __setattr__(self, name: str, value: Any) -> None:
        windows = self._windows()
        if name not in windows:
            windows[name] = deque(maxlen=WINDOW)
        windows[name].append(value)

    def add(self, values: Mapping[str, Any]) -> None:
        """Add a value to each of several series."""
        windows = self._windows()
        for name, value in values.items():
            if name not in windows:
                windows[name] = deque(maxlen=WINDOW)
            windows[name].append(value)

    def averages(self) -> dict[str, float]:
        """Return all averages by name: what is on a device is read together."""
        windows = self._windows()
        numbers = iter(read_floats([value for window in windows.values() for value in window]))
        return {name: sum(islice(numbers, len(window))) / len(window) for name, window in windows.items()}

    @property
    def avg(self) -> Mapping[str, Callable[[], float]]:
        """A mapping from names to callables that return the average."""
        return _Averages(self._windows())

    def names(self) -> list[str]:
        """Return the names seen so far, in order of appearance."""
        return list(self._windows())

    def state_dict(self) -> dict[str, Any]:
        """Return the windows as plain numbers."""
        return {
            "time": self.time.value,
            "values": {name: read_floats(values) for name, values in self._windows().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the windows of ``state``."""
        self.time.value = state["time"]
        self._windows().clear()
        for name, values in state["values"].items():
            self._windows()[name] = deque(values, maxlen=WINDOW)

    def _windows(self) -> dict[str, deque[Any]]:
        windows: dict[str, deque[Any]] = self.__dict__["_values"]
        return windows


def _mean(window: deque[Any]) -> float:
    return sum(read_floats(window)) / len(window)
