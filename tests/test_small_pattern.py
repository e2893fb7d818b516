"""The pattern of the four setups in a form that fits every change: retrieval finds, tuning forms.

Retrieval finds what a handbook says, tuning teaches labels. What tuning teaches of facts needs more
rows, epochs and questions; that, JSON and style are a study: `test_pattern.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakeoff.analysis.compare import contrast
from bakeoff.analysis.measured_run import Run
from conftest import ROOT, Cli

pytestmark = pytest.mark.slow

BENCHMARK = """
seed: 7
batch_check: 0
tune: {epochs: 2, batch_size: 8, learning_rate: 2e-3, open_book: 0, rows: 100}
retrieve: {retriever: bm25, k: 1, chunk_words: 60, overlap_words: 12}
tasks:
  - HANDBOOK: {limit: 24, stratify: [answerable, fact]}
  - TRIAGE: {limit: 24, stratify: [target]}
setups:
  base: {}
  rag: {retrieve: true}
  fine-tuned: {tune: true, tasks: [ticket_triage]}
  hybrid: {tune: true, retrieve: true, tasks: [ticket_triage]}
latency: {samples: 0}
"""


@pytest.fixture(scope="module")
def run(cli: Cli, models_only: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pattern")
    text = BENCHMARK
    for word, task in (("HANDBOOK", "handbook_qa"), ("TRIAGE", "ticket_triage")):
        text = text.replace(word, os.path.relpath(ROOT / "tasks" / f"{task}.yaml", folder))
    (folder / "small.yaml").write_text(text)
    done = cli("run", "small.yaml", "--no-mlflow", cwd=folder, BAKEOFF_CACHE=str(models_only))
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    places = [
        next(i for i, line in enumerate(said) if line.startswith(start))
        for start in ("handbook_qa / rag", "Results of setups", "adapter ticket_triage: training")
    ]
    assert places == sorted(places), "base and RAG are shown before anything is trained"
    (manifest,) = Path(folder).glob("results/small/*/manifest.json")
    return Run(manifest.parent)


@pytest.mark.parametrize(
    ("task", "metric", "better", "worse"),
    [
        ("handbook_qa", "contains", "rag", "base"),
        ("ticket_triage", "accuracy", "fine-tuned", "base"),
        ("ticket_triage", "accuracy", "fine-tuned", "rag"),
        ("ticket_triage", "accuracy", "hybrid", "rag"),
    ],
)
def test_the_pattern_shows_with_an_interval_above_0(
    run: Run, task: str, metric: str, better: str, worse: str
) -> None:
    found = contrast(
        [(run.columns[task, better, metric], 1), (run.columns[task, worse, metric], -1)]
    )
    assert found.low is not None and found.low > 0, found
