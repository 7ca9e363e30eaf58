"""Image files to arrays of bytes: every form a file may have becomes RGB, and what is no image is said."""

from __future__ import annotations

import base64
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL import TiffImagePlugin as _tiff
from PIL import WebPImagePlugin as _webp  # noqa: F401 (to know the format)

from burnish.errors import InputError

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
LARGEST = 80_000_000  # pixels: 240 MB when decoded; below the size at which Pillow warns
_PIECE = 1 << 18  # pixels of more than 8 bits that are brought to 8 at a time
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # no format that starts another program
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)
_ALSO_BROKEN = (struct.error, zlib.error, MemoryError, Image.DecompressionBombError)
_TURN, _LYING = 0x0112, (5, 6, 7, 8)  # number of the turn among what a camera notes, and turns by a quarter
Pixels = NDArray[np.uint8]
_lock, _at_work = threading.Lock(), 0
_before = warnings.catch_warnings()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings, which are of what is refused here anyway and of odd metadata.

    What is warned of is one setting for all threads, so that the first of them changes it and the last puts it back.
    """
    global _at_work, _before
    with _lock:
        _at_work += 1
        if _at_work == 1:
            _before = warnings.catch_warnings()
            _before.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _lock:
            _at_work -= 1
            if not _at_work:
                _before.__exit__(None, None, None)


def decode(given: Any, draft: int | None = None) -> Image.Image:
    """The RGB image in a file, in the bytes of one, in an open Pillow image, or in an array (height, width, 3) or
    (height, width) of bytes.

    The turn that a camera noted is carried out; of several frames the first is read; what is transparent becomes
    white; 16 bits become 8.

    Args:
        draft: a JPEG may be decoded at a reduced size, with sides no shorter than this.

    Raises:
        InputError: for what is no whole image, or has more than 80 million pixels, which is seen before they are
            decoded. The message says what is wrong, not where.
    """
    if isinstance(given, np.ndarray):
        return _of_array(given)
    if isinstance(given, bytes):
        given = io.BytesIO(given)
    try:
        with _quiet():
            image = given if isinstance(given, Image.Image) else Image.open(given, formats=_FORMATS)
            _must_be_small(image)
            if draft and image.format == "JPEG":
                image.draft("RGB", (draft, draft))
            image.load()
            lent = image is given  # and is handed back as it was
            turned = lent or image.getexif().get(_TURN, 1) != 1
            return _rgb(ImageOps.exif_transpose(image) if turned else image)
    except FileNotFoundError:
        raise InputError("there is no such file") from None
    except IsADirectoryError:
        raise InputError("it is a folder") from None
    except Image.DecompressionBombError:
        raise InputError(f"it has more than {LARGEST:,} pixels") from None
    except UnidentifiedImageError:
        size = Path(given).stat().st_size if isinstance(given, str | Path) else given.getbuffer().nbytes
        raise InputError("it is empty (0 bytes)" if not size else "it is no image in a known format") from None
    except _BROKEN + _ALSO_BROKEN as error:
        raise InputError(f"it is damaged or cut short ({str(error) or type(error).__name__})") from None


def size(given: Any) -> tuple[int, int]:
    """Width and height of the upright image in what `decode` takes, without decoding it.

    Raises:
        InputError: as `decode`, as far as it can be seen.
    """
    if isinstance(given, np.ndarray):
        return _of_array(given).size
    (width, height), turn = stored(given)
    return (height, width) if turn in _LYING else (width, height)


def stored(given: Any) -> tuple[tuple[int, int], int]:
    """Width and height of an image as it is stored, and how a camera noted that it is to be turned; 1 is not at all."""
    if isinstance(given, bytes):
        given = io.BytesIO(given)
    try:
        with _quiet():
            image = given if isinstance(given, Image.Image) else Image.open(given, formats=_FORMATS)
            turn = int(image.getexif().get(_TURN, 1))
            if isinstance(image, _tiff.TiffImageFile) and turn in _LYING:  # its size may be that of the upright one
                return (image.tag_v2[_tiff.IMAGEWIDTH], image.tag_v2[_tiff.IMAGELENGTH]), turn
            return image.size, turn
    except Image.DecompressionBombError:
        raise InputError(f"it has more than {LARGEST:,} pixels") from None
    except (FileNotFoundError, *_BROKEN, *_ALSO_BROKEN) as error:
        raise InputError(f"it is no whole image ({str(error) or type(error).__name__})") from None


def upright(edges: tuple[float, ...], shape: tuple[int, int], turn: int) -> tuple[float, ...]:
    """Left, top, right and bottom of a box in an image of this width and height as stored, in the turned one."""
    left, top, right, bottom = edges
    width, height = shape
    if turn in (2, 3, 7, 8):
        left, right = width - right, width - left
    if turn in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if turn in _LYING else (left, top, right, bottom)


def _must_be_small(image: Image.Image) -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise InputError(f"it has {width:,} by {height:,} pixels, more than {LARGEST:,}")
    if not width or not height:
        raise InputError("it has no pixels")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _of_numbers(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def _of_numbers(values: NDArray[Any]) -> Image.Image:
    """Greyscale of more than 8 bits: from 0 to 65,535, or to 255 or 1 where no value is larger."""
    top = float(values.max(initial=0))
    if not np.isfinite(values).all():
        raise InputError("it holds values that are no numbers")
    full = 1.0 if values.dtype.kind == "f" and top <= 1 else 255.0 if values.dtype.kind == "f" and top <= 255 else 65535
    grey = np.empty(values.shape, np.uint8)
    given, made = values.reshape(-1), grey.reshape(-1)
    for start in range(0, len(made), _PIECE):
        piece = slice(start, start + _PIECE)
        made[piece] = np.clip(given[piece].astype(np.float64) * (255.0 / full) + 0.5, 0, 255)
    return Image.fromarray(grey).convert("RGB")


def _of_array(values: NDArray[Any]) -> Image.Image:
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,)):
        said = f"an array of {values.dtype} and shape {values.shape}"
        raise InputError(f"it is {said}; give bytes (uint8) of shape (height, width, 3)")
    if not values.size or values.shape[0] * values.shape[1] > LARGEST:
        raise InputError(f"it is an array of shape {values.shape}; it must hold 1 to {LARGEST:,} pixels")
    return Image.fromarray(values).convert("RGB")


def png(image: Image.Image) -> str:
    """A PNG file of an image, as base64."""
    written = io.BytesIO()
    image.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()
