"""Origins of values that still move."""

import random

from ding_cls.config.origins import GrowingOrigins


def _paths(number: int) -> list[str]:
    draw = random.Random(number)
    names = ["a", "b", "a-b", "a/b", "ab", "0", "é"]
    return [".".join(draw.choices(names, k=draw.randint(1, 4))) for _ in range(60)]


def test_a_section_is_dropped_with_all_that_is_in_it_and_nothing_else() -> None:
    for number in range(50):
        growing = GrowingOrigins()
        plain: dict[str, str] = {}
        for line, path in enumerate(_paths(number)):
            if line % 3:
                growing.note(path, f"c.py:{line}")
                plain[path] = f"c.py:{line}"
            else:
                growing.drop(path)
                plain = {
                    each: place for each, place in plain.items() if not f"{each}.".startswith(f"{path}.")
                }
            assert [*growing.items()] == [*plain.items()]
