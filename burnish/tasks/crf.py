"""A linear-chain CRF: tags of a row scored together, with learned transitions.

Lafferty, McCallum and Pereira 2001; over a neural network's scores as in Lample et al. 2016.
"""

from __future__ import annotations

import torch
from torch import nn


class Crf(nn.Module):
    """Score of a path: its emissions, its transitions and that of its first label, all in log space.

    Attributes:
        transitions: (labels, labels), from the row's label to the column's.
        start: (labels,).
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.start = nn.Parameter(torch.zeros(labels))

    def log_likelihood(self, emissions: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Log-probability of each labelled row among all paths, shape (n,).

        Args:
            emissions: (n, words, labels).
            labels: (n, words), anything where `mask` is false.
            mask: (n, words), true for the words of a row, which come first.
        """
        emissions, labels = emissions.float(), torch.where(mask, labels, 0)
        steps = emissions.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        steps = steps + torch.cat([self.start[labels[:, :1]], self.transitions[labels[:, :-1], labels[:, 1:]]], 1)
        paths = forward(emissions, mask, self.transitions, self.start)[-1].logsumexp(-1)
        return (steps * mask).sum(1) - torch.where(mask[:, 0], paths, 0.0)


def forward(
    emissions: torch.Tensor, mask: torch.Tensor, moves: torch.Tensor, start: torch.Tensor
) -> list[torch.Tensor]:
    """For each word the log-sum of all paths that end there, by label: (n, labels); kept on after a row's last word."""
    reached = [start + emissions[:, 0]]
    for position in range(1, emissions.shape[1]):
        before = reached[-1]
        here = (before.unsqueeze(-1) + moves).logsumexp(1) + emissions[:, position]
        reached.append(torch.where(mask[:, position, None], here, before))
    return reached


def marginals(emissions: torch.Tensor, mask: torch.Tensor, moves: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Probability of each label of each word given all paths, (n, words, labels), by forward and backward sums."""
    ahead = [torch.zeros_like(emissions[:, 0])]
    for position in range(emissions.shape[1] - 1, 0, -1):
        here = ((emissions[:, position] + ahead[-1]).unsqueeze(1) + moves).logsumexp(-1)
        ahead.append(torch.where(mask[:, position, None], here, ahead[-1]))
    both = torch.stack(forward(emissions, mask, moves, start), 1) + torch.stack(ahead[::-1], 1)
    return both.softmax(-1)


def best_paths(emissions: torch.Tensor, mask: torch.Tensor, moves: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Label ids of the best path of each row, (n, words), by Viterbi search; meaningless where `mask` is false."""
    total = start + emissions[:, 0]
    back: list[torch.Tensor] = []
    stay = torch.arange(emissions.shape[-1], device=emissions.device).expand_as(total)
    for position in range(1, emissions.shape[1]):
        moved, origin = (total.unsqueeze(-1) + moves).max(1)
        inside = mask[:, position, None]
        total = torch.where(inside, moved + emissions[:, position], total)
        back.append(torch.where(inside, origin, stay))
    path = [total.argmax(-1, keepdim=True)]
    for origin in reversed(back):
        path.append(origin.gather(-1, path[-1]))
    return torch.cat(path[::-1], 1)


def gather_words(values: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move the tokens that `kept` marks to the front of their row.

    Args:
        values: (n, tokens) or (n, tokens, k).
        kept: (n, tokens), true for the first piece of a word.

    Returns:
        Values (n, words, ...) and the mask (n, words); at least one word wide.
    """
    counts = kept.sum(1)
    width = max(int(counts.max()), 1)
    order = torch.argsort(kept.to(torch.uint8), dim=1, descending=True, stable=True)[:, :width]
    mask = torch.arange(width, device=kept.device)[None, :] < counts[:, None]
    index = order.unsqueeze(-1).expand(-1, -1, values.shape[-1]) if values.dim() == 3 else order
    return values.gather(1, index), mask
