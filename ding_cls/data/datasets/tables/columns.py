"""Which column of a table is what, where nobody has said it: by names, and by what stands in the cells.

It knows words and cells; it must not know files or images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ding_cls.data.datasets.tables.reading import Table, listed, looks_like_image
from ding_cls.data.split_words import divisions, splits_among
from ding_cls.errors import DataError

# Names without case and marks; the first that is there counts.
_PATHS = (
    *("path", "filepath", "imagepath", "imgpath", "imgfilepath", "filename", "file", "imagefile", "imgfile"),
    *("imagefilename", "imagename", "imgname", "image", "img", "images", "imageid", "imgid", "imageindex"),
    *("fname", "photo", "picture", "id", "name", "uuid"),
)
_LABELS = (
    *("label", "labels", "gtlabel", "class", "classname", "classlabel", "labelname", "category"),
    *(
        "categoryname",
        "target",
        "targets",
        "species",
        "breed",
        "diagnosis",
        "emotion",
        "findinglabels",
        "tags",
    ),
    *("classid", "labelid", "categoryid", "y"),
)
_SPLITS = ("split", "datasplit", "set", "subset", "dataset", "partition", "usage", "phase", "part", "fold")
_BETWEEN_LABELS = "|;,"
_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")
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
    """Return whether cells say of something whether it is there: 0 or 1, True or False."""
    return all(cell.lower() in (*_YES, *_NO) for cell in cells)


def is_yes(cell: str) -> bool:
    """Return whether a cell that is 0 or 1, or True or False, says 1."""
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
    known = {name: value for name, value in (known or {}).items() if _are_there(value, cells)}
    path = known.get("path") or _path(file, named, cells)
    split = known.get("split_column") or _split(named, cells, path)
    weight, group = (known.get(name) or _exact(named, name) for name in ("weight", "group"))
    rest = [name for name in named if name not in (path, split, weight, group)]
    label = known.get("label") or _label(file, [name for name in rest if not _is_number(name)], cells)
    labels, separator = _kind(label, cells)
    if "label" in known:
        labels, separator = known.get("labels") or labels, known.get("separator", separator)
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
    flags = [name for name in rest if is_yes_or_no(cells[name])]
    if len(rest) == 1:
        return rest[0]
    if len(flags) > 1:
        return flags
    signs = [name for name in rest if set(cells[name]) <= {"-1", "1"}]
    if len(signs) > 1:
        raise DataError(
            f"the CSV file {file!r}: columns as {signs[0]!r} say -1 and 1; write 0 for a label that is not "
            "there"
        )
    what = f"{listed(rest)} may each be it" if rest else "there is no other column than that of paths"
    raise DataError(
        f"the CSV file {file!r}: which column holds the labels? {what}; name one 'label' in its first line, "
        "or write one column of 0 and 1 for each class"
    )


def _kind(label: str | Sequence[str], cells: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return what the labels are, and what stands between them."""
    if not isinstance(label, str):
        return ("several" if all(is_yes_or_no(cells[name]) for name in label) else "tasks"), " "
    whole = set(cells[label])
    for mark in _BETWEEN_LABELS:
        joined = [cell for cell in whole if mark in cell]
        parts = {part.strip() for cell in joined for part in cell.split(mark)}
        # The same labels alone, or in several company.
        if joined and (parts & whole or len(parts) < len(joined)):
            return "several", mark
    return "one", " "


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
