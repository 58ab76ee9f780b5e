import pytest

from ding_cls.errors import DataError
from ding_cls.images.tables.reading import listed, looks_like_image, read_table

ROWS = [["a.png", "Käfer"], ["b c.png", "dog"]]


def read(folder, content, wanted=("path", "label")):
    file = folder / "own.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(str(file), wanted)


def joined(mark, end="\n", head="path{0}label"):
    return end.join([head.format(mark), f"a.png{mark}Käfer", f"b c.png{mark}dog"]) + end


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("wanted", [("path", "label"), (), ("file",)])
def test_what_separates_the_cells_is_found(tmp_path, mark, wanted):
    table = read(tmp_path, joined(mark), wanted)
    assert (table.names, [cells for _, cells in table.rows]) == (["path", "label"], ROWS)
    assert [number for number, _ in table.rows] == [2, 3]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n\n", " \n\t\n"])
def test_every_end_of_line_is_read_and_empty_lines_are_none(tmp_path, end):
    assert [cells for _, cells in read(tmp_path, joined(",", end)).rows] == ROWS


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_other_encodings_are_read_and_guessing_is_told(tmp_path, encoding):
    table = read(tmp_path, joined(",").encode(encoding))
    assert (table.names, [cells for _, cells in table.rows]) == (["path", "label"], ROWS)
    is_guessed = encoding in ("cp1252", "latin-1")
    assert ("Windows-1252" in table.remark) == is_guessed


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("sep=;\npath;label\na,1.png;cat\n", ["path", "label"], [["a,1.png", "cat"]]),
        ('"sep=,"\npath,label\na.png,cat\n', ["path", "label"], [["a.png", "cat"]]),
        ('path,label\n"a,1.png","cat; dog"\n', ["path", "label"], [["a,1.png", "cat; dog"]]),
        ('path,label\n"a ""1"".png",cat\n', ["path", "label"], [['a "1".png', "cat"]]),
        ("path,label\na.png,cat,\nb.png,dog,,\n", ["path", "label"], [["a.png", "cat"], ["b.png", "dog"]]),
        ("path,label\na.png,cat\n,\n,,,\n", ["path", "label"], [["a.png", "cat"]]),
        ("a.png,cat\nb.png,dog\n", ["column 1", "column 2"], [["a.png", "cat"], ["b.png", "dog"]]),
        ("a b.png 3\nc.png 4\n", ["column 1", "column 2"], [["a b.png", "3"], ["c.png", "4"]]),
        ("path label\na b.png 3\n", ["path", "label"], [["a b.png", "3"]]),
        ("path\na.png\n", ["path"], [["a.png"]]),
        ("", [], []),
    ],
)
def test_forms_of_tables(tmp_path, text, names, rows):
    table = read(tmp_path, text)
    assert (table.names, [cells for _, cells in table.rows]) == (names, rows)
    assert table.has_names == (not names or names[0] != "column 1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04rest", "is a packed file, as spreadsheets are: unpack it, or save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0rest", "is an old spreadsheet"),
        (b"PAR1rest", "is a Parquet file; write it as CSV"),
        (b"\x1f\x8brest", "is packed by gzip; unpack it"),
        (b"path,label\na\0.png,cat\n", "is no text"),
        (b"\xff\xfep\0a", "cannot be read: it is no utf-16"),
        (b"path,label\na.png\n", "line 2 has more or fewer cells than the first line"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"CSV file '.*none\.csv' cannot be read: No such file"):
        read_table(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_table(str(tmp_path))


def test_names_of_images_and_lists_of_columns():
    assert [looks_like_image(each) for each in ("a.JPG", "a.tif", "a", "a.txt")] == [True, True, False, False]
    assert listed(list("abcdefghij")) == "a, b, c, d, e, f, g, h and 2 more"
