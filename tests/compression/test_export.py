"""Exports: the same answers in every runtime, and broken ones stopped before anything is saved."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from burnish import job as flow
from burnish import variant
from burnish.artifact import Artifact, must_be_replaceable, sha256
from burnish.cli import app
from burnish.compression.export import export, made_up
from burnish.compression.parity import compare
from burnish.device import cpu_flags
from burnish.engine import Engine, onnx, openvino, witness
from burnish.engine.flat import arrays
from burnish.engine.runtime import Eager
from burnish.errors import GateFailed, InputError
from burnish.models.bigrams import Bigrams
from burnish.models.net import Net
from burnish.predicting import predict_lines
from burnish.tasks.crf import Crf
from burnish.verbs import export as export_verb
from tests import tiny

RUNTIMES = ("onnx", "openvino")
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tag": ("tag", {}),
    "crf": ("tag", {"crf": True, "word_shape": False}),
    "classify": ("classify", {"bigrams": True}),
    "cls": ("classify", {"pooling": "cls"}),
    "pair": ("pair", {}),
    "score": ("score", {}),
}


_plain = Crf.__init__


def _firm(self: Crf, labels: int) -> None:
    _plain(self, labels)
    with torch.no_grad():
        self.transitions += 5 * torch.randn(labels, labels, generator=torch.manual_seed(0))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, (task, options) in KINDS.items():
        job = tiny.job(tmp_path_factory.mktemp(name), task, **options)
        with pytest.MonkeyPatch.context() as patch:
            if name == "crf":  # transitions that matter
                patch.setattr(Crf, "__init__", _firm)
            flow.tune(job)
        made[name] = Path(job.out)
    return made


@pytest.mark.parametrize("to", RUNTIMES)
def test_pairs_of_a_real_vocabulary_fall_into_the_same_buckets(to: str, tmp_path: Path) -> None:
    class Places(torch.nn.Module):
        extra = Bigrams(2)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.extra.places(input_ids, attention_mask)[0]

    ids = torch.randint(0, 120_000, (4, 32), dtype=torch.int32, generator=torch.manual_seed(0))
    given, names = (ids, torch.ones_like(ids)), ("input_ids", "attention_mask")
    program = torch.export.export(Places(), given)
    arrays = dict(zip(names, (one.numpy() for one in given), strict=True))
    if to == "onnx":
        onnx.save(program, names, tmp_path / onnx.GRAPH)
        session = onnxruntime.InferenceSession(str(tmp_path / onnx.GRAPH))
        (found,) = session.run(None, {one.name: arrays[one.name] for one in session.get_inputs()})
    else:
        found = openvino.library().Core().compile_model(openvino.convert(program, names), "CPU")(arrays)[0]
    assert (found == Places()(*given).numpy()).all()


@pytest.mark.parametrize("to", RUNTIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_task_says_the_same_in_every_runtime(kind: str, to: str, models: dict[str, Path]) -> None:
    folder = models[kind]
    made = export_verb(folder, to, str(folder.parent / ("train.conll" if KINDS[kind][0] == "tag" else "train.csv")))
    assert made.manifest["parity"]["error"] < 1e-4
    assert made.manifest["parity"]["rows"] >= 24
    texts: list[Any] = ["the film was good", "Anna lives in Paris .", "bad", ""]
    if kind == "pair":
        texts = [[text, "good film"] for text in texts]
    engine = Engine.open(folder, to)
    one_by_one = [engine.predict([text])[0] for text in 4 * texts]  # some sizes get a graph of their own on the way
    graphs = getattr(engine.runtime, "_alone", {})
    assert to == "onnx" or graphs
    for graph in graphs.values():
        assert graph.result() is not None
    one_by_one += [engine.predict([text])[0] for text in texts]  # in these
    tuned = Engine.open(folder, "torch").predict(texts)
    for a, b in zip(6 * tuned, engine.predict(texts) + one_by_one, strict=True):
        if kind in ("tag", "crf"):
            assert a.tags == b.tags
            assert a.scores == pytest.approx(b.scores, abs=1e-4)
        elif kind == "score":
            assert a.value == pytest.approx(b.value, abs=1e-4)
        else:
            assert a.probabilities == pytest.approx(b.probabilities, abs=1e-4)
    assert sys.modules.get("openvino_telemetry") is None


def _spoil(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what is exported differ from what is tuned."""
    right = Net.at

    def at(self: Net, batch: dict[str, torch.Tensor], kept: torch.Tensor) -> torch.Tensor:
        if how == "transposed labels":
            return right(self, batch, kept).flip(-1)
        if how == "missing pooling":
            return self.extras["head"](self.first_states(batch))
        return right(self, {name: value.flip(1) if value.dim() > 1 else value for name, value in batch.items()}, kept)

    monkeypatch.setattr(Net, "at", at)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("tag", "transposed labels"),
        ("classify", "transposed labels"),
        ("classify", "missing pooling"),
        ("tag", "wrong padding side"),
        ("pair", "wrong padding side"),
    ],
)
def test_a_broken_export_is_caught(
    kind: str, how: str, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil(how, monkeypatch)
    before = variant.names(Artifact.open(models[kind]))
    with pytest.raises(GateFailed, match=r"disagrees .*made-up row"):
        export(models[kind], "openvino")
    assert variant.names(Artifact.open(models[kind])) == before
    assert not list((models[kind] / "variants").glob(".*"))


class _Shifted(Eager):
    """Logits that are off by a little, those of one class more than the others'."""

    def __init__(self, net: Net, by: float) -> None:
        super().__init__(net)
        self.by = by

    def run(self, batches: Any) -> Any:
        for batch, logits in super().run(batches):
            yield batch, logits + self.by * torch.arange(logits.shape[-1])


@pytest.mark.parametrize(("by", "exact"), [(1e-6, True), (0.5, False), (float("nan"), False)])
def test_parity_lets_rounding_pass_and_nothing_else(by: float, exact: bool, models: dict[str, Path]) -> None:
    engine = Engine.open(models["tag"])
    found = compare(engine.task, made_up(engine.task, engine.net, 32), Eager(engine.net), _Shifted(engine.net, by), 0)
    assert found.exact == exact
    assert found.decisions == sum(made_up(engine.task, engine.net, 32).lengths - 2)
    if by == 0.5:
        assert found.error == pytest.approx(0.5 * (len(engine.task.labels) - 1), abs=1e-4)
        assert all(flip.margin <= found.error + 1e-4 for flip in found.flips)
        assert found.flips


def damage_graph(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"")


def damage_manifest(folder: Path) -> None:
    (folder / "variant.json").write_text("{")


def other_weights(folder: Path) -> None:
    path = folder / "variant.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"source": {"model.safetensors": "0"}}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [(damage_graph, "changed or damaged"), (damage_manifest, "damaged"), (other_weights, "made from other weights")],
)
def test_a_damaged_variant_is_named(damage: Callable[[Path], None], said: str, models: dict[str, Path]) -> None:
    made = export(models["cls"], "openvino")
    damage(made.folder)
    with pytest.raises(InputError, match=said):
        Engine.open(models["cls"], "openvino")
    Engine.open(models["cls"])  # the tuned model is as it was
    export(models["cls"], "openvino")
    Engine.open(models["cls"], "openvino")


def test_a_folder_with_variants_may_be_replaced_and_one_with_other_files_may_not(models: dict[str, Path]) -> None:
    folder = models["score"]
    export(folder, "openvino")
    must_be_replaceable(folder)
    (folder / "variants" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        must_be_replaceable(folder)
    (folder / "variants" / "notes.txt").unlink()
    unfinished = folder / "variants" / ".onnx.writing"
    unfinished.mkdir()
    (unfinished / "model.onnx").write_bytes(b"cut off")
    must_be_replaceable(folder)
    export(folder, "onnx")
    assert not unfinished.exists()


def test_the_command(models: dict[str, Path]) -> None:
    run = CliRunner().invoke
    made = run(app, ["export", str(models["tag"]), "--to", "openvino", "--json"])
    told = json.loads(made.stdout.splitlines()[-1])
    assert (made.exit_code, told["variant"], told["parity"]["rows"]) == (0, "openvino", 64)
    assert told["bytes"] > 1000
    shown = run(app, ["inspect", str(models["tag"])])
    assert "variant openvino: f32" in shown.stdout
    held = json.loads(run(app, ["inspect", str(models["tag"]), "--json"]).stdout)["variants"]
    assert held["openvino"]["runtime"] == "openvino"
    predicted = list(predict_lines(models["tag"], "Anna lives in Paris", "openvino"))
    assert len(predicted[0]["tags"]) == 4
    for arguments, said in (
        (["--to", "onyx"], "did you mean 'onnx'"),
        (["--to", "onnx", "--data", "no.csv"], "no.csv"),
    ):
        failed = run(app, ["export", str(models["tag"]), *arguments])
        assert isinstance(failed.exception, InputError)
        assert said in str(failed.exception)
    with pytest.raises(InputError, match="no variant 'openvno'; did you mean 'openvino'"):
        Engine.open(models["tag"], "openvno")


def test_a_variant_from_another_processor_has_to_say_the_same_here(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["tag"], folder)
    made = export(folder, "openvino").folder
    manifest = json.loads((made / "variant.json").read_text())
    manifest["environment"]["cpu_flags"] = "none"
    (made / "variant.json").write_text(json.dumps(manifest))
    assert Engine.open(folder, "openvino").predict(["Anna lives in Paris ."])
    kept = load_file(made / witness.FILE)
    save_file(kept | {"logits": kept["logits"] + 1}, made / witness.FILE)
    manifest["files"][witness.FILE] = sha256(made / witness.FILE)
    (made / "variant.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"made on another processor, and computes something else"):
        Engine.open(folder, "openvino")
    manifest["environment"]["cpu_flags"] = " ".join(cpu_flags())
    (made / "variant.json").write_text(json.dumps(manifest))
    assert Engine.open(folder, "openvino").predict(["Anna lives in Paris ."])  # here it need not be asked


def test_all_forms_are_timed_side_by_side(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["classify"], folder)
    export(folder, "openvino")
    result = CliRunner().invoke(app, ["bench", str(folder), str(models["classify"].parent / "train.csv"), "--json"])
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert set(found) >= {"torch", "openvino"}
    for speed in found.values():
        assert 0 < speed["low"] <= speed["rows_per_second"] <= speed["high"]
        assert 0 < speed["p50"] <= speed["p95"] <= speed["p99"]
        assert speed["peak"] > 1e7
        assert speed["size"] > 0


@pytest.mark.parametrize(("tokens", "longest", "width"), [(5, 128, 16), (20, 128, 24), (98, 100, 100), (98, 0, 98)])
def test_a_single_row_comes_in_few_sizes(tokens: int, longest: int, width: int) -> None:
    ids = torch.ones((1, tokens), dtype=torch.int64)
    found = arrays({"input_ids": ids, "words": ids - 1}, ("input_ids", "kept"), longest)
    assert found["input_ids"].shape == (1, width)
    assert found["kept"].shape == (width,)
    assert found["input_ids"].sum() == tokens


def _answers(engine: Engine, texts: list[str], wanted: list[Any]) -> set[bool]:
    """Ask for texts one by one and together; whether the answers are those that are wanted."""
    found = set()
    for _ in range(60):
        said = [*(engine.predict(text)[0] for text in texts), *engine.predict(texts)]
        pairs = zip(said, 2 * wanted, strict=True)
        found |= {one.probabilities == pytest.approx(other.probabilities, abs=1e-4) for one, other in pairs}
    return found


@pytest.mark.parametrize("to", RUNTIMES)
def test_threads_that_ask_at_once_get_their_own_answers(to: str, models: dict[str, Path]) -> None:
    folder = models["classify"]
    export_verb(folder, to, str(folder.parent / "train.csv"))
    engine = Engine.open(folder, to)
    texts = ["the film was good", "a bad film", "bad", "good good", "the film was very very bad"]
    wanted = [Engine.open(folder, "torch").predict(text)[0] for text in texts]
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(_answers, engine, texts[n:], wanted[n:]) for n in range(4)]
        assert set.union(*(one.result() for one in asked)) == {True}


def test_a_request_that_fails_can_be_used_again(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models["classify"]
    export_verb(folder, "openvino", str(folder.parent / "train.csv"))
    runtime = Engine.open(folder, "openvino").runtime
    assert isinstance(runtime, openvino.OpenVino)
    batch = {name: torch.ones(2, 16, dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    with monkeypatch.context() as patch:
        patch.setattr(openvino, "_logits", Mock(side_effect=RuntimeError("broken")))
        for _ in range(5):
            with pytest.raises(RuntimeError, match="broken"):
                list(runtime.run(3 * [batch]))
    assert len(list(runtime.run(3 * [batch]))) == 3
    assert len(runtime._requests._free) == min(3, runtime._most)
