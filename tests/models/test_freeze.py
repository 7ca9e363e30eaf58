"""How far back a step goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.models.freeze import layers, learning_from
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
