"""Group 4 fax data with changed bytes: libtiff decodes them and complains on the standard error stream."""

import io
import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import ImageError
from ding_cls.images.decoding.messages import decoder_messages
from ding_cls.images.image_io import as_rgb, load_rgb


def tiff(compression: str, *, changed: bool = True) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    stored = io.BytesIO()
    image = Image.fromarray(noise)
    (image.convert("1") if compression == "group4" else image).save(stored, "TIFF", compression=compression)
    content = bytearray(stored.getvalue())
    middle = len(content) // 2
    for place in range(middle - 60, middle + 60) if changed else ():
        content[place] ^= 0x5A
    return bytes(content)


@pytest.fixture
def spoilt(tmp_path):
    path = tmp_path / "fax.tif"
    path.write_bytes(tiff("group4"))
    return path


def test_what_libtiff_says_is_caught_and_nothing_is_printed(capfd):
    with decoder_messages() as messages, Image.open(io.BytesIO(tiff("group4"))) as image:
        image.load()
    assert len(messages) > 1
    assert messages[0].startswith("Fax4Decode: ")
    assert capfd.readouterr() == ("", "")


def test_outside_it_is_printed_as_ever(capfd):
    with decoder_messages():
        pass
    with Image.open(io.BytesIO(tiff("group4"))) as image:
        image.load()
    assert "Fax4Decode: " in capfd.readouterr().err


def test_an_image_that_is_read_all_the_same_is_named_with_the_message_once(spoilt, caplog, capfd):
    for _ in range(2):
        load_rgb(spoilt)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"'{spoilt}' is read, though its decoder says: Fax4Decode: ")
    assert record.getMessage().endswith(" lines more")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_an_image_that_is_not_read_says_it_in_its_error(tmp_path, capfd, caplog, compression):
    path = tmp_path / "a b.tif"
    path.write_bytes(tiff(compression))
    with pytest.raises(ImageError, match=r"a b.tif' is damaged \((Using code not yet|ZIPDecode: Decoding)"):
        load_rgb(path)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_an_image_that_the_caller_has_open_is_named_too(spoilt, caplog, capfd):
    with Image.open(spoilt) as image:
        as_rgb(image, label="image 7 of mine")
    (message,) = caplog.messages
    assert message.startswith("image 7 of mine is read, though its decoder says: Fax4Decode: ")
    assert capfd.readouterr() == ("", "")


def test_a_sound_image_says_nothing(tmp_path, caplog):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff("group4", changed=False))
    load_rgb(path)
    assert not caplog.records


def test_what_pillow_logs_as_an_error_is_caught_too(caplog):
    logger = logging.getLogger("PIL.TiffImagePlugin")
    with decoder_messages() as messages:
        logger.error("More samples per pixel than can be decoded: %s", 900)
    assert messages == ["More samples per pixel than can be decoded: 900"]
    assert not caplog.records
    logger.error("of others")
    assert len(caplog.records) == 1


def test_threads_catch_their_own(spoilt):
    counts: dict[int, bool] = {}

    def decode(number: int) -> None:
        with decoder_messages() as messages:
            if number % 2:
                with Image.open(spoilt) as image:
                    image.load()
            counts[number] = bool(messages)

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {number: bool(number % 2) for number in range(6)}


def test_warnings_stay_inside_in_every_thread_and_are_outside_as_they_were():
    done = []

    def decode():
        # As ``python -W error``, and as somebody who has filters of his own after the first image.
        for _ in range(2):
            with decoder_messages():
                warnings.warn("Corrupt EXIF data", stacklevel=1)
            with pytest.raises(UserWarning, match="of others"):
                warnings.warn("of others", stacklevel=1)
            warnings.simplefilter("error", UserWarning)
        done.append(True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode()
        thread = threading.Thread(target=decode)
        thread.start()
        thread.join()
    assert len(done) == 2


def test_warnings_outside_are_told_while_another_thread_decodes():
    with decoder_messages(), ThreadPoolExecutor(1) as other, pytest.warns(UserWarning, match="of others"):
        other.submit(warnings.warn, "of others").result()
