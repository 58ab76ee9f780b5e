import pytest

from ding_cls.errors import DataError
from ding_cls.images.label_words import are_codes, are_positions, check_positions, class_numbers, names_in

TWELVE = sorted(map(str, range(12)))


def at(*words):
    return {word: f"line {number}" for number, word in enumerate(words, 1)}


def test_numbers_that_leave_most_classes_empty_are_codes():
    assert not are_codes({0, 1, 2})
    assert not are_codes({100})
    assert are_codes({101})
    assert not are_codes(set(range(100, 301)))
    assert not are_codes(set())


def test_names_are_the_words_that_are_there():
    assert names_in(at("b", "a", "10")) == ("10", "a", "b")
    assert names_in(at("1", "0")) is None
    assert names_in(at()) is None
    assert names_in(at("10", "9")) == ("9", "10")
    assert names_in(at("1", "9"), counts=True) is None


def test_names_are_names_and_a_line_says_so_where_they_could_be_positions(caplog):
    assert not are_positions(at("0", "1", "11"), TWELVE)
    assert not are_positions(at("001"), ["001", "002"])
    assert [record.getMessage() for record in caplog.records] == [
        "line 3: '11' is a class's name, so labels are names, not positions",
        "line 1: '001' is a class's name, so labels are names, not positions",
    ]
    caplog.clear()
    assert not are_positions(at("0", "1"), ["0", "1", "2"])
    assert not are_positions(at("a", "10"), ["10", "a"])
    assert not are_positions(at(), ["a"])
    assert not caplog.records


def test_positions_need_words_that_count_and_are_no_names(caplog):
    assert are_positions(at("1", "0"), ["a", "b"])
    assert are_positions(at("0", "1"), ["10", "20", "back"])
    assert are_positions(at("0", "1"), ["0 - zero", "1 - one"])
    assert are_positions(at("0", "1"), ["v1", "v2"])
    assert caplog.text.count("is no class's name, so labels are positions") == 4
    for words, names in (
        (["00"], ["a", "b"]),
        (["0", "a"], ["a", "b"]),
        (["0"], ["1", "2", "3"]),
        (["1"], ["001", "002"]),
        (["1"], ["1.0", "1.5", "2.0"]),
    ):
        assert not are_positions(at(*words), names)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ([1, 2], ["v1", "v2", "v3"]),
        ([1, 2], ["class_0", "class_1", "class_10", "class_2"]),
        ([1], ["001.Albatross", "002.Auklet"]),
    ],
)
def test_a_number_in_another_name_is_a_second_reading(numbers, names):
    with pytest.raises(DataError, match=r"line \d: the label \d is '.*' by its position .* by its name"):
        are_positions(at(*map(str, numbers)), names)
    with pytest.raises(DataError, match=r"here: the label \d is '.*' by its position .* by its name"):
        class_numbers(dict.fromkeys(numbers, "here"), names)


def test_numbers_of_a_format_are_positions_unless_they_can_only_be_names(caplog):
    places = dict.fromkeys
    assert class_numbers(places([0, 2], "x"), ["a", "b", "c"]) == {0: 0, 2: 2}
    assert class_numbers(places([0, 1], "x"), ["0", "1", "2"]) == {0: 0, 1: 1}
    assert class_numbers(places([0, 1], "x"), ["v1", "v2"]) == {0: 0, 1: 1}
    assert not caplog.records
    assert class_numbers(places([5, 10], "x"), ["10", "5"]) == {5: 1, 10: 0}
    assert "x: '5' is a class's name, so labels are names" in caplog.text
    assert class_numbers(places([0, 7], "x"), ["a", "b"]) == {0: 0, 7: 7}
    for numbers in ([0, 1, 2], [1, 2], range(12)):
        with pytest.raises(DataError, match=r"by its position .* by its name"):
            class_numbers(places(numbers, "x"), ["1", "2", "3"] if len(numbers) < 4 else TWELVE)


def test_positions_that_contradict_the_class_folders_are_refused():
    names, paths = ("a", "b", "c"), ["x/a/0.png", "b/0.png", "c/0.png", "0.png"]
    places = [f"line {number}" for number in range(1, 5)]
    check_positions(paths, [0, 1, 2, 2], names, places)
    check_positions(paths, [0, 1, 1, 0], names, places)
    check_positions(["x/0.png"] * 4, [2, 2, 0, 7], names, places)
    with pytest.raises(
        DataError, match=r"line 1: the label 2 is 'c' by its position, and 'x/a/0.png' lies .* 1 more of 3"
    ):
        check_positions(paths, [2, 1, 0, 0], names, places)
