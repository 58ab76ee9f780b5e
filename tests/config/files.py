"""Small trees of config files, written in one text."""

import re
from pathlib import Path


def write_files(folder: Path, text: str) -> Path:
    """Write the files of a text, each under a line ``--- name.py``; return the path of the last."""
    parts = re.split(r"^--- (.+)\n", text, flags=re.MULTILINE)[1:]
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return path
