"""LoRA through PEFT: small matrices learn beside frozen ones, and are added to them in the end."""

from __future__ import annotations

from torch import nn

from burnish.errors import InputError
from burnish.extras import need
from burnish.models.freeze import in_layer
from burnish.models.net import Net


def add(net: Net, rank: int, alpha: float) -> None:
    """Put low-rank updates beside every linear layer of the encoder that would learn.

    Afterwards the updates, the head and the extra inputs learn, and nothing else. At first the updates are zero, so
    that the network computes what it did. The method is that of Hu et al. 2021, arXiv:2106.09685.

    Args:
        rank: inner width of an update: (out, rank) times (rank, in).
        alpha: updates count alpha / rank times.

    Raises:
        MissingExtra: when peft is not installed.
        InputError: when the encoder has no linear layer to adapt.
    """
    peft = need("peft", "lora")
    names = [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear) and in_layer(name) and module.weight.requires_grad
    ]
    if not names:
        raise InputError("tune.lora finds no linear layer to adapt in this model; leave it out")
    peft.inject_adapter_in_model(peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=names), net)
    fresh = net.head_parameters()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in fresh or ".lora_" in name)


def merge(net: Net) -> None:
    """Add the updates to the weights they stand beside, and put the plain layers back in their places."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(net.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            net.set_submodule(name, module.get_base_layer())
