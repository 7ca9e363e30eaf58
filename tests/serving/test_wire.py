"""Frames between processes survive any cut, and a lost end is noticed."""

from __future__ import annotations

import socket

import pytest

from burnish.serving import wire


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_frames_come_whole_out_of_pieces(step: int) -> None:
    sent = [(1, wire.BATCH, b"[1]"), (2, wire.ANSWER, b""), (1 << 31, wire.FAILED, b"x" * 300)]
    data = b"".join(wire.frame(*one) for one in sent)
    frames = wire.Frames()
    found = [one for start in range(0, len(data), step) for one in frames.feed(data[start : start + step])]
    assert found == sent


def test_an_answer_keeps_its_parts() -> None:
    parts = [b"+{}", b"", "+北京".encode()]
    assert wire.parted(wire.joined(parts, 1.5, 40, 64)) == (parts, 1.5, 40, 64)
    assert wire.parted(wire.joined([], 0.0, 0, 0)) == ([], 0.0, 0, 0)


def test_a_lost_end_is_noticed_in_the_middle_of_a_frame() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.frame(7, wire.BATCH, b"[]"))
        theirs.sendall(wire.frame(8, wire.BATCH, b"[1, 2]")[:-2])
        theirs.close()
        assert wire.read(ours) == (7, wire.BATCH, b"[]")
        assert wire.read(ours) is None
