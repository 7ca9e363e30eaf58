"""Which parts of a convolutional network are brought to eight bits, and which stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from burnish.compression import forms
from burnish.compression.forms import Form
from burnish.compression.quantize import exact
from burnish.engine import onnx, openvino
from burnish.models.net import Net
from burnish.models.sound import Levelled, Sound, fresh_config

FRONT = {"feature_extractor_type": "BurnishMelExtractor", "feature_size": 64, "sampling_rate": 8000, "voice": True}
GRAPH = [
    ("table", "Constant", []), ("given", "Parameter", []),
    ("level", "Subtract", ["given"]), ("series", "MatMul", ["level", "table"]),
    ("first", "Convolution", ["level"]), ("bend", "Relu", ["first"]), ("second", "Convolution", ["bend"]),
    ("mean", "ReduceMean", ["second"]), ("head", "MatMul", ["mean", "table"]), ("sum", "Add", ["head", "series"]),
]  # fmt: skip


def test_what_stands_before_and_behind_the_convolutions_stays() -> None:
    assert exact(GRAPH) == ["level", "series", "mean", "sum"]
    assert exact([node for node in GRAPH if node[1] != "Convolution"]) == []
    assert exact([*GRAPH, ("attend", "Softmax", ["head"])]) == []


@pytest.fixture(scope="module")
def network() -> Net:
    torch.manual_seed(0)
    model = Sound(fresh_config(2, 32, 64), 3)
    model.start()
    nn.init.normal_(model.classifier.weight, std=0.1)
    net = Net(model, "sequence", 3, scaled=Levelled.of(FRONT)).eval()
    summary = net.extras["summary"]
    for values, spread in ((summary.weight, 0.3), (summary.mean, 1.0)):  # type: ignore[union-attr]
        values.normal_(std=spread)  # type: ignore[operator, union-attr]
    return net


@pytest.mark.parametrize("form", ["openvino-int8", "openvino-w8", "onnx-int8"])
def test_a_summary_beside_a_network_is_as_it_was(form: str, network: Net, tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(1)
    bands = 3 * torch.randn(8, 64, 66, generator=draw) - 40  # energies of a quiet sound: far from zero
    bands[..., 64:] = torch.rand(8, 64, 2, generator=draw)
    batch = {"frames": torch.tensor([64, 60, 50, 40, 30, 64, 20, 64]), "sound": bands.half()}
    with torch.inference_mode():
        whole = network(batch)
        alone = whole - network.extras["summary"](network.scaled, batch)
    assert (whole - alone).std() > 3 * alone.std()  # what eight bits of a term would show most in
    forms.write(network, Form.named(form), tmp_path, batch, 0, [batch])
    opened = (
        onnx.Onnx(tmp_path / onnx.GRAPH, 2)
        if form.startswith("onnx")
        else openvino.OpenVino(tmp_path / openvino.GRAPH, "f32", 2)
    )
    _, found = next(iter(opened.run([batch])))
    assert (found - whole).abs().max() < 0.2 * alone.std()
