"""Networks for videos: frames one by one or all together, and what plain transformers makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("av")

from burnish.config import FromScratch, Tune, parse
from burnish.data import video
from burnish.data.clips import Clips
from burnish.data.features import collate
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.errors import InputError
from burnish.models import load as models
from burnish.models.freeze import freeze, groups
from burnish.models.net import Net
from burnish.models.opening import open_net, start_net
from burnish.models.vision import Frames, fresh_config
from tests import tiny, tiny_images, tiny_videos

LABELS = ("blue", "red")


def rows(tmp_path: Path) -> Rows:
    data = tiny_videos.folder(tmp_path / "data", count=2)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


def start(place: str = "", **preprocess: object) -> Net:
    return start_net(
        place, "sequence", LABELS, dropout=0.0, attention_dropout=0.0, pooling="mean", word_shape=False,
        config=None if place else fresh_config(3, 16), preprocess={"num_frames": 4, **preprocess},
    )  # fmt: skip


def test_a_network_of_images_is_asked_for_every_frame(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = start().eval()
    torch.nn.init.normal_(net.model.classifier.weight)
    assert (net.reads, net.own, type(net.scaled)) == ("video", True, Frames)
    clips = torch.randint(0, 256, (3, 4, 20, 24, 3), dtype=torch.uint8)
    found = net({"clips": clips})
    assert found.shape == (3, 2)
    single = torch.stack([net({"clips": clips[:, [place]]}) for place in range(4)])
    torch.testing.assert_close(found, single.mean(0))
    net.model.untrained = False
    read = net.read({"clips": clips})
    assert read.shape == (3, 16)
    torch.testing.assert_close(net.linear(read), found)  # type: ignore[misc]
    net.save(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"num_frames": 4}', encoding="utf-8")
    torch.testing.assert_close(open_net(str(tmp_path), "sequence", 2, "cls", False).eval()({"clips": clips}), found)


def test_a_videomae_is_what_plain_transformers_makes_of_it(tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForVideoClassification

    place, given = str(tiny_videos.videomae(tmp_path / "mae")), rows(tmp_path)
    reader = Clips.start(place, Tune(), given)
    net = start(place, **reader.document).eval()
    assert (net.reads, net.own) == ("video", False)
    net.save(tmp_path)
    reader.save_pretrained(tmp_path)
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    plain = AutoModelForVideoClassification.from_pretrained(tmp_path).eval()
    for row in given:
        frames = [np.asarray(frame) for frame in video.frames(row["video"], 4)]
        with torch.inference_mode():
            theirs = plain(**processor(frames, return_tensors="pt")).logits
            ours = net(collate(reader.features([row]), [0], 0))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)
    again = open_net(str(tmp_path), "sequence", 2, "cls", False).eval()
    batch = collate(reader.features(list(given)), [0, 1, 2], 0)
    torch.testing.assert_close(again(batch), net(batch))
    torch.testing.assert_close(net.linear(net.read(batch)), net(batch))  # type: ignore[misc]


def test_layers_of_a_videomae_learn_at_rates_of_their_own(tmp_path: Path) -> None:
    net = start(str(tiny_videos.videomae(tmp_path)))
    assert len({group.learning_rate for group in groups(net, 1e-3, 1e-2, 0.5, 0.0)}) == 4  # embeddings, 2 layers, head
    freeze(net, "head")
    learning = {name for name, value in net.named_parameters() if value.requires_grad}
    assert learning == net.head_parameters()
    assert any("classifier" in name for name in learning)


def test_an_encoder_of_images_is_taken_over(tmp_path: Path) -> None:
    vit = tiny_images.vit(tmp_path / "vit")
    net = start(str(vit)).eval()
    assert (net.reads, net.own) == ("video", True), "plain transformers averages no frames"
    assert net({"clips": torch.zeros(2, 3, 32, 32, 3, dtype=torch.uint8)}).shape == (2, 2)
    models.must_read(models.resolve(str(vit)), "video")


def test_models_that_read_something_else(tmp_path: Path) -> None:
    mae = tiny_videos.videomae(tmp_path / "mae")
    (tmp_path / "mae" / "preprocessor_config.json").write_text(json.dumps({"num_frames": 4}), encoding="utf-8")
    with pytest.raises(InputError, match="reads videos, and the rows hold images"):
        models.must_read(models.resolve(str(mae)), "image")
    with pytest.raises(InputError, match="reads texts, and the rows hold videos"):
        models.must_read(models.resolve(str(tiny.encoder(tmp_path))), "video")
    small = Clips({"size": 16, "num_frames": 2})
    with pytest.raises(InputError, match="too often"):
        models.scratch_config(small, FromScratch(layers=6), 64)
