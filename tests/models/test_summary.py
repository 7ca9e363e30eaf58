"""The summary of a sound, the linear model of it beside a network, and how that is fitted and weighed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from burnish.config import Tune, parse
from burnish.data.features import Batch, collate
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.data.spectrogram import BANDS, OWN, VOICE, Own, voice_of
from burnish.data.waves import Voiced, Waves
from burnish.device import generator
from burnish.engine import Engine
from burnish.job import tune
from burnish.models.net import Net
from burnish.models.opening import start_net
from burnish.models.sound import Levelled, fresh_config
from burnish.models.summary import Summary
from burnish.models.towers import Towers
from burnish.tasks.base import LossOptions
from burnish.training.linear import weigh
from burnish.training.summary import fit_summary
from tests import tiny_sounds

READER = Voiced({"feature_extractor_type": OWN, "sampling_rate": 8000, "longest": 10.24, "feature_size": BANDS,
                 "top_db": 40, "band_mean": 0.5, "voice": True})  # fmt: skip


def hum(hertz: float, seconds: float = 0.5, rate: int = 8000) -> Any:
    """A voice-like tone with overtones that rises or falls not at all."""
    time = np.arange(int(seconds * rate)) / rate
    return sum(0.2 / k * np.sin(2 * np.pi * hertz * k * time) for k in range(1, 9)).astype(np.float32)


def start(labels: tuple[str, ...] = ("high", "low")) -> Net:
    torch.manual_seed(0)
    config = fresh_config(3, 16, BANDS)
    net = start_net(
        "", "sequence", labels, dropout=0.0, attention_dropout=0.0, pooling="mean", word_shape=False, config=config,
        preprocess=READER.document,
    )  # fmt: skip
    return net.eval()


def batch_of(waves: list[Any]) -> Batch:
    return collate(READER.features([{"audio": (wave, 8000)} for wave in waves]), range(len(waves)), 0)


def rows_of_sounds(place: Path) -> Rows:
    data = tiny_sounds.folder(place / "data", 3)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


def numbers(net: Net, batch: Batch) -> torch.Tensor:
    model = net.extras["summary"]
    assert isinstance(model, Summary)
    return model.numbers(net.scaled, batch)


@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize("hertz", [75, 130, 240, 450])
def test_the_height_of_a_voice(rate: int, hertz: int) -> None:
    found = voice_of(hum(hertz, rate=rate), rate, 50)[5:-5]
    assert np.abs(128 * 2 ** found[:, 0] - hertz).max() < 0.02 * hertz
    assert found[:, 1].min() > 0.8
    noise = np.random.default_rng(0).standard_normal(rate // 2).astype(np.float32)
    assert np.median(voice_of(noise, rate, 50)[:, 1]) < 0.5


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 4001, 12_345])
def test_a_frame_of_voice_for_each_frame_of_bands(samples: int) -> None:
    form = Own(8000, 40.0, voice=True)
    wave = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    found = form.of(wave)
    assert found.shape == (form.frames(samples), BANDS + VOICE)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, :BANDS], Own(8000, 40.0).of(wave))


def test_what_pads_a_sound_changes_none_of_its_numbers() -> None:
    net, waves = start(), [hum(120, 1.0), hum(220, 0.31), hum(300, 0.011), np.zeros(2000, np.float32)]
    together = numbers(net, batch_of(waves))
    assert together.isfinite().all()
    for row, wave in zip(together, waves, strict=True):
        torch.testing.assert_close(row, numbers(net, batch_of([wave]))[0], atol=1e-3, rtol=1e-3)


def test_numbers_tell_voices_apart() -> None:
    net = start()
    time = np.arange(8000) / 8000
    rising = (0.3 * np.sign(np.sin(2 * np.pi * (150 * time + 50 * time**2)))).astype(np.float32)
    found = numbers(net, batch_of([hum(120, 1.0), hum(240, 1.0), rising, np.concatenate([hum(120), 0 * hum(1)])]))
    height, slope, share = found[:, -22], found[:, -14], found[:, -13]
    assert float(height[1] - height[0]) == pytest.approx(1.0, abs=0.02)
    assert float(slope[2]) > 0.5 > abs(float(slope[0]))
    assert float(share[3]) < 0.6 < float(share[0])


def test_it_is_fitted_without_the_network_and_not_asked_in_training() -> None:
    net = start()
    waves = [
        hum(hertz, 0.3) for hertz in np.random.default_rng(0).uniform([[100], [200]], [[140], [280]], (2, 20)).T.ravel()
    ]
    features = READER.features([{"audio": (wave, 8000)} for wave in waves])
    features.targets["labels"] = np.tile([0, 1], 20)
    batch = collate(features, range(40), 0)
    before = net(batch)
    fit_summary(net, features, LossOptions(), "fp32", None)
    after = net(batch)
    assert (after.argmax(1).numpy() == features.targets["labels"]).all()
    assert (before == 0).all()
    net.train()
    assert (net(batch) == 0).all()
    net.eval()
    alone = torch.cat([net(collate(features, [place], 0)) for place in range(40)])
    torch.testing.assert_close(alone, after, atol=1e-3, rtol=1e-3)


def test_of_many_rows_none_of_the_classes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("burnish.training.summary._ROWS", 8)
    net = start(("high", "low", "higher"))
    features = READER.features([{"audio": (hum(300 if place == 9 else 110 + place, 0.3), 8000)} for place in range(24)])
    features.targets["labels"] = np.array([2 if place == 9 else place % 2 for place in range(24)])
    fit_summary(net, features, LossOptions(), "fp32", None)
    model = net.extras["summary"]
    assert isinstance(model, Summary)
    assert float(model.bias[2]) < float(model.bias[:2].min())  # it is rare, and known to be


def test_vectors_have_none() -> None:
    assert not Towers({"audio": start()}, 8).each()["audio"].extras


def test_a_trained_network_is_asked_at_several_pitches() -> None:
    front = Levelled.of({**READER.document, "pitches": [0.8, 1.25]})
    batch = batch_of([hum(120, 0.4), hum(200, 0.2)])
    sound, frames = front.seen(batch["sound"], batch["frames"])
    assert sound.shape == (6, 40, BANDS + VOICE)
    assert frames.tolist() == [40, 40, 40, 20, 20, 20]
    torch.testing.assert_close(sound[::3], batch["sound"].float(), atol=0.0, rtol=0.0)
    assert torch.equal(sound[1, :, BANDS:], sound[0, :, BANDS:])
    ramp = torch.arange(float(BANDS)).expand(1, 3, BANDS)
    same, lower, higher = front.seen(torch.cat([ramp, ramp[..., :VOICE]], 2), torch.tensor([3]))[0][:, 0, :BANDS]
    assert (lower[10:50] < same[10:50] - 1).all()
    assert (higher[10:50] > same[10:50] + 1).all()
    net = start()
    torch.nn.init.normal_(net.model.classifier.weight)
    alone = net(batch)
    net.scaled = front
    assert not torch.equal(net(batch), alone)
    each = [net.model(**front(*given)).logits for given in zip(sound.split(1), frames.split(1), strict=True)]
    torch.testing.assert_close(net(batch), torch.cat(each).view(2, 3, -1).mean(1), atol=1e-4, rtol=1e-4)


def test_only_where_pitch_tells_nothing(tmp_path: Path) -> None:
    train = rows_of_sounds(tmp_path)
    assert Voiced.start("", Tune(), train).document["pitches"] == (0.86, 0.93, 1.07, 1.14)
    assert "pitches" not in Voiced.start("", Tune(vary="shift"), train).document


def test_it_counts_as_much_as_dev_says() -> None:
    def weighed(values: dict[float, float]) -> float:
        weight = torch.ones(2)
        weigh([weight], (0.5, 1.0, 2.0), lambda: values[float(weight[0])])
        return float(weight[0])

    assert weighed({0.0: 0.5, 0.5: 0.6, 1.0: 0.7, 2.0: 0.6}) == 1.0
    assert weighed({0.0: 0.5, 0.5: 0.5, 1.0: 0.5, 2.0: 0.5}) == 0.5
    assert weighed({0.0: 0.8, 0.5: 0.7, 1.0: 0.6, 2.0: 0.6}) == 0.0
    weight = torch.ones(2)
    weigh([weight], (0.5, 1.0), None)
    assert float(weight[0]) == 0.5


def test_a_voice_is_followed_where_classes_are_learnt_from_random_weights(tmp_path: Path) -> None:
    train = rows_of_sounds(tmp_path)
    assert Voiced.start("", Tune(), train).form.cell == (BANDS + VOICE,)
    assert Waves.start("", Tune(), train).form.cell == (BANDS,)
    hub = tiny_sounds.wav2vec2(tmp_path / "hub")
    assert Voiced.start(str(hub), Tune(), train).form.cell == ()
    batch = batch_of([hum(120), hum(200)])
    assert batch["sound"].shape[2] == BANDS + VOICE
    assert Voiced(READER.document, "speed").vary(batch, generator(0))["sound"].shape[2] == BANDS


def test_a_part_that_is_left_out_takes_its_voice_along() -> None:
    grid = READER.parts({"audio": (hum(120), 8000)})
    assert grid.owner.shape == (50, BANDS + VOICE)
    for frame, owner in zip(grid.full, grid.owner, strict=True):
        assert (owner[BANDS:] == owner[frame[:BANDS].argmax()]).all(), "it goes with what is loudest then"
    assert (grid.empty[:, BANDS:] == 0).all()
    assert (grid.full[:, BANDS + 1] > 0).any()


def test_a_model_is_saved_with_it_and_opened_again(tmp_path: Path) -> None:
    job = tiny_sounds.job(tmp_path, epochs=1, learning_rate=1e-6)
    tuned = tune(job)
    assert tuned.report.after.value == 1.0, "the network has learnt nothing, and the summary tells tones apart"
    engine = Engine.open(tmp_path / "out")
    given = [(tiny_sounds.tone("low", 5), 8000), (tiny_sounds.tone("high", 6), 8000)]
    assert [one.label for one in engine.predict(given)] == ["low", "high"]
    assert engine.net.extras["summary"].weight.any()
