"""Runs that were written before manifests, scores and verdicts had types are read as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bakeoff.finished import GATES, Run

KEPT = Path(__file__).parent / "fixtures" / "runs"
SQUARE = {"base": 0.2, "fine-tuned": 0.4, "rag": 0.6, "hybrid": 0.8}
HEADLINES = {
    "trained": {"base": 0, "fine-tuned": 0, "rag": 1 / 3, "hybrid": 1 / 3, "mine": 1 / 3},
    "shard": {"mine": 1.0},
    "merged": {"mine": 5 / 6},
    "imported": {"a-one": 1.0, "b-two": 0.0},
    "made": SQUARE,
    "pruned": SQUARE,
}
"""Kept run -> setup -> the mean of the headline metric."""
GATED = [name for name in HEADLINES if (KEPT / name / GATES).is_file()]


@pytest.mark.parametrize("name", HEADLINES)
def test_a_kept_run_has_the_scores_that_it_had(name: str) -> None:
    run = Run(KEPT / name)
    found = {
        setup: np.nanmean(column.values)
        for (task, setup, metric), column in run.columns.items()
        if metric == run.headlines[task]
    }
    assert found == pytest.approx(HEADLINES[name])


@pytest.mark.parametrize("name", GATED)
def test_a_kept_run_is_judged_as_it_was(name: str) -> None:
    kept = json.loads((KEPT / name / GATES).read_text())
    again = json.loads(json.dumps(Run(KEPT / name).judged()))
    assert again == {**kept, "run": again["run"]}
