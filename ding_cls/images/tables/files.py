"""Where the images of a table are: as its paths say, below another folder, or under nearly the same name.

It knows names and folders; it must not know labels or pixels.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from ding_cls.errors import DataError
from ding_cls.images.tables.reading import looks_like_image

_PARTS = re.compile(r"[/\\]+")
_NUM_TRIED = 20
# A folder with more sub-folders holds classes or identities.
_MAX_FOLDERS = 200
_OF_IMAGES = re.compile("image|img|photo|picture|jpe?g|png|input", re.IGNORECASE)


class Located(NamedTuple):
    """Where images are.

    Attributes:
        folder: where the names begin.
        names: of the files, relative to it; as they were given where no such file was found.
        remarks: what was read otherwise than it was written, in a few words each.
    """

    folder: str
    names: list[str]
    remarks: list[str]


class FileNames:
    """The files of folders, each listed once."""

    def __init__(self) -> None:
        self._listed: dict[str, frozenset[str]] = {}
        self._folded: dict[str, dict[str, list[str]]] = {}
        self._folders: dict[tuple[str, str], str | None] = {}

    def is_file(self, path: str) -> bool:
        """Return whether there is a file of this very name."""
        folder, name = os.path.split(path)
        # The file system has the last word: it may know no case, and other forms of accents.
        is_listed = name in self.listed(folder) and ("." in name or not os.path.isdir(path))
        return is_listed or os.path.isfile(path)

    def listed(self, folder: str) -> frozenset[str]:
        """Return the names in a folder; none where it cannot be listed."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder or "."))
            except (OSError, ValueError):
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def find(self, base: str, name: str) -> str | None:
        """Return the path, relative to ``base``, of the file that a cell means; None where there is none.

        It is the cell itself; with other marks between folders, in another case or another form of its
        accents; or with the ending of an image behind it, where the cell has none.

        Raises:
            DataError: two files differ in what the cell leaves out.
        """
        if name in ("", ".", ".."):
            return None
        if self.is_file(os.path.join(base, name)):
            return name
        above, last = os.path.split(name.replace("\\", "/"))
        folder = self._folder(base or ".", above)
        if folder is None:
            return None
        found = self._matching(os.path.join(base, folder), last)
        return None if found is None else "/".join(filter(None, (folder.rstrip("/"), found)))

    def may_be(self, base: str, name: str) -> bool:
        """Return whether a cell may mean a file below ``base``, or one of several."""
        try:
            return self.find(base, name) is not None
        except DataError:
            return True

    def _matching(self, folder: str, name: str) -> str | None:
        if self.is_file(os.path.join(folder, name)):
            return name
        matches = self._by_folded(folder).get(_folded(name), [])
        matches = [each for each in matches if self.is_file(os.path.join(folder, each))]
        if len(matches) > 1:
            raise DataError(
                f"{os.path.join(folder, name)!r} may be {matches[0]!r} or {matches[1]!r}; write the whole "
                "name"
            )
        return matches[0] if matches else None

    def _by_folded(self, folder: str) -> dict[str, list[str]]:
        """Return a folder's files by their names in one case, with and, for images, without their endings."""
        if folder not in self._folded:
            table: dict[str, list[str]] = {}
            for each in sorted(self.listed(folder), key=os.fsencode):
                table.setdefault(_folded(each), []).append(each)
                if looks_like_image(each):
                    table.setdefault(_folded(os.path.splitext(each)[0]), []).append(each)
            self._folded[folder] = table
        return self._folded[folder]

    def _folder(self, base: str, relative: str) -> str | None:
        """Return a folder below ``base`` as it is spelled on the disk; None where there is none."""
        key = (base, relative)
        if key not in self._folders:
            self._folders[key] = self._spelled(base, relative)
        return self._folders[key]

    def _spelled(self, base: str, relative: str) -> str | None:
        if os.path.isdir(os.path.join(base, relative)):
            return relative
        found = ""
        for part in relative.split("/"):
            here = os.path.join(base, found)
            near = [each for each in self.listed(here) if _folded(each) == _folded(part)]
            if part not in ("", ".", "..") and len(near) != 1:
                return None
            found = os.path.join(found, near[0] if near else part)
        return found if os.path.isdir(os.path.join(base, found)) else None


def locate(names: Sequence[str], folder: str, *, is_named: bool) -> Located:
    """Find the files that the cells of a table mean.

    Where not one is below ``folder``, all are sought in a folder beside the table, and without the first
    folders of their paths, where these are the same for all: so paths of another machine are read. Last,
    names without folders are sought in several folders beside the table, of which each holds a part.

    Args:
        names: the cells.
        folder: where they should begin.
        is_named: the user named it: no other is looked into.

    Raises:
        DataError: a cell may mean two files, or the files are in two folders.
    """
    files = FileNames()
    base, cut, given = folder, 0, names
    step = max(1, len(names) // _NUM_TRIED)
    # A few first: mostly they are where they should be.
    if names and not any(files.may_be(folder, name) for name in (*names[::step], *names)):
        base, cut = _elsewhere(files, names, folder, is_named=is_named)
    found = [files.find(base, _without(name, cut)) for name in names]
    if not (any(found) and base == folder) and not all(found) and not is_named:
        names = _in_parts(files, names, folder, num_found=sum(map(bool, found)))
    remarks = []
    if names is not given:
        found, base, cut = list(names), folder, 0
        parts = sorted({os.path.dirname(name) for name in names} - {""})
        remarks.append(f"the images are in {', '.join(map(repr, parts))}")
    elif cut:
        begin = _begin(names[0], cut)
        remarks.append(f"paths that begin with {begin!r} are read from {base or '.'!r}")
    elif base != folder:
        remarks.append(f"the images are in {base!r}")
    changed = [(name, each) for name, each in zip(names, found, strict=True) if each not in (None, name)]
    added = {os.path.splitext(each)[1] for name, each in changed if each and _is_stem(name, each)}
    if added:
        remarks.append(f"{', '.join(sorted(added))} is added to names without an ending")
    other = [name for name, each in changed if each and _is_other(_without(name, cut), each)]
    if other:
        remarks.append(f"{len(other)} names differ in case or accents from the files', as {other[0]!r}")
    return Located(base, [each or name for each, name in zip(found, names, strict=True)], remarks)


def missing_files(paths: Sequence[str]) -> list[str]:
    """Return which of some files do not exist, each once."""
    files = FileNames()
    return [path for path in dict.fromkeys(paths) if not files.is_file(path)]


def _elsewhere(files: FileNames, names: Sequence[str], folder: str, *, is_named: bool) -> tuple[str, int]:
    """Return where more than half of the files are, and how many first folders of their paths that needs."""
    tried = names[:: max(1, len(names) // _NUM_TRIED)]
    depth = min(len(_PARTS.split(name)) for name in names) - 1
    cuts = [cut for cut in range(depth + 1) if len({_begin(name, cut) for name in names}) == 1]
    for bases in [[folder]] if is_named else _bases(folder):
        for cut in cuts:
            counts = {base: sum(files.may_be(base, _without(each, cut)) for each in tried) for base in bases}
            found = [base for base, count in counts.items() if 2 * count > len(tried)]
            # The given folder goes first.
            if len(found) > 1 and found[0] != folder:
                raise DataError(
                    f"the images of the table are in {found[0]!r} and in {found[1]!r}; set data_prefix to "
                    f"one, with --data FILE by policy.collect.train.data_prefix={found[0]}"
                )
            if found:
                return found[0], cut
    return folder, 0


def _in_parts(files: FileNames, names: Sequence[str], folder: str, *, num_found: int) -> Sequence[str]:
    """Return names with the folders beside the table that hold them, where these hold more than the number
    that one folder does, and most.

    Raises:
        DataError: one is in two folders.
    """
    if any(_PARTS.search(name) for name in names):
        return names
    places: dict[str, dict[str, None]] = {}
    for base in _bases(folder)[0][1:]:
        for name in files.listed(base):
            for key in {
                _folded(name),
                *([_folded(os.path.splitext(name)[0])] if looks_like_image(name) else []),
            }:
                places.setdefault(key, {})[os.path.relpath(os.path.join(base, name), folder or ".")] = None
    found = [list(places.get(_folded(name), ())) for name in names]
    num_parted = sum(map(bool, found))
    if num_parted <= num_found or 2 * num_parted <= len(names):
        return names
    twice = next((each for each in found if len(each) > 1), None)
    if twice:
        raise DataError(f"an image of the table may be {twice[0]!r} or {twice[1]!r}; write the whole paths")
    return [each[0].replace(os.sep, "/") if each else name for each, name in zip(found, names, strict=True)]


def _bases(folder: str) -> list[list[str]]:
    """Return where images may be: first in the table's folder or below it, then above it or beside it."""
    above = os.path.join(folder, os.pardir)
    # Others beside it may be other data, whose images have the same numbers.
    beside = [name for name in _folders_in(above) if _OF_IMAGES.search(name)]
    return [
        [folder, *(os.path.join(folder, name) for name in _folders_in(folder))],
        [above, *(os.path.join(above, name) for name in beside)],
    ]


def _folders_in(folder: str) -> list[str]:
    """Return the folders in a folder, and what is in one that holds another folder and nothing else."""
    found = []
    for name in sorted(each.name for each in _entries(folder) if each.is_dir())[:_MAX_FOLDERS]:
        inside = _entries(os.path.join(folder, name), 2)
        found += [name, *(f"{name}/{each.name}" for each in inside if len(inside) == 1 and each.is_dir())]
    return [name for name in found if not name.startswith(".")]


def _entries(folder: str, most: int | None = None) -> list[os.DirEntry[str]]:
    """Return what is in a folder, or the first of it; nothing where it cannot be listed."""
    try:
        with os.scandir(folder or ".") as entries:
            return list(islice(entries, most))
    except OSError:
        return []


def _without(name: str, cut: int) -> str:
    return "/".join(_PARTS.split(name)[cut:]) if cut else name


def _begin(name: str, cut: int) -> str:
    """Return the first folders of a path as they are written."""
    end = 0
    for _ in range(cut):
        found = _PARTS.search(name, end)
        end = found.end() if found else len(name)
    return name[:end]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _is_stem(name: str, found: str) -> bool:
    return _folded(os.path.splitext(found)[0]).endswith(_folded(_PARTS.split(name)[-1]))


def _is_other(name: str, found: str) -> bool:
    plain = name.replace("\\", "/")
    return plain not in (found, os.path.splitext(found)[0])
