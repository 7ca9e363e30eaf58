"""What video files may be: frames of every good form at the right moments, every bad one named by its row."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av")

from burnish.data import video  # noqa: E402
from burnish.data.check import check  # noqa: E402
from burnish.data.load import load, usable  # noqa: E402
from burnish.errors import InputError, MissingExtra  # noqa: E402
from tests import tiny_videos  # noqa: E402


def ramp(count: int = 48, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Frames that grow brighter from one to the next, so that each is told by its mean."""
    levels = np.linspace(20, 235, count).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, *size, 3)).copy()


def means(given: object, count: int) -> list[float]:
    return [float(np.asarray(frame).mean()) for frame in video.frames(given, count)]


FORMS = {
    "a.mp4": ("mpeg4", {}), "b.mp4": ("libx264", {}), "c.mov": ("libx264", {}), "d.avi": ("mpeg4", {}),
    "e.mkv": ("libx264", {}), "f.webm": ("libvpx-vp9", {}), "g.m2ts": ("mpeg2video", {"format": "mpegts"}),
    "i.flv": ("flv", {}), "j.wmv": ("wmv2", {"format": "asf"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_frames_of_its_moments(name: str, tmp_path: Path) -> None:
    codec, options = FORMS[name]
    clip = ramp(48)
    if "mpeg2" in codec:
        options = {**options, "rate": 24}  # it knows no 12 frames a second
    path = tiny_videos.written(tmp_path / name, clip, codec, **options)
    seconds = 48 / int(str(options.get("rate", 12)))
    assert video.extent(path) == (pytest.approx(seconds, abs=0.1), (64, 48))
    for count in (1, 5, 16):
        wanted = clip[((np.arange(count) + 0.5) * 48 / count).astype(int), 0, 0, 0]
        assert means(path, count) == pytest.approx(wanted.tolist(), abs=8)  # a frame is 4.6 brighter than the last
    assert means(path.read_bytes(), 5) == means(path, 5)
    video.must_be_whole(path)


def test_going_to_a_frame_gives_what_decoding_all_gives(tmp_path: Path) -> None:
    path = tiny_videos.written(tmp_path / "a.mp4", ramp(240), "libx264", gop=10)
    with av.open(str(path)) as container:
        every = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for count in (1, 3, 7):
        wanted = [every[int((place + 0.5) * 240 / count)] for place in range(count)]
        assert all(np.array_equal(a, b) for a, b in zip(video.frames(path, count), wanted, strict=True))


def test_few_frames_are_shown_again(tmp_path: Path) -> None:
    path = tiny_videos.written(tmp_path / "a.mp4", ramp(2))
    found = means(path, 6)
    assert found[0] == found[2] != found[3] == found[5]
    assert len(means(tiny_videos.written(tmp_path / "b.mp4", ramp(1)), 4)) == 4


def test_the_turn_of_the_camera_is_carried_out(tmp_path: Path) -> None:
    clip = np.zeros((4, 32, 64, 3), np.uint8)
    clip[:, :16, :16] = 255  # a white corner, at the top on the left
    turned = tiny_videos.written(tmp_path / "a.mp4", clip, turn=-90)  # to be shown turned by 90 degrees clockwise
    (frame,) = video.frames(turned, 1)
    assert frame.size == (32, 64)
    values = np.asarray(frame)
    assert values[4:12, 20:28].min() > 200, "at the top on the right"
    assert values[40:, :].max() < 50


def test_an_animation_and_what_is_transparent(tmp_path: Path) -> None:
    shown = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    shown[0].save(tmp_path / "a.gif", save_all=True, append_images=shown[1:], duration=200)
    assert [frame.getpixel((5, 5)) for frame in video.frames(tmp_path / "a.gif", 3)] == [
        (254, 0, 0), (0, 255, 0), (0, 0, 254)
    ] or [max(range(3), key=frame.getpixel((5, 5)).__getitem__) for frame in video.frames(tmp_path / "a.gif", 3)] == [
        0, 1, 2
    ]  # fmt: skip
    clear = [Image.new("P", (20, 10), 0) for _ in range(2)]
    clear[1].putpixel((0, 0), 1)
    clear[0].save(tmp_path / "b.gif", save_all=True, append_images=clear[1:], transparency=0, disposal=2)
    (frame,) = video.frames(tmp_path / "b.gif", 1)
    assert frame.getpixel((10, 5)) == (255, 255, 255)


def test_a_recording_that_states_no_length(tmp_path: Path) -> None:
    held = io.BytesIO()

    class Stream:  # what cannot be gone back in, as what a browser writes
        def write(self, data: bytes) -> int:
            return held.write(bytes(data))

    tiny_videos.written(Stream(), ramp(24), "libvpx-vp9", format="webm")  # type: ignore[arg-type]
    with av.open(io.BytesIO(held.getvalue())) as container:
        assert container.duration is None
    assert means(held.getvalue(), 3) == pytest.approx(ramp(24)[[4, 12, 20], 0, 0, 0].tolist(), abs=8)


def test_frames_in_memory() -> None:
    clip = ramp(10)
    assert means(clip, 5) == clip[[1, 3, 5, 7, 9], 0, 0, 0].tolist()
    assert video.extent(clip) == (10.0, (64, 48))
    for bad in (clip[0], clip.astype(float), clip[:0], clip[..., :2]):
        with pytest.raises(InputError, match="frames, height, width, 3"):
            list(video.frames(bad, 2))


_PEAK = """
import resource, sys
from burnish.data import video
for path in sys.argv[1:]:
    video.must_be_whole(path)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.m2ts"])
def test_ten_minutes_take_no_more_memory_than_ten_seconds(name: str, tmp_path: Path) -> None:
    """Of a transport stream every frame is decoded, as it has no list of them; all of them would be 830 MB as RGB."""
    scene, form = ramp(24, (120, 160)), {"format": "mpegts"} if name.endswith("m2ts") else {}
    short, long = (tiny_videos.looped(tmp_path / f"{times}-{name}", scene, times, **form) for times in (10, 600))
    assert video.extent(short)[0] == pytest.approx(10, abs=0.2)
    assert video.extent(long)[0] == pytest.approx(600, abs=0.2)
    run = subprocess.run([sys.executable, "-c", _PEAK, short, long], capture_output=True, text=True, check=True)
    first, second = map(int, run.stdout.split())
    assert second - first < 16_000, "kilobytes"


def wave(path: Path) -> None:
    """A file without pictures."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def broken(folder: Path) -> dict[str, str]:
    """Bad files in a folder, each with words that its reason has to hold."""
    whole = tiny_videos.written(folder / "whole.bin", ramp(48), "libx264", format="mp4").read_bytes()
    early = {"options": {"movflags": "faststart"}, "format": "mp4"}  # what it holds is told at its beginning
    started = tiny_videos.written(folder / "early.bin", ramp(48), "libx264", **early).read_bytes()
    table = tiny_videos.written(folder / "avi.bin", ramp(48), format="avi").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "early.mp4").write_bytes(started[: len(started) * 3 // 4])
    (folder / "cut.avi").write_bytes(table[: len(table) * 2 // 3])
    (folder / "text.mp4").write_text("no video at all", encoding="utf-8")
    (folder / "empty.mp4").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(folder / "image.mp4", "PNG")
    wave(folder / "sound.mp4")
    tiny_videos.written(folder / "large.mp4", np.zeros((1, 2600, 4000, 3), np.uint8))
    tiny_videos.written(folder / "odd.avi", ramp(3), "ffvhuff")
    tiny_videos.looped(folder / "long.mp4", ramp(12), 2, apart=3700)
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile whole.bin\n", encoding="utf-8")
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:4,\nwhole.bin\n#EXT-X-ENDLIST\n", encoding="utf-8")
    (folder / "folder.mp4").mkdir()
    return {
        "cut.mp4": "cut short",
        "early.mp4": "cut short",
        "cut.avi": "cut short",
        "text.mp4": "no video",
        "empty.mp4": "0 bytes",
        "image.mp4": "no video",
        "sound.mp4": "no pictures",
        "large.mp4": "4,000 by 2,600 pixels",
        "odd.avi": "written as ffvhuff",
        "long.mp4": "seconds long",
        "list.mp4": "no video",
        "list.m3u8": "no video",
        "folder.mp4": "folder",
        "missing.mp4": "no such file",
        "http://example.org/a.mp4": "not fetched",
        "../outside.mp4": "outside",
    }


def test_bad_files_are_named_by_row_and_left_out(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.mkdir()
    table = tiny_videos.table(place, 4)
    reasons = broken(place)
    with table.open("a", encoding="utf-8") as file:
        file.writelines(f"{name},red\n" for name in reasons)
    given = tiny_videos.job(tmp_path, table)
    job = given.model_copy(update={"data": given.data.model_copy(update={"split": type(given.data.split)(dev=0.0)})})
    parts = load(job)
    (finding,) = [f for f in check(parts, job, None) if f.name == "broken_files"]
    assert (finding.verdict, finding.count) == ("warn", len(reasons))
    assert finding.places[0].startswith(f"{table}:line 10: cut.mp4: ")
    for row, (name, word) in zip(list(parts["train"])[8:], reasons.items(), strict=True):
        assert word in row["fault"], (name, row["fault"])
        assert row["video"] is None
    assert len(usable(parts["train"], "classify")) == 8


def test_no_damage_gets_past(tmp_path: Path) -> None:
    chance, refused = np.random.default_rng(0), 0
    for codec, ending in (("mpeg4", "avi"), ("libx264", "mp4"), ("libvpx-vp9", "webm")):
        whole = tiny_videos.written(tmp_path / f"a.{ending}", ramp(12), codec).read_bytes()
        for _ in range(25):
            damaged = bytearray(whole)
            for place in chance.integers(0, len(damaged), 8):
                damaged[place] = chance.integers(256)
            try:
                assert all(frame.mode == "RGB" for frame in video.frames(bytes(damaged), 4))
            except InputError:
                refused += 1
    assert refused


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"burnish\[video\]"):
        list(video.frames(b"anything", 2))
