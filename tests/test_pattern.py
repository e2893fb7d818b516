"""The pattern of the four setups on the embedded model, with intervals rather than points.

A study: it fine-tunes four adapters and answers some thousand prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.analysis.compare import contrast
from bakeoff.analysis.measured_run import Run
from conftest import ROOT, Cli

pytestmark = [pytest.mark.study, pytest.mark.timeout(4 * 3600)]


@pytest.fixture(scope="module")
def run(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Run:
    results = tmp_path_factory.mktemp("results")
    done = cli(
        "run", ROOT / "benchmarks" / "pattern.yaml", "--no-mlflow", BAKEOFF_RESULTS=str(results)
    )
    assert done.returncode == 0, done.stderr
    (manifest,) = Path(results).glob("pattern/*/manifest.json")
    return Run(manifest.parent)


Gains = Callable[..., None]


@pytest.fixture
def gains(run: Run, record_property: Callable[[str, object], None]) -> Gains:
    """Asserts that `better` minus `worse` is above 0, and keeps it with the study's results."""

    def check(task: str, metric: str, better: str, worse: str, **tag: str) -> None:
        keep = [
            s.id
            for s in run.samples[task].values()
            if all(s.tags.get(name) == value for name, value in tag.items())
        ]
        sides = [(run.columns[task, better, metric].only(keep), 1)]
        sides.append((run.columns[task, worse, metric].only(keep), -1))
        found = contrast(sides)
        record_property("gain", [found.value, found.low, found.high])
        assert found.low is not None and found.low > 0, found

    return check


@pytest.mark.parametrize("setup", ["rag", "hybrid"])
def test_retrieval_beats_base_on_the_handbook(gains: Gains, setup: str) -> None:
    gains("handbook_qa", "contains", setup, "base", answerable="yes")


@pytest.mark.parametrize("setup", ["rag", "hybrid"])
def test_retrieval_beats_tuning_on_facts_that_were_not_trained(gains: Gains, setup: str) -> None:
    gains("handbook_qa", "contains", setup, "fine-tuned", fact="untrained")


def test_tuning_beats_base_on_facts_that_were_trained(gains: Gains) -> None:
    gains("handbook_qa", "contains", "fine-tuned", "base", fact="trained")


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
    gains: Gains, task: str, metric: str, other: str
) -> None:
    gains(task, metric, "fine-tuned", other)
