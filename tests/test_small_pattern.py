"""The pattern of the four setups in a form that fits every change: fewer questions, three epochs.

The whole one, with labels, JSON and style, is a study: `test_pattern.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakeoff.compare import contrast
from bakeoff.finished import Run
from conftest import ROOT, Cli

pytestmark = pytest.mark.slow

BENCHMARK = """
seed: 7
batch_check: 0
tune: {epochs: 3, batch_size: 8, learning_rate: 2e-3, open_book: 0.1}
retrieve: {k: 2, chunk_words: 60, overlap_words: 12}
tasks: [{TASK: {limit: 40, by: [answerable, fact]}}]
setups:
  base: {}
  fine-tuned: {tune: true}
  rag: {retrieve: true}
  hybrid: {tune: true, retrieve: true}
latency: {samples: 0}
"""


@pytest.fixture(scope="module")
def run(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pattern")
    task = os.path.relpath(ROOT / "tasks" / "handbook_qa.yaml", folder)
    (folder / "small.yaml").write_text(BENCHMARK.replace("TASK", task))
    done = cli("run", "small.yaml", "--no-mlflow", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    places = [
        next(i for i, line in enumerate(said) if line.startswith(start))
        for start in ("handbook_qa / rag", "These stand", "adapter handbook_qa: training")
    ]
    assert places == sorted(places), "base and RAG are shown before anything is trained"
    (manifest,) = Path(folder).glob("results/small/*/manifest.json")
    return Run(manifest.parent)


@pytest.mark.parametrize(
    ("better", "worse", "tag", "value"),
    [
        ("rag", "base", "answerable", "yes"),
        ("hybrid", "base", "answerable", "yes"),
        ("hybrid", "rag", "answerable", "yes"),
        ("fine-tuned", "base", "fact", "trained"),
        ("hybrid", "fine-tuned", "fact", "untrained"),
    ],
)
def test_the_pattern_shows_with_an_interval_above_0(
    run: Run, better: str, worse: str, tag: str, value: str
) -> None:
    keep = [s.id for s in run.samples["handbook_qa"].values() if s.tags.get(tag) == value]
    sides = [(run.columns["handbook_qa", better, "contains"].only(keep), 1)]
    sides.append((run.columns["handbook_qa", worse, "contains"].only(keep), -1))
    found = contrast(sides)
    assert found.low is not None and found.low > 0, found
