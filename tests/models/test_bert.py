"""The spelled-out BERT says what transformers' says, and either reads the other's folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from burnish.models.bert import fits
from burnish.models.layers import Dropout, attend, speed_up
from burnish.models.net import Bert, Kind, Net
from burnish.models.opening import start_net
from tests import tiny


def batch() -> dict[str, torch.Tensor]:
    mask = torch.tensor([[1] * 9, [1] * 4 + [0] * 5])
    return {"input_ids": torch.randint(5, 20, (2, 9)), "attention_mask": mask, "token_type_ids": (mask + 1) % 2}


def start(place: Path, kind: Kind) -> Net:
    return start_net(
        str(place), kind, ("a", "b", "c"), dropout=0.1, attention_dropout=0.0, pooling="cls", word_shape=False
    )


@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_same_logits_as_transformers(kind: Kind, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    net = start(tiny.encoder(tmp_path), kind).eval()
    assert isinstance(net.model, Bert)
    (tmp_path / "saved").mkdir()
    net.save(tmp_path / "saved")
    auto = AutoModelForTokenClassification if kind == "token" else AutoModelForSequenceClassification
    plain, info = auto.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert plain.config.id2label == {0: "a", 1: "b", 2: "c"}
    given = batch()
    words = torch.where(given["attention_mask"].bool(), torch.arange(9), -1)
    words[:, 0] = -1
    with torch.inference_mode():
        ours, theirs = net({**given, "words": words}), plain.eval()(**given).logits
        every = net.model(**given).logits
    kept = words >= 0 if kind == "token" else slice(None)
    torch.testing.assert_close(ours[kept], every[kept], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[kept], theirs[kept], rtol=1e-5, atol=1e-5)


def test_encoder_keeps_its_weights_under_a_new_head(tmp_path: Path) -> None:
    from transformers import AutoModel

    place = tiny.encoder(tmp_path)
    first, second = start(place, "token"), start(place, "token")
    plain = AutoModel.from_pretrained(place)
    for name, value in plain.state_dict().items():
        if not name.startswith("pooler"):
            torch.testing.assert_close(first.model.bert.state_dict()[name], value)
    assert not torch.equal(first.model.classifier.weight, second.model.classifier.weight)


@pytest.mark.parametrize("change", [{"model_type": "roberta"}, {"hidden_act": "silu"}, {"is_decoder": True}])
def test_other_models_are_left_to_transformers(change: dict[str, object], tmp_path: Path) -> None:
    config = json.loads((tiny.encoder(tmp_path) / "config.json").read_text())
    assert fits(config)
    assert not fits({**config, **change})


def test_attention_and_its_gradients_are_the_usual_ones() -> None:
    n, heads, tokens, filling = 2, 3, 7, 2
    parts = [torch.randn(n * tokens + filling, heads * 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    bias = torch.zeros(n, 1, 1, tokens, dtype=torch.float64)
    bias[1, ..., 4:] = -1e9
    for added in (None, bias):
        given = None if added is None else added.expand(n, heads, tokens, tokens)
        split = (part[: n * tokens].view(n, tokens, heads, 4).transpose(1, 2) for part in parts)
        expected = F.scaled_dot_product_attention(*split, attn_mask=given).transpose(1, 2).reshape(n * tokens, -1)
        found = attend(parts[0], parts[1], parts[2], (n, tokens, heads), added)
        torch.testing.assert_close(found[: n * tokens], expected)
        assert not found[n * tokens :].any()
        weight = torch.randn_like(found)
        for a, b in zip(
            torch.autograd.grad((found * weight).sum(), parts),
            torch.autograd.grad((expected * weight[: n * tokens]).sum(), parts),
            strict=True,
        ):
            torch.testing.assert_close(a, b)


def test_attention_drops_the_weights_that_it_drops_in_the_gradient() -> None:
    parts = [torch.randn(10, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    dropout = Dropout(0.4).train()

    def mixed(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return attend(given[0], given[1], given[2], (2, 5, 2), None, dropout)

    assert not torch.allclose(mixed(*parts), attend(parts[0], parts[1], parts[2], (2, 5, 2), None))
    assert torch.autograd.gradcheck(mixed, parts)


def test_dropout_keeps_rate_and_mean_and_follows_the_seed() -> None:
    dropout, ones = Dropout(0.25).train(), torch.ones(300, 400)
    torch.manual_seed(1)
    first, second = dropout(ones), dropout(ones)
    torch.manual_seed(1)
    assert torch.equal(first, dropout(ones))
    assert not torch.equal(first, second)
    assert float((first == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(first.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)


def test_transformers_models_get_the_same_dropout() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3), nn.ModuleDict({"inner": nn.Dropout(0.1)}))
    speed_up(model)
    assert [m.p for m in model.modules() if isinstance(m, Dropout)] == [0.3, 0.1]
