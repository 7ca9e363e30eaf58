"""Private training: gradients by row, samples and noise, what is spent and told, what is refused, and the faults."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from burnish import job as flow
from burnish.artifact import Artifact
from burnish.config import Job, load, parse
from burnish.data.load import load as load_rows
from burnish.engine import Engine
from burnish.errors import BurnishError, ConfigError, InputError, MissingExtra
from burnish.tasks.classify import Classify
from burnish.training import accountant
from burnish.training.private import Private, clipped, must_be_apart, must_have_learnt
from tests import tiny

pytest.importorskip("opacus")
BUDGET = {"epsilon": 8, "delta": 1e-3}


def job(folder: Path, task: str = "classify", **tune: Any) -> Job:
    return tiny.job(folder, task, **{"privacy": BUDGET, "epochs": 3, **tune})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> flow.Tuned:
    return flow.tune(job(tmp_path_factory.mktemp("private")))


def test_each_rows_gradient_is_cut_by_itself() -> None:
    torch.manual_seed(0)
    head, labels = nn.Linear(5, 3), torch.arange(40) % 3
    vectors = torch.randn(40, 5) * torch.logspace(-2, 1, 40)[:, None]
    norm, sums, cut = 2.0, [torch.zeros(3, 5), torch.zeros(3)], 0
    for vector, label in zip(vectors, labels, strict=True):
        grads = torch.autograd.grad(F.cross_entropy(head(vector[None]), label[None]), list(head.parameters()))
        length = math.sqrt(sum(float(g.square().sum()) for g in grads))
        cut += length > norm
        for total, grad in zip(sums, grads, strict=True):
            total += grad * min(1.0, norm / length)
    assert 0 < cut < 40
    loss, found = clipped(head, vectors, lambda logits: F.cross_entropy(logits, labels, reduction="sum"), norm)
    assert loss == pytest.approx(F.cross_entropy(head(vectors), labels, reduction="sum").item(), rel=1e-5)
    for own, other in zip(found, sums, strict=True):
        torch.testing.assert_close(own, other)


def test_no_row_weighs_more_than_the_norm_and_a_broken_one_nothing() -> None:
    head = nn.Linear(4, 2)
    vectors = torch.tensor([[1e6, 0, 0, 0.0], [1.0, 0, 0, 0]])
    weights = torch.tensor([1.0, torch.inf])
    _, (weight, bias) = clipped(head, vectors, lambda logits: (logits.square().sum(1) * weights).sum(), 0.25)
    assert math.sqrt(weight.square().sum() + bias.square().sum()) == pytest.approx(0.25, rel=1e-5)
    loss, sums = clipped(head, vectors[:0], lambda logits: logits.sum(), 0.25)
    assert loss == 0.0
    assert not any(bool(part.any()) for part in sums)


def test_a_sample_takes_each_row_by_itself_at_the_rate() -> None:
    counts = torch.zeros(500)
    sizes = []
    for _ in range(400):
        rows = accountant.poisson(500, 0.1)
        counts[rows] += 1
        sizes.append(len(rows))
    sizes_of = torch.tensor(sizes, dtype=torch.float64)
    assert sizes_of.mean() == pytest.approx(50, abs=6 * math.sqrt(45 / 400))
    assert sizes_of.std() == pytest.approx(math.sqrt(45), rel=0.25)  # not a fixed size
    assert counts.std() == pytest.approx(math.sqrt(36), rel=0.2)
    assert len(accountant.poisson(50, 0.0)) == 0


def test_noise_is_normal_of_the_asked_spread_and_never_the_same() -> None:
    from scipy.stats import kstest

    torch.manual_seed(0)
    first = accountant.gaussian(torch.Size([301, 333]), 2.5)
    torch.manual_seed(0)
    assert not torch.equal(first, accountant.gaussian(torch.Size([301, 333]), 2.5))
    assert first.std().item() == pytest.approx(2.5, rel=0.02)
    assert kstest((first / 2.5).flatten().numpy(), "norm").pvalue > 1e-6
    half = first.flatten()[: first.numel() // 2 * 2].view(2, -1)  # both numbers of a pair
    assert abs(torch.corrcoef(half)[0, 1].item()) < 0.03


def test_a_step_adds_noise_once_and_divides_by_the_expected_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    update = Private._update

    def watch(self: Private, loss: float, parameters: list[nn.Parameter]) -> bool:
        assert self.head.weight.grad is not None
        seen.append(self.head.weight.grad * len(self.features) * self.progress.spent[-1][1])
        return update(self, loss, parameters)

    monkeypatch.setattr(Private, "_update", watch)
    monkeypatch.setattr(accountant, "poisson", lambda rows, rate: torch.arange(0).numpy())
    found = flow.tune(job(tmp_path, clip=0.5))
    privacy = found.report.privacy
    assert privacy is not None
    assert torch.stack(seen).std().item() == pytest.approx(0.5 * privacy.noise_multiplier, rel=0.1)


def test_what_was_spent_is_what_opacus_says_and_within_what_was_asked(tuned: flow.Tuned) -> None:
    from opacus.accountants import PRVAccountant, RDPAccountant

    privacy = tuned.report.privacy
    assert privacy is not None
    own, loose = PRVAccountant(), RDPAccountant()
    for one in (own, loose):
        one.history = [(privacy.noise_multiplier, privacy.sample_rate, privacy.steps)]
    assert privacy.steps == 30
    assert privacy.epsilon == pytest.approx(own.get_epsilon(delta=1e-3), rel=1e-6)
    assert 7.9 < privacy.epsilon <= 8.0
    assert privacy.epsilon <= loose.get_epsilon(delta=1e-3)  # whose bound is not as tight


def test_manifest_card_and_report_tell_it_and_nothing_else_of_the_rows(tuned: flow.Tuned) -> None:
    folder = tuned.artifact.folder
    manifest = json.loads((folder / "burnish.json").read_text(encoding="utf-8"))
    assert manifest["privacy"]["steps"] == 30
    assert manifest["privacy"]["epsilon"] <= 8.0
    for name in ("MODEL_CARD.md", "report.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert f"epsilon {manifest['privacy']['epsilon']:.2f} at delta 0.001" in text
        assert "nothing worth a note" not in text
    assert manifest["findings"] == []
    assert not manifest["before"]
    assert not tuned.report.curve.losses
    assert not (folder / "events.jsonl").exists()


def test_only_the_head_has_learnt(tuned: flow.Tuned, tmp_path: Path) -> None:
    source = load_file(tiny.encoder(tmp_path) / "model.safetensors")
    saved = load_file(tuned.artifact.folder / "model.safetensors")
    assert all(torch.equal(saved[f"bert.{name}"], value) for name, value in source.items() if "pooler" not in name)
    assert len(Engine.open(str(tuned.artifact.folder)).predict(["the film was good"])) == 1


def test_a_killed_run_keeps_the_account_and_draws_other_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = job(tmp_path, checkpoint_seconds=0)
    drawn: list[bytes] = []
    gaussian = accountant.gaussian

    def watch(shape: torch.Size, spread: float) -> torch.Tensor:
        found = gaussian(shape, spread)
        drawn.append(found.numpy().tobytes())
        return found

    monkeypatch.setattr(accountant, "gaussian", watch)
    done = tiny.tune_with_kills(given, monkeypatch, every=11, times=2)
    assert done.report.privacy is not None
    assert done.report.privacy.steps == 30
    assert len(drawn) == 60
    assert len(set(drawn)) == 60
    again = flow.tune(given.model_copy(update={"out": str(tmp_path / "again")}))
    weights = (load_file(one.artifact.folder / "burnish.safetensors")["head.weight"] for one in (done, again))
    assert not torch.equal(*weights)


def test_weights_that_stand_still_or_break_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = nn.Linear(3, 2)
    first = [parameter.detach().clone() for parameter in head.parameters()]
    with pytest.raises(BurnishError, match="did not move"):
        must_have_learnt(head, first)
    with torch.no_grad():
        head.weight[0, 0] = torch.nan
    with pytest.raises(BurnishError, match="not finite"):
        must_have_learnt(head, first)

    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: None)  # an optimizer that has lost the weights
    given = job(tmp_path)
    with pytest.raises(BurnishError, match="did not move"):
        flow.tune(given)
    assert not Path(given.out).exists()


def test_rows_that_give_no_gradient_end_the_run_though_noise_moves_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classify, "loss", lambda self, logits, batch, options: logits.sum() * 0)
    with pytest.raises(BurnishError, match="noise alone"):
        flow.tune(job(tmp_path))


def test_noise_that_is_not_finite_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accountant, "gaussian", lambda shape, spread: torch.full(shape, torch.nan))
    with pytest.raises(BurnishError, match="not finite"):
        flow.tune(job(tmp_path))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"freeze": "top:1"}, "tune.freeze"),
        ({"lora": {}}, "tune.lora"),
        ({"pooling": "cls"}, "tune.pooling"),
        ({"class_weights": "balanced"}, "tune.class_weights"),
        ({"bigrams": True}, "tune.bigrams"),
        ({"augment": {"swap": 0.1}}, "tune.augment"),
        ({"patience": 2}, "tune.patience"),
        ({"method": "few-shot", "freeze": "none"}, "method: full"),
        ({"privacy": {}}, "tune.privacy.epsilon"),
        ({"privacy": {"epsilon": 0}}, "tune.privacy.epsilon"),
        ({"privacy": {"epsilon": 8, "delta": 1}}, "tune.privacy.delta"),
    ],
)
def test_what_cannot_be_kept_secret_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        job(tmp_path, **options)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "scratch"},
        {"compress": {}},
        {"task": "score"},
        {"task": "tag"},
        {"data": {"train": "a.csv", "split": {"dev": 0}}},
    ],
)
def test_jobs_that_read_the_rows_otherwise_are_refused(changes: dict[str, Any]) -> None:
    whole = {"task": "classify", "data": {"train": "a.csv"}, "tune": {"privacy": BUDGET}}
    parse(whole)
    with pytest.raises(ConfigError, match=r"tune\.privacy"):
        parse(whole | changes)


def test_the_command_line_sets_a_budget(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("task: classify\ndata: {train: a.csv}\n", encoding="utf-8")
    found = load(file, ("tune.privacy.epsilon=8",)).tune
    assert found.privacy is not None
    assert (found.privacy.epsilon, found.privacy.delta, found.freeze) == (8.0, None, "head")


def test_rows_of_which_none_are_left_to_measure_on_are_refused(tmp_path: Path) -> None:
    given = job(tmp_path)
    parts = {"train": load_rows(given)["train"]}
    with pytest.raises(InputError, match=r"data\.dev"):
        must_be_apart(given, parts)


def test_delta_is_below_one_in_the_rows(tmp_path: Path) -> None:
    assert accountant.delta_for(9000) == pytest.approx(1 / (9000 * math.log(9000)))
    with pytest.raises(InputError, match=r"tune\.privacy\.delta"):
        flow.tune(job(tmp_path, privacy={"epsilon": 8, "delta": 0.1}))


def test_a_budget_that_no_noise_keeps_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larger epsilon"):
        accountant.noise_multiplier(1e-7, 1e-9, 0.1, 30)


def test_a_model_that_has_seen_the_rows_is_no_start(tuned: flow.Tuned, tmp_path: Path) -> None:
    kept = Artifact.open(tuned.artifact.folder).manifest["job"]
    with pytest.raises(InputError, match="tuned on these very rows"):
        flow.tune(parse(kept | {"model": str(tuned.artifact.folder), "out": str(tmp_path / "second")}))


def test_pairs_and_several_classes_a_row_learn_too(tmp_path: Path) -> None:
    for name in ("pairs", "several"):
        (tmp_path / name).mkdir()
    assert flow.tune(job(tmp_path / "pairs", "pair")).report.privacy is not None
    several = job(tmp_path / "several").model_dump(mode="json")
    several["data"] |= {"multi_label": True, "split": {"by": "random", "dev": 0.25}}
    assert flow.tune(parse(several)).report.privacy is not None


def test_a_missing_opacus_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = job(tmp_path)
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(MissingExtra, match=r"burnish\[private\]"):
        flow.tune(given)
