"""The reader of videos: what a network is given of them, how it is kept, varied, taken apart and made worse."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("av")

from burnish.config import Tune, parse
from burnish.data.clips import Clips
from burnish.data.features import collate
from burnish.data.load import load
from burnish.data.rows import Rows
from burnish.device import generator
from burnish.errors import InputError
from burnish.starter import guess
from tests import tiny_images, tiny_videos


def rows(data: Path) -> Rows:
    return load(parse({"task": "classify", "data": {"train": str(data), "split": {"dev": 0}}}))["train"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_videos.folder(tmp_path_factory.mktemp("clips"), 3)


def test_frames_are_kept_once_and_the_same(data: Path) -> None:
    given = rows(data)
    reader = Clips.start("", Tune(image_size=24, frames=5), given)
    made = reader.features(list(given))
    kept = made.kept()
    assert isinstance(kept.dense["clips"], np.memmap)
    assert made.lengths.tolist() == [12] * 6  # 2 x 2 patches of 16 pixels, and frames by twos
    first, second = collate(made, [5, 0], 0)["clips"], collate(kept, [5, 0], 0)["clips"]
    assert first.shape == (2, 5, 24, 24, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, second)
    assert Clips.start("", Tune(), given).form == (8, 32, 32, 3)  # the clips are 48 by 36 pixels


def test_all_that_may_be_given(data: Path) -> None:
    reader = Clips.start("", Tune(frames=3), rows(data))
    path = data / "red" / "00.mp4"
    several = [path, str(path), path.read_bytes(), {"video": str(path)}]
    assert all(map(reader.is_one, several))
    first, *others = (reader.array(reader.row(one)["video"]) for one in several)
    assert all(np.array_equal(first, other) for other in others)
    held = tiny_videos.frames("red", 0)
    assert reader.array(reader.row(held)["video"]).shape == (3, 32, 32, 3)
    assert not reader.is_one(np.stack([held, held]))
    sent = reader.from_request(f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}")
    assert np.array_equal(reader.array(sent["video"]), first)
    assert reader.array(reader.from_request(reader.example())["video"]).shape == (3, 32, 32, 3)
    for bad in (7, {"image": "a"}, None):
        with pytest.raises(InputError, match="a video is a path"):
            reader.row(bad)
    with pytest.raises(InputError, match=r"'none.mp4' cannot be read: there is no such file"):
        reader.array("none.mp4")


def test_all_frames_of_a_clip_are_varied_alike() -> None:
    still = torch.randint(0, 120, (32, 1, 16, 16, 3), dtype=torch.uint8).expand(32, 4, 16, 16, 3).contiguous()
    given, reader = {"clips": still, "labels": torch.arange(32)}, Clips({}, "flip")
    assert Clips({}, "none").vary(given, generator(1)) is given
    before = still.clone()
    first = reader.vary(given, generator(1))["clips"]
    torch.manual_seed(1)
    assert torch.equal(first, reader.vary(given, generator(1))["clips"])
    assert torch.equal(still, before)
    assert first.shape == still.shape
    assert (first == first[:, :1]).all()
    assert (first[:, 0] != still[:, 0]).flatten(1).any(1).float().mean() > 0.9


def test_what_is_said_of_clips(data: Path) -> None:
    given = list(rows(data))
    reader = Clips.start("", Tune(frames=6), rows(data))
    numbers = reader.numbers(given)
    assert numbers.shape == (6, 2 * (3 * 12**2 + 4**3))
    still = reader.numbers([{"video": np.full((4, 20, 20, 3), 9, np.uint8)}])[0]
    assert (still[len(still) // 2 :] == 0).all(), "nothing moves"
    traits = reader.traits(given)
    assert traits["seconds"].tolist() == pytest.approx([1.0] * 6, abs=0.1)
    assert traits["shorter side"].tolist() == [36] * 6
    assert reader.picture(given[0]).startswith("data:image/png;base64,")
    assert Clips.shown(given[0]["video"]) == "blue/00.mp4"
    worse = reader.corrupted(given[0], "blur", 0.05, 1)
    assert np.array_equal(worse["video"], reader.corrupted(given[0], "blur", 0.05, 1)["video"])
    assert reader.array(worse["video"]).shape == reader.form
    assert not np.array_equal(worse["video"], reader.array(given[0]["video"]))


def test_the_parts_of_a_clip_are_its_frames(data: Path) -> None:
    (row, *_) = rows(data)
    shapes = {count: Clips.start("", Tune(frames=count), rows(data)).parts(row).shape for count in (1, 5, 6, 8, 16)}
    assert shapes == {1: (1, 1), 5: (1, 5), 6: (2, 3), 8: (2, 4), 16: (4, 4)}
    grid = Clips.start("", Tune(frames=6), rows(data)).parts(row)
    kept = np.ones((2, 6), bool)
    kept[1, 4] = False
    full, without = grid.features(kept).dense["clips"]
    assert np.array_equal(full, grid.full)
    changed = [place for place in range(6) if not np.array_equal(full[place], without[place])]
    assert changed == [4]
    assert len(np.unique(without[4].reshape(-1, 3), axis=0)) == 1, "one colour"


def test_options_that_do_not_fit(data: Path, tmp_path: Path) -> None:
    place = str(tiny_videos.videomae(tmp_path / "mae"))
    assert Clips.start(place, Tune(), rows(data)).form == (4, 32, 32, 3)
    with pytest.raises(InputError, match=r"tune.frames: this model reads 4 frames"):
        Clips.start(place, Tune(frames=8), rows(data))
    with pytest.raises(InputError, match=r"tune.image_size: this model"):
        Clips.start(place, Tune(image_size=64), rows(data))
    with pytest.raises(InputError, match="speed is for sounds"):
        Clips.start("", Tune(vary="speed"), rows(data))
    image = str(tiny_images.vit(tmp_path / "vit"))
    assert Clips.start(image, Tune(), rows(data)).form == (8, 32, 32, 3)
    assert Clips.start(image, Tune(frames=3), rows(data)).form == (3, 32, 32, 3)
    (tmp_path / "preprocessor_config.json").write_text('{"size": 32, "num_frames": 0}', encoding="utf-8")
    with pytest.raises(InputError, match="missing or damaged"):
        Clips.open(tmp_path)


def test_init_knows_videos(data: Path, tmp_path: Path) -> None:
    table = tiny_videos.table(tmp_path, 3)
    for source, columns in ((table, True), (data, False)):
        started = guess(str(source))
        assert started.task == "classify"
        assert "model: scratch" in started.text
        assert ("video: clip" in started.text) == columns
    with pytest.raises(InputError, match="sub-folder"):
        guess(str(data / "red"))
