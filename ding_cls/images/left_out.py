"""Which names in a data folder are no images and no classes, and a count of what is left out, by the reason.

It knows names; it must not look at files.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field

from ding_cls.images.decoding.formats import EXTENSIONS, INSTALL

# Folders of systems, storage boxes and tools, in lower case. The hidden ones among them (.Trash-1000,
# .ipynb_checkpoints, .@__thumb, .git) are left out as all hidden ones are.
_SYSTEM_FOLDERS = frozenset(
    [
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharesnap"),
        *("@recycle", "@recently-snapshot", "@__thumb", "~snapshot"),
        *("network trash folder", "temporary items", "thevolumesettingsfolder"),
        *("$recycle.bin", "recycler", "$extend", "system volume information", "lost+found"),
        *("__macosx", "_macosx", "__pycache__", "ipynb_checkpoints", "_vti_cnf", "lost.dir"),
    ]
)
_SYSTEM_FILES = frozenset(
    [
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "icon\r",
        "picasa.ini",
        "zbthumbnail.info",
    ]
)
# What Synology puts into @eaDir, should it have got out; streams of NTFS and Synology that became files.
_THUMBNAILS = ("SYNOPHOTO_THUMB", "SYNOFILE_THUMB", "SYNOPHOTO_FILM", "SYNOINDEX_MEDIA_INFO")
_STREAMS = (":Zone.Identifier", "@SynoEAStream", "@SynoResource")
_ENDING = re.compile(r"\.\w{1,12}")
_MAX_LISTED = 5


def is_system_folder(name: str) -> bool:
    """Return whether a folder of this name is a system's or a storage box's: no class, and without images."""
    return name.lower() in _SYSTEM_FOLDERS or re.fullmatch(r"found\.\d{3}", name.lower()) is not None


def is_passed_over(name: str) -> bool:
    """Return whether a folder of this name is no class: hidden, or a system's."""
    return name.startswith(".") or is_system_folder(name)


def is_system_file(name: str) -> bool:
    """Return whether a file of this name is no user's: a thumbnail, or what a system notes beside files."""
    return name.startswith(_THUMBNAILS) or name.endswith(_STREAMS) or name.lower() in _SYSTEM_FILES


@dataclass(slots=True)
class LeftOut:
    """What a listing of a data folder does not take; false where that is nothing.

    What a system leaves behind in hidden names (``._image.jpg``, ``.DS_Store``) is not counted.

    Attributes:
        endings: files among the images, by their endings.
        num_beside: images beside the class folders.
        num_hidden: images whose names begin with a dot.
        num_broken: links to nowhere, and images that are pipes and the like.
        folders: folders of a system or a storage box, by name.
    """

    endings: Counter[str] = field(default_factory=Counter)
    num_beside: int = 0
    num_hidden: int = 0
    num_broken: int = 0
    folders: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.endings or self.folders or self.num_beside or self.num_hidden or self.num_broken)

    def add(self, other: LeftOut) -> None:
        """Count what another listing left out too."""
        self.endings += other.endings
        self.folders += other.folders
        self.num_beside += other.num_beside
        self.num_hidden += other.num_hidden
        self.num_broken += other.num_broken

    def add_file(self, name: str) -> None:
        """Count a file whose ending is none of an image that is read."""
        if not is_system_file(name):
            ending = os.path.splitext(name)[1]
            self.endings[ending.lower() if _ENDING.fullmatch(ending) else ""] += 1

    def add_hidden(self, name: str) -> None:
        """Count a hidden file, if it is an image."""
        if not name.startswith("._") and os.path.splitext(name)[1].lower() in EXTENSIONS:
            self.num_hidden += 1

    def add_beside(self, name: str) -> None:
        """Count a file beside the class folders, if it is an image."""
        if name.lower().endswith((*EXTENSIONS, *INSTALL)) and not is_system_file(name):
            self.num_beside += 1

    def __str__(self) -> str:
        shown = _most_common(self.endings)
        parts = [f"{count:,} {ending or 'without an ending'}" for ending, count in shown]
        if others := self.endings.total() - sum(count for _, count in shown):
            parts.append(f"{others:,} with other endings")
        parts += _counted(self.num_beside, "image", "beside the class folders")
        parts += _counted(self.num_hidden, "hidden image")
        parts += _counted(self.num_broken, "broken link")
        names = [repr(name) for name, _ in _most_common(self.folders)]
        parts += _counted(self.folders.total(), "system folder", f"({', '.join(names)})")
        commands = dict.fromkeys(INSTALL[each] for each in self.endings if each in INSTALL)
        remedy = f"; to read them: {' and '.join(commands)}" if commands else ""
        return f"{', '.join(parts)}{remedy}"


def left_out_line(root: str, left_out: LeftOut) -> str:
    """Return the line that says what of a folder is left out; empty where that is nothing."""
    return f"left out of {root!r}: {left_out}" if left_out else ""


def _most_common(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return a few names and counts, in an order that does not depend on the disk's."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MAX_LISTED]


def _counted(count: int, what: str, where: str = "") -> list[str]:
    return [f"{count:,} {what}{'s' if count > 1 else ''} {where}".rstrip()] if count else []
