"""What the HTTP process and the model processes say to each other: frames of bytes over a socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence

HELLO, BATCH, ANSWER, FAILED = range(4)  # ready; inputs; predictions; why there are none
_HEAD = struct.Struct("<IIB")  # bytes that follow, number of the batch, kind
_ABOUT = struct.Struct("<IfII")  # parts, milliseconds, tokens, tokens with padding

Frame = tuple[int, int, bytes]  # number, kind, content


def frame(number: int, kind: int, content: bytes) -> bytes:
    """A frame as it is sent."""
    return _HEAD.pack(len(content), number, kind) + content


class Frames:
    """Frames out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _HEAD.size:
            size, number, kind = _HEAD.unpack_from(rest, at)
            end = at + _HEAD.size + size
            if len(rest) < end:
                break
            yield number, kind, bytes(rest[at + _HEAD.size : end])
            at = end
        del rest[:at]


def read(place: socket.socket) -> Frame | None:
    """Wait for the next frame; None when the other side is gone."""
    head = _exactly(place, _HEAD.size)
    if head is None:
        return None
    size, number, kind = _HEAD.unpack(head)
    content = _exactly(place, size)
    return None if content is None else (number, kind, content)


def _exactly(place: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        try:
            data = place.recv(min(size - len(found), 1 << 20))
        except ConnectionError:
            return None
        if not data:
            return None
        found += data
    return bytes(found)


def joined(parts: Sequence[bytes], milliseconds: float, tokens: int, padded: int) -> bytes:
    """The content of an answer: one part for each input, and what it took."""
    lengths = struct.pack(f"<{len(parts)}I", *map(len, parts))
    return b"".join((_ABOUT.pack(len(parts), milliseconds, tokens, padded), lengths, *parts))


def parted(content: bytes) -> tuple[list[bytes], float, int, int]:
    """The parts of an answer, its milliseconds, its tokens, and its tokens with padding."""
    count, milliseconds, tokens, padded = _ABOUT.unpack_from(content)
    lengths = struct.unpack_from(f"<{count}I", content, _ABOUT.size)
    at, parts = _ABOUT.size + 4 * count, []
    for length in lengths:
        parts.append(content[at : at + length])
        at += length
    return parts, milliseconds, tokens, padded
