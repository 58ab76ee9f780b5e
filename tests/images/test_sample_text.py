"""Names and labels as text."""

import numpy as np

from ding_cls.images.sample_text import below_their_folder, label_texts, listed


def test_names_begin_below_their_folder() -> None:
    assert below_their_folder(["/a/b/c/1.png", "/a/b/d/2.png"]) == ["c/1.png", "d/2.png"]
    assert below_their_folder(["/a/b/1.png"]) == ["1.png"]
    assert below_their_folder(["b/1.png", "/a/b/1.png"]) == ["b/1.png", "/a/b/1.png"]
    assert below_their_folder([]) == []


def test_labels_are_numbers_tasks_and_places() -> None:
    assert label_texts(np.array([1, 0])) == ["1", "0"]
    assert label_texts([np.array([1, 2]), np.array([0, 0])]) == ["1,2", "0,0"]
    assert label_texts(np.array([[0, 1, 0.5], [0, 0, 0]], np.float32)) == ["1:1,2:0.5", ""]


def test_a_list_keeps_bytes_that_are_no_letters() -> None:
    assert listed(["a\udcff", "b"], [1, 0]) == b"a\xff\x001\nb\x000\n"
