"""Small image files of every kind that is read: modes, EXIF orientations, odd sizes."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((1, 1), (1, 2), (7, 3), (23, 24), (40, 31), (3, 120), (97, 2), (2, 300))


def write_images(folder: Path) -> list[Path]:
    """Write them, with random pixels; return their paths."""
    drawn = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []

    def save(name: str, image: Image.Image, **options: object) -> None:
        image.save(folder / name, **options)
        files.append(folder / name)

    def pixels(*shape: int, high: int = 256, dtype: str = "uint8") -> Image.Image:
        return Image.fromarray(drawn.integers(0, high, shape).astype(dtype))

    def floats(high: float) -> Image.Image:
        return Image.fromarray((drawn.random((21, 34)) * high).astype("float32"))

    for height, width in SIZES:
        save(f"{height}x{width}.png", pixels(height, width, 3))
        save(f"{height}x{width}.jpg", pixels(height, width, 3))
    rgb, rgba = pixels(21, 34, 3), pixels(21, 34, 4)
    for orientation in range(10):
        save(f"exif_{orientation}.jpg", rgb, exif=exif_of(orientation))
    save("exif_6.png", rgba, exif=exif_of(6))
    save("exif_damaged.jpg", rgb, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    palette = rgb.quantize(17)
    save("1.png", pixels(21, 34).convert("1"))
    save("L.jpg", pixels(21, 34))
    save("L_key.png", pixels(21, 34, high=4), transparency=2)
    save("LA.png", rgba.convert("LA"))
    save("P.png", palette)
    save("P_alpha.png", palette, transparency=bytes(range(0, 255, 15)))
    save("P_key.gif", palette, transparency=3)
    save("frames.gif", palette, save_all=True, append_images=[rgb.quantize(3)])
    save("RGB_key.png", rgb, transparency=rgb.getpixel((0, 0)))
    save("RGBA.png", rgba)
    save("RGBA.webp", rgba, lossless=True)
    save("RGB.bmp", rgb)
    save("RGB.ppm", rgb)
    save("RGB.jp2", rgb)
    save("no_ending", rgb, format="PNG")
    save("CMYK.jpg", rgb.convert("CMYK"))
    save("CMYK.tif", rgb.convert("CMYK"))
    save("LAB.tif", Image.frombytes("LAB", (34, 21), rgb.tobytes()))
    save("I16.png", pixels(21, 34, high=65536, dtype="uint16"))
    save("I16B.tif", Image.frombytes("I;16B", (34, 21), drawn.bytes(2 * 21 * 34)))
    save("I.tif", pixels(21, 34, high=65536, dtype="int32"))
    save("F_unit.tif", floats(1))
    save("F_bytes.tif", floats(255))
    return files


def exif_of(orientation: int) -> Image.Exif:
    """Return EXIF with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
