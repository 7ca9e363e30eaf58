"""How far back a step goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from burnish.errors import InputError
from burnish.models.freeze import Heights, freeze, groups, layers, learning_from
from burnish.models.net import Net
from burnish.models.opening import start_net
from tests import tiny


def net(folder: Path) -> Net:
    options = {"dropout": 0.0, "attention_dropout": 0.0, "pooling": "mean", "word_shape": False}
    return start_net(str(tiny.encoder(folder)), "sequence", ("a", "b"), **options)  # type: ignore[arg-type]


def gradients(net: Net, lowest: torch.nn.Module | None) -> dict[str, torch.Tensor]:
    net.zero_grad()
    ids = torch.arange(5, 17).view(2, 6)
    with learning_from(net, lowest):
        loss = net({"input_ids": ids, "attention_mask": torch.ones_like(ids)}).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def test_layers_below_get_no_gradient_and_those_above_the_usual_one(tmp_path: Path) -> None:
    trained = net(tmp_path).train()
    found = layers(trained)
    assert found == list(trained.model.bert.encoder.layer)
    whole, upper = gradients(trained, None), gradients(trained, found[1])
    kept = {name for name in whole if ".layer.1." in name or ".layer.2." in name or name.startswith("extras.")}
    assert upper.keys() == kept < whole.keys()
    for name in kept:
        torch.testing.assert_close(upper[name], whole[name])


def test_layers_below_learn_nothing_from_a_second_call_either(tmp_path: Path) -> None:
    trained = net(tmp_path).train()
    found, ids = layers(trained), torch.arange(5, 17).view(2, 6)
    with learning_from(trained, found[1]):
        asked = [trained({"input_ids": one[None], "attention_mask": torch.ones(1, 6).long()}) for one in ids]
    torch.cat(asked).square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in found[0].parameters())
    assert all(p.grad is not None for p in found[1].parameters())


def test_gradients_are_on_again_afterwards(tmp_path: Path) -> None:
    trained = net(tmp_path).train()
    lowest = layers(trained)[1]
    with pytest.raises(ZeroDivisionError), learning_from(trained, lowest):
        raise ZeroDivisionError
    assert torch.is_grad_enabled()
    assert not lowest._forward_pre_hooks


def test_layers_of_stages_are_counted_through(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 3], layer_type="basic", num_labels=2)
    heights = Heights(ResNetForImageClassification(config))
    stages = "resnet.encoder.stages"
    assert [heights.of(f"{stages}.{s}.layers.{i}.layer.0.weight") for s, n in ((0, 2), (1, 3)) for i in range(n)] == [
        5, 4, 3, 2, 1,
    ]  # fmt: skip
    assert heights.of("resnet.embedder.embedder.convolution.weight") == 6
    assert heights.of("classifier.1.weight") == 0


def test_what_leads_into_a_stage_goes_with_its_first_layer() -> None:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    sizes = {"hidden_sizes": [8, 16], "depths": [2, 3], "num_stages": 2}
    heights = Heights(ConvNextForImageClassification(ConvNextConfig(**sizes)))  # type: ignore[arg-type]
    assert heights.of("convnext.encoder.stages.1.downsampling_layer.1.weight") == 3
    assert heights.of("convnext.encoder.stages.1.layers.0.dwconv.weight") == 3
    assert heights.of("convnext.encoder.stages.1.layers.2.dwconv.weight") == 1
    assert heights.of("convnext.embeddings.patch_embeddings.weight") == 6


def test_each_of_two_encoders_is_counted_from_its_own_top() -> None:
    def encoder(depth: int) -> torch.nn.ModuleDict:
        numbered = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(depth))
        return torch.nn.ModuleDict({"embeddings": torch.nn.Linear(2, 2), "layer": numbered})

    heights = Heights(torch.nn.ModuleDict({"towers": torch.nn.ModuleDict({"text": encoder(4), "image": encoder(2)})}))
    assert [heights.of(f"towers.text.layer.{i}.weight") for i in range(4)] == [4, 3, 2, 1]
    assert [heights.of(f"towers.image.layer.{i}.weight") for i in range(2)] == [2, 1]
    assert (heights.of("towers.text.embeddings.weight"), heights.of("towers.image.embeddings.weight")) == (5, 3)


def test_the_top_layers_alone_learn_and_lower_ones_more_slowly(tmp_path: Path) -> None:
    trained = net(tmp_path)
    (*_, last) = layers(trained)
    slow = {p: group.learning_rate for group in groups(trained, 1.0, 9.0, 0.5, 0.0) for p in group.parameters}
    assert {slow[p] for p in last.parameters()} == {0.5}
    assert slow[trained.model.get_input_embeddings().weight] == 0.5 ** (1 + len(layers(trained)))
    freeze(trained, "top:1")
    fresh = trained.head_parameters()
    learning = {name for name, p in trained.named_parameters() if p.requires_grad and name not in fresh}
    inside = {id(p) for p in last.parameters()}
    assert inside == {id(p) for n, p in trained.named_parameters() if n in learning and ".layer." in n}


SIZES = {"vocab_size": 40, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
GPT = {"vocab_size": 40, "n_embd": 8, "n_layer": 2, "n_head": 2}
XLNET = {"vocab_size": 40, "d_model": 8, "n_layer": 2, "n_head": 2, "d_inner": 8}
T5 = {
    "vocab_size": 40,
    "d_model": 8,
    "num_layers": 2,
    "num_heads": 2,
    "d_kv": 4,
    "d_ff": 8,
    "decoder_start_token_id": 0,
}
BART = {"vocab_size": 40, "d_model": 8, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 8}
BART |= {"decoder_ffn_dim": 8, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
WAVES: dict[str, Any] = SIZES | {"conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3)}
WAVES |= {"num_feat_extract_layers": 2, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


@pytest.mark.parametrize(
    ("kind", "sizes", "lowest"),
    [
        ("GPT2", GPT, ("wte.", "wpe.")),
        ("Qwen2", SIZES | {"num_key_value_heads": 2}, ("embed_tokens.",)),
        ("Bart", BART, ("shared.", "embed_positions.", "layernorm_embedding.")),
        ("T5", T5, ("shared.",)),
        ("XLNet", XLNET, ("word_embedding.",)),
        ("Wav2Vec2", WAVES, ("pos_conv_embed.", "feature_projection.", "feature_extractor.")),
    ],
)
def test_words_and_positions_stand_below_the_layers(kind: str, sizes: dict[str, Any], lowest: tuple[str, ...]) -> None:
    import transformers

    config = getattr(transformers, f"{kind}Config")(**sizes)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    heights, names = Heights(model), [name for name, _ in model.named_parameters()]
    below = {name for name in names if any(part in name for part in lowest)}
    assert all(any(part in name for name in below) for part in lowest)
    assert below == {name for name in names if heights.of(name) == 3}


def test_what_does_not_learn_is_not_made_to(tmp_path: Path) -> None:
    for what in ("none", "embeddings", "top:2", "top:9"):
        trained = net(tmp_path)
        positions = trained.model.bert.embeddings.position_embeddings.weight.requires_grad_(False)
        freeze(trained, what)
        assert not positions.requires_grad


def test_the_top_of_a_network_that_numbers_no_layers_is_refused(tmp_path: Path) -> None:
    from transformers import AlbertConfig, AlbertModel

    AlbertModel(AlbertConfig(**SIZES, embedding_size=8)).save_pretrained(tmp_path)
    options = {"dropout": 0.0, "attention_dropout": 0.0, "pooling": "mean", "word_shape": False}
    started = start_net(str(tmp_path), "sequence", ("a", "b"), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"tune\.freeze: top:1 counts the layers"):
        freeze(started, "top:1")
