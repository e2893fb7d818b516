"""Training rows whose label a bag-of-words classifier doubts. Imports scikit-learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.audit.labels import training_rows
from bakeoff.tasks.load import Task

FOLDS = 3
"""Parts of the training rows, each judged by a classifier that has not seen it."""
CLEAR = 0.5
"""Probability of another label from which on a row is doubted."""


def suspects(task: Task, seed: int) -> list[Finding]:
    """Training rows whose label a classifier of words doubts: to be looked at, no proof.

    A row is named when another label is likelier than all others together, and at least as
    likely as for the rows that have it, while its own is less likely than for the rows that have
    that (Northcutt et al. 2021, "Confident learning").
    """
    rows = [s for s in training_rows(task) if s.targets]
    if not task.file.labels or not rows:
        return []
    counts = Counter(s.targets[0] for s in rows)
    about = "training rows may have a wrong label"
    if len(counts) < 2 or max(counts.values()) < 2:
        note = "not judged: too few rows of a label"
        return [counted("label_suspects", about, (), 0, note=note)]
    # In the order of their ids: the folds must not depend on that of the file.
    rows = sorted(rows, key=lambda s: s.id)
    own = [s.targets[0] for s in rows]
    names, chances = _out_of_fold([s.question for s in rows], own, seed)
    codes = np.searchsorted(names, own)
    usual = np.array([chances[codes == code, code].mean() for code in range(len(names))])
    mine, best = chances[np.arange(len(rows)), codes], chances.argmax(axis=1)
    other = chances[np.arange(len(rows)), best]
    doubted = (best != codes) & (other >= np.maximum(usual[best], CLEAR)) & (mine < usual[codes])
    order = sorted(np.flatnonzero(doubted), key=lambda i: (mine[i] - other[i], rows[i].id))
    doubts = [f"{rows[i].id}: {own[i]}, or {names[best[i]]}?" for i in order]
    right = float((best == codes).mean())
    note = f"suspects, the likeliest first, of a classifier that is right on {right:.1%} of them"
    return [counted("label_suspects", about, doubts, len(rows), note=note)]


def _out_of_fold(
    texts: Sequence[str], labels: Sequence[str], seed: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """(labels in order, probability of each for each text by classifiers that did not see it)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline

    counts = Counter(labels)
    folds = min(FOLDS, len(labels))
    parts = KFold(folds, shuffle=True, random_state=seed)
    if min(counts.values()) >= 2:
        folds = min(folds, min(counts.values()))
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    names, given = np.array(sorted(counts)), np.array(labels)
    chances = np.zeros((len(labels), len(names)))
    for seen, held in parts.split(texts, given):
        if len(set(given[seen])) < 2:
            continue
        model = make_pipeline(
            TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True),
            LogisticRegression(C=10.0, max_iter=200, tol=1e-3),
        )
        model.fit([texts[i] for i in seen], given[seen])
        columns = np.searchsorted(names, model.classes_)
        chances[np.ix_(held, columns)] = model.predict_proba([texts[i] for i in held])
    return names, chances
