"""A renamed metric is one metric: in files that people write, and in what was made before."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bakeoff.analysis.comparison import from_json
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.measurements import read_rows, write_rows
from bakeoff.analysis.trend import nights
from bakeoff.core.words import Answer, BakeoffError, Sample, Score, Step
from bakeoff.decide.advice.advice import Ranked
from bakeoff.decide.advice.needs import Needs
from bakeoff.decide.gates import baseline
from bakeoff.decide.gates.card_check import file_of, without_card
from bakeoff.metrics.registry import scorers
from bakeoff.running import nightly
from bakeoff.running.importing import Import, import_results
from bakeoff.running.importing.fields import Fields
from bakeoff.runs.manifest import MetricFacts
from bakeoff.runs.store import read_manifest, write_json
from bakeoff.spec import names
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.metric import Metric, listed
from bakeoff.spec.policy import Gate, Policy
from bakeoff.spec.recipes import Retrieve, Tune
from bakeoff.spec.task import TaskFile
from bakeoff.testing import Made, made_manifest, task_facts, write_run
from conftest import Cli

OLD = ("support_context", "evidence_recall(k=2)", "support_gold(by='judge:m', share=True)")
NEW = ("faithfulness", "retrieval_recall(k=2)", "support_gold(share=True, verifier='judge:m')")
WORD = "`support_context` is now called `faithfulness`"


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    names.take_noted()


def written(results: Path, run: str, metrics: Sequence[str], right: int) -> Run:
    """A run of one setup on twelve samples under these names of its two metrics."""
    facts = MetricFacts(higher_is_better=True, bounds=(0.0, 1.0), asks="verifier", version="1")
    raw = {"name": "boats", "tasks": ["qa"], "setups": {"rag": {"retrieve": True}}}
    gates = [{"check": f"rag.qa.{metrics[0]} >= baseline:rag.qa.{metrics[0]} - 0.5"}]
    suite = Suite.model_validate({**raw, "gates": gates})
    tasks = {"qa": task_facts(12, dict.fromkeys(metrics, facts))}
    samples = [Sample(f"q{n:02}", {"question": "?"}, ("x",), ("d",)) for n in range(12)]

    def made(_: str, __: str, sample: Sample) -> Made:
        value = float(int(sample.id[1:]) < right)
        answer = Answer("x", steps=(Step("retrieve"), Step("decode")))
        return Made((answer,), dict.fromkeys(metrics, Score(value)))

    folder = results / "boats" / run
    return Run(write_run(folder, made_manifest(run, suite, tasks), {"qa": samples}, made))


def test_every_old_name_leads_to_a_metric_that_there_is() -> None:
    assert set(names.METRICS.values()) <= set(scorers())
    assert not set(names.METRICS) & set(scorers())
    assert len(set(names.METRICS.values())) == len(names.METRICS)


@pytest.mark.parametrize("old", names.METRICS)
def test_a_metric_is_read_by_its_old_name_and_printed_by_its_new_one(old: str) -> None:
    assert str(Metric.parse(f"{old}(k=5)")) == f"{names.METRICS[old]}(k=5)"
    assert names.take_noted() == {old: names.METRICS[old]}
    assert str(Metric.parse(f"./mine.py::{old}")) == f"./mine.py::{old}"
    assert names.take_noted() == {}
    assert names.metric_before(names.METRICS[old]) == old


@pytest.mark.parametrize("metric", names.SETTINGS)
def test_a_setting_is_read_by_its_old_name(metric: str) -> None:
    ((old, new),) = names.SETTINGS[metric].items()
    present = f"{metric}(against=-1, {new}='a (by=) b')"
    assert str(Metric.parse(f"{metric} ( {old} = 'a (by=) b', against=-1)")) == present
    assert names.take_noted() == {f"{metric}({old}=)": f"{metric}({new}=)"}
    first = f"{names.metric_before(metric)}(against=-1, {old}='a (by=) b')"
    assert (names.metric_before(present), names.metric(first)) == (first, present)
    assert new in scorers()[metric].settings()
    names.take_noted()
    for other in (f"./mine.py::{metric}(by='m')", f"{metric}(by='m', {new}='n')"):
        assert str(Metric.parse(other)) == other
    assert names.take_noted() == {}


def test_files_that_people_write_may_have_old_names(tmp_path: Path) -> None:
    raw = {"description": "d", "rows": {"test": "q.jsonl"}, "scorers": OLD, "headline": OLD[1]}
    task = TaskFile.model_validate(raw)
    assert (tuple(task.metrics()), task.headline_metric) == (NEW, NEW[1])
    gate = Gate(check="p95(rag.qa.support_context) >= baseline:p95(rag.qa.support_context)")
    assert gate.check == "p95(rag.qa.faithfulness) >= baseline:p95(rag.qa.faithfulness)"
    assert Gate(check="rag.length.length >= 1").check == "rag.length.length_in_range >= 1"
    gate = Gate(check="p95(rag.qa.support_gold(by='a(.json')) >= base.qa.ragas(by='judge:m')")
    now = "p95(rag.qa.support_gold(verifier='a(.json')) >= base.qa.ragas(verifier='judge:m')"
    assert gate.check == now
    assert Needs(floors={"qa.evidence_recall(k=2)": 0.5}).floors == {
        "qa.retrieval_recall(k=2)": 0.5
    }


def test_fields_and_their_values_may_have_old_names(tmp_path: Path, cli: Cli) -> None:
    found = Retrieve.model_validate({"by": "bm25", "passages": "found"})
    assert found == Retrieve(retriever="bm25", passages="retrieved")
    assert names.take_noted() == {
        "retrieve.by": "retrieve.retriever",
        "passages: found": "passages: retrieved",
    }
    with pytest.raises(ValidationError, match="by\n  Extra inputs"):
        Retrieve.model_validate({"by": "bm25", "retriever": "dense"})
    assert Policy.model_validate({"family": "none"}).correction == "none"
    assert Gate.model_validate({"check": "a.b.c >= 1", "by": "kind", "mode": "point"}) == Gate(
        check="a.b.c >= 1", group_by="kind", mode="estimate"
    )
    (tmp_path / "needs.yaml").write_text("narrow: [qa]\n")
    written(tmp_path / "results", "one", NEW, 3)
    done = cli("advise", "latest", "--needs", "needs.yaml", cwd=tmp_path)
    assert "`needs.narrow` is now called `needs.top_accuracy`" in done.stderr


def test_a_custom_setup_was_of_the_kind_own(tmp_path: Path) -> None:
    hours = {"own": 3, "base": 1}
    assert names.of_kind({"custom": 2, **hours}, "custom", "hours") == 2
    assert names.of_kind(hours, "rag", "hours") is None
    assert names.take_noted() == {}
    assert names.of_kind(hours, "custom", "hours") == 3
    assert names.take_noted() == {"hours.own": "hours.custom"}
    run = written(tmp_path, "one", NEW, 9)
    kept = replace(run.rows, kinds={"mine": "own"}, treatments={"qa": {"mine": {"model": "own"}}})
    write_rows(tmp_path / "rows", kept)
    rows = read_rows(tmp_path / "rows")
    assert rows.kinds == {"mine": "custom"}
    assert rows.treatments == {"qa": {"mine": {"model": "custom"}}}
    compared = asdict(run.comparison) | {"setups": {"mine": "own"}}
    assert from_json(json.dumps(compared)).setups == {"mine": "custom"}
    ranked = {"setup": "mine", "kind": "own", "tier": None, "note": ""}
    value = {"value": None, "low": None, "high": None}
    parts = dict.fromkeys(("quality", "less_best", "per_month"), value)
    assert Ranked.model_validate({**ranked, **parts}).kind == "custom"


def test_a_renamed_field_changes_no_digest_of_an_adapter() -> None:
    recipe = Tune.model_validate({"distill": {"teacher": "rag", "right": 0.5}})
    assert recipe.identity()["distill"] == {
        **{"teacher": "rag", "right": 0.5, "supported": 0.5, "cited": False}
    }
    assert Tune.model_validate({"cpt": {"by": "x"}}).identity()["cpt"]["by"] == "x"


def test_fields_of_a_stored_run_are_read_and_not_shown(tmp_path: Path) -> None:
    run = written(tmp_path, "one", NEW, 3)
    path = run.folder / "manifest.json"
    for new, old in (("license", "licence"), ("stratify", "by"), ("correction", "family")):
        path.write_text(path.read_text().replace(f'"{new}"', f'"{old}"'))
    assert read_manifest(run.folder) == run.manifest
    assert names.take_noted() == {}


@pytest.mark.parametrize(("first", "second"), [(OLD, NEW), (NEW, OLD)])
def test_a_run_of_before_and_one_of_now_are_compared_by_one_metric(
    first: Sequence[str], second: Sequence[str], tmp_path: Path, cli: Cli
) -> None:
    for run, metrics, right in (("one", first, 3), ("two", second, 9)):
        written(tmp_path / "results", run, metrics, right)
    folders = [str(tmp_path / "results" / "boats" / run) for run in ("one", "two")]
    done = cli("compare", *folders, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (shown,) = json.loads(done.stdout)["tasks"].values()
    assert set(NEW) <= set(shown) and not set(OLD) & set(shown)
    (difference,) = shown["faithfulness"]["differences"].values()
    assert difference["value"] == pytest.approx(0.5)
    assert done.stderr.count(WORD) == 1


def renamed(rows: Path) -> None:
    """A file of rows as it was when the metrics had their old names."""
    text = gzip.decompress(rows.read_bytes()).decode()
    for old, new in zip(OLD, NEW, strict=True):
        text = text.replace(new, old)
    rows.write_bytes(gzip.compress(text.encode()))


def test_a_baseline_of_before_is_gated_against(tmp_path: Path, cli: Cli) -> None:
    results = tmp_path / "results"
    run = written(results, "one", NEW, 9)
    write_rows(tmp_path / "old", run.rows)
    renamed(tmp_path / "old")
    assert read_rows(tmp_path / "old").columns.keys() == run.rows.columns.keys()
    assert read_rows(tmp_path / "old").conditions == run.rows.conditions
    accepted = baseline.accept(run, "rolling", "good", results)
    shutil.copy(tmp_path / "old", baseline.folder(results) / accepted.rows)
    digest = baseline.sha256_file(tmp_path / "old")
    baseline.adopt(results, accepted.model_copy(update={"sha256": digest}))
    for metrics in (NEW, OLD):
        folder = written(results, f"two {metrics[0]}", metrics, 9).folder
        done = cli("gate", folder, cwd=tmp_path)
        assert (done.returncode, "PASS" in done.stdout) == (0, True), done.stdout + done.stderr
        (verdict,) = json.loads((folder / "gates.json").read_text())["gates"]
        assert verdict["check"] == "rag.qa.faithfulness >= baseline:rag.qa.faithfulness - 0.5"
        assert done.stderr.count(WORD) == 1


def test_nights_of_before_go_on_without_a_cut(tmp_path: Path) -> None:
    old, new = (written(tmp_path, name, m, 9) for name, m in (("one", OLD), ("two", NEW)))
    assert nightly.pinned(old.manifest) == nightly.pinned(new.manifest)
    night = nights.Night(
        **{**NIGHT, "pinned": nightly.pinned(new.manifest), "series": nightly.series(new)}
    )
    line = nights.as_line(night).replace(b"faithfulness", b"support_context")
    assert nights.parsed(line) == night


NIGHT: dict[str, Any] = {
    "night": date(2026, 11, 28),
    "run": "two",
    "finished": nights.datetime.fromisoformat("2026-11-28T01:00:00+00:00"),
    "commit": None,
    "exit_code": 0,
    "state": "PASS",
}


def test_a_card_of_before_vouches_for_the_metric(tmp_path: Path) -> None:
    manifest = written(tmp_path / "results", "one", NEW, 9).manifest
    policy = Policy(min_agreement=0.7, cards=str(tmp_path))
    assert set(without_card(policy, manifest)) == set(NEW)
    card = {"version": "1", "judge": "", "scorers": [{"auroc": {"low": 0.8}}]}
    write_json(file_of("support_context", tmp_path), card)
    assert set(without_card(policy, manifest)) == {*NEW[1:]}
    write_json(file_of(OLD[2], tmp_path), card)
    assert set(without_card(policy, manifest)) == {NEW[1]}


def test_imported_scores_under_an_old_name_are_asked_which_they_are(tmp_path: Path) -> None:
    rows = [{"n": n, "answer": "x", "support_context": n % 2} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BakeoffError, match="write faithfulness=support_context if it is that"):
        Fields.parse(columns=["id=n"], scores=["support_context"])
    fields = Fields.parse(columns=["id=n"], scores=["faithfulness=support_context"])
    wanted = Import([tmp_path / "rows.jsonl"], fields, setup="theirs", name="boats")
    run = import_results(wanted, tmp_path / "results")
    (task,) = run.manifest.tasks
    assert run.comparison.tasks[task].metrics["faithfulness"].setups["theirs"].value == 0.5


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("exact_match, contains", ("exact_match", "contains")),
        ("a(x='1, 2', k=2),b", ("a(x='1, 2', k=2)", "b")),
        ("a(x=')', y=1) , ./own.py::b,", ("a(x=')', y=1)", "./own.py::b")),
        ("a(, b", ("a(", "b")),
        (" , ", ()),
    ],
)
def test_metrics_are_listed_by_commas_outside_their_settings(
    text: str, metrics: tuple[str, ...]
) -> None:
    assert listed(text) == metrics
