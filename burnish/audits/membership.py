"""Can somebody who has the model tell which rows it was tuned on? Two attacks, held against rows it never saw.

By the loss alone: Yeom et al. 2018, "Privacy Risk in Machine Learning". By the loss held against that of models which
have not seen the row: Carlini et al. 2022, "Membership Inference Attacks From First Principles" (LiRA, in its offline
form), here with shadow models of a cheap kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.data.features import by_length, collate
from burnish.data.rows import Row
from burnish.engine import Engine
from burnish.engine.run import BUDGET
from burnish.tasks.base import LossOptions

_SHADOWS = 16  # each has seen half of the rows, so that about 8 have not seen a row
_REDRAWN = 400  # bootstrap samples
_FALSE = 0.01  # of the rows not trained on, that may be taken for trained on


@dataclass(frozen=True)
class Attack:
    """How well members are told from others.

    Attributes:
        auc: chance that a member looks more like one than another row does; 0.5 is a coin.
        tpr: share of the members that are found at 1 % false positives, and its 95 % bootstrap interval.
        members, others: rows.
    """

    auc: float
    tpr: float
    low: float
    high: float
    members: int
    others: int


def losses(engine: Engine, rows: Sequence[Row]) -> NDArray[np.float64]:
    """The loss of each labelled row, (rows,): of `tag` the mean over its words; NaN for a row without a known label."""
    task = engine.task
    features = task.encode(rows, engine.tokenizer, engine.max_tokens)
    total, pieces = np.zeros(len(rows)), np.zeros(len(rows))
    groups = list(by_length(features.lengths, BUDGET))
    batches = (collate(features, places, engine.pad_id) for places in groups)
    for places, (batch, logits) in zip(groups, engine.runtime.run(batches), strict=True):
        for index, piece in enumerate(places.tolist()):
            one = {name: value[index : index + 1] for name, value in batch.items()}
            with torch.inference_mode():
                loss = float(task.loss(logits[index : index + 1].float(), one, LossOptions()))
            if np.isfinite(loss):
                total[features.row[piece]] += loss
                pieces[features.row[piece]] += 1
    with np.errstate(invalid="ignore"):
        return np.where(pieces > 0, total / pieces, np.nan)


def attack(members: NDArray[np.float64], others: NDArray[np.float64], seed: int) -> Attack:
    """Judge scores that are higher for rows which look like members."""
    members, others = members[np.isfinite(members)], others[np.isfinite(others)]
    random = np.random.default_rng(seed)
    drawn = [tpr(random.choice(members, len(members)), random.choice(others, len(others))) for _ in range(_REDRAWN)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Attack(auc(members, others), tpr(members, others), float(low), float(high), len(members), len(others))


def auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Area under the curve of true against false positives; ties count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, members, side="left")
    upto = np.searchsorted(ordered, members, side="right")
    return float((below + upto).mean() / 2 / len(others))


def tpr(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Share of the members above a threshold that at most 1 % of the others are above; with fewer than 100, none is."""
    threshold = np.sort(others)[::-1][int(_FALSE * len(others))]
    return float((members > threshold).mean())


def calibrated(
    loss: NDArray[np.float64], texts: Sequence[str], labels: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    """How far each row's chance, as log-odds, lies above what models expect that have not seen it, in their spread.

    The shadow models are linear models of character n-grams, fitted to random halves of the rows: cheap, and much
    weaker than the model itself. They account for how hard a row is and not for how the model would have answered
    without it, so that a stronger attacker may find more.

    Args:
        loss: of the model, members and others alike (n,).
        labels: class ids (n,).
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    read: Any = HashingVectorizer(n_features=1 << 16, analyzer="char_wb", ngram_range=(2, 4), alternate_sign=False)
    features = read.transform(texts)
    random = np.random.default_rng(seed)
    unseen: list[list[float]] = [[] for _ in texts]
    for turn in range(_SHADOWS):
        chosen = np.zeros(len(texts), bool)
        chosen[random.permutation(len(texts))[: len(texts) // 2]] = True
        if len(set(labels[chosen].tolist())) < 2:
            continue
        shadow = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=20, tol=None, random_state=turn)
        shadow.fit(features[chosen], labels[chosen])
        rest = np.flatnonzero(~chosen)
        chances = shadow.predict_proba(features[rest])
        column = {int(label): place for place, label in enumerate(shadow.classes_)}
        for index, own in zip(rest.tolist(), chances, strict=True):
            if (place := column.get(int(labels[index]))) is not None:
                unseen[index].append(_odds(float(own[place])))
    means = np.array([np.mean(one) if one else np.nan for one in unseen])
    spreads = np.array([np.var(one) if len(one) > 1 else np.nan for one in unseen])
    spread = np.sqrt(spreads + np.nanmean(spreads))  # of few models each, so that the common spread steadies it
    own = np.array([_odds(float(np.exp(-one))) for one in loss])
    found: NDArray[np.float64] = (own - means) / np.maximum(spread, 1e-6)
    return found


def _odds(chance: float) -> float:
    chance = min(max(chance, 1e-7), 1 - 1e-7)
    return float(np.log(chance / (1 - chance)))
