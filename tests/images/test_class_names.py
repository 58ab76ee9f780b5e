import pytest

from ding_cls.errors import DataError
from ding_cls.images.class_names import (
    check_renamed,
    count_in,
    holds_same_word,
    listed_names,
    nearest_name,
    order_of_numbers,
    padded_name,
    renumbering,
    unknown_word,
    words_in_two_forms,
)

TWELVE = sorted(map(str, range(12)))
NFC, NFD = "\u00e9lan", "e\u0301lan"


@pytest.mark.parametrize(
    ("word", "number"),
    [("0", 0), ("12", 12), *[(word, None) for word in ("007", "00", "-1", "1.0", "1e3", "٣", "", "9" * 19)]],
)
def test_a_word_counts_only_as_one_writes_numbers(word, number):
    assert count_in(word) == number


@pytest.mark.parametrize(
    ("word", "names", "said"),
    [
        ("owl", ["cat"], "; correct it, or name it in 'classes'"),
        ("cta", ["cat"], "; did you mean 'cat'?"),
        ("Cat", ["cat"], "; 'cat' is the same word in another form: write it so"),
        ("cat\u200b", ["cat"], "; 'cat' is the same word in another form: write it so"),
        (NFC, [NFD], r"; 'e\u0301lan' is the same word in another form: write it so"),
        ("1", ["001", "002"], "; '001' is the same word in another form: write it so"),
        ("2.0", ["1", "2"], "; '2' is the same word in another form: write it so"),
        (
            "0",
            ["1", "2"],
            "; labels are names, not positions (0 would be '1'): name it in 'classes'",
        ),
    ],
)
def test_an_unknown_word_is_named_with_what_it_may_mean(word, names, said):
    assert unknown_word(word, names) == f"{word!r} is none of the {len(names)} classes{said}"


def test_white_space_around_a_name_may_be_left_out_and_is_told(caplog):
    assert padded_name("cat", ["cat ", "dog"], "x") == "cat "
    assert (
        caplog.records[0].getMessage() == "x: 'cat' is the class 'cat ', whose name has white space around it"
    )
    assert padded_name("cat", ["cat ", " cat"], "x") is padded_name("cat", ["cat", "dog"], "x") is None


def test_the_nearest_name_is_shown_so_that_one_sees_the_difference():
    assert nearest_name(NFD, [NFC]) == r"'\xe9lan'"
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
        r"'\xe9lan' and 'e\u0301lan' are two classes and one word in two forms, and 1 more"
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
        "x: the class 'cat' is none of 2, so labels are positions: 0 is 'chat'"
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


def test_the_same_word_in_any_form_is_found():
    assert holds_same_word(["2", "1"], ["001", "a"])
    assert not holds_same_word(["2", "b"], ["001", "a"])
