import pytest

from ding_cls.data.label_words import (
    are_codes,
    are_positions,
    check_renamed,
    class_numbers,
    count_in,
    listed_names,
    names_in,
    nearest_name,
    order_of_numbers,
    renumbering,
    unknown_word,
    words_in_two_forms,
)
from ding_cls.errors import DataError

TWELVE = sorted(map(str, range(12)))
NFC, NFD = "caf\u00e9", "cafe\u0301"


def at(*words):
    return {word: f"line {number}" for number, word in enumerate(words, 1)}


@pytest.mark.parametrize(
    ("word", "number"),
    [("0", 0), ("12", 12), *[(word, None) for word in ("007", "00", "-1", "1.0", "1e3", "٣", "", "9" * 19)]],
)
def test_a_word_counts_only_as_one_writes_numbers(word, number):
    assert count_in(word) == number


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
        "line 3: labels such as '11' are names of classes, not positions in the list of classes",
        "line 1: labels such as '001' are names of classes, not positions in the list of classes",
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
    assert caplog.text.count("are no class names, so they are positions") == 4
    for words, names in (
        (["00"], ["a", "b"]),
        (["0", "a"], ["a", "b"]),
        (["0"], ["1", "2", "3"]),
        (["1"], ["001", "002"]),
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
    assert "x: labels such as '5' are names of classes" in caplog.text
    assert class_numbers(places([0, 7], "x"), ["a", "b"]) == {0: 0, 7: 7}
    for numbers in ([0, 1, 2], [1, 2], range(12)):
        with pytest.raises(DataError, match=r"by its position .* by its name"):
            class_numbers(places(numbers, "x"), ["1", "2", "3"] if len(numbers) < 4 else TWELVE)


@pytest.mark.parametrize(
    ("word", "names", "said"),
    [
        ("owl", ["cat"], "; correct it, or name it in 'classes'"),
        ("cta", ["cat"], "; did you mean 'cat'?"),
        ("Cat", ["cat"], "; 'cat' is the same word in another form: write it so"),
        ("cat\u200b", ["cat"], "; 'cat' is the same word in another form: write it so"),
        (NFC, [NFD], r"; 'cafe\u0301' is the same word in another form: write it so"),
        ("1", ["001", "002"], "; '001' is the same word in another form: write it so"),
        ("2.0", ["1", "2"], "; '2' is the same word in another form: write it so"),
        (
            "0",
            ["1", "2"],
            "; labels are names, not positions (0 would be '1'): correct it, or name it in 'classes'",
        ),
    ],
)
def test_an_unknown_word_is_named_with_what_it_may_mean(word, names, said):
    assert unknown_word(word, names) == f"{word!r} is none of the {len(names)} classes{said}"


def test_the_nearest_name_is_shown_so_that_one_sees_the_difference():
    assert nearest_name(NFD, [NFC]) == r"'caf\xe9'"
    assert nearest_name("birs", ["owl", "bird"]) == "'bird'"
    assert nearest_name("owl", ["cat"]) == ""


@pytest.mark.parametrize(
    "second", ["Cat", "cat ", "cat\u200b", "\ufeffcat", "ｃａｔ", "\u202acat\u202c", "\u00adcat"]
)
def test_one_word_in_two_forms_is_told(second):
    line = words_in_two_forms(["cat", "dog", second])
    assert line.startswith(f"'cat' and {second!r} are two classes and one word in two forms; ")


def test_forms_of_numbers_and_of_unicode_are_told_in_one_line():
    line = words_in_two_forms([NFC, NFD, "1", "01"])
    assert line.startswith(
        r"'caf\xe9' and 'cafe\u0301' are two classes and one word in two forms, and 1 more"
    )
    assert words_in_two_forms(["cat", "cats", "10", "1", "é", "e", "\udcff"]) == ""


def test_an_order_of_text_is_told_where_numbers_have_another():
    assert order_of_numbers(TWELVE) == (
        "the classes are in the order of text, not of numbers: class 2 is '10', and '2' is class 4"
    )
    for names in (["1", "2", "10"], ["001", "002"], ["a", "10", "9"], []):
        assert order_of_numbers(names) == ""


def test_a_dataset_is_numbered_by_the_names_of_another_list(caplog):
    assert renumbering(["a", "b"], ["a", "b", "c"], "x") is None
    assert renumbering(["a", "b"], ["b", "c", "a"], "x") == (2, 0)
    assert not caplog.records
    assert renumbering(["cat", "dog"], ["chat", "chien"], "x") is None
    assert caplog.records[0].getMessage() == (
        "x: the class 'cat' is none of 2, so its labels are positions in the list of classes: 0 is 'chat'"
    )


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (["a", "b"], ["b", "c"]),
        (["a", "b"], ["c", "d", "e"]),
        (["Cat", "Dog"], ["dog", "cat"]),
        (["0", "1", "2"], ["class_0", "class_2", "class_1"]),
    ],
)
def test_a_list_that_names_other_classes_is_refused(own, given):
    with pytest.raises(DataError, match=r"x: the class '.*' is none of the \d classes"):
        renumbering(own, given, "x")
    with pytest.raises(DataError, match=r"^why$"):
        check_renamed(own, given, "why")


@pytest.mark.parametrize(
    "given", [["a", "b"], {"b": 1, "a": 0}, {0: "a", 1: "b"}, {"1": "b", "0": "a"}, [b"a", "b"], ("a", "b")]
)
def test_a_map_of_classes_is_read_by_its_numbers(given):
    assert listed_names(given) == ("a", "b")


def test_names_may_be_numbers_where_one_reading_is_left():
    assert listed_names({"1": 0, "2": 1}) == listed_names({0: 1, 1: 2}) == ("1", "2")
    assert listed_names(range(3)) == ("0", "1", "2")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"a": 1, "b": 2}, "the numbers are those from 0 to 1"),
        ({"a": 0, "b": 0}, "the map of 2 classes"),
        ({"0": ["n1", "tench"]}, "the map of 1 classes"),
        ({"0": "1", "1": "2", "2": "0"}, "the map of 3 classes"),
        ([True, False], "the class list has True, which is no text; write it in quotes"),
        (["a", None], "has None"),
        ([1.0], "has 1.0"),
    ],
)
def test_a_map_or_list_that_can_mean_something_else_is_refused(given, reason):
    with pytest.raises(DataError, match=reason):
        listed_names(given)
