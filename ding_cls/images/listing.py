"""What lies in a data folder: splits, class folders, image files, always in bytewise order.

It knows names and directories; it must not know pixels or tensors.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from ding_cls.common.counting import first_few
from ding_cls.errors import DataError
from ding_cls.images.class_names import nearest_name
from ding_cls.images.decoding.formats import EXTENSIONS
from ding_cls.images.left_out import LeftOut, is_passed_over, is_system_file, is_system_folder
from ding_cls.images.split_words import SPLIT_NAMES, divisions, split_hinted, split_of, splits_among

_MAX_LISTED = 5
_MAX_SPLITS = 4
# What else names the folder of a split.
_KEYS = {"train": "learn_data_path", "val": "eval_data_path"}


def find_split(data_dir: str | os.PathLike[str], names: str | Sequence[str]) -> Path:
    """Return the folder of one split.

    Args:
        data_dir: the folder that holds the splits.
        names: 'train', 'val' or 'test', whose folder may have any name that `split_of` understands; or the
            folder names that mean the split.

    Raises:
        DataError: no such folder is there, or two of them are.
    """
    root = Path(data_dir)
    wanted = SPLIT_NAMES.get(names, (names,)) if isinstance(names, str) else tuple(names)
    folders = folder_names(root)
    if isinstance(names, str) and names in SPLIT_NAMES:
        found = splits_among(folders)[names]
    else:
        found = [name for name in wanted if name in folders]
    present = [root / name for name in found]
    if not present:
        raise DataError(_missing_split(root, folders, wanted))
    if len({folder.resolve() for folder in present}) > 1:
        both = " and ".join(repr(folder.name) for folder in present)
        raise DataError(f"{str(root)!r} has {both}, which mean the same split; remove or rename one of them")
    return present[0]


def split_folders(data_dir: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Return the names of the folders in a folder, which may be missing, that mean each split."""
    return splits_among(folder_names(Path(data_dir)))


def folder_names(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, not hidden, no system's, in bytewise order."""
    entries = _entries(str(folder)) if folder.is_dir() else ()
    names = [each.name for each in entries if _is_folder(each) and not is_passed_over(each.name)]
    return sorted(names, key=os.fsencode)


def has_splits(data_dir: str | os.PathLike[str], classes: Sequence[str] = ()) -> bool:
    """Return whether a folder has one with a split's name in it, which is no class's name.

    Args:
        data_dir: the folder; it may be missing.
        classes: names that mean classes, whatever else they mean.
    """
    return any(name not in classes for names in split_folders(data_dir).values() for name in names)


def list_classes(root: str, classes: Sequence[str] = (), left_out: LeftOut | None = None) -> tuple[str, ...]:
    """Return the names of the class folders in ``root``: not hidden, no system's, in bytewise order.

    Args:
        root: the folder of the class folders.
        classes: names that mean classes, whatever else they mean.
        left_out: counts the images and the system's folders beside them.

    Raises:
        DataError: ``root`` is missing, is no folder, has no class folders, or lies above the splits or above
            the one folder that the class folders are in.
    """
    if not os.path.isdir(root):
        # A run that is used from another folder still has its own relative paths.
        place = "" if os.path.isabs(root) else f" (in {os.getcwd()!r})"
        problem = "is not a folder" if os.path.lexists(root) else f"does not exist{place}"
        raise DataError(f"{root!r} {problem}; {_wanted_form(root)}")
    names, left_out = [], LeftOut() if left_out is None else left_out
    for entry in _entries(root):
        if _is_folder(entry):
            _note_folder(entry.name, left_out)
            if not is_passed_over(entry.name) and not _is_same(entry, root):
                names.append(entry.name)
        elif _is_broken_link(entry):
            left_out.num_broken += 1
        elif not entry.name.startswith("."):
            left_out.add_beside(entry.name)
    if not names:
        raise DataError(f"{root!r} has no class folders{_contents(Path(root))}; {_wanted_form(root)}")
    names.sort(key=os.fsencode)
    _check_no_splits(root, names, classes)
    if len(names) == 1 and not classes:
        _check_no_classes_below(root, names[0])
    return tuple(names)


def list_samples(
    root: str,
    folders: Sequence[str],
    numbers: Mapping[str, int],
    *,
    extensions: Sequence[str] = EXTENSIONS,
    refuse_empty: bool,
    left_out: LeftOut | None = None,
) -> list[tuple[str, int]]:
    """Return (path relative to ``root``, class number) of each image, by folder and path in bytewise order.

    Args:
        root: folder of the class folders.
        folders: names of the class folders.
        numbers: class number by name.
        extensions: endings of image files, in lower case.
        refuse_empty: a class folder without images is an error.
        left_out: counts the files in them that are not taken.

    Raises:
        DataError: there are no images at all, a folder holds none and that is refused, or it holds splits.
    """
    samples: list[tuple[str, int]] = []
    left_out = LeftOut() if left_out is None else left_out
    for name in folders:
        folder, others = os.path.join(root, name), LeftOut()
        images = list_images(folder, extensions, others)
        if refuse_empty and not images:
            there = f" but {others}" if others else ""
            raise DataError(
                f"class folder {folder!r} holds no pictures{there}; add some or remove the folder"
            )
        if splits := _splits_below(images):
            form = "put the split above the class: train/CLASS/picture.jpg"
            remedy = f"pass {folder!r}" if len(folders) == 1 else form
            raise DataError(
                f"class folder {folder!r} holds splits ({', '.join(map(repr, splits))}), which would be one; "
                f"{remedy}"
            )
        samples.extend((f"{name}/{image}", numbers[name]) for image in images)
        left_out.add(others)
    if not samples:
        there = f" (left out: {left_out})" if left_out else ""
        raise DataError(
            f"{root!r} has {len(folders)} class folders but no pictures in them{there}; "
            f"it should look like {os.path.join(root, folders[0], 'picture.jpg')}"
        )
    return samples


def list_images(
    folder: str, extensions: Sequence[str] = EXTENSIONS, left_out: LeftOut | None = None
) -> list[str]:
    """Return the image files below ``folder`` as relative paths with ``/``, in bytewise order.

    Hidden files and folders, those of systems, special files, dangling links and links to folders above are
    left out. Links to files count as files. Each folder is read once, however many links lead to it, so that
    a loop of links ends.

    Args:
        folder: where to look.
        extensions: endings of image files, in lower case.
        left_out: counts what is not taken.

    Raises:
        DataError: a folder cannot be read.
    """
    left_out = LeftOut() if left_out is None else left_out
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    pending, links = [""], list[str]()
    while pending or links:
        # Links come last, so that an image is listed under its real folder where that lies here too.
        links.sort(key=os.fsencode, reverse=True)
        relative = pending.pop() if pending else links.pop()
        current = os.path.join(folder, relative)
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in _entries(current):
            inner = f"{relative}/{entry.name}" if relative else entry.name
            if _is_folder(entry):
                _note_folder(entry.name, left_out)
                if not is_passed_over(entry.name) and not _leads_above(entry, folder):
                    (links if entry.is_symlink() else pending).append(inner)
            elif _is_broken_link(entry):
                left_out.num_broken += 1
            elif entry.name.startswith("."):
                left_out.add_hidden(entry.name)
            elif os.path.splitext(entry.name)[1].lower() not in extensions:
                left_out.add_file(entry.name)
            elif not entry.is_file():
                left_out.num_broken += 1
            elif not is_system_file(entry.name):
                found.append(inner)
    return sorted(found, key=os.fsencode)


def check_classes(folders: Sequence[str], classes: Sequence[str], root: str) -> None:
    """Check that every class folder has a number.

    Raises:
        DataError: a name in ``classes`` occurs twice, or a folder of ``root`` is none of them.
    """
    if len(set(classes)) < len(classes):
        twice = next(name for position, name in enumerate(classes) if name in classes[:position])
        raise DataError(f"the class list names {twice!r} twice; each class has one number")
    known = set(classes)
    unknown = [name for name in folders if name not in known]
    if not unknown:
        return
    first = os.path.join(root, unknown[0])
    if len(folders) == 1 and known.intersection(folder_names(Path(first))):
        raise DataError(f"{root!r} has one folder, with the classes in it; pass {first!r}")
    near = nearest_name(unknown[0], classes)
    if known.isdisjoint(folders) and all(map(str.isdigit, classes)):
        raise DataError(
            f"{root!r} has the class folder {unknown[0]!r}, and the classes of the training labels are the "
            f"numbers {classes[0]} to {classes[-1]}; name the classes in that order: classes=[...]"
        )
    if len(unknown) == 1:
        hint = f"did you mean {near}?" if near else "rename the folder or remove it"
        forms = [name for name in classes if normalize("NFC", name) == normalize("NFC", unknown[0])]
        if forms:
            hint = f"it is {forms[0]!r} ({forms[0]!a}) in another Unicode form; rename one of the two"
        raise DataError(f"{first!r} is none of the {len(classes)} classes; {hint}")
    hint = f"did you mean {near} by the first?" if near else "rename these folders or remove them"
    problem = f"has {len(unknown)} folders that are none of the {len(classes)} classes: {_some(unknown)}"
    raise DataError(f"{root!r} {problem}; {hint}")


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise DataError(
            f"{folder!r} cannot be listed: {error.strerror}; make it readable or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False


def _is_broken_link(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_symlink() and not os.path.exists(entry.path)


def _leads_above(entry: os.DirEntry[str], folder: str) -> bool:
    """Return whether an entry is a link to a folder above ``folder``, where the other classes are."""
    if not entry.is_symlink():
        return False
    above, inner = os.path.realpath(entry.path), os.path.realpath(folder)
    return inner.startswith(os.path.join(above, ""))


def _note_folder(name: str, left_out: LeftOut) -> None:
    if is_system_folder(name):
        left_out.folders[name] += 1


def _is_same(entry: os.DirEntry[str], root: str) -> bool:
    """Whether an entry of ``root`` is a link back to it, which would make every class a class twice."""
    return entry.is_symlink() and os.path.samefile(entry.path, root)


def _either(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _check_no_splits(root: str, names: Sequence[str], classes: Sequence[str]) -> None:
    """Check that class folders are none of splits, nor one of them a split with the others' classes in it."""
    splits = divisions(names)
    if not set(splits) <= set(classes) and not _are_classes(root, names, splits):
        trained = [os.path.join(root, name) for name in splits if split_hinted(name) == "train"]
        remedy = f"pass {trained[0]!r}" if trained else "pass one of them"
        if trained and not any(folder_names(Path(each)) for each in trained):
            form = os.path.join(trained[0], "CLASS", "picture.jpg")
            remedy = f"put the images of each into class folders: {form}"
        raise DataError(
            f"{root!r} holds splits, not classes; {remedy} (it has {', '.join(map(repr, splits))})"
        )
    for name in (each for each in names if split_of(each) and each not in classes):
        folder = os.path.join(root, name)
        inside = set(folder_names(Path(folder)))
        if shared := inside.intersection(names):
            raise DataError(
                f"{folder!r} is a split among the classes, for it has {min(shared)!r} too; move it out"
            )
        # Splits are few; of many classes one may be called so, and have batches as the others have.
        for other in names if inside and len(names) <= _MAX_SPLITS else ():
            if other != name and (shared := inside.intersection(folder_names(Path(root, other)))):
                raise DataError(
                    f"{root!r} holds splits, not classes; pass {folder!r} ({other!r} has {min(shared)!r} too)"
                )


def _are_classes(root: str, names: Sequence[str], splits: Sequence[str]) -> bool:
    """Return whether folders with names of splits are classes among others, in a folder that is a split."""
    is_in_split = split_of(os.path.basename(os.path.abspath(root))) is not None
    has_others = len(splits) < len(names)
    return is_in_split and has_others and not any(folder_names(Path(root, name)) for name in splits)


def _check_no_classes_below(root: str, name: str) -> None:
    """Check that a folder alone is a class: it has images itself, or not several folders."""
    folder = os.path.join(root, name)
    inside = folder_names(Path(folder))
    if len(inside) > 1 and not any(_is_image(entry) for entry in _entries(folder)):
        raise DataError(
            f"{root!r} has one folder, {name!r}, with folders in it ({_some(inside)}); pass {folder!r}"
        )


def _is_image(entry: os.DirEntry[str]) -> bool:
    return os.path.splitext(entry.name)[1].lower() in EXTENSIONS and entry.is_file()


def _missing_split(root: Path, folders: Sequence[str], wanted: Sequence[str]) -> str:
    """Say that a split's folder is missing, and what may be meant by what is there.

    Advice to divide the folder is given only where nothing looks like images to test by: it would mix them
    with those to train on.
    """
    here, name, above = str(root), root.resolve().name, root.resolve().parent
    if split_of(name) and split_folders(above)[split_of(wanted[0]) or "train"]:
        return f"{here!r} holds one split; did you mean the folder above it, {str(root.parent)!r}?"
    missing = f"{here!r} has no folder {_either(wanted)}{_contents(root)}"
    inside = [name for name in folders if len(divisions(folder_names(root / name))) > 1]
    if len(inside) == 1:
        return f"{missing}; did you mean {str(root / inside[0])!r}, which has splits?"
    if inside:
        return f"{missing}; {inside[0]!r} and {len(inside) - 1} more hold splits: put these above the classes"
    split = split_of(wanted[0]) or ""
    near = [name for name in folders if split_hinted(name) == split]
    if split == "val" and not near:
        near = [name for name in folders if split_hinted(name) == "test"]
    if near and split in _KEYS and folder_names(root / near[0]):
        shown = f"{near[0]!r}, the test split," if split_hinted(near[0]) == "test" else repr(near[0])
        word = shlex.quote(f"policy.collect.{_KEYS[split]}={root / near[0]}")
        missing = f"{missing}; to take {shown} set {word}"
    form = f"{missing}; it should look like {root}/{wanted[0]}/CLASS/picture.jpg"
    if split == "val" and splits_among(folders)["train"]:
        return f"{form}; to train without: --no-validate"
    is_split = split_of(name) is not None or name in divisions(folder_names(above))
    if len(folders) < 2 or is_split or any(map(split_hinted, folders)):
        return form
    typed = f"ding-cls split {root} {root}_split --fractions 0.8,0.1,0.1"
    return f"{form}; to divide one folder of classes: {typed}"


def _splits_below(images: Sequence[str]) -> list[str]:
    """Return the names of folders side by side, above images in a class folder, that are splits."""
    inside: dict[str, set[str]] = {}
    for folder in {os.path.dirname(image) for image in images}:
        while folder:
            above, name = os.path.split(folder)
            inside.setdefault(above, set()).add(name)
            folder = above
    found = (divisions(sorted(names, key=os.fsencode)) for names in inside.values() if len(names) > 1)
    return next((names for names in found if names), [])


def _contents(folder: Path) -> str:
    """Say in a few words what is there instead."""
    if not folder.exists():
        return " (it does not exist)"
    if not folder.is_dir():
        return " (it is a file)"
    names = sorted(os.listdir(folder), key=os.fsencode)
    if not names:
        return " (it is empty)"
    return f" (it has {_some(names)})"


def _some(names: Sequence[str]) -> str:
    return first_few([*map(repr, names)], _MAX_LISTED)


def _wanted_form(root: str) -> str:
    return f"it should look like {os.path.join(root, 'CLASS', 'picture.jpg')}, one folder for each class"
