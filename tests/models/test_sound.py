"""Networks for sounds: what they read, what plain transformers reads of them, and what they carry over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from burnish.config import FromScratch, Tune, parse
from burnish.data.features import Batch, collate
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.data.spectrogram import BANDS, OWN
from burnish.data.waves import Waves
from burnish.errors import InputError
from burnish.models import load as models
from burnish.models.freeze import freeze, groups
from burnish.models.net import Net
from burnish.models.opening import open_net, start_net
from burnish.models.sound import Sound, fresh_config
from tests import tiny, tiny_images, tiny_sounds

LABELS = ("high", "low")
OWN_8K = {"feature_extractor_type": OWN, "sampling_rate": 8000, "longest": 10.24}
HUB = ["wav2vec2", "unmasked", "hubert", "ast", "whisper"]


def rows(tmp_path: Path, count: int = 3) -> Rows:
    data = tiny_sounds.folder(tmp_path / "data", count)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


def start(place: str = "", preprocess: dict[str, object] | None = None, labels: tuple[str, ...] = LABELS) -> Net:
    return start_net(
        place, "sequence", labels, dropout=0.0, attention_dropout=0.0, pooling="mean", word_shape=False,
        config=None if place else fresh_config(3, 16, BANDS), preprocess=preprocess or OWN_8K,
    )  # fmt: skip


def batch_of(lengths: list[int], reader: Waves | None = None) -> Batch:
    given = [{"audio": (tiny_sounds.tone("low", n)[:n], 8000)} for n in lengths]
    return collate((reader or Waves(OWN_8K)).features(given), range(len(given)), 0)


def apart(net: Net, batch: Batch) -> torch.Tensor:
    """Logits of each row asked for without the others."""
    alone = ({name: value[i : i + 1] for name, value in batch.items()} for i in range(len(batch["frames"])))
    cut = ({**one, "sound": one["sound"][:, : int(one["frames"][0])]} for one in alone)
    return torch.cat([net(one) for one in cut])


def test_any_length_is_read_and_padding_changes_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = start()
    assert net.reads == "audio"
    assert net.pooling == "cls"
    assert net.own
    assert net.linear is None, "a head has nothing to be fitted to yet"
    torch.nn.init.normal_(net.model.classifier.weight)
    given = batch_of([1, 700, 801, 2000, 2400])
    net.train()
    net(given)
    net.eval()
    torch.testing.assert_close(net(given), apart(net, given), atol=1e-4, rtol=1e-4)
    assert net(given).isfinite().all()
    net.save(tmp_path)
    Waves(OWN_8K).save_pretrained(tmp_path)
    again = open_net(str(tmp_path), "sequence", 2, "cls", False).eval()
    torch.testing.assert_close(again(given), net(given))
    assert again.linear is again.model.classifier
    torch.testing.assert_close(again.linear(again.read(given)), net(given))


def test_a_new_head_keeps_the_encoder(tmp_path: Path) -> None:
    net = start()
    with torch.no_grad():
        net.model.sound.layers[0].widen[1].running_mean.fill_(0.25)
    net.save(tmp_path)
    models.resolve(str(tmp_path))
    other = start(str(tmp_path), labels=("a", "b", "c"))
    assert other.model.classifier.out_features == 3
    kept = other.model.sound.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in net.model.sound.state_dict().items())


def test_a_moment_alone_is_learnt_from() -> None:
    net = start().train()
    other = {"sound": torch.randn(2, 40, BANDS), "frames": torch.tensor([40, 30])}
    net(other)  # so that norms have seen something
    norm = net.model.sound.join[1]
    seen = norm.running_mean.clone()
    net(batch_of([80])).sum().backward()
    assert torch.equal(norm.running_mean, seen)
    assert net.model.classifier.weight.grad.isfinite().all()


def test_layers_learn_at_their_own_pace() -> None:
    net = start()
    rates = {group.learning_rate for group in groups(net, 1.0, 2.0, 0.5, 0.0)}
    assert rates == {2.0, 1.0, 0.5, 0.25, 0.125}  # head, what joins the bands, two stages, stem
    freeze(net, "head")
    assert {name for name, p in net.named_parameters() if p.requires_grad} == net.head_parameters()
    before = {name: value.clone() for name, value in net.model.sound.state_dict().items()}
    net.train()
    net(batch_of([800, 1600]))
    assert all(torch.equal(before[name], value) for name, value in net.model.sound.state_dict().items())


@pytest.mark.parametrize("kind", HUB)
def test_a_folder_of_transformers_hears_what_its_own_extractor_gives(kind: str, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    place = getattr(tiny_sounds, kind)(tmp_path / kind)
    found = rows(tmp_path)
    reader = Waves.start(str(place), Tune(max_tokens=100), found)
    net = start(str(place), dict(reader.document)).eval()
    assert net.reads == "audio"
    net.model.classifier.apply(lambda m: m.weight.data.normal_() if isinstance(m, torch.nn.Linear) else None)
    (tmp_path / "saved").mkdir()
    net.save(tmp_path / "saved")
    reader.save_pretrained(tmp_path / "saved")
    plain, info = AutoModelForAudioClassification.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not info["missing_keys"]
    assert plain.config.id2label == {0: "high", 1: "low"}
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path / "saved")
    given = collate(reader.features(list(found)), [0, 3, 4], 0)
    with torch.inference_mode():
        theirs = []
        for index in (0, 3, 4):
            wave = reader.wave(found[index]["audio"])
            theirs.append(plain.eval()(**extractor(wave, sampling_rate=16_000, return_tensors="pt")).logits)
        rounded = 5e-3 if kind in ("ast", "whisper") else 1e-4
        torch.testing.assert_close(net(given), torch.cat(theirs), atol=rounded, rtol=1e-3)
        again = open_net(str(tmp_path / "saved"), "sequence", 2, "cls", False).eval()
        torch.testing.assert_close(again(given), net(given))
    if net.linear is not None:
        torch.testing.assert_close(net.linear(net.read(given)), net(given))
    assert Waves.open(tmp_path / "saved").longest == pytest.approx(4.0)


@pytest.mark.parametrize("kind", HUB)
def test_what_of_a_folder_of_transformers_learns(kind: str, tmp_path: Path) -> None:
    net = start(str(getattr(tiny_sounds, kind)(tmp_path)), Waves.start(str(tmp_path), Tune(), rows(tmp_path)).document)
    head = net.head_parameters()
    assert head
    assert all("classifier" in name or "projector" in name for name in head)
    freeze(net, "embeddings")
    still = {name for name, p in net.named_parameters() if not p.requires_grad}
    assert all(".feature_extractor." in name for name in still)
    assert bool(still) == (kind in ("wav2vec2", "unmasked", "hubert")), "what reads waves"
    rates = {group.learning_rate for group in groups(net, 1.0, 2.0, 0.5, 0.0)}
    assert {2.0, 0.5, 0.25, 0.125} <= rates | {0.125}
    net.train()
    reader = Waves.start(str(tmp_path), Tune(), rows(tmp_path))
    batch = {**batch_of([900, 2000], reader), "labels": torch.tensor([0, 1])}
    torch.nn.functional.cross_entropy(net(batch), batch["labels"]).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for n, p in net.named_parameters() if n not in head)


def test_what_a_folder_without_its_file_says(tmp_path: Path) -> None:
    place = tiny_sounds.unmasked(tmp_path / "w")
    (place / "preprocessor_config.json").unlink()
    document = Waves.start(str(place), Tune(), rows(tmp_path)).document
    assert (document["sampling_rate"], document["return_attention_mask"]) == (16_000, False)
    place = tiny_sounds.ast(tmp_path / "a")
    (place / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config.json' is missing"):
        Waves.start(str(place), Tune(), rows(tmp_path))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    for place, read in ((tiny.encoder(tmp_path / "t"), "text"), (tiny_images.vit(tmp_path / "i"), "image")):
        with pytest.raises(InputError, match=f"reads {read}s, and the rows hold audios"):
            models.must_read(models.resolve(str(place)), "audio")
    heard = models.resolve(str(tiny_sounds.hubert(tmp_path / "h")))
    models.must_read(heard, "audio")
    with pytest.raises(InputError, match="reads audios, and the rows hold images"):
        models.must_read(heard, "image")


def test_too_many_stages_are_refused() -> None:
    reader = Waves(OWN_8K)
    assert models.scratch_config(reader, FromScratch(layers=6), 0)["num_mel_bins"] == BANDS
    with pytest.raises(InputError, match="layers"):
        models.scratch_config(reader, FromScratch(layers=7), 0)


def test_it_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = start()
    assert isinstance(net.model, Sound)
    given = [{"audio": (tiny_sounds.tone(label, seed), 8000)} for seed in range(12) for label in LABELS]
    batch = collate(Waves(OWN_8K).features(given), range(24), 0) | {"labels": torch.tensor([0, 1] * 12)}
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(net(batch), batch["labels"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_silence_and_clipping_give_numbers(tmp_path: Path) -> None:
    net = start().eval()
    torch.nn.init.normal_(net.model.classifier.weight)
    soundfile.write(tmp_path / "a.wav", np.zeros(4000, np.float32), 8000)
    given = [{"audio": str(tmp_path / "a.wav")}, {"audio": (np.sign(tiny_sounds.tone("low", 1)), 8000)}]
    assert net(collate(Waves(OWN_8K).features(given), [0, 1], 0)).isfinite().all()
