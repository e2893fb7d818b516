"""The pattern of the four setups on the embedded model, with intervals rather than points.

Slow: it fine-tunes four adapters and answers some thousand prompts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.compare import Estimate, contrast
from bakeoff.finished import Run
from conftest import ROOT, Cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def run(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Run:
    results = tmp_path_factory.mktemp("results")
    done = cli(
        "run", ROOT / "benchmarks" / "pattern.yaml", "--no-mlflow", BAKEOFF_RESULTS=str(results)
    )
    assert done.returncode == 0, done.stderr
    (manifest,) = Path(results).glob("pattern/*/manifest.json")
    return Run(manifest.parent)


def gain(run: Run, task: str, metric: str, better: str, worse: str, **tag: str) -> Estimate:
    """`better` minus `worse`, paired by sample, over the samples that carry the tag."""
    keep = [
        s.id
        for s in run.samples[task].values()
        if all(s.tags.get(name) == value for name, value in tag.items())
    ]
    sides = [(run.columns[task, better, metric].only(keep), 1)]
    sides.append((run.columns[task, worse, metric].only(keep), -1))
    return contrast(sides)


@pytest.mark.parametrize("setup", ["rag", "hybrid"])
def test_retrieval_beats_base_on_the_handbook(run: Run, setup: str) -> None:
    found = gain(run, "handbook_qa", "contains", setup, "base", answerable="yes")
    assert found.low is not None and found.low > 0, found


@pytest.mark.parametrize("setup", ["rag", "hybrid"])
def test_retrieval_beats_tuning_on_facts_that_were_not_trained(run: Run, setup: str) -> None:
    found = gain(run, "handbook_qa", "contains", setup, "fine-tuned", fact="untrained")
    assert found.low is not None and found.low > 0, found


def test_tuning_beats_base_on_facts_that_were_trained(run: Run) -> None:
    found = gain(run, "handbook_qa", "contains", "fine-tuned", "base", fact="trained")
    assert found.low is not None and found.low > 0, found


@pytest.mark.parametrize("other", ["base", "rag"])
@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("ticket_triage", "accuracy"),
        ("order_extraction", "field_f1"),
        ("house_style", "rules_kept"),
    ],
)
def test_tuning_beats_base_and_documents_on_labels_json_and_style(
    run: Run, task: str, metric: str, other: str
) -> None:
    found = gain(run, task, metric, "fine-tuned", other)
    assert found.low is not None and found.low > 0, found
