"""Tiny sets of sounds and tiny models for them, built on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from burnish.config import Job, parse
from tests import tiny_files

LABELS = ("high", "low")

RATE = 8000


def tone(label: str, seed: int, rate: int = RATE, seconds: float = 0.0) -> NDArray[np.float32]:
    """A high or a low tone of 0.3 to 0.6 seconds in some noise."""
    chance = np.random.default_rng(seed)
    time = np.arange(int((seconds or chance.uniform(0.3, 0.6)) * rate)) / rate
    pitch = (350 if label == "low" else 1500) * chance.uniform(0.9, 1.1)
    return (0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * chance.standard_normal(len(time))).astype(np.float32)


def _write(path: Path, label: str, seed: int) -> None:
    soundfile.write(path.with_suffix(".wav"), tone(label, seed), RATE)


def folder(place: Path, count: int = 12) -> Path:
    """A sub-folder of WAV files for each of two classes."""
    return tiny_files.folder(place, LABELS, _write, count)


def table(place: Path, count: int = 12) -> Path:
    """The same as a CSV file that names them in its column `clip`."""
    return tiny_files.table(place, "clip", ".wav", LABELS, _write, count)


def job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    settings = {"epochs": 8, "tokens_per_batch": 128, "scratch": {"layers": 3, "hidden": 16}, **tune}
    return tiny_files.job(place, data or folder(place / "data"), {"audio": "clip"}, model, **settings)


_SPEECH: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 8, 4], "conv_stride": [5, 4, 4], "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 12, "num_labels": 3,
}  # fmt: skip


def wav2vec2(place: Path, norm: str = "layer") -> Path:
    """A hub-format folder of a Wav2Vec2, with a mask for padding, or without one where norms run over time."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    torch.manual_seed(0)
    config = Wav2Vec2Config(**_SPEECH, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    Wav2Vec2ForSequenceClassification(config).save_pretrained(place)
    Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(place)
    return place


def unmasked(place: Path) -> Path:
    return wav2vec2(place, "group")


def hubert(place: Path) -> Path:
    """A hub-format folder of a HuBERT."""
    import torch
    from transformers import HubertConfig, HubertForSequenceClassification, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    config = HubertConfig(**_SPEECH, feat_extract_norm="layer", do_stable_layer_norm=True)
    HubertForSequenceClassification(config).save_pretrained(place)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(place)
    return place


def ctc(place: Path, tokens: str = "ABC", norm: str = "layer", kind: str = "Wav2Vec2") -> Path:
    """A hub-format folder of a model that writes these characters; the blank is the last of its vocabulary."""
    import json

    import torch
    import transformers

    words = ["|", "<s>", "</s>", *tokens, "[UNK]", "[PAD]"]
    torch.manual_seed(0)
    options = {**_SPEECH, "vocab_size": len(words), "pad_token_id": len(words) - 1}
    config = getattr(transformers, f"{kind}Config")(
        **options, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer"
    )
    getattr(transformers, f"{kind}ForCTC")(config).save_pretrained(place)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(place)
    (place / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8")
    return place


def ast(place: Path) -> Path:
    """A hub-format folder of an Audio Spectrogram Transformer for 64 frames of 32 bands."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_length=64,
        num_mel_bins=32, num_labels=3,
    )  # fmt: skip
    ASTForAudioClassification(config).save_pretrained(place)
    ASTFeatureExtractor(num_mel_bins=32, max_length=64).save_pretrained(place)
    return place


def whisper(place: Path) -> Path:
    """A hub-format folder of the encoder of a Whisper for one second."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForAudioClassification

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32, decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=32, num_mel_bins=40, max_source_positions=50,
        classifier_proj_size=12, num_labels=3, vocab_size=100, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    )  # fmt: skip
    WhisperForAudioClassification(config).save_pretrained(place)
    WhisperFeatureExtractor(feature_size=40, chunk_length=1).save_pretrained(place)
    return place


PITCHES = {"a": 300, "b": 700, "c": 1500, "你": 300, "好": 700, "吗": 1500}


def spoken(text: str, seed: int) -> NDArray[np.float32]:
    """A tone for each character, as long as it takes to be heard, with silence between them and for a space."""
    chance = np.random.default_rng(seed)
    parts = [np.zeros(int(0.05 * RATE))]
    for character in text:
        time = np.arange(int(chance.uniform(0.1, 0.15) * RATE)) / RATE
        pitch = PITCHES.get(character, 0) * chance.uniform(0.95, 1.05)
        parts += [0.3 * np.sin(2 * np.pi * pitch * time), np.zeros(int(0.06 * RATE))]
    wave = np.concatenate(parts)
    return (wave + 0.01 * chance.standard_normal(len(wave))).astype(np.float32)


def transcripts(place: Path, count: int = 48, letters: str = "abc", further: str = "") -> Path:
    """A CSV file that names WAV files in its column `clip`, and what is said in each; `further` lines are added."""
    chance = np.random.default_rng(1)
    (place / "said").mkdir(parents=True, exist_ok=True)
    lines = ["clip,transcript"]
    for number in range(count):
        text = "".join(chance.choice(list(letters), int(chance.integers(1, 4)))).strip() or letters[0]
        soundfile.write(place / "said" / f"{number:03}.wav", spoken(text, number), RATE)
        lines.append(f"said/{number:03}.wav,{text}")
    (place / "said.csv").write_text("\n".join(lines) + "\n" + further, encoding="utf-8")
    return place / "said.csv"


def transcribe_job(place: Path, data: Path | None = None, model: str = "scratch", **tune: Any) -> Job:
    settings = {
        "epochs": 16, "learning_rate": 2e-2, "head_learning_rate": 2e-2, "layer_decay": 1.0, "precision": "fp32",
        "tokens_per_batch": 128, "vary": "none", "scratch": {"layers": 1, "hidden": 32}, **tune,
    }  # fmt: skip
    return parse(
        {
            "task": "transcribe",
            "model": model,
            "out": str(place / "out"),
            "data": {
                "train": str(data or transcripts(place)), "columns": {"audio": "clip"},
                "split": {"dev": 0.25, "by": "random"},
            },
            "tune": settings,
            "report": {"bootstrap": 50, "hardest": 3},
        }
    )  # fmt: skip
