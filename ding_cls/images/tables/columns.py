"""Which column of a table is what, where nobody has said it: by names, and by what stands in the cells.

It knows words and cells; it must not know files or images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ding_cls.errors import DataError
from ding_cls.images.split_words import divisions, splits_among
from ding_cls.images.tables.reading import Table, listed, looks_like_image

# Names without case and marks; the first that is there counts.
_PATHS = (
    *("path", "filepath", "imagepath", "imgpath", "imgfilepath", "filename", "file", "imagefile", "imgfile"),
    *("imagefilename", "imagename", "imgname", "image", "img", "images", "imageid", "imgid", "imageindex"),
    *("fname", "photo", "picture", "id", "idcode", "name", "uuid"),
)
_LABELS = (
    *("label", "labels", "gtlabel", "class", "classname", "classlabel", "labelname", "category"),
    *("categoryname", "targetname", "target", "targets", "species", "breed", "diagnosis", "dx", "emotion"),
    *("findinglabels", "tags", "classid", "labelid", "categoryid", "y"),
)
# What may have words for labels with a space between them, and not one class of several words.
_PLURALS = ("labels", "targets", "classes", "categories", "attributes")
_SPLITS = ("split", "datasplit", "set", "subset", "dataset", "partition", "usage", "phase", "part", "fold")
_BETWEEN_LABELS = "|;,"
_YES, _NO = frozenset(("1", "1.0", "true")), frozenset(("0", "0.0", "false"))
_MINUS = frozenset(("-1", "-1.0"))
_NUM_TRIED = 200


class Columns(NamedTuple):
    """What the columns of a table are.

    Attributes:
        path: name of the column of paths.
        label: name of that of labels, or of several.
        labels: as in `CSVDataset`.
        separator: what stands between the labels of a cell.
        split: name of the column of splits; None: there is none.
        weight: name of that of weights; None likewise.
        group: name of that of groups; None likewise.
        words: how many rows each word of the column of splits has.
        unused: names of the other columns.
    """

    path: str
    label: str | list[str]
    labels: str
    separator: str
    split: str | None
    weight: str | None
    group: str | None
    words: dict[str, int]
    unused: list[str]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `CSVDataset` that name these columns."""
        named = {"path": self.path, "label": self.label, "labels": self.labels}
        if self.labels == "several" and isinstance(self.label, str):
            named["separator"] = self.separator
        return {**named, "weight": self.weight, "group": self.group}


def is_yes_or_no(cells: Iterable[str]) -> bool:
    """Return whether cells say of something whether it is there: 0 or 1, True or False, all -1 or 1."""
    words = {cell.lower() for cell in set(cells)}
    return words <= _YES | _NO or words <= _YES | _MINUS


def is_yes(cell: str) -> bool:
    """Return whether a cell of those that `is_yes_or_no` knows says 1."""
    return cell.lower() in _YES


def find_columns(file: str, table: Table, known: Mapping[str, Any] | None = None) -> Columns:
    """Return what the columns of a table are.

    Args:
        file: how an error names it.
        table: its content.
        known: arguments of `CSVDataset` that name columns; those that are there are taken.

    Raises:
        DataError: it has no column of paths or of labels, or several that may be; or it has pixels.
    """
    if not table.rows:
        raise DataError(f"the CSV file {file!r} has no rows below its first line")
    named = [name for name in table.names if name]
    _check_names(file, table, named)
    cells = {name: [row[number] for _, row in table.rows] for number, name in enumerate(table.names) if name}
    asked = known or {}
    known = {name: value for name, value in asked.items() if _are_there(value, cells)}
    path = known.get("path") or _path(file, named, cells)
    split = known.get("split_column") or _split(named, cells, path)
    weight, group = (known.get(name) or _exact(named, name) for name in ("weight", "group"))
    rest = [name for name in named if name not in (path, split, weight, group)]
    label = known.get("label") or _label(file, _may_be_labels(rest, cells), cells)
    labels, separator = _kind(label, cells)
    if asked.get("labels") and ("label" in known or "label" not in asked):
        labels, separator = asked["labels"], asked.get("separator", separator)
    taken = [label] if isinstance(label, str) else list(label)
    words = Counter(cells[split]) if split else Counter()
    unused = [name for name in rest if name not in taken]
    return Columns(path, label, labels, separator, split, weight, group, dict(words), unused)


def _are_there(value: Any, cells: Mapping[str, Any]) -> bool:
    """Return whether an argument names columns that are there, or none at all."""
    names = value if isinstance(value, list | tuple) else [value]
    return bool(names) and all(name in cells for name in names)


def _check_names(file: str, table: Table, named: Sequence[str]) -> None:
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the first line of the CSV file {file!r} names {twice!r} twice")
    pixels = [name for name in named if re.fullmatch(r"(pixel|px|col|v)?_?\d+(x\d+)?", name.lower())]
    first = table.rows[0][1]
    long = next((cell for cell in first if cell.count(" ") > 100 and cell.replace(" ", "").isdigit()), None)
    if len(pixels) > 100 or long is not None:
        raise DataError(
            f"the CSV file {file!r} holds pixels, not the paths of images; make an .npz file of it with the "
            "arrays images, uint8 (N, H, W), and labels"
        )


def _path(file: str, named: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str:
    full = [name for name in named if _share(cells[name], looks_like_image) > 0.5]
    by_name = [name for plain in _PATHS for name in named if _plain(name) == plain]
    found = [name for name in by_name if name in full] or full or by_name
    others = [name for name in named if _plain(name) not in _LABELS]
    if not found and len(named) == 2 and len(others) == 1:
        found = by_name = others
    if not found or (len(found) > 1 and found[0] not in by_name):
        several = f"{listed(full)} may each be it" if len(full) > 1 else f"its columns are {listed(named)}"
        raise DataError(
            f"the CSV file {file!r}: which column holds the paths of the images? {several}; name one 'path' "
            "in its first line"
        )
    return found[0]


def _split(named: Sequence[str], cells: Mapping[str, Sequence[str]], path: str) -> str | None:
    for plain in _SPLITS:
        for name in named:
            words = {word for word in cells[name] if word}
            if _plain(name) != plain or name == path or not words:
                continue
            are_known = words <= {word for each in splits_among(words).values() for word in each}
            # 'PublicTest' beside 'Training'.
            if are_known or words == {*divisions([*words])} or name == "split":
                return name
    without_names = [name for name in named if name.startswith("column ")]
    for name in without_names:
        words = set(cells[name])
        meant = splits_among(words)
        if meant["train"] and words <= {word for each in meant.values() for word in each}:
            return name
    return None


def _label(file: str, rest: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str | list[str]:
    for plain in _LABELS:
        for name in rest:
            if _plain(name) == plain:
                return name
    if len(rest) == 1:
        return rest[0]
    if flags := _flags(file, rest, cells):
        return flags
    what = f"{listed(rest)} may each be it" if rest else "there is no other column than that of paths"
    raise DataError(
        f"the CSV file {file!r}: which column holds the labels? {what}; name one 'label' in its first line, "
        "or by policy.collect.train.label=NAME, or write one column of 0 and 1 for each class"
    )


def _may_be_labels(rest: Sequence[str], cells: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the columns without those that number the rows; or else those whose words repeat."""
    found = [name for name in rest if not _is_number(name)]
    return found or [name for name in rest if len(set(cells[name])) < len(cells[name])]


def _flags(file: str, rest: Sequence[str], cells: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the columns that say of a class each whether it is there; none where there are not several.

    Raises:
        DataError: beside such columns are some with empty cells, or with -1 and 0.
    """
    words = {name: {cell.lower() for cell in set(cells[name])} for name in rest}
    alike = [name for name in rest if words[name] <= _YES | _NO | _MINUS | {""} and words[name] != {""}]
    if len(alike) < 2:
        return []
    if is_yes_or_no(set().union(*(words[name] for name in alike))):
        return alike
    other = next(name for name in alike if words[name] & (_MINUS | {""}))
    problem = "-1" if words[other] & _MINUS else "empty cells"
    raise DataError(
        f"the CSV file {file!r}: the column {other!r} has {problem} beside 0 and 1; write 1 for a label that "
        "is there, else 0, or name columns: policy.collect.train.label=[NAME,NAME]"
    )


def _kind(label: str | Sequence[str], cells: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return what the labels are, and what stands between them."""
    if not isinstance(label, str):
        return ("several" if all(is_yes_or_no(cells[name]) for name in label) else "tasks"), " "
    whole = {cell for cell in cells[label] if cell}
    for mark in (*_BETWEEN_LABELS, " "):
        if _are_joined(whole, mark, _plain(label)):
            return "several", mark
    return "one", " "


def _are_joined(whole: Collection[str], mark: str, name: str) -> bool:
    """Return whether cells hold several labels each, with a mark between them."""
    joined = [cell.split(mark) for cell in whole if mark in cell]
    if not joined or mark == "|" or (mark == " " and name == "tags"):
        return bool(joined)
    counts = Counter(part.strip() for cell in whole for part in cell.split(mark))
    if mark == " ":
        # Each of them alone too, or all of them numbers: others are names of several words.
        is_alone = name in _PLURALS and counts.keys() <= set(whole)
        return is_alone or all(map(str.isdecimal, counts))
    # The same labels alone, or in several company; synonyms of a class occur once.
    return 2 * sum(any(counts[part.strip()] > 1 for part in cell) for cell in joined) >= len(joined)


def _is_number(name: str) -> bool:
    """Return whether a column numbers the rows, or names the image once more."""
    return bool(re.fullmatch(r"Unnamed: ?\d+", name)) or _plain(name) in (*_PATHS, "index")


def _share(cells: Sequence[str], is_so: Callable[[str], bool]) -> float:
    tried = [cell for cell in cells if cell][:_NUM_TRIED]
    return sum(map(is_so, tried)) / max(1, len(tried))


def _exact(named: Sequence[str], wanted: str) -> str | None:
    return next((name for name in named if name == wanted), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())
