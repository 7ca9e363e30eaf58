"""Networks for images: what they read, what plain transformers reads of them, and what they carry over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from burnish.config import FromScratch, Tune, parse
from burnish.data.features import collate
from burnish.data.load import load
from burnish.data.pixels import Pixels
from burnish.data.rows import Rows
from burnish.errors import InputError
from burnish.models import load as models
from burnish.models.freeze import freeze, groups
from burnish.models.net import Net
from burnish.models.opening import open_net, start_net
from burnish.models.vision import Scaled, Vision, fresh_config
from tests import tiny, tiny_images

LABELS = ("blue", "red")


def rows(tmp_path: Path) -> Rows:
    data = tiny_images.folder(tmp_path / "data", count=2)
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


def start(place: str = "", preprocess: dict[str, object] | None = None, hidden: int = 16) -> Net:
    return start_net(
        place, "sequence", LABELS, dropout=0.0, attention_dropout=0.0, pooling="mean", word_shape=False,
        config=None if place else fresh_config(3, hidden), preprocess=preprocess,
    )  # fmt: skip


def test_one_network_reads_any_size_and_is_saved_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = start(preprocess={"image_mean": [0.5] * 3, "image_std": [0.25] * 3}).eval()
    assert net.reads == "image"
    assert net.pooling == "cls"
    assert net.linear is None, "a head has nothing to be fitted to yet"
    torch.nn.init.normal_(net.model.classifier.weight)
    for size in (16, 31, 64):
        assert net({"pixels": torch.zeros(2, size, size, 3, dtype=torch.uint8)}).shape == (2, 2)
    net.save(tmp_path)
    Path(tmp_path, "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}), encoding="utf-8"
    )
    again = open_net(str(tmp_path), "sequence", 2, "cls", False).eval()
    given = {"pixels": torch.randint(0, 256, (3, 20, 20, 3), dtype=torch.uint8)}
    torch.testing.assert_close(again(given), net(given))
    assert again.linear is again.model.classifier
    torch.testing.assert_close(again.linear(again.read(given)), net(given))


def test_a_new_head_keeps_the_encoder(tmp_path: Path) -> None:
    net = start()
    with torch.no_grad():
        net.model.vision.layers[0].widen[1].running_mean.fill_(0.25)
    net.save(tmp_path)
    models.resolve(str(tmp_path))
    other = start_net(
        str(tmp_path), "sequence", ("a", "b", "c"), dropout=0.0, attention_dropout=0.0, pooling="mean",
        word_shape=False, preprocess={},
    )  # fmt: skip
    assert other.model.classifier.out_features == 3
    kept = other.model.vision.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in net.model.vision.state_dict().items())


def test_layers_learn_at_their_own_pace() -> None:
    net = start()
    rates = {group.learning_rate for group in groups(net, 1.0, 2.0, 0.5, 0.0)}
    assert rates == {2.0, 0.5, 0.25, 0.125}  # head, two stages, stem
    freeze(net, "embeddings")
    assert all(parameter.requires_grad for parameter in net.parameters())
    freeze(net, "head")
    assert {name for name, p in net.named_parameters() if p.requires_grad} == net.head_parameters()


@pytest.mark.parametrize("kind", ["vit", "mobilevit"])
def test_a_folder_of_transformers_sees_what_its_own_processor_gives(kind: str, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    place = getattr(tiny_images, kind)(tmp_path / kind)
    found = rows(tmp_path)
    reader = Pixels.start(str(place), Tune(), found)
    net = start(str(place), preprocess=dict(reader.document)).eval()
    given = collate(reader.features(list(found)), [0, 3], 0)
    images = [Image.open(found[index]["image"]) for index in (0, 3)]
    pixels = AutoImageProcessor.from_pretrained(place)(images, return_tensors="pt")["pixel_values"]
    assert net.scaled is not None
    torch.testing.assert_close(net.scaled(given["pixels"]), pixels, atol=0.02, rtol=0)  # a byte may be rounded

    net.model.classifier.weight.data.normal_()
    (tmp_path / "saved").mkdir()
    net.save(tmp_path / "saved")
    reader.save_pretrained(tmp_path / "saved")
    plain, info = AutoModelForImageClassification.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not info["missing_keys"]
    assert plain.config.id2label == {0: "blue", 1: "red"}
    with torch.inference_mode():
        theirs = plain.eval()(pixel_values=net.scaled(given["pixels"])).logits
        torch.testing.assert_close(net(given), theirs)
        again = open_net(str(tmp_path / "saved"), "sequence", 2, "cls", False).eval()
        torch.testing.assert_close(again(given), theirs)
    assert net.linear is not None
    torch.testing.assert_close(net.linear(net.read(given)), theirs)
    assert Pixels.open(tmp_path / "saved").shape == reader.shape == (32, 32)


def test_what_a_folder_says_of_sizes(tmp_path: Path) -> None:
    found = rows(tmp_path)
    with pytest.raises(InputError, match="image_size"):
        Pixels.start(str(tiny_images.vit(tmp_path / "vit")), Tune(image_size=64), found)
    wide = Image.fromarray(np.arange(60, dtype=np.uint8)[None, :].repeat(30, 0))
    crop = Pixels({"size": {"shortest_edge": 20}, "crop_size": {"height": 10, "width": 10}, "resample": 0})
    assert crop.array(wide).shape == (10, 10, 3)
    assert 20 < crop.array(wide).mean() < 40, "the middle"
    assert Pixels({"size": 12}).array(wide).shape == (12, 12, 3)
    assert Pixels({"size": {"shortest_edge": 20}, "crop_pct": 0.5}).array(wide).shape == (20, 20, 3)


def test_a_model_of_texts_is_refused(tmp_path: Path) -> None:
    source = models.resolve(str(tiny.encoder(tmp_path)))
    with pytest.raises(InputError, match="reads texts, and the rows hold images"):
        models.must_read(source, "image")
    models.must_read(models.resolve("scratch"), "image")


def test_what_does_not_learn_stays_as_it_was() -> None:
    net = start()
    freeze(net, "head")
    before = {name: value.clone() for name, value in net.model.vision.state_dict().items()}
    net.train()
    net({"pixels": torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)})
    assert all(torch.equal(before[name], value) for name, value in net.model.vision.state_dict().items())
    freeze(start(), "top:1")


def test_too_many_stages_for_small_images_are_refused() -> None:
    reader = Pixels({"size": 16})
    assert models.scratch_config(reader, FromScratch(layers=4), 0)["num_hidden_layers"] == 4
    with pytest.raises(InputError, match="layers"):
        models.scratch_config(reader, FromScratch(layers=5), 0)


def test_bytes_are_scaled_as_the_document_says() -> None:
    white = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    scaled = Scaled.of({"image_mean": [0.5, 0.25, 0.0], "image_std": [0.5, 0.5, 0.5]})
    torch.testing.assert_close(scaled(white)[0, :, 0, 0], torch.tensor([1.0, 1.5, 2.0]))
    turned = Scaled.of({"do_normalize": False, "do_flip_channel_order": True})
    colours = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, 2, 2, 3)
    torch.testing.assert_close(turned(colours)[0, :, 0, 0], torch.tensor([1.0, 0.2, 0.0]))


def test_it_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = start(hidden=32)
    assert isinstance(net.model, Vision)
    images = [np.asarray(tiny_images.picture(label, seed, (16, 16))) for seed in range(16) for label in LABELS]
    batch = {"pixels": torch.from_numpy(np.stack(images)), "labels": torch.tensor([0, 1] * 16)}
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(net(batch), batch["labels"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
