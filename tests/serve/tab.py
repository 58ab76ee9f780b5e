"""A page in a browser, and the files that are given to it."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tests.serve.toy import painted

TOO_WIDE = """
[...document.querySelectorAll('body *')].filter((each) => each.getClientRects().length
  && each.getBoundingClientRect().right > innerWidth + 0.5).map((each) => each.outerHTML.slice(0, 200))
"""
HAND_OVER = """
([kind, files]) => {
  const holder = new DataTransfer();
  for (const [name, type, text] of files) {
    holder.items.add(new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name, { type }));
  }
  const [Event, key] = kind === "paste" ? [ClipboardEvent, "clipboardData"] : [DragEvent, "dataTransfer"];
  document.body.dispatchEvent(new Event(kind, { [key]: holder, bubbles: true, cancelable: true }));
}
"""
File = tuple[str, str, bytes]


class Tab:
    """A page in a browser, with what it said on its console and what it asked for."""

    def __init__(self, browser: Any, address: str, *, width: int = 1000, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.address, self.asked = address, list[str]()
        self.faults: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def choose(self, *files: File) -> None:
        self.page.set_input_files(
            "#files", [{"name": name, "mimeType": kind, "buffer": body} for name, kind, body in files]
        )

    def hand_over(self, kind: str, *files: File) -> None:
        """Drop files on the page, or paste them."""
        coded = [(name, of, base64.b64encode(body).decode()) for name, of, body in files]
        self.page.evaluate(HAND_OVER, [kind, coded])

    def card(self, name: str) -> Any:
        """Return the card of a file, once it has its answer."""
        self.page.wait_for_selector(f'article[aria-label="{name}"][aria-busy="false"]')
        return self.page.get_by_role("article", name=name, exact=True)

    def status(self) -> str:
        return str(self.page.locator("#status").inner_text())

    def close(self, *, statuses: Sequence[int] = ()) -> None:
        """Nothing was said but that the server answered so, nothing asked of others, nothing is too wide."""
        told = [f"the server responded with a status of {status}" for status in statuses]
        assert [each for each in self.faults if not any(words in each for words in told)] == []
        own = (self.address, f"blob:{self.address}", "data:image/svg+xml,")
        assert [each for each in self.asked if not each.startswith(own)] == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert self.page.evaluate(TOO_WIDE) == []
        self.context.close()


def shown(card: Any) -> tuple[str, float]:
    """Return label and score in the heading of a card."""
    return card.locator("h2 bdi").inner_text(), float(card.locator("h2 .score").inner_text())


def png(red: int, green: int, blue: int, name: str = "picture.png") -> File:
    return name, "image/png", painted(red, green, blue)


def in_all_forms() -> list[File]:
    """Return a picture as JPEG, PNG, grey, RGBA, CMYK, turned by EXIF and of 16 bits."""
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:20] = (250, 90, 20, 255)
    pixels[20:, :30] = (30, 60, 220, 120)
    image = Image.fromarray(pixels)
    turned = Image.Exif()
    turned[0x0112] = 6
    forms: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "plain.jpg": (image.convert("RGB"), "jpeg", {}),
        "plain.png": (image.convert("RGB"), "png", {}),
        "grey.png": (image.convert("L"), "png", {}),
        "clear.png": (image, "png", {}),
        "print.jpg": (image.convert("CMYK"), "jpeg", {}),
        "turned.jpg": (image.convert("RGB"), "jpeg", {"exif": turned}),
        "deep.png": (Image.fromarray((pixels[..., 0].astype(np.uint16)) * 257), "png", {}),
    }
    files = []
    for name, (form, kind, options) in forms.items():
        file = io.BytesIO()
        form.save(file, kind, **options)
        files.append((name, f"image/{kind}", file.getvalue()))
    return files
