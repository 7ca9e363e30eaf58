"""Sounds as networks want them: the same as transformers' own extractors give, kept once, and varied at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from burnish.config import Tune, parse
from burnish.data import disturb as disturbing
from burnish.data.disturb import Disturb
from burnish.data.features import Batch, collate
from burnish.data.heard import Heard, Kept
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.data.spectrogram import BANDS, OWN, Kaldi, Own, Wave, Whisper, form_of
from burnish.data.waves import Waves
from burnish.device import generator
from burnish.errors import InputError
from burnish.models.sound import Levelled
from tests import tiny_sounds

OWN_8K = {"feature_extractor_type": OWN, "sampling_rate": 8000, "longest": 10.24}


def rows(tmp_path: Path, count: int = 4) -> Rows:
    data = tiny_sounds.folder(tmp_path / "data", count)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


def noise(samples: int) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("samples", [400, 5001, 16_000, 200_000])
def test_bands_of_kaldi_are_those_of_transformers(samples: int) -> None:
    from transformers import ASTFeatureExtractor

    theirs = ASTFeatureExtractor(do_normalize=False)(noise(samples), sampling_rate=16_000, return_tensors="np")
    form, found = Kaldi(16_000, 128, 1024), Kaldi(16_000, 128, 1024).of(noise(samples))
    assert len(found) == form.frames(samples) == form.rows(samples)
    np.testing.assert_allclose(found, theirs["input_values"][0][: len(found)], atol=1e-3)
    assert not theirs["input_values"][0][len(found) :].any()


@pytest.mark.parametrize("samples", [150, 5000, 16_159, 31_900, 40_000])
def test_bands_of_whisper_are_those_of_transformers(samples: int) -> None:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(chunk_length=2)
    theirs = extractor(noise(samples), sampling_rate=16_000, return_tensors="np")["input_features"][0].T
    form = Whisper(16_000, 80, 2)
    found = form.of(noise(samples))
    assert len(found) == form.rows(samples)
    whole = np.concatenate([found, np.repeat(found[-1:], form.fixed - len(found), 0)])
    np.testing.assert_allclose(whole, theirs, atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_own_bands_are_full_and_follow_the_pitch(rate: int) -> None:
    form = Own(rate)
    found = form.of(noise(rate))
    assert found.shape == (form.frames(rate), BANDS) == (100, 64)
    assert (found.mean(0) > found.max() - 6).all(), "no band is empty"
    low, high = (form.of(tiny_sounds.tone(label, 1, rate)).mean(0).argmax() for label in ("low", "high"))
    assert low < high
    assert form.of(noise(1)).shape == (1, BANDS)
    assert np.isfinite(form.of(np.zeros(rate, np.float32))).all()
    np.testing.assert_allclose(form.of(3 * noise(rate)) - found, 2 * np.log(3), atol=1e-3)


def test_what_a_document_asks_for() -> None:
    assert form_of({"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000}) == Wave(8000)
    assert form_of({"feature_extractor_type": "ASTFeatureExtractor"}) == Kaldi(16_000, 128, 1024)
    with pytest.raises(InputError, match="SeamlessM4TFeatureExtractor"):
        form_of({"feature_extractor_type": "SeamlessM4TFeatureExtractor"})


def test_sounds_are_kept_once_and_the_same(tmp_path: Path) -> None:
    found = rows(tmp_path)
    reader = Waves.start("", Tune(), found)
    assert reader.form == Own(8000, 40.0)
    made = reader.features(list(found))
    kept = made.kept()
    assert isinstance(made.dense["sound"], Heard)
    assert isinstance(kept.dense["sound"], Kept)
    assert isinstance(kept.dense["sound"]._values, np.memmap)
    assert set(made.lengths.tolist()) <= {8, 16}, "30 to 60 hundredths of a second, in steps of 32"
    first, second = collate(made, [5, 0, 2], 0), collate(kept, [5, 0, 2], 0)
    assert torch.equal(first["sound"], second["sound"])
    assert first["sound"].dtype == torch.float16
    assert first["sound"].shape == (3, int(first["frames"].max()), BANDS)
    shortest = int(first["frames"].argmin())
    assert not first["sound"][shortest, int(first["frames"][shortest]) :].any()


def test_a_sound_that_lacks_a_few_samples_shifts_no_other(tmp_path: Path) -> None:
    data = tiny_sounds.folder(tmp_path / "data", 2)
    label, first = data / "low", sorted((data / "low").iterdir())[0]
    soundfile.write(label / "0.mp3", soundfile.read(first)[0], 8000, format="MP3")
    (label / "0.mp3").write_bytes((label / "0.mp3").read_bytes()[:-100])
    found = load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]
    assert not any(found.table["fault"])
    features = Waves(OWN_8K).features(list(found))
    heard, every = features.dense["sound"], np.arange(len(found))
    assert isinstance(heard, Heard)
    np.testing.assert_array_equal(heard.kept()[every], heard[every])


def test_what_is_too_long_is_not_heard() -> None:
    reader = Waves({**OWN_8K, "longest": 0.5})
    given = (noise(8000), 8000)
    batch = collate(reader.features([{"audio": given}]), [0], 0)
    assert batch["frames"].tolist() == [50]
    assert batch["sound"].shape == (1, 50, BANDS)


def test_the_rate_follows_from_the_sounds(tmp_path: Path) -> None:
    import soundfile

    (tmp_path / "fine" / "a").mkdir(parents=True)
    soundfile.write(tmp_path / "fine" / "a" / "1.wav", noise(44_100), 44_100)
    data = {"train": str(tmp_path / "fine"), "split": {"dev": 0}}
    assert Waves.start("", Tune(), load(parse({"task": "classify", "data": data}))["train"]).form == Own(16_000, 40.0)


def test_options_that_are_for_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mirror is for images"):
        Waves.start("", Tune(vary="mirror"), rows(tmp_path, 1))


def test_what_is_one_input() -> None:
    reader, wave = Waves(OWN_8K), noise(100)
    assert reader.is_one("a.wav")
    assert reader.is_one(Path("a.wav"))
    assert reader.is_one((wave, 8000))
    assert reader.is_one({"audio": "a.wav"})
    assert not reader.is_one([(wave, 8000)])
    assert not reader.is_one(("a.wav", "b.wav"))
    assert reader.is_one(b"RIFF")
    for bad in (wave, 7, {"image": "a.png"}):
        with pytest.raises(InputError, match="a sound is a path"):
            reader.row(bad)
    with pytest.raises(InputError, match=r"'none.wav' cannot be read: there is no such file"):
        reader.features([reader.row("none.wav")])


def batch_of(reader: Waves, count: int = 40, label: str = "low") -> Batch:
    given = [{"audio": (tiny_sounds.tone(label, seed), 8000)} for seed in range(count)]
    return collate(reader.features(given), range(count), 0)


def peaks(batch: Batch) -> torch.Tensor:
    """The loudest band of each sound."""
    pairs = zip(batch["sound"].float(), batch["frames"], strict=True)
    return torch.stack([row[: int(count)].median(0).values.argmax() for row, count in pairs])


@pytest.mark.parametrize("how", ["shift", "speed"])
def test_what_is_varied_and_what_is_not(how: str) -> None:
    reader = Waves(OWN_8K, how)
    given = {**batch_of(reader, label="high"), "labels": torch.arange(40)}
    before = given["sound"].clone()
    assert Waves(OWN_8K, "none").vary(given, generator(1)) is given
    first = reader.vary(given, generator(1))
    second = reader.vary(given, generator(1))
    assert torch.equal(first["sound"], second["sound"])
    assert torch.equal(given["sound"], before)
    assert torch.equal(first["labels"], given["labels"])
    assert torch.isfinite(first["sound"]).all()
    assert first["sound"].shape[1] == int(first["frames"].max())
    ratio = first["frames"] / given["frames"]
    assert float(ratio.max()) > 1.2, "silence is put around some"
    assert float(ratio.max()) <= (2.0 if how == "speed" else 1.6)
    assert float(ratio.min()) > (0.6 if how == "speed" else 0.8)
    moved = (peaks(first) - peaks(given)).abs() > 1
    assert (float(moved.float().mean()) > 0.4) == (how == "speed"), "else only a hidden band moves the peak"


def test_a_fixed_length_stays_and_so_does_padding() -> None:
    sound, frames = torch.randn(6, 30, 8), torch.tensor([30, 30, 20, 20, 10, 1])
    for row, count in enumerate(frames):
        sound[row, int(count) :] = -7.0
    found, lengths = Disturb(1.0, fixed=True, strong=True, highest=4000.0, second=100)(sound, frames, generator(0))
    assert found.shape == sound.shape
    for row, count in enumerate(frames):
        end = max(int(lengths[row]), int(count))
        assert (found[row, end:] == -7.0).all()
    assert (lengths >= 1).all()


def test_silence_around_a_long_sound_is_half_a_second_at_most() -> None:
    sound, frames = torch.randn(200, 400, 4), torch.full((200,), 400)
    disturb = Disturb(1.0, fixed=False, strong=False, highest=4000.0, second=100)
    lengths = disturb(sound, frames, generator(0))[1]
    assert 470 < int(lengths.max()) <= 500


def test_formants_move_and_the_highest_pitch_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = torch.arange(64.0).expand(3, 5, 64)
    monkeypatch.setattr(disturbing, "_PITCH", 0.0)
    torch.testing.assert_close(disturbing._pitched(ramp, 4000.0, generator(0)), ramp, atol=1e-3, rtol=0.0)
    monkeypatch.setattr(disturbing, "_PITCH", 0.15)
    monkeypatch.setattr(disturbing, "_drawn", lambda draw, like, *shape: torch.tensor([[0.0], [0.5], [1.0]]))
    lower, same, higher = disturbing._pitched(ramp, 4000.0, generator(0))[:, 0]
    torch.testing.assert_close(same, ramp[0, 0], atol=1e-3, rtol=0.0)
    assert (lower[20:50] < same[20:50] - 1).all()
    assert (higher[20:50] > same[20:50] + 1).all()
    for moved in (lower, higher):
        assert abs(float(moved[-1]) - 63) < 1
        assert (moved.diff() >= 0).all()


def test_an_echo_comes_late_and_leaves_the_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturbing, "_ECHOING", 1.1)
    energy = torch.full((4, 120, 8), -30.0)
    energy[:, 20] = 4.0
    found = disturbing._echoing(energy, torch.ones(4, 120, dtype=torch.bool), generator(0))
    assert (found[:, :20] <= energy[:, :20] + 1e-3).all()
    assert (found[:, 21] > energy[:, 21] + 1).all()
    assert (found[:, 21:60].diff(dim=1) <= 1e-4).all()
    torch.testing.assert_close(found.exp().sum(1), energy.exp().sum(1), atol=0.0, rtol=1e-2)


def test_silence_around_a_sound_changes_nothing_in_it() -> None:
    chance = torch.Generator().manual_seed(0)
    sound = 2 * torch.randn(1, 30, 64, generator=chance)
    padded = torch.cat([torch.full((1, 20, 64), -9.0), sound, torch.full((1, 40, 64), -9.0)], 1)
    apart = {}
    for share in (0.0, 0.5):
        level = Levelled.of({"feature_extractor_type": OWN, "band_mean": share})
        alone = level(sound, torch.tensor([30]))["input_features"]
        within = level(padded, torch.tensor([90]))["input_features"][:, 20:50]
        apart[share] = float((alone - within).abs().max())
    assert apart[0.0] > 1.5
    assert apart[0.5] < 1e-3


def test_waves_are_varied_too() -> None:
    reader = Waves(
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000, "longest": 5.0}, "speed"
    )
    given = batch_of(reader, 10)
    found = reader.vary(given, generator(1))
    assert found["sound"].shape == (10, int(found["frames"].max()))
    assert torch.isfinite(found["sound"]).all()
    silent = [(row[: int(n)] == 0).float().mean() for row, n in zip(found["sound"], found["frames"], strict=True)]
    assert max(silent) > 0.05, "a stretch is hidden"


def test_numbers_and_a_picture(tmp_path: Path) -> None:
    reader = Waves(OWN_8K)
    given: list[dict[str, Any]] = [{"audio": (tiny_sounds.tone("low", 1), 8000)}, {"audio": (noise(1), 8000)}]
    numbers = reader.numbers(given)
    assert numbers.shape == (2, 3 * BANDS + 80)
    assert np.isfinite(numbers).all()
    louder = reader.numbers([{"audio": (tiny_sounds.tone("low", 1) * 2, 8000)}])
    np.testing.assert_allclose(louder, numbers[:1], atol=2e-3)
    assert reader.picture(given[0]).startswith("data:image/png;base64,")


def test_what_is_saved_is_opened_and_damage_is_said(tmp_path: Path) -> None:
    Waves(OWN_8K).save_pretrained(tmp_path)
    assert Waves.open(tmp_path) == Waves(OWN_8K)
    for content in ("{", '{"feature_extractor_type": "X"}', '{"feature_extractor_type": "BurnishMelExtractor"}'):
        (tmp_path / "preprocessor_config.json").write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match="missing or damaged"):
            Waves.open(tmp_path)
