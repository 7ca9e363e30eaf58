"""The search: what it tries, what it keeps, and that a kill loses nothing."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from typer.testing import CliRunner

from burnish import device, variant, verbs
from burnish import job as flow
from burnish.artifact import Artifact
from burnish.cli import app
from burnish.compressed import Speed, Trial
from burnish.compression import compress as flow_of_search
from burnish.compression import forms, last_look, pace, stand_in
from burnish.compression.choose import affordable, cheapest, ladder, survivors
from burnish.compression.forms import Form
from burnish.compression.journal import Done, Journal
from burnish.compression.pace import batches
from burnish.compression.prune import Shape
from burnish.compression.search import Found, Search
from burnish.config import Compress, parse
from burnish.data.features import Features, Ragged
from burnish.engine import Engine
from burnish.engine.openvino import OpenVino
from burnish.engine.runtime import Eager
from burnish.errors import InputError
from burnish.reporting.wording import compression_words
from burnish.training import evaluate
from tests import tiny
from tests.training.test_adopt import elsewhere, job_of

FULL = Shape(6, 12, 1536)


def test_the_ladder_leaves_out_what_costs_more_and_promises_less() -> None:
    wide, half, flat = Shape(2, 12, 1536), Shape(3, 6, 768), Shape(1, 3, 192)
    table = {FULL: 6.0, wide: 2.0, half: 1.8, flat: 0.3}
    assert ladder(table, FULL) == [half, flat]


def test_the_ladder_has_steps_of_about_one_size() -> None:
    table = {Shape(1 + i // 8, 1 + i % 8, 64): 2.0 ** -(40 - i) for i in range(40)} | {FULL: 2.0}
    rungs = ladder(table, FULL)
    assert 6 <= len(rungs) <= 8
    assert [table[shape] for shape in rungs] == sorted((table[shape] for shape in rungs), reverse=True)
    assert rungs[-1] == min(table, key=lambda shape: table[shape])


def test_with_little_time_shapes_of_the_middle_learn() -> None:
    shapes = [Shape(layers, 12, 64) for layers in (6, 5, 4, 3, 2, 1)]
    seconds = [60.0, 50.0, 40.0, 30.0, 20.0, 10.0]
    assert affordable(shapes, seconds, 210) == shapes
    assert affordable(shapes, seconds, 209) == shapes[:5]
    assert affordable(shapes, seconds, 141) == shapes[1:5]
    assert affordable(shapes, seconds, 121) == shapes[1:4]
    assert affordable(shapes, seconds, 91) == shapes[1:3]
    assert affordable(shapes, seconds, 1) == [shapes[2]]


def test_the_cheapest_safe_one_and_the_hopeful_ones_go_on() -> None:
    shapes = [Shape(layers, 12, 64) for layers in (6, 5, 4, 3, 2, 1)]
    table = {shape: float(shape.layers) for shape in shapes}
    lost = dict(zip(shapes, (0.0, 0.01, 0.02, 0.025, 0.03, 0.2), strict=True))
    assert survivors(lost, table, 0.01, 3.0) == [shapes[1], shapes[2], shapes[4]]  # safe, nearest, cheapest
    assert survivors(lost, table, 0.01, 2.0) == [shapes[1], shapes[2]]
    assert survivors(lost, table, 0.001, 1.0) == [shapes[0]]
    assert survivors({shape: lost[shape] for shape in shapes[1:5]}, table, 0.01, 3.0) == [shapes[1], shapes[4]]
    assert survivors({shapes[5]: 0.5, shapes[4]: 0.4}, table, 0.01, 2.0) == [shapes[4]]


def test_the_cheapest_is_taken_where_it_is_sure_enough() -> None:
    dear, middle, cheap, bad = (Shape(layers, 12, 64) for layers in (4, 3, 2, 1))
    table = {shape: float(shape.layers) for shape in (dear, middle, cheap, bad)}
    lost = {dear: -0.001, middle: 0.006, cheap: 0.008, bad: 0.02}
    assert cheapest(lost, lambda shape: 0.0, table, 0.01) == cheap
    assert cheapest(lost, lambda shape: 0.003, table, 0.01) == middle
    assert cheapest(lost, lambda shape: 0.05, table, 0.01) == dear  # too few rows to be sure: the safest one
    assert cheapest({bad: 0.02}, lambda shape: 0.0, table, 0.01) is None


def test_a_loss_of_just_the_budget_keeps_to_it() -> None:
    just, cheap = Shape(2, 12, 64), Shape(1, 12, 64)
    lost, table = {just: 0.95 - 0.94, cheap: float("nan")}, {just: 2.0, cheap: 1.0}
    assert lost[just] > 0.01  # by rounding alone
    assert cheapest(lost, lambda shape: 0.0, table, 0.01) == just
    assert cheapest({just: 0.94 - 0.94}, lambda shape: 0.95 - 0.94, {just: 2.0}, 0.01) == just
    assert survivors(lost, table, 0.01, 3.0) == [just]


@pytest.mark.parametrize("single", [False, True])
def test_costs_are_looked_at_with_rows_of_about_one_length_together(single: bool) -> None:
    rows = [[1] * (5 if i % 2 else 50) for i in range(4000)]
    found = batches(Features({"input_ids": Ragged.build(rows)}), 0, single)
    shown = [int(batch["attention_mask"].sum()) / batch["attention_mask"].numel() for batch in found]
    assert sorted(shown)[1:] == [1.0] * (len(shown) - 1)  # one batch at most has rows of both
    assert {batch["input_ids"].shape[1] for batch in found} == {5, 50}
    assert all(len(batch["input_ids"]) == 1 for batch in found) == single


def _costs(self: Any, form: Form) -> dict[Shape, float]:
    """In place of timing: the tiny networks of tests differ by less than the machine's noise."""
    full = Shape.of(self.world.net)
    widths = ((full.heads, full.units), (1, 16))
    return {Shape(n, heads, units): n * (heads + units) for n in range(1, full.layers + 1) for heads, units in widths}


def _killed(*given: Any) -> Any:
    raise KeyboardInterrupt


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes seconds: torch alone, few shapes, timings that are made up, students one after another."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("torch", "bf16")])
    monkeypatch.setattr(Search, "table", _costs)
    slow, fast = Speed(100, 99, 101, 9, 9, 9, 1, 200), Speed(300, 290, 310, 3, 3, 3, 1, 100)
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": slow, "found": fast})


def model(folder: Path, task: str, **options: Any) -> Path:
    job = tiny.job(folder, task, epochs=2, **options)
    flow.tune(job)
    return Path(job.out)


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_a_search_ends_with_a_variant_that_is_measured(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("openvino", "f32")])
    monkeypatch.setattr(Search, "table", _costs)
    folder = model(tmp_path, task)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.9", minutes=0.1, say=said.append)
    assert [trial.name for trial in report.trials][:2] == ["torch-f32", "openvino-f32"]
    assert len(report.trials) > 2
    assert report.shape != "3x2x64"
    assert report.after.split == "dev"
    found = variant.Variant.open(Artifact.open(folder), "throughput")
    assert found.manifest["shape"] == report.shape
    assert found.manifest["compressed"]["speedup"] == pytest.approx(report.speedup)
    assert report.speeds["tuned"].low <= report.speeds["tuned"].rows_per_second <= report.speeds["tuned"].high
    beside = ("variant.json", "report.html", "job.yaml")
    files = [file for file in found.folder.iterdir() if file.name not in beside]
    assert report.speeds["found"].size == sum(file.stat().st_size for file in files)
    assert not list(tmp_path.glob(".*.work"))
    runtimes = {"torch": Eager, "openvino": OpenVino}
    if report.chosen:  # on a busy machine the timing may be too close to tell
        assert isinstance(Engine.open(folder).runtime, runtimes[found.manifest["runtime"]])
    assert len(Engine.open(folder, "throughput").predict(["the film was good"])) == 1
    assert Engine.open(folder, "torch").net is not None


def test_a_search_that_is_killed_goes_on(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path, "classify")
    whole = Search._rung
    made: list[tuple[str, int]] = []

    def dies(self: Search, learner: Any, form: Form, shape: Shape, rung: int) -> Any:
        if len(made) == 2:
            made.append(("killed", rung))
            raise KeyboardInterrupt
        made.append((str(shape), rung))
        return whole(self, learner, form, shape, rung)

    monkeypatch.setattr(Search, "_rung", dies)
    with pytest.raises(KeyboardInterrupt):
        verbs.compress(folder, budget="0.9", minutes=0.1)
    assert Engine.open(folder, "throughput").predict(["good"])  # the best so far
    report = verbs.compress(folder, budget="0.9", minutes=0.1)
    assert len(set(made)) == len(made)  # no trial was made twice
    assert {trial.name for trial in report.trials} > {name for name, _ in made[:2]}


def test_without_time_for_a_stand_in_forms_alone_are_judged(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    artifact = Artifact.open(folder)
    training, rows = artifact.manifest["training"], artifact.manifest["data"]["rows"]["train"]
    job = parse(artifact.manifest["job"])
    known = stand_in.seconds_to_tune(artifact, job, rows // 2)
    assert known >= training["seconds"] / 2 > 0
    longer = job.model_copy(update={"tune": job.tune.model_copy(update={"epochs": 1000})})
    assert stand_in.seconds_to_tune(artifact, longer, rows) == 1000 * rows / training["rows_per_second"]
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.9", minutes=30, say=said.append)
    assert any("give it --minutes" in line for line in said)
    assert [trial.name for trial in report.trials] == ["torch-f32", "torch-bf16"]
    assert report.judged is None
    assert set(report.rows) == {"learn", "judge", "dev"}
    assert report.shape == "3x2x64"
    assert Engine.open(folder, "throughput").predict(["good"])
    page = (folder / "variants" / "throughput" / "report.html").read_text(encoding="utf-8")
    assert "torch-bf16" in page
    assert "stand-in" not in page


def test_a_model_from_elsewhere_is_judged_by_itself(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    place, _, _ = elsewhere(tmp_path, "Sequence", ("pos", "neg"))
    adopted = flow.tune(job_of(tmp_path, "classify", place)).artifact
    monkeypatch.setattr(stand_in, "tuned_on", None)
    said: list[str] = []
    report = verbs.compress(adopted.folder, budget="0.9", minutes=0.1, say=said.append)
    assert any("a model from elsewhere" in line for line in said)
    assert any(trial.epochs for trial in report.trials)
    assert report.judged is not None
    assert Engine.open(adopted.folder, "throughput").predict(["good"])


def test_for_energy_the_counters_decide(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(device.Meter, "works", False, raising=False)
    monkeypatch.setattr(device.Meter, "__init__", lambda self: None)
    monkeypatch.setattr(device.Meter, "joules", lambda self: 0.0)
    with pytest.raises(InputError, match="does not say what it takes"):
        verbs.compress(folder, budget="0.9", goal="energy", minutes=0.1)
    monkeypatch.setattr(device.Meter, "works", True)
    slow = Speed(100, 99, 101, 9, 9, 9, 1, 200, joules=0.5)
    monkeypatch.setattr(
        last_look, "measure", lambda *given, **more: {"tuned": slow, "found": replace(slow, joules=0.2)}
    )
    report = verbs.compress(folder, budget="0.9", goal="energy", minutes=0.1)
    assert report.chosen == "energy"
    assert report.speedup == pytest.approx(2.5)
    assert "0.5 to 0.2 J" in (folder / "variants" / "energy" / "report.html").read_text(encoding="utf-8")


def test_a_tuning_on_another_machine_tells_nothing_of_time(tmp_path: Path) -> None:
    artifact = Artifact.open(model(tmp_path, "classify"))
    artifact.manifest["environment"]["cpu"] = "another"
    assert stand_in.seconds_to_tune(artifact, parse(artifact.manifest["job"]), 10) == 0


def test_a_budget_that_no_smaller_network_keeps_to(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(Search, "score", lambda self, engine: 0.9 if engine.task and self.base == 0 else 0.9 - self.bad)
    monkeypatch.setattr(Search, "bad", 0.0, raising=False)
    whole = Search._rung

    def bad(self: Search, *given: Any) -> Any:
        self.bad = 0.5
        return whole(self, *given)

    monkeypatch.setattr(Search, "_rung", bad)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.01", minutes=0.1, say=said.append)
    assert any("came nearest, with 0.5000 lost" in line for line in said)
    assert report.shape == "3x2x64"
    assert report.final.first_value == report.final.second_value


def test_a_form_without_a_score_is_not_taken(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    score = iter((0.9, float("nan")))
    monkeypatch.setattr(Search, "score", lambda self, engine: next(score))
    monkeypatch.setattr(Search, "_cost", lambda self, value: 1.0 if value["score"] > 0 else 0.1)
    report = verbs.compress(folder, budget="0.9", minutes=0.1)
    assert report.form == "torch-f32"
    assert [trial.within for trial in report.trials] == [True, False]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk is full"),
        (OSError(errno.EFBIG, "File too large"), "could not be written"),
        (FileNotFoundError(errno.ENOENT, "No such file", "gone.png"), None),
        (MemoryError(), None),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), None),
    ],
)
def test_a_form_that_the_machine_had_no_room_for_is_tried_again(
    error: Exception, told: str | None, tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    whole, failing = Search._written, [error]

    def full(self: Search, net: Any, form: Form, *given: Any) -> Any:
        if failing and form.precision == "bf16":
            raise failing.pop()
        return whole(self, net, form, *given)

    monkeypatch.setattr(Search, "_written", full)
    with pytest.raises(InputError if told else type(error), match=told):
        verbs.compress(folder, budget="0.9", minutes=0.1)
    report = verbs.compress(folder, budget="0.9", minutes=0.1)
    assert [trial.name for trial in report.trials] == ["torch-f32", "torch-bf16"]


def test_a_form_that_does_not_run_is_left_out_unless_the_disk_is_full(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    whole, bytes_of = Search._written, Path.write_bytes
    failing = {"bf16"}

    def unable(self: Search, net: Any, form: Form, place: Path) -> Any:
        if form.precision in failing:
            place.mkdir(parents=True, exist_ok=True)
            raise RuntimeError("no such operator")
        return whole(self, net, form, place)

    def full(path: Path, data: bytes) -> int:
        if path.name == "room":
            raise OSError(errno.ENOSPC, "No space left on device")
        return bytes_of(path, data)

    monkeypatch.setattr(Search, "_written", unable)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="the disk is full"):
            verbs.compress(folder, budget="0.9", minutes=0.1)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.9", minutes=0.1, say=said.append)
    assert [trial.name for trial in report.trials] == ["torch-f32"]
    assert "  torch-bf16: no such operator" in said
    failing.add("f32")  # which the others are held against
    with pytest.raises(RuntimeError, match="no such operator"):
        verbs.compress(folder, budget="0.9", minutes=0.1)


def test_a_search_stays_with_its_form_when_another_one_runs_again(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    whole, failing = Search._written, [RuntimeError("not now"), KeyboardInterrupt()]

    def dies(self: Search, net: Any, form: Form, place: Path) -> Any:
        place.mkdir(parents=True, exist_ok=True)
        if failing and (form.precision == "bf16" or place.name == "form"):
            raise failing.pop(0)
        return whole(self, net, form, place) | {"pace": 1e9 if form.precision == "bf16" else 1.0}

    monkeypatch.setattr(Search, "_written", dies)
    with pytest.raises(KeyboardInterrupt):
        verbs.compress(folder, budget="0.9", minutes=0.1)
    assert not failing
    assert verbs.compress(folder, budget="0.9", minutes=0.1).form == "torch-f32"


@pytest.mark.parametrize("installed", ["another runtime", "another version"])
def test_a_search_begins_anew_with_other_runtimes(
    installed: str, tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    whole, tunings = stand_in._tune, []
    monkeypatch.setattr(stand_in, "_tune", lambda *given: (tunings.append(1), whole(*given))[1])
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32")])
    with monkeypatch.context() as patch:
        patch.setattr(Search, "_rung", _killed)
        with pytest.raises(KeyboardInterrupt):
            verbs.compress(folder, budget="0.9", minutes=0.1)
    if installed == "another runtime":
        monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32"), Form("torch", "bf16")])
    else:
        monkeypatch.setattr(forms, "versions", lambda: {"openvino": "another"})
    verbs.compress(folder, budget="0.9", minutes=0.1)
    assert len(tunings) == 2


@pytest.mark.parametrize("goal", ["size", "throughput"])
def test_a_chosen_variant_stays_until_a_new_search_is_through(
    goal: str, tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    slow = Speed(100, 99, 101, 9, 9, 9, 1, 200)
    slower = (
        replace(slow, rows_per_second=90, size=50) if goal == "size" else replace(slow, low=110, rows_per_second=120)
    )
    monkeypatch.setattr(last_look, "measure", lambda *given, **more: {"tuned": slow, "found": slower})
    assert verbs.compress(folder, budget="0.9", goal=goal, minutes=0.1).chosen == goal
    before = variant.Variant.open(Artifact.open(folder), goal).manifest
    monkeypatch.setattr(Search, "_rung", _killed)
    for budget in ("0.5", "0.4"):
        with pytest.raises(KeyboardInterrupt):
            verbs.compress(folder, budget=budget, goal=goal, minutes=0.1)
        kept = variant.Variant.open(Artifact.open(folder), goal)
        if budget == "0.5":
            assert kept.manifest == before
            (kept.folder / "model.safetensors").write_bytes(b"damaged")
    assert "compressed" not in kept.manifest


def test_the_recipe_of_a_folder_with_a_slash_lies_beside_it(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify").model_copy(update={"out": "runs/model/"})
    text = flow_of_search._recipe(job, Compress(), Found(Form("torch", "f32")))
    assert "out: runs/model-again\n" in text


def test_other_training_rows_pass_where_the_last_look_is_at_a_file_of_its_own(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    head, *lines = (tmp_path / "train.csv").read_text(encoding="utf-8").splitlines()
    for name, some in (("dev", lines[:9]), ("new", lines[::-1])):
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *some]) + "\n", encoding="utf-8")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    for test in (0.25, 0.0):
        split = job.data.split.model_copy(update={"test": test})
        data = job.data.model_copy(update={"dev": str(tmp_path / "dev.csv"), "split": split})
        own = job.model_copy(update={"data": data, "out": str(tmp_path / f"out{test}")})
        flow.tune(own)
        if test:
            with pytest.raises(InputError, match="does not hold the rows"):
                verbs.compress(own.out, budget="0.9", minutes=0.1, train=str(tmp_path / "new.csv"))
        else:
            report = verbs.compress(own.out, budget="0.9", minutes=0.1, train=str(tmp_path / "new.csv"))
            assert report.after.split == "dev"


def test_a_student_that_fails_late_gives_way_to_the_network_as_it_is(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    whole, taught = last_look.look, Journal.steps
    seen: list[Found] = []

    def strict(tuned: Any, parts: Any, options: Any, found: Found, *given: Any) -> Any:
        seen.append(found)
        report, about = whole(tuned, parts, options, found, *given)
        return (replace(report, budget=-1.0) if found.shape else report), about

    def slow(self: Journal) -> dict[str, Done]:
        return {name: replace(done, seconds=7.0) for name, done in taught(self).items()}

    monkeypatch.setattr(last_look, "look", strict)
    monkeypatch.setattr(Journal, "steps", slow)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.9", minutes=0.1, say=said.append)
    assert seen[0].dearer
    assert len(seen) == 2
    assert report.shape == "3x2x64"
    assert any("as it is (for a dearer one, give it more than --minutes 0.1)" in line for line in said)


def test_without_other_rows_the_budget_is_held_against_its_own_metric(tmp_path: Path, few: None) -> None:
    job = tiny.job(tmp_path, "score")
    data = job.data.model_copy(update={"split": job.data.split.model_copy(update={"dev": 0.0})})
    flow.tune(job.model_copy(update={"data": data}))
    report = verbs.compress(job.out, budget="mae:1000", minutes=0.1)
    scores = {trial.name: trial.score for trial in report.trials}
    assert report.after.split == "train"
    assert report.base < 0  # an error comes with its sign turned
    assert report.lost == report.base - scores[report.shape]
    assert "of mae lost on the rows that judged in the search" in compression_words(report)


def test_what_a_found_form_lost_is_that_of_its_own_trial() -> None:
    form, small, large = Form("torch", "f32"), Shape(1, 2, 64), Shape(2, 2, 64)
    scores = {"torch-f32": 0.9, "torch-f32-shared": 0.875, "1x2x64": 0.5, "2x2x64": 0.75}
    trials = [Trial(name, 0, score, 1.0, 1, 1.0, True) for name, score in scores.items()]
    trials.append(replace(trials[2], score=0.625))  # of a later rung
    found = Found(form, small, 1, shared=True, dearer=((large, 1),), trials=tuple(trials), base=1.0)
    lost = [found.lost, found.next().lost, found.next().next().lost, replace(found, shape=None, shared=False).lost]
    assert lost == pytest.approx([0.375, 0.25, 0.125, 0.1])
    assert Found(form).lost is None


def test_a_chosen_variant_that_is_not_the_fastest_is_used_by_name(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    slow = Speed(100, 99, 101, 9, 9, 9, 1, 200)
    rates = iter((90.0, 300.0, 200.0, 400.0))
    monkeypatch.setattr(
        last_look,
        "measure",
        lambda *given, **more: {"tuned": slow, "found": replace(slow, rows_per_second=next(rates), low=250, size=50)},
    )
    for goal, named in (("size", True), ("throughput", False), ("size", True), ("size", False)):
        report = verbs.compress(folder, budget="0.9", goal=goal, minutes=0.1)
        assert report.chosen == goal
        assert (f"--variant {goal}" in compression_words(report)) == named
        assert (variant.best(Artifact.open(folder)) == goal) != named


def test_the_last_look_allows_a_loss_of_just_the_budget(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    monkeypatch.setattr(stand_in, "seconds_to_tune", lambda *given: 3600.0)
    whole, values = evaluate.evaluation, iter((0.95, 0.94))
    monkeypatch.setattr(
        evaluate,
        "evaluation",
        lambda *given, **more: replace(whole(*given, **more), metrics={"accuracy": next(values)}),
    )
    report = verbs.compress(folder, budget="0.01", minutes=0.1)
    assert report.lost > report.budget  # by rounding alone
    assert report.chosen == "throughput"
    assert "more than the budget" not in compression_words(report)


def test_a_student_that_fails_the_last_look_gives_way_to_a_dearer_one(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "classify")
    whole = last_look.look
    seen: list[Found] = []

    def strict(tuned: Any, parts: Any, options: Any, found: Found, *given: Any) -> Any:
        seen.append(found)
        report, about = whole(tuned, parts, options, found, *given)
        return (replace(report, budget=-1.0) if len(seen) < 3 else report), about

    monkeypatch.setattr(last_look, "look", strict)
    monkeypatch.setattr(flow_of_search, "_in_time", lambda *given: True)
    said: list[str] = []
    report = verbs.compress(folder, budget="0.9", minutes=0.1, say=said.append)
    assert report.shape == str(seen[2].shape)
    costs = _costs(SimpleNamespace(world=SimpleNamespace(net=Engine.open(folder, "torch").net)), Form("torch", "f32"))
    spent = [costs[found.shape] for found in seen if found.shape]
    assert len(spent) == 3
    assert spent == sorted(spent)
    assert sum("too much: the next dearer one" in line for line in said) == 2
    assert variant.Variant.open(Artifact.open(folder), "throughput").manifest["shape"] == report.shape
    assert Found(seen[0].form, seen[0].shape).next().shape is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"budget": "f1:much"}, "--budget: 'f1:much'"),
        ({"budget": "-0.1"}, "--budget"),
        ({"goal": "speed"}, "--for: 'speed'"),
        ({"budget": "f2:0.1"}, "f2"),
        ({"train": "gone.csv"}, "gone.csv"),
    ],
)
def test_what_cannot_be_searched_for_is_told_before_any_work(
    given: dict[str, Any], told: str, tmp_path: Path, few: None
) -> None:
    folder = model(tmp_path, "classify")
    with pytest.raises(InputError, match=told):
        verbs.compress(folder, **given)
    assert not variant.names(Artifact.open(folder))


def test_the_verb_prints_json_and_a_code(tmp_path: Path, few: None) -> None:
    folder = model(tmp_path, "classify")
    result = CliRunner().invoke(app, ["compress", str(folder), "--budget", "0.9", "--minutes", "0.1", "--json"])
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert set(found) == {"chosen", "metric", "speedup", "size_ratio"}
    assert set(found["metric"]) == {"before", "after"}
    assert found["speedup"] == 3
    assert found["size_ratio"] == 0.5
    assert found["chosen"] == "throughput"
    assert result.exit_code == 0


def test_costs_of_shapes_follow_from_layers_that_were_timed(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(Search, "_shape_cost", lambda self, form, shape: 0.5 + shape.layers * shape.units)
    tables: list[dict[Shape, float]] = []
    whole = Search.table

    def seen(self: Search, form: Form) -> dict[Shape, float]:
        tables.append(whole(self, form))
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "table", seen)
    monkeypatch.setattr(forms, "forms_here", lambda: [Form("torch", "f32")])
    with pytest.raises(KeyboardInterrupt):
        verbs.compress(model(tmp_path, "classify"), minutes=0.1)
    assert tables[0][Shape(3, 2, 64)] == pytest.approx(0.5 + 3 * 64)
    assert {shape.layers for shape in tables[0]} == {1, 2, 3}


def test_what_was_found_is_made_again_without_a_search(tmp_path: Path, few: None) -> None:
    folder = model(tmp_path, "classify")
    report = verbs.compress(folder, budget="0.9", minutes=0.1)
    recipe = folder / "variants" / "throughput" / "job.yaml"
    result = CliRunner().invoke(app, ["run", str(recipe), "--set", f"out={tmp_path / 'again'}", "--json"])
    assert result.exit_code == 0, result.output
    again = Artifact.open(tmp_path / "again")
    assert again.manifest["files"]["model.safetensors"] == Artifact.open(folder).manifest["files"]["model.safetensors"]
    made, before = (variant.Variant.open(one, "throughput").manifest for one in (again, Artifact.open(folder)))
    for key in ("runtime", "precision", "shape"):
        assert made[key] == before[key]
    assert made["shape"] == report.shape


def test_a_stand_in_has_a_crf_of_its_own(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path, "tag", crf=True, word_shape=False)
    before = Engine.open(folder, "torch").net.extras["crf"].transitions.clone()
    crfs: list[Any] = []
    whole = Search.form

    def seen(self: Search) -> Form:
        crfs.append(self.world.net.extras["crf"])
        return whole(self)

    monkeypatch.setattr(Search, "form", seen)
    report = verbs.compress(folder, budget="0.9", minutes=0.1)
    assert not torch.equal(crfs[0].transitions, before)
    assert report.after.rows == report.before.rows
    found = Engine.open(folder, "throughput").task
    assert torch.equal(found.modules()["crf"].transitions, before)  # those of the model, not of the stand-in


def test_a_scratch_model_and_one_without_dev_rows_are_searched_as_well(tmp_path: Path, few: None) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    data = job.data.model_copy(update={"dev": None, "split": job.data.split.model_copy(update={"dev": 0.0})})
    scratch = job.tune.scratch.model_copy(update={"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 100})
    tune = job.tune.model_copy(update={"scratch": scratch})
    flow.tune(job.model_copy(update={"model": "scratch", "data": data, "tune": tune}))
    report = verbs.compress(job.out, budget="1", minutes=0.1)
    assert report.after.split == "train"
    assert report.judged is not None
    assert report.lost == pytest.approx(report.judged.first_value - report.judged.second_value)


def test_run_goes_on_with_a_search_that_was_killed(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job.model_dump(mode="json") | {"compress": {"budget": 0.9, "minutes": 0.1}}))
    whole, tuned = Search._rung, flow.tune
    dead, tunings = [True], []

    def dies(self: Search, *given: Any) -> Any:
        if dead.pop() if dead else False:
            raise KeyboardInterrupt
        return whole(self, *given)

    monkeypatch.setattr(Search, "_rung", dies)
    monkeypatch.setattr(flow, "tune", lambda *given, **more: (tunings.append(1), tuned(*given, **more))[1])
    assert CliRunner().invoke(app, ["run", str(path)]).exit_code != 0
    resumed = CliRunner().invoke(app, ["run", str(path), "--json"])
    assert resumed.exit_code == 0
    assert tunings == [1]
    whole_run = CliRunner().invoke(app, ["run", str(path), "--json"])
    assert whole_run.exit_code == 0
    for ran in (resumed, whole_run):  # one document, whichever part was left to do
        said = json.loads(ran.stdout)
        assert set(said) == {"model", "metrics", "compress"}
        assert said["compress"]["chosen"] == "throughput"
    assert tunings == [1, 1]  # nothing was under way any more


def test_forms_of_about_one_cost_are_timed_in_turns(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = forms.forms_here()
    alone = iter((pace.Pace(100.0, 1.0), pace.Pace(120.0, 1.0)))  # the machine had other work while the first was timed
    told: list[set[Form]] = []

    def in_turns(runtimes: Mapping[Form, Any], given: Sequence[Any]) -> dict[Form, pace.Pace]:
        told.append(set(runtimes))
        return {first: pace.Pace(150.0, 1.0), second: pace.Pace(121.0, 1.0)}

    monkeypatch.setattr(pace, "alone", lambda *given: next(alone))
    monkeypatch.setattr(pace, "in_turns", in_turns)
    monkeypatch.setattr(Search, "run", lambda self, form, *given: self.found(form))
    said: list[str] = []
    report = verbs.compress(model(tmp_path, "classify"), budget="0.9", minutes=0.1, say=said.append)
    assert told == [{first, second}]
    assert report.form == str(first)
    assert sum("in turns with others" in line for line in said) == 2


def test_only_forms_that_had_turns_are_chosen_from(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["torch-f32", "torch-bf16", "onnx-f32", "openvino-f32", "onnx-int8"]
    given = [Form.named(name) for name in names]
    alone = iter(pace.Pace(rate, 1.0) for rate in (100.0, 60.0, 140.0, 135.0, 150.0))
    monkeypatch.setattr(forms, "forms_here", lambda: given)
    monkeypatch.setattr(pace, "alone", lambda *given: next(alone))
    # Slower by themselves, as it is for other rows: the one that had no turn is not held against them.
    monkeypatch.setattr(
        pace,
        "in_turns",
        lambda runtimes, some: {f: pace.Pace(60.0 if "int8" in str(f) else 50.0, 1.0) for f in runtimes},
    )
    monkeypatch.setattr(Search, "run", lambda self, form, *given: self.found(form))
    report = verbs.compress(model(tmp_path, "classify"), budget="0.9", minutes=0.1)
    assert report.form == "onnx-int8"
