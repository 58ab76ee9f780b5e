"""One HTML file without outside requests, from a template and plain values.

Its style and script are part of it, named by their digests in a Content-Security-Policy: no name of an image
or a class can run as code, and nothing is fetched.
"""

import base64
import hashlib
import io
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Environment

INSTALL = "pip install 'ding_cls[report]'"
_QUALITY = 80
# JPEG blurs an image of few pixels, and PNG costs little there.
_PNG_UP_TO_PX = 48


def render_page(template: str, **values: Any) -> str:
    """Return the page of a template in ``ding_cls/report/templates``, such as 'report.html'.

    Every value is escaped. The style ``assets/page.css`` is inlined, and the script of the template's name,
    ``assets/report.js``, where there is one; attributes such as ``style`` and ``onclick`` do nothing. Filters
    beside those of jinja2: ``shown`` makes text readable that holds control characters or bytes of no
    encoding, ``data_uri`` makes an address of an image file's bytes; ``tojson`` may stand in
    ``<script type="application/json">``.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    script = _asset(template.removesuffix(".html") + ".js")
    style = _asset("page.css")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src {_digest(style)}"
    )
    if script:
        policy += f"; script-src {_digest(script)}"
    return (
        _environment()
        .get_template(template)
        .render(values, style=style, script=script, content_policy=policy)
    )


def shown(text: Any, *, limit: int = 300) -> str:
    """Return text that any encoding takes, on one line: controls and lost bytes as ``\\n`` and ``\\xff``.

    Args:
        text: any value.
        limit: characters; of longer ones the middle is left out.
    """
    text = str(text)
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return text if text.isprintable() else "".join(map(_shown_character, text))


def _shown_character(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if character.isprintable() or character == " ":
        return character
    return character.encode("unicode_escape").decode("ascii")


def data_uri(image: bytes) -> str:
    """Return an image file of JPEG, PNG, GIF or WebP as an address that holds it; KeyError of another."""
    kinds = {b"\xff\xd8": "jpeg", b"\x89P": "png", b"GI": "gif", b"RI": "webp"}
    return f"data:image/{kinds[image[:2]]};base64,{base64.b64encode(image).decode('ascii')}"


def encoded(pixels: npt.NDArray[np.uint8], side_px: int) -> bytes:
    """Return pixels ``(H, W, 3)`` as an image file whose longer side has at most ``side_px`` pixels."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if max(image.size) <= _PNG_UP_TO_PX:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def need_jinja2() -> None:
    """Refuse, before the work, to write a page without what writes it.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise ConfigError(f"pages are written by jinja2, which is not installed: {INSTALL}")


@cache
def _environment() -> "Environment":
    need_jinja2()
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(
            lambda name: (files(__package__) / "templates" / name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, data_uri=data_uri)
    return environment


@cache
def _asset(name: str) -> str:
    """Return the text of a file in ``assets``; '' where there is none."""
    file = files(__package__) / "assets" / name
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _digest(text: str) -> str:
    """Return the source expression that allows this inline text: Content Security Policy Level 3, 2.3.1."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
