"""What sound files may be: every good form is read as one channel, every bad one is named by its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from burnish.config import Job, parse
from burnish.data.check import check
from burnish.data.load import load, usable
from burnish.data.rows import Rows
from burnish.data.sounds import decode, extent, must_be_whole, resampled
from burnish.errors import ConfigError, InputError, MissingExtra
from burnish.starter import guess
from tests import tiny_images, tiny_sounds
from tests.tiny_sounds import tone


def peak(wave: NDArray[np.float32], rate: int) -> float:
    """The loudest frequency."""
    return float(np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave))))) * rate / len(wave))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
def test_every_form_and_rate(kind: str, rate: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    given = np.sin(2 * np.pi * 700 * np.arange(rate) / rate).astype(np.float32) / 2
    soundfile.write(path, given, rate, format=kind)
    assert extent(path) == (rate, rate)
    found = decode(path, 16_000)
    assert found.dtype == np.float32
    assert len(found) == resampled(rate, rate, 16_000) == 16_000
    assert peak(found, 16_000) == pytest.approx(700, abs=3)
    assert np.abs(found[4000:12_000]).max() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("kind", "sample"), [("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("OGG", "OPUS")])
def test_every_kind_of_sample(kind: str, sample: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    soundfile.write(path, tone("low", 1, 16_000), 16_000, format=kind, subtype=sample)
    assert np.corrcoef(decode(path, 16_000), tone("low", 1, 16_000))[0, 1] > 0.95


def test_eight_channels_of_96_kilohertz_are_mixed(tmp_path: Path) -> None:
    one = tone("low", 1, 96_000, 0.5)
    soundfile.write(tmp_path / "a.wav", np.stack([one] * 4 + [0 * one] * 4, 1), 96_000)
    must_be_whole(tmp_path / "a.wav")
    found = decode(tmp_path / "a.wav", 16_000)
    assert found.shape == (8000,)
    assert np.abs(found).max() == pytest.approx(np.abs(one).max() / 2, rel=0.15)


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", tone("high", 1, seconds=1.0), 8000, format="MP3")
    (tmp_path / "a.mp3").rename(tmp_path / "a.wav")
    must_be_whole(tmp_path / "a.wav")
    assert peak(decode(tmp_path / "a.wav", 8000), 8000) > 1000


def test_the_rest_of_a_long_sound_is_not_decoded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone("low", 1, seconds=3.0), 8000)
    assert len(decode(tmp_path / "a.flac", 16_000, longest=0.5)) == 8000


def test_sounds_in_memory() -> None:
    wave = tone("low", 1)
    np.testing.assert_allclose(decode((wave, 8000), 8000), wave)
    np.testing.assert_allclose(decode(((wave * 32_768).astype(np.int16), 8000), 8000), wave, atol=1e-4)
    assert len(decode((wave.astype(np.float64), 16_000), 8000)) == resampled(len(wave), 16_000, 8000)
    for bad, word in (
        ((wave, 8000, 1), "samples a second"), ((wave, "8000"), "samples a second"), ((list(wave), 8000), "array"),
        ((np.stack([wave, wave]), 8000), "one channel"), ((wave.astype(np.int64), 8000), "int64"),
        ((wave[:0], 8000), "no samples"), ((wave, 10), "10 samples a second"), ((wave * np.nan, 8000), "no numbers"),
        ((wave * np.float32(1e9), 8000), "no sound"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=word):
            decode(bad, 8000)


def broken(place: Path) -> dict[str, str]:
    """Bad files and names in a folder, each with a word that its reason has to hold."""
    wave = tone("low", 1, 16_000, 2.0)
    for kind in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(place / f"whole.{kind}", wave, 16_000, format=kind.upper())
        whole = (place / f"whole.{kind}").read_bytes()
        (place / f"cut.{kind}").write_bytes(whole[: len(whole) // 2])
    soundfile.write(place / "zero.wav", wave[:0], 16_000)
    soundfile.write(place / "nan.wav", np.array([0.1, np.nan, 0.2] * 100, np.float32), 8000, subtype="FLOAT")
    soundfile.write(place / "inf.wav", np.array([0.1, np.inf, 0.2] * 100, np.float32), 8000, subtype="FLOAT")
    soundfile.write(place / "slow.wav", wave, 100)
    soundfile.write(place / "wide.wav", np.zeros((50, 100), np.float32), 8000)
    soundfile.write(place / "hours.flac", np.zeros(1000 * 3700, np.int16), 1000)
    soundfile.write(place / "other.wav", wave, 16_000, format="AIFF")
    (place / "text.wav").write_text("no sound at all", encoding="utf-8")
    (place / "empty.wav").write_bytes(b"")
    (place / "folder.wav").mkdir()
    tiny_images.picture("red", 1).save(place / "picture.wav", "PNG")
    return {
        "cut.wav": "cut short",
        "cut.flac": "cut short",
        "cut.ogg": "cut short",
        "cut.mp3": "cut short",
        "zero.wav": "no samples",
        "nan.wav": "no numbers",
        "inf.wav": "no numbers",
        "slow.wav": "100 samples a second",
        "wide.wav": "100 channels",
        "hours.flac": "3,700 seconds",
        "other.wav": "AIFF",
        "text.wav": "no sound",
        "empty.wav": "0 bytes",
        "folder.wav": "folder",
        "picture.wav": "no sound",
        "missing.wav": "no such file",
        "../outside.wav": "outside",
        "http://example.org/a.wav": "not fetched",
        "": "names no file",
    }


def whole(data: Path) -> tuple[Job, Rows]:
    columns = {} if data.is_dir() else {"audio": "clip", "label": "kind"}
    job = parse({"task": "classify", "data": {"train": str(data), "columns": columns, "split": {"dev": 0}}})
    return job, load(job)["train"]


def test_bad_files_are_named_by_row_and_left_out(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.mkdir()
    table = tiny_sounds.table(place)
    (tmp_path / "outside.wav").write_bytes((place / "clips/low/00.wav").read_bytes())
    reasons = broken(place)
    good = table.read_text(encoding="utf-8").count("\n") - 1
    with table.open("a", encoding="utf-8") as file:
        file.writelines(f"{name},low\n" for name in reasons)
    job, rows = whole(table)
    (finding,) = [f for f in check({"train": rows}, job, None) if f.name == "broken_files"]
    assert (finding.verdict, finding.count) == ("warn", len(reasons))
    assert "no audio that can be read" in finding.message
    assert finding.places[0].startswith(f"{table}:line {good + 2}: cut.wav: ")
    for row, (name, word) in zip(list(rows)[good:], reasons.items(), strict=True):
        assert word in row["fault"], name
        assert row["audio"] is None
    assert len(usable(rows, "classify")) == good


def test_a_set_with_nothing_to_read_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("clip,kind\nx.wav,a\ny.wav,b\nz.wav,a\n", encoding="utf-8")
    job, rows = whole(tmp_path / "a.csv")
    assert {f.name for f in check({"train": rows}, job, None) if f.verdict == "fail"} >= {"broken_files"}
    with pytest.raises(InputError, match="both a sound and a label"):
        usable(rows, "classify")


def test_a_folder_of_classes_and_a_folder_of_several_kinds(tmp_path: Path) -> None:
    data = tiny_sounds.folder(tmp_path / "data", 3)
    _, rows = whole(data)
    assert [row["label"] for row in rows] == ["high"] * 3 + ["low"] * 3
    assert all(Path(row["audio"]).is_file() for row in rows)
    tiny_images.picture("red", 1).save(data / "low" / "a.png")
    with pytest.raises(InputError, match=r"several kinds: 6 of the kind audio, 1 of the kind image"):
        whole(data)


def test_copies_are_found_by_their_content(tmp_path: Path) -> None:
    data = tiny_sounds.folder(tmp_path / "data", 6)
    (data / "high" / "99.wav").write_bytes((data / "low" / "00.wav").read_bytes())
    job, rows = whole(data)
    findings = {f.name: f for f in check({"train": rows}, job, None)}
    assert findings["duplicates"].count == 1
    assert findings["conflicting_labels"].count == 2


def test_init_knows_sounds(tmp_path: Path) -> None:
    table = tiny_sounds.table(tmp_path)
    for data, columns in ((table, {"audio": "clip", "label": "kind"}), (tmp_path / "clips", None)):
        started = guess(str(data))
        job = started.text
        assert started.task == "classify"
        assert "model: scratch" in job
        assert ("audio: clip" in job) == bool(columns)
    with pytest.raises(InputError, match="audio files, and not in two sub-folders"):
        guess(str(tmp_path / "clips" / "low"))


def test_other_tasks_refuse_sounds(tmp_path: Path) -> None:
    data = {"train": str(tiny_sounds.table(tmp_path)), "columns": {"audio": "clip", "label": "kind"}}
    with pytest.raises(InputError, match="a sound a row goes with classify, score"):
        load(parse({"task": "pair", "data": data}))
    with pytest.raises(ConfigError, match="did you mean 'audio'"):
        parse({"task": "classify", "data": {"train": "a", "columns": {"audi": "clip"}}})


def test_without_the_libraries_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_sounds.folder(tmp_path / "data", 1)
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(MissingExtra, match=r"burnish\[audio\]"):
        whole(data)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_no_damage_gets_past(kind: str, tmp_path: Path) -> None:
    path, chance, refused = tmp_path / "a", np.random.default_rng(0), 0
    soundfile.write(path, tone("low", 1), 8000, format=kind)
    given = path.read_bytes()
    for _ in range(40):
        damaged = bytearray(given)
        for place in chance.integers(0, len(damaged), 6):
            damaged[place] = chance.integers(256)
        path.write_bytes(damaged[: len(damaged) - int(chance.integers(0, 40))])
        try:
            must_be_whole(path)
            assert np.isfinite(decode(path, 16_000)).all()
        except InputError:
            refused += 1
    assert refused or kind == "WAV"
