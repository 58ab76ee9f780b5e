"""Tables of origins give what a look at every entry gives."""

import random

from ding_cls.config.origins import GrowingOrigins, OriginTable, sections_of
from ding_cls.config.validate import place_of


def _paths(number: int) -> list[str]:
    draw = random.Random(number)
    names = ["a", "b", "a-b", "a/b", "ab", "0", "é"]
    return [".".join(draw.choices(names, k=draw.randint(1, 4))) for _ in range(60)]


def test_a_table_says_what_a_plain_dict_says() -> None:
    for number in range(50):
        paths = _paths(number)
        origins = {path: f"c.py:{line}" for line, path in enumerate(paths[:30])}
        table = OriginTable(origins)
        for path in paths:
            assert place_of(path, table) == place_of(path, origins)
            assert [*table.inside(path)] == [each for each in origins if each.startswith(f"{path}.")]


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


def test_the_sections_of_a_path() -> None:
    assert [*sections_of("a.b.c")] == ["a.b.c", "a.b", "a"]
    assert [*sections_of("a")] == ["a"]
