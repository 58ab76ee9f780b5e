"""Any image file as RGB, by NumPy and Pillow alone: how an exported model's own file of Python opens images.

It gives the pixels of `ding_cls.images.load_rgb`, bit by bit, and must not need the rest of this library.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageCms

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "JPEG2000", "PPM", "AVIF")
TURNS: Any = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # of EXIF's orientation, for transpose


def open_rgb(file: Any) -> Any:
    """Return a file's first frame, upright, as RGB of 8 bits; what is transparent becomes white."""
    image: Any = Image.open(file, formats=FORMATS)
    with image:
        image.load()
    try:
        turn = TURNS.get(int(image.getexif().get(0x0112, 1)))
    except Exception:  # a damaged EXIF block counts as none
        turn = None
    if image.mode == "F" or image.mode.startswith("I"):
        grey, limit = np.asarray(image), 255 if image.mode == "F" else 65535
        if not 0 <= grey.min() <= grey.max() <= limit:
            raise ValueError(f"{file}: grey values from {grey.min()} to {grey.max()} have no meaning")
        grey = grey / 257 if limit == 65535 else grey * 255 if grey.max() <= 1 else grey
        image = Image.fromarray(np.rint(grey).astype(np.uint8))
    elif image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    elif image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    return image if turn is None else image.transpose(turn)
