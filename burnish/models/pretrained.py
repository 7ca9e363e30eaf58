"""The model of a folder or a hub id, in the spelling that is fastest here, or in that of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn

from burnish.errors import InputError
from burnish.models import bert, detector, sound, speech, table, vision
from burnish.models.bert import Bert
from burnish.models.detector import Detector
from burnish.models.layers import speed_up
from burnish.models.small import Small
from burnish.models.sound import Sound
from burnish.models.speech import BLANK, Speech
from burnish.models.table import Tabular
from burnish.models.vision import Vision

Kind = Literal["token", "sequence", "boxes"]
SMALL: dict[str, Any] = {
    vision.MODEL_TYPE: Vision,
    detector.MODEL_TYPE: Detector,
    sound.MODEL_TYPE: Sound,
    speech.MODEL_TYPE: Speech,
    table.MODEL_TYPE: Tabular,
}
PLACES = ("position_embeddings", "embed_positions", "wpe")  # names that transformers gives to learnt positions
_BEFORE = 16  # positions that no token of a text gets, at the most
_ANSWERS = {detector.MODEL_TYPE: "boxes", speech.MODEL_TYPE: "token"}  # small networks that do not give classes


def load(
    place: str, kind: Kind, outputs: int, rates: dict[str, float], fresh_head: bool, **options: Any
) -> tuple[Any, set[str]]:
    """A model with the names of the weights it did not find.

    Raises:
        InputError: when it cannot be loaded.
    """
    path = Path(place, "config.json")
    known = {name: rate for name, rate in rates.items() if name.endswith("_prob")}
    own: Small | Bert
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        made = {**config, **known, **options}
        if config.get("model_type") in SMALL:
            if kind != _ANSWERS.get(config["model_type"], "sequence"):
                raise InputError(f"the network in '{place}' is burnish's own for another task; take model: scratch")
            own = SMALL[config["model_type"]](made, outputs)
        elif kind != "boxes" and bert.fits(config):
            own = Bert(made, kind, outputs)
        else:
            return _from_transformers(place, kind, rates, fresh_head, num_labels=outputs, **options)
        return own, own.load(place, fresh_head)
    except (OSError, RuntimeError, SafetensorError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"the model in '{place}' cannot be loaded: {last_line(error)}") from None


def last_line(error: Exception) -> str:
    """The line of an error that says what it is: before it, torch says where."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def width(place: str) -> int:
    """Width of the last states of a pretrained model, in a folder or of a hub id.

    Raises:
        InputError: when its config cannot be had.
    """
    from transformers import PretrainedConfig

    try:
        config, _ = PretrainedConfig.get_config_dict(place)
    except (OSError, ValueError) as error:
        raise InputError(f"the model '{place}' cannot be loaded: {last_line(error)}") from None
    several = config.get("hidden_sizes") or [0]
    found = config.get("hidden_size") or config.get("d_model") or config.get("dim") or max(several)
    if not found:
        raise InputError(f"the model '{place}' does not say how wide its states are")
    return int(found)


def places_in(module: nn.Module) -> int | None:
    """Tokens of the longest text that a network has learnt positions for; None where it takes any number."""
    for name, one in module.named_modules():
        if name.rsplit(".", 1)[-1] in PLACES and isinstance(one, nn.Embedding):
            # RoBERTa and its kin count from behind the padding token, BART and its kin from an offset.
            before = 0 if one.padding_idx is None else one.padding_idx + 1
            return one.num_embeddings - int(getattr(one, "offset", before))
    return None


def places_of(place: str, wanted: int) -> int:
    """How many of the `wanted` tokens of a text a pretrained model has learnt positions for, as its config has it.

    A network is built for it only where the config leaves doubts; what cannot be read is left to whoever loads it.
    """
    from transformers import AutoConfig, AutoModel, PretrainedConfig

    try:
        found, _ = PretrainedConfig.get_config_dict(place)
        stated = [
            found[name] for name in ("max_position_embeddings", "n_positions") if isinstance(found.get(name), int)
        ]
        if not stated or min(stated) >= wanted + _BEFORE or found.get("model_type") in SMALL:
            return wanted
        with torch.random.fork_rng(devices=[]):
            model = AutoModel.from_config(AutoConfig.from_pretrained(place, trust_remote_code=False))
    except (OSError, ValueError, TypeError, AttributeError):
        return wanted
    places = places_in(model) if reads(model) == "text" else None
    return wanted if places is None else min(wanted, places)


def reads(model: Any) -> str:
    """What a model, of transformers or of burnish, is given."""
    if getattr(model.config, "model_type", "") in vision.CLIPS:
        return "video"
    return _GIVEN.get(getattr(model, "main_input_name", ""), "text")


_GIVEN = {"pixel_values": "image", "input_values": "audio", "input_features": "audio", "table": "table"}
_SETS = ("detr", "yolos")  # that answer with a class for nothing beside the others, and boxes as shares of the image
_AS_IT_IS = {"apply_spec_augment": False, "layerdrop": 0.0}  # sounds are varied before; draws of numpy are not resumed


def _auto(kind: Kind, model_type: str) -> Any:
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
    from transformers.models.auto import modeling_auto as known

    if kind == "boxes":
        if model_type not in _SETS:
            raise InputError(f"'{model_type}' is none of the architectures that find boxes here: {', '.join(_SETS)}")
        return known.AutoModelForObjectDetection
    if kind == "sequence" and model_type not in known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        if model_type in known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
            return known.AutoModelForImageClassification
        if model_type in known.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES:
            return known.AutoModelForAudioClassification
        if model_type in vision.CLIPS:
            return known.AutoModelForVideoClassification
    if kind == "token" and model_type in known.MODEL_FOR_CTC_MAPPING_NAMES:
        return known.AutoModelForCTC
    if kind == "token" and model_type in known.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES:
        raise ValueError(f"{model_type} does not write step by step what it hears (CTC), as Wav2Vec2 and HuBERT do")
    return AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification


def _from_transformers(
    place: str, kind: Kind, rates: dict[str, float], fresh_head: bool, **options: Any
) -> tuple[Any, set[str]]:
    from transformers import AutoConfig
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
        for name, value in (*rates.items(), *_AS_IT_IS.items()):
            if hasattr(config, name):
                setattr(config, name, value)
        auto = _auto(kind, config.model_type)
        if auto.__name__ == "AutoModelForCTC":
            if fresh_head:
                config.vocab_size, config.pad_token_id = options["num_labels"], BLANK
            elif config.vocab_size != options["num_labels"]:
                raise ValueError(f"its head has {config.vocab_size} outputs, and {options['num_labels']} are wanted")
        model, info = auto.from_pretrained(
            place,
            config=config,
            trust_remote_code=False,
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=fresh_head,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:  # of a library for the backbone
        raise InputError(f"the model in '{place}' cannot be loaded: {str(error).strip().splitlines()[0]}") from None
    finally:
        logging.set_verbosity(before)
    if fresh_head:
        _reset_head(model)
    speed_up(model)
    return model, set(info["missing_keys"])


def _reset_head(model: Any) -> None:
    """Give the model's own head new weights, also where an earlier task left some."""
    if boxes := getattr(model, "class_labels_classifier", None):  # of several layers the last one names the classes
        last = [module for module in boxes.modules() if isinstance(module, nn.Linear)][-1]
        nn.init.xavier_uniform_(last.weight)
        nn.init.zeros_(last.bias)
        return
    head = getattr(model, "classifier", None) or getattr(model, "score", None) or getattr(model, "lm_head", None)
    for module in head.modules() if head is not None else ():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=getattr(model.config, "initializer_range", 0.02))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
