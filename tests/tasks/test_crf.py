"""The CRF against every path written out."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from burnish.config import Tune
from burnish.data.features import IGNORED
from burnish.tasks.base import LossOptions
from burnish.tasks.crf import Crf, best_paths, gather_words, marginals
from burnish.tasks.tag import Tag

LENGTHS = (4, 1, 3, 0)
LABELS = 3


@pytest.fixture
def crf() -> Crf:
    torch.manual_seed(0)
    crf = Crf(LABELS).double()
    torch.nn.init.normal_(crf.transitions)
    torch.nn.init.normal_(crf.start)
    return crf


@pytest.fixture
def given() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    emissions = torch.randn(len(LENGTHS), max(LENGTHS), LABELS, generator=generator)
    labels = torch.randint(0, LABELS, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = torch.arange(max(LENGTHS))[None, :] < torch.tensor(LENGTHS)[:, None]
    return emissions, torch.where(mask, labels, IGNORED), mask


def paths(crf: Crf, emissions: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Score of every path of one row."""
    found = {}
    start, moves = crf.start.detach(), crf.transitions.detach()
    for path in product(range(LABELS), repeat=len(emissions)):
        score = sum(float(emissions[i, label]) for i, label in enumerate(path))
        score += float(start[path[0]]) if path else 0.0
        score += sum(float(moves[a, b]) for a, b in pairwise(path))
        found[path] = score
    return found


def test_likelihood_paths_and_marginals_are_those_of_all_paths(
    crf: Crf, given: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    emissions, labels, mask = given
    moves, start = crf.transitions.detach(), crf.start.detach()
    likelihood = crf.log_likelihood(emissions, labels, mask)
    best = best_paths(emissions.double(), mask, moves, start)
    chances = marginals(emissions.double(), mask, moves, start)
    for row, length in enumerate(LENGTHS):
        scores = paths(crf, emissions[row, :length])
        total = np.logaddexp.reduce(list(scores.values()))
        true = tuple(labels[row, :length].tolist())
        assert float(likelihood[row].detach()) == pytest.approx(scores[true] - total, abs=1e-6)
        if not length:
            continue
        assert tuple(best[row, :length].tolist()) == max(scores, key=lambda path: scores[path])
        for position, label in product(range(length), range(LABELS)):
            share = sum(np.exp(s - total) for path, s in scores.items() if path[position] == label)
            assert float(chances[row, position, label]) == pytest.approx(share, abs=1e-6)
    likelihood.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in crf.parameters() if p.grad is not None)


def test_words_move_to_the_front_in_order() -> None:
    words = torch.tensor([[-1, 0, -1, 1, 2, -1], [-1, -1, -1, -1, -1, -1]])
    gathered, mask = gather_words(words, words >= 0)
    assert gathered[0].tolist() == [0, 1, 2]
    assert mask.tolist() == [[True, True, True], [False, False, False]]
    values, _ = gather_words(words.unsqueeze(-1).expand(-1, -1, 2), words >= 0)
    assert values[0].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_paths_stay_legal_and_the_loss_skips_other_pieces() -> None:
    rows = [{"tags": ["B-PER", "O", "B-LOC"]}]
    task = Tag.learn(rows, tune=Tune(crf=True))
    assert task.restore(task.state()).state() == task.state()
    torch.manual_seed(0)
    logits = 5 * torch.randn(20, 7, len(task.labels))
    batch = {"words": torch.tensor([[-1, 0, 1, -1, 2, 3, -1]]).expand(20, -1)}
    batch["labels"] = torch.where(batch["words"] >= 0, 1, IGNORED)
    for _, path, chances in task.decode(logits, batch):
        tags = [task.labels[label] for label in path]
        assert all(not b.startswith("I-") or a[2:] == b[2:] for a, b in zip(["O", *tags], tags, strict=False))
        assert all(0 < chance <= 1 + 1e-6 for chance in chances)
    other = logits.clone()
    other[:, [0, 3, 6]] += 7.0
    loss = task.loss(logits, batch, LossOptions())
    assert torch.equal(loss, task.loss(other, batch, LossOptions()))
