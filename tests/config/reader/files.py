"""Small trees of config files, written in one text."""

import re
from pathlib import Path

import pytest

from ding_cls.config import read_config
from ding_cls.errors import ConfigError


def write_files(folder: Path, text: str) -> Path:
    """Write the files of a text, each under a line ``--- name.py``; return the path of the last."""
    parts = re.split(r"^--- (.+)\n", text, flags=re.MULTILINE)[1:]
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return path


def write(folder: Path, text: str, name: str = "recipe.py") -> Path:
    """Write one file; return its path."""
    path = folder / name
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """Return the message with which a config file of this text is refused."""
    with pytest.raises(ConfigError) as caught:
        read_config(write(folder, text))
    return str(caught.value)
