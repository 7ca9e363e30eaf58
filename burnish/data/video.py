"""Video files to single frames: those shown at some moments, found without holding or decoding all of a file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from burnish.data.images import decode
from burnish.errors import InputError
from burnish.extras import need

ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".3gp", ".m2ts")
LARGEST = 10_000_000  # pixels of a frame: 4K; a decoder keeps up to 16 of them
LONGEST = 3600  # seconds
# No format that opens other files, as playlists do, and no decoder but those of usual files.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,ogg,flv,asf"
_CODECS = (
    "h264,hevc,vp8,vp9,av1,libdav1d,mpeg4,mpeg1video,mpeg2video,msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,h263,flv,"
    "theora,mjpeg,gif,prores,dvvideo,rawvideo,ffv1"
)
_HEADS = (b"RIFF", b"\x1a\x45\xdf\xa3", b"GIF8", b"OggS", b"FLV\x01")  # of files that are videos, if they are whole
_PROBED = 4  # times the largest: what is asked for a frame while a file is opened, before its size can be told
_LOOKED_AT = 16  # moments at which a file is looked at, beside its end
_MARGIN = 0.5  # seconds before a moment at which decoding starts at the latest: frames are not stored in their order
_SPARE = (0.2, 0.02)  # seconds, and share, by which a stated length may be wrong
_BROKEN = (OSError, ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, MemoryError)


def frames(given: Any, count: int) -> Iterator[Image.Image]:
    """The RGB frames that are shown in the middle of `count` equal stretches of a video, upright, one after another.

    Args:
        given: a file, the bytes of one, or an array (frames, height, width, 3) of bytes.

    Raises:
        InputError: for what is no whole video, is longer than an hour, or has frames of more than 10 million pixels,
            which is seen before one is decoded. The message says what is wrong, not where.
        MissingExtra: when PyAV is not installed.
    """
    if isinstance(given, np.ndarray):
        yield from (
            decode(frame) for frame in _of_array(given)[((np.arange(count) + 0.5) * len(given) / count).astype(int)]
        )
        return
    with _opened(given) as clip:
        yield from map(_upright, _shown(clip, ((place + 0.5) * clip.seconds / count for place in range(count))))


def must_be_whole(path: Path) -> None:
    """Decode frames from all over a file and its end, and keep none.

    Raises:
        InputError: as `frames` does, and for a file that was cut short.
    """
    with _opened(path) as clip:
        moments = [place * clip.seconds / _LOOKED_AT for place in range(_LOOKED_AT + 1)]
        for _ in _shown(clip, moments):
            pass


def extent(given: Any) -> tuple[float, tuple[int, int]]:
    """Seconds of a video, and width and height of its frames as they are stored; an array has a second a frame.

    Raises:
        InputError: as `frames` does.
    """
    if isinstance(given, np.ndarray):
        held = _of_array(given)
        return float(len(held)), (held.shape[2], held.shape[1])
    with _opened(given) as clip:
        context = clip.stream.codec_context
        return clip.seconds, (context.width, context.height)


@dataclass(frozen=True)
class _Clip:
    """An open file, its one stream of pictures, where this begins in its own ticks, and how long it is."""

    container: Any
    stream: Any
    start: int
    seconds: float

    def ticks(self, seconds: float) -> int:
        return self.start + round(seconds / float(self.stream.time_base))


def _shown(clip: _Clip, moments: Iterable[float]) -> Iterator[Any]:
    """The frame that is shown at each of some moments, in seconds, ascending. No more than two are held.

    Where a frame that others do not lead to stands between here and the next moment, decoding goes on from there.
    """
    source = _decoded(clip)
    held, coming = None, next(source, None)
    if coming is None:
        raise InputError("it has no frames")
    for moment in moments:
        wanted, near = clip.ticks(moment), clip.ticks(moment - _MARGIN)
        key = clip.stream.index_entries.search_timestamp(near, backward=True, any_frame=False)
        at = clip.stream.index_entries[key].timestamp if key >= 0 else clip.start
        if coming is not None and at > coming[0]:
            clip.container.seek(at, stream=clip.stream)
            source = _decoded(clip)
            held, coming = None, next(source, None)
        while coming is not None and (held is None or coming[0] <= wanted):
            held, coming = coming, next(source, None)
        if held is None or (coming is None and wanted > held[0]):
            _must_reach(clip, held, moment)
        assert held is not None
        yield held[1]


def _decoded(clip: _Clip) -> Iterator[tuple[int, Any]]:
    """Frames with the ticks at which they are shown, also where a file does not say these."""
    last, step = None, clip.ticks(1 / float(clip.stream.average_rate or 25)) - clip.start
    for frame in clip.container.decode(clip.stream):
        _must_fit(frame.width, frame.height)
        at = frame.pts if frame.pts is not None else clip.start if last is None else last + step
        last = at
        yield at, frame


def _must_reach(clip: _Clip, held: Any, moment: float) -> None:
    """Refuse a file whose frames end before one of its moments."""
    end = 0.0
    if held is not None:
        shown = max(held[1].duration or 0, clip.ticks(1 / float(clip.stream.average_rate or 25)) - clip.start)
        end = (held[0] + shown - clip.start) * float(clip.stream.time_base)
    if held is None or moment > end + _SPARE[0] + _SPARE[1] * clip.seconds:
        raise InputError(f"it is cut short: {end:,.1f} of {clip.seconds:,.1f} seconds are there")


@contextmanager
def _opened(given: Any) -> Iterator[_Clip]:
    av = need("av", "video")
    head = b""
    try:
        with io.BytesIO(given) if isinstance(given, bytes) else open(os.fspath(given), "rb") as file:
            head = file.read(12)
            if not head:
                raise InputError("it is empty (0 bytes)")
            file.seek(0)
            limits = {"format_whitelist": _FORMATS, "codec_whitelist": _CODECS, "max_pixels": str(_PROBED * LARGEST)}
            with av.open(file, options=limits) as container:
                yield _clip(container)
    except FileNotFoundError:
        raise InputError("there is no such file") from None
    except IsADirectoryError:
        raise InputError("it is a folder") from None
    except _BROKEN as error:
        if not isinstance(error, av.error.FFmpegError) or head[4:8] == b"ftyp" or head.startswith(_HEADS):
            large = f"or its frames have more than {LARGEST:,} pixels"
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            said = large if isinstance(error, av.error.ArgumentError) else said
            raise InputError(f"it is damaged or cut short ({said})") from None
        raise InputError("it is no video in a known format") from None


def _clip(container: Any) -> _Clip:
    """The pictures of an open file, once they are known to be no larger and no longer than is read."""
    stream = next((one for one in container.streams.video if not one.disposition & one.disposition.attached_pic), None)
    if stream is None:
        raise InputError("it holds no pictures that move")
    context = stream.codec_context
    if context is None or context.name not in _CODECS.split(","):
        raise InputError(
            f"its pictures are written as {getattr(context, 'name', 'something unknown')}, which is not read"
        )
    _must_fit(context.width, context.height)
    context.options = {"max_pixels": str(LARGEST)}
    context.thread_type = "AUTO"
    if container.format.name.startswith("matroska"):
        container.seek(0)  # it reads where its frames are only when asked to go somewhere
    start = stream.start_time or 0
    seconds = _seconds(container, stream, start)
    if seconds > LONGEST:
        raise InputError(f"it is {seconds:,.0f} seconds long, more than is read: {LONGEST:,} seconds")
    return _Clip(container, stream, start, seconds)


def _seconds(container: Any, stream: Any, start: int) -> float:
    """The stated length, or where there is none, as in what a browser records, that of all packets."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return float(container.duration) / 1e6
    end = start
    for packet in container.demux(stream):
        if packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0))
    container.seek(start, stream=stream)
    return float((end - start) * stream.time_base)


def _must_fit(width: int, height: int) -> None:
    if width * height > LARGEST:
        raise InputError(f"its frames have {width:,} by {height:,} pixels, more than {LARGEST:,}")


def _upright(frame: Any) -> Image.Image:
    """A frame as RGB, turned as a camera noted; what is transparent becomes white."""
    see_through = any(part.is_alpha for part in frame.format.components)
    image = decode(Image.fromarray(frame.to_ndarray(format="rgba" if see_through else "rgb24")))
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _of_array(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[3] != 3 or not values.size:
        said = f"an array of {values.dtype} and shape {values.shape}"
        raise InputError(f"it is {said}; give bytes (uint8) of shape (frames, height, width, 3)")
    _must_fit(values.shape[2], values.shape[1])
    return values
