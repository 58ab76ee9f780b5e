"""Dynamic batches: what waits goes together, nothing is lost, one bad image spoils no other."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from ding_cls.answers.prediction import Prediction
from ding_cls.serve.batching import Batcher, BusyError


class Echo:
    """Answers each number with itself as the label, once it is let; numbers below 0 are refused."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, prepared: Any, paths: Any) -> list[Prediction]:
        self.gate.wait(20)
        numbers = [each[0] for each in prepared]
        self.batches.append(numbers)
        if min(numbers) < 0:
            raise ValueError(f"{numbers} cannot be answered")
        return [Prediction(None, each, "", 1.0, np.zeros(0, np.float32)) for each in numbers]


def run(body: Callable[[Batcher, Echo], Coroutine[Any, Any, Any]], **changes: Any) -> Any:
    echo = Echo()

    async def main() -> Any:
        settings = {"max_batch": 4, "queue": 8, "stuck_s": 10.0, **changes}
        batcher = Batcher(echo, **settings)  # type: ignore[arg-type]
        batcher.start()
        try:
            async with asyncio.timeout(20):
                return await body(batcher, echo)
        finally:
            echo.gate.set()
            batcher.stop()

    return asyncio.run(main())


async def asked(batcher: Batcher, number: int) -> Any:
    (place,) = batcher.admit(1)
    try:
        return (await batcher.answer(place, [number])).label
    except ValueError as error:
        return str(error)
    finally:
        batcher.leave(place)


async def settled(batcher: Batcher, count: int) -> None:
    while batcher.num_waiting != count:
        await asyncio.sleep(0.001)


def test_an_image_by_itself_waits_for_no_other() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        assert await asked(batcher, 7) == 7
        assert echo.batches == [[7]]

    run(body)


def test_what_waits_while_the_network_is_busy_goes_together() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        echo.gate.clear()
        first = asyncio.create_task(asked(batcher, 0))
        await asyncio.sleep(0)
        await settled(batcher, 0)
        others = [asyncio.create_task(asked(batcher, number)) for number in range(1, 8)]
        await settled(batcher, 7)
        echo.gate.set()
        assert await asyncio.gather(first, *others) == list(range(8))
        assert echo.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]

    run(body)


def test_a_full_queue_refuses_and_later_takes_again() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        echo.gate.clear()
        first = asyncio.create_task(asked(batcher, 0))
        await asyncio.sleep(0)
        await settled(batcher, 0)
        others = [asyncio.create_task(asked(batcher, number)) for number in range(1, 9)]
        await settled(batcher, 8)
        with pytest.raises(BusyError):
            batcher.admit(1)
        echo.gate.set()
        assert await asyncio.gather(first, *others) == list(range(9))
        assert batcher.num_waiting == 0
        with pytest.raises(BusyError):
            batcher.admit(9)
        assert len(batcher.admit(8)) == 8

    run(body)


def test_one_bad_image_does_not_spoil_its_batch() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        echo.gate.clear()
        tasks = [asyncio.create_task(asked(batcher, number)) for number in (0, 1, -2, 3)]
        await asyncio.sleep(0.01)
        echo.gate.set()
        found = await asyncio.gather(*tasks)
        assert [found[0], found[1], found[3]] == [0, 1, 3]
        assert found[2] == "[-2] cannot be answered"
        assert await asked(batcher, 5) == 5
        assert batcher.state == "ready"

    run(body)


def test_who_left_is_not_answered_and_gives_the_place_back() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        echo.gate.clear()
        first = asyncio.create_task(asked(batcher, 0))
        await asyncio.sleep(0)
        await settled(batcher, 0)
        impatient = asyncio.create_task(asked(batcher, 1))
        await settled(batcher, 1)
        impatient.cancel()
        await settled(batcher, 0)
        echo.gate.set()
        assert await first == 0
        assert await asked(batcher, 2) == 2
        assert echo.batches == [[0], [2]]

    run(body)


def test_the_state_says_what_is_the_matter() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        assert batcher.state == "ready"
        echo.gate.clear()
        task = asyncio.create_task(asked(batcher, 0))
        while batcher.state != "stuck":
            await asyncio.sleep(0.005)
        with pytest.raises(BusyError):
            batcher.admit(1)
        echo.gate.set()
        assert await task == 0
        while batcher.state == "stuck":
            await asyncio.sleep(0.005)
        assert batcher.state == "ready"
        batcher.stop()
        await asyncio.sleep(0.01)
        assert batcher.state == "failed"

    run(body, stuck_s=0.02)


def test_it_is_loading_before_it_starts() -> None:
    async def main() -> None:
        assert Batcher(Echo(), max_batch=1, queue=1, stuck_s=1).state == "loading"  # type: ignore[arg-type]

    asyncio.run(main())


def test_what_else_uses_the_network_runs_between_batches() -> None:
    async def body(batcher: Batcher, echo: Echo) -> None:
        echo.gate.clear()
        task = asyncio.create_task(asked(batcher, 0))
        await asyncio.sleep(0)
        await settled(batcher, 0)
        other = asyncio.create_task(batcher.run(lambda: list(echo.batches)))
        await asyncio.sleep(0.01)
        assert not other.done()
        echo.gate.set()
        assert await other == [[0]]
        assert await task == 0

    run(body)


def test_a_network_that_answers_too_few_fails_its_batch_and_goes_on() -> None:
    async def body(batcher: Batcher, echo: Echo) -> Any:
        whole = echo.answer
        echo.answer = lambda *arguments: whole(*arguments)[:1]  # type: ignore[method-assign]
        echo.gate.clear()
        tasks = [asyncio.create_task(asked(batcher, number)) for number in range(5)]
        await asyncio.sleep(0.05)
        echo.gate.set()
        return await asyncio.gather(*tasks), batcher.state, echo.batches

    answers, state, batches = run(body)
    assert max(map(len, batches)) > 1
    assert (answers, state) == ([0, 1, 2, 3, 4], "ready")
