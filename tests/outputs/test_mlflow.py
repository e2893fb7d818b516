"""A bake-off in MLflow: the numbers are those compared, nothing is lost and nothing doubles."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import words_project
from bakeoff.analysis import trend
from bakeoff.analysis.measured_run import Run, write_comparison
from bakeoff.analysis.trend import Night, Point
from bakeoff.core.words import Answer, BakeoffError, Failure, Sample, Score, Step
from bakeoff.decide.gates.baseline import accept
from bakeoff.outputs.mlflow import baselines, links, nights, runs, server, sink, tables
from bakeoff.outputs.mlflow.names import key
from bakeoff.runs import store
from bakeoff.runs.store import Unit
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import SETUPS, Made, made_manifest, make_run, task_facts, write_run
from conftest import Cli

pytestmark = pytest.mark.slow


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture(scope="module")
def tables_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables and nothing in them: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(results: Path, tables_alone: Path) -> str:
    """An empty store of one's own, of a file that has its tables already."""
    results.mkdir()
    path = results / "mlflow.db"
    with closing(sqlite3.connect(tables_alone)) as made, closing(sqlite3.connect(path)) as mine:
        made.backup(mine)
    return f"sqlite:///{path}"


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    # Not set_tracking_uri: it writes the environment, which the programs under test inherit.
    return MlflowClient(tracking_uri=uri)


def experiment(uri: str, name: str = "made") -> str:
    found = client(uri).get_experiment_by_name(name)
    assert found is not None
    return str(found.experiment_id)


def stored(uri: str, where: str = "", name: str = "made") -> dict[str, Any]:
    """Setup -> its run; fails when one occurs twice."""
    found = list(client(uri).search_runs([experiment(uri, name)], where))
    by_setup = {run.data.tags.get("setup", run.info.run_name): run for run in found}
    assert len(by_setup) == len(found)
    return by_setup


def traces(uri: str, run: Any) -> list[Any]:
    where = [run.info.experiment_id]
    return list(client(uri).search_traces(locations=where, run_id=run.info.run_id, max_results=500))


def models(uri: str) -> Counter[str]:
    return Counter(each.name for each in client(uri).search_logged_models([experiment(uri)]))


def table(uri: str, run: Any, name: str = "samples.json") -> dict[str, list[Any]]:
    path = Path(client(uri).download_artifacts(run.info.run_id, name))
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = found["data"]
    return {column: [row[i] for row in rows] for i, column in enumerate(found["columns"])}


def test_every_number_in_mlflow_is_that_of_the_comparison(results: Path, uri: str) -> None:
    folder = make_run(results)
    runs.log(Run(folder), uri)
    compared = json.loads((folder / "comparison.json").read_text())["tasks"]["gate_qa"]["metrics"]
    there = stored(uri)
    assert list(there) == list(SETUPS)
    for setup, run in there.items():
        expected: dict[str, float] = {}
        for metric, facts in compared.items():
            top = metric in ("exact_match", "latency_s", "prompt_tokens", "cost")
            name = key("gate_qa", metric, top=top)
            if (estimate := facts["setups"].get(setup)) and estimate["value"] is not None:
                expected[name] = pytest.approx(estimate["value"], abs=5e-5)
                for end in ("low", "high"):
                    if top and estimate[end] is not None:
                        beside = f"{key('gate_qa', metric, top=False)} {end}"
                        expected[beside] = pytest.approx(estimate[end], abs=5e-5)
            if estimate and estimate["unjudged"]:
                expected[f"{name} unjudged"] = estimate["unjudged"]
        assert run.data.metrics == expected
    shares = [run.data.metrics["Headline/gate_qa exact_match"] for run in there.values()]
    assert shares == [0.2, 0.4, 0.6, 0.8]
    assert there["rag"].data.metrics["gate_qa/recall k:5 unjudged"] == 1


def test_runs_say_their_corner_data_verdict_and_comparison(results: Path, uri: str) -> None:
    folder = make_run(results)
    (folder / "report.md").write_text("# made\n")
    (folder / "plots").mkdir()
    (folder / "plots" / "square.svg").write_text("<svg/>")
    runs.log(Run(folder), uri)
    there = stored(uri)
    assert {name: run.data.tags["kind"] for name, run in there.items()} == {s: s for s in SETUPS}
    hybrid = there["hybrid"]
    assert hybrid.data.tags["gate"] == "PASS"
    assert hybrid.data.tags["invocation"] == folder.name
    assert hybrid.data.tags["commit"] == "0123abc"
    assert "tuning, open book" in hybrid.data.tags["mlflow.note.content"]
    corner = ("corner.context", "corner.kind", "corner.weights")
    assert [hybrid.data.params[name] for name in corner] == ["passages", "hybrid", "tuned"]
    digest = Run(folder).manifest.tasks["gate_qa"].digests.test
    (data,) = hybrid.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("gate_qa", digest)
    assert digest in hybrid.data.tags["data"]
    files = {each.path for each in client(uri).list_artifacts(hybrid.info.run_id)}
    assert {"report.md", "comparison.json", "manifest.json", "plots", "samples.json"} <= files


def test_the_table_holds_every_sample_with_its_scores_and_reasons(results: Path, uri: str) -> None:
    runs.log(Run(make_run(results)), uri)
    found = table(uri, stored(uri)["rag"])
    assert list(found)[:2] == ["sample", "answer"]  # what the UI groups by, and compares
    assert found["id"] == [f"q{i}" for i in range(10)]
    assert found["question"][3] == "When does gate 3 open?"
    assert found["expected"][3] == "at 3"
    assert found["answer"][2:4] == ["at 2", "never, says rag"]
    assert found["answer"][9] == "(failed: no answer)"
    assert found["score"][2:4] == [1.0, 0.0]
    assert "east gate opens" in found["passages"][3]
    assert found["scores"][2] == "exact_match 1\nrecall k:5 0.5: half found"
    assert found["scores"][8] == "exact_match 0\nrecall k:5 unjudged: no context"


def test_a_long_table_goes_on_in_further_files_alike_for_all_setups(
    results: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS", 4)
    runs.log(Run(make_run(results)), uri)
    for run in stored(uri).values():
        names = ("samples.json", "samples-2.json", "samples-3.json")
        parts = [table(uri, run, name)["id"] for name in names]
        assert [len(part) for part in parts] == [4, 4, 2]
        assert [name for part in parts for name in part] == [f"q{i}" for i in range(10)]


def test_traces_have_measured_times_parts_and_assessments(results: Path, uri: str) -> None:
    runs.log(Run(make_run(results, timed=3)), uri, 5)
    rag = stored(uri)["rag"]
    by_sample = {each.info.tags["sample"]: each for each in traces(uri, rag)}
    assert sorted(by_sample) == ["q0", "q1", "q2", "q3", "q4", "q9"]  # which failed
    timed, batched = by_sample["q1"], by_sample["q4"]
    assert timed.info.execution_duration == 1750
    # Its share of a batch is no latency, and 0 s would count in averages.
    assert batched.info.execution_duration is None
    assert {span.end_time_ns for span in batched.data.spans} == {None}
    spans = {s.name: s for s in timed.data.spans}
    seconds = {n: (s.end_time_ns - s.start_time_ns) / 1e9 for n, s in spans.items()}
    assert seconds == pytest.approx({"rag": 1.75, "retrieve": 0.25, "generate": 1.5})
    assert spans["generate"].start_time_ns == spans["retrieve"].end_time_ns
    assert spans["generate"].parent_id == spans["rag"].span_id
    assert spans["retrieve"].outputs[0]["metadata"]["doc_uri"] == "d1"
    assert timed.info.token_usage["input_tokens"] == 200
    said = {each.name: each for each in timed.info.assessments}
    assert said["exact_match"].value == 1.0
    assert said["recall k:5"].rationale == "half found"
    assert said["expected_response"].value == "at 1"


def test_on_a_server_too_what_was_not_timed_has_no_duration(
    results: Path, mlflow_server: str
) -> None:
    runs.log(Run(make_run(results, name="untimed", timed=2)), mlflow_server, 4)
    base = stored(mlflow_server, name="untimed")["base"]
    found = {each.info.tags["sample"]: each.info for each in traces(mlflow_server, base)}
    durations = {name: info.execution_duration for name, info in found.items()}
    assert durations == {"q0": 1500, "q1": 1500, "q2": None, "q3": None, "q9": None}
    assert [each.name for each in found["q9"].assessments].count("exact_match") == 1


def test_unjudged_and_failed_answers_are_traced_as_what_they_are(results: Path, uri: str) -> None:
    runs.log(Run(make_run(results)), uri, 10)
    by_sample = {each.info.tags["sample"]: each for each in traces(uri, stored(uri)["base"])}
    unjudged = {each.name: each for each in by_sample["q8"].info.assessments}["recall k:5"]
    assert (unjudged.value, unjudged.error.error_message) == (None, "no context")
    failed = by_sample["q9"]
    assert (failed.info.state.value, failed.data.spans[0].status.description) == (
        "ERROR",
        "no answer",
    )


def one_setup(results: Path, tasks: dict[str, int], made: Any) -> Run:
    """A run of base alone; task -> its number of samples."""
    suite = Suite.model_validate({"name": "made", "tasks": list(tasks), "setups": {"base": {}}})
    samples = {
        task: [Sample(str(number), {"question": f"{number}?"}, ("x",)) for number in range(n)]
        for task, n in tasks.items()
    }
    manifest = made_manifest("run", suite, {task: task_facts(n) for task, n in tasks.items()})
    return Run(write_run(results / "made" / "run", manifest, samples, made))


def test_failures_of_one_task_take_no_traces_from_another(results: Path, uri: str) -> None:
    def made(task: str, setup: str, sample: Sample) -> Made:
        lost = task == "broken" and int(sample.id) >= 10
        outcome = Failure("lost") if lost else Answer("x")
        return Made((outcome,), {"exact_match": Score(float(not lost))})

    runs.log(one_setup(results, {"broken": 40, "whole": 40}, made), uri, 10)
    found = [each.info for each in traces(uri, stored(uri)["base"])]
    by_task = Counter((each.tags["task"], each.state.value) for each in found)
    assert by_task == {("broken", "OK"): 5, ("broken", "ERROR"): 30, ("whole", "OK"): 5}


def test_durations_are_rounded_so_that_their_average_is_that_of_the_times(
    results: Path, uri: str
) -> None:
    def made(task: str, setup: str, sample: Sample) -> Made:
        timed = Answer("x", (), (Step("decode", 0.0106 + int(sample.id) / 1000),))
        return Made((Answer("x"),), {"exact_match": Score(1.0)}, (timed,))

    runs.log(one_setup(results, {"qa": 3}, made), uri, 3)
    found = [each.info for each in traces(uri, stored(uri)["base"])]
    assert sorted(each.execution_duration for each in found) == [11, 12, 13]


def test_logging_twice_doubles_nothing_and_adds_the_traces_that_lack(
    results: Path, uri: str
) -> None:
    done = Run(make_run(results, 30))
    first = runs.log(done, uri, 4)
    assert runs.log(done, uri, 25) == first
    there = stored(uri)
    assert [run.info.run_id for run in there.values()] == list(first.runs.values())
    assert [len(traces(uri, run)) for run in there.values()] == [26] * 4  # and one that failed
    assert set(models(uri).values()) == {1}
    assert list(stored(uri, name="made-training")) == ["gate_qa"]
    assert runs.log(done, uri, 0) == first


def test_every_night_finds_its_models_and_training_again(results: Path, uri: str) -> None:
    for _ in range(2):
        runs.log(Run(make_run(results)), uri, 1)
    assert len(client(uri).search_runs([experiment(uri)])) == 8
    assert models(uri) == Counter(list(SETUPS))
    (training,) = stored(uri, name="made-training").values()
    assert training.data.metrics["tokens"] == 4000
    history = client(uri).get_metric_history(training.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.25), (2, 1.0)]
    used = client(uri).search_logged_models([experiment(uri)], "name = 'hybrid'")[0]
    assert used.source_run_id == training.info.run_id
    shares = [m.value for m in used.metrics if m.key == "Headline/gate_qa exact_match"]
    assert shares == [0.8, 0.8]


def test_adapters_prompts_and_rows_are_registered_once_and_linked(results: Path, uri: str) -> None:
    for _ in range(2):
        runs.log(Run(make_run(results, 120)), uri, 1)
    there, run = (
        client(uri),
        stored(uri, f"tags.setup = 'rag' AND tags.invocation = '{_latest(results)}'"),
    )
    (training,) = stored(uri, name="made-training").values()
    (version,) = there.search_model_versions("name = 'made.gate_qa.adapter'")
    assert version.run_id == training.info.run_id
    assert version.tags["adapter"] == training.data.tags["adapter"]
    prompts = json.loads(run["rag"].data.tags["mlflow.linkedPrompts"])
    name = "made.gate_qa.question-after-passages"
    assert prompts == [{"name": name, "version": "1"}]
    (message,) = there.get_prompt_version(name, "1").template
    assert message["content"] == "Use these passages:\n{{passages}}\n\n{{question}}"
    assert there.get_prompt(name).tags["_mlflow_experiment_ids"] == f",{experiment(uri)},"
    (rows,) = there.search_datasets([experiment(uri)])
    assert (rows.name, rows.tags["rows"], json.loads(rows.profile)["num_records"]) == (
        "made.gate_qa",
        "100 of 120",
        100,
    )


def _latest(results: Path) -> str:
    return max(path.name for path in (results / "made").iterdir() if path.is_dir())


def test_a_prompt_that_is_worded_anew_is_a_new_version(results: Path, uri: str) -> None:
    runs.log(Run(make_run(results)), uri, 0)
    folder = make_run(results)
    manifest = store.read_manifest(folder)
    facts = manifest.tasks["gate_qa"]
    worded = facts.wording.model_copy(update={"system": "Be {{brief}}, {question}."})
    tasks = {"gate_qa": facts.model_copy(update={"wording": worded})}
    store.write_manifest(folder, manifest.model_copy(update={"tasks": tasks}))
    runs.log(Run(folder), uri, 0)
    newest = client(uri).get_prompt_version_by_alias("made.gate_qa", "latest")
    assert newest.version == 2
    assert newest.template[0] == {"role": "system", "content": "Be {brief}, {{question}}."}


def test_scores_that_were_made_again_replace_those_logged(results: Path, uri: str) -> None:
    folder = make_run(results)
    runs.log(Run(folder), uri, 2)
    rows = [((f"q{i}", 0), {"exact_match": Score(1.0)}) for i in range(10)]
    store.write_scores(folder, Unit("gate_qa", "base"), rows)
    write_comparison(Run(folder))
    runs.log(Run(folder), uri, 2)
    base = stored(uri)["base"]
    assert base.data.metrics["Headline/gate_qa exact_match"] == 1.0
    assert len(traces(uri, base)) == 3, "two answers, and the one that failed"


DIES_IN_THE_MIDDLE = """
import os, sys
from pathlib import Path
from mlflow import MlflowClient
from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import runs

kept, calls = getattr(MlflowClient, sys.argv[3]), []

def dies(*arguments, **options):
    calls.append(1)
    if len(calls) == 3:
        os._exit(9)  # as by kill -9: nothing is tidied up
    return kept(*arguments, **options)

setattr(MlflowClient, sys.argv[3], dies)
runs.log(Run(Path(sys.argv[1])), sys.argv[2])
"""


@pytest.mark.parametrize("call", ["log_table", "log_batch", "set_terminated", "search_traces"])
def test_logging_that_was_killed_is_finished_later(results: Path, uri: str, call: str) -> None:
    folder = make_run(results)
    program = [sys.executable, "-c", DIES_IN_THE_MIDDLE, folder, uri, call]
    died = subprocess.run(program, capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    runs.log(Run(folder), uri)
    there = stored(uri)
    assert list(there) == list(SETUPS)
    assert {run.data.tags["logged"] for run in there.values()} == {"complete"}
    assert [len(traces(uri, run)) for run in there.values()] == [10] * 4
    assert set(models(uri).values()) == {1}


def test_odd_text_breaks_nothing(results: Path, uri: str) -> None:
    odd = " \x00 \ud83d \x1b[31m \u2028 \U0001f6aa | <b>"
    runs.log(Run(make_run(results, text=odd)), uri, 3)
    rag = stored(uri)["rag"]
    said = table(uri, rag)["answer"][0]
    assert said.endswith("\u2028 \U0001f6aa | <b>")
    assert "\x00" not in said
    assert len(traces(uri, rag)) == 4, "three answers, and the one that failed"
    asked = [each.data.spans[0].inputs["question"] for each in traces(uri, rag)]
    assert all("\U0001f6aa" in question for question in asked)


def test_a_deleted_experiment_is_taken_out_of_the_bin(results: Path, uri: str) -> None:
    runs.log(Run(make_run(results)), uri, 1)
    client(uri).delete_experiment(experiment(uri))
    runs.log(Run(make_run(results)), uri, 1)
    assert client(uri).get_experiment(experiment(uri)).lifecycle_stage == "active"
    assert len(client(uri).search_runs([experiment(uri)])) == 8


def test_processes_that_log_at_the_same_time_neither_double_nor_lose(
    results: Path, uri: str, cli: Cli
) -> None:
    one, other = make_run(results), make_run(results)
    program = [sys.executable, "-m", "bakeoff.cli", "log", "--traces", "3"]
    where = {**os.environ, "BAKEOFF_RESULTS": str(results)}
    started = [subprocess.Popen([*program, f], env=where) for f in (one, one, other)]
    assert [each.wait(timeout=300) for each in started] == [0, 0, 0]
    for folder in (one, other):
        there = stored(uri, f"tags.invocation = '{folder.name}'")
        assert [len(traces(uri, run)) for run in there.values()] == [4] * 4  # and one that failed
    assert models(uri) == Counter(list(SETUPS))


def night(day: int, share: float) -> Night:
    when = date(2026, 3, day)
    point = Point(value=share, low=None, high=None, n=10, higher_is_better=True)
    points = {"hybrid.gate_qa.exact_match": point}
    now = datetime(2026, 3, day, 5, tzinfo=UTC)
    return Night(when, f"run-{day}", now, None, 0, "PASS", {}, points)


def test_nights_are_steps_of_one_run_per_setup_and_a_missing_one_is_a_gap(
    results: Path, uri: str
) -> None:
    kept = trend.history(results, "made")
    kept.parent.mkdir(parents=True)
    (results / "made").mkdir()
    for day, share in ((1, 0.5), (2, 0.6), (4, 0.7)):
        trend.keep(kept, night(day, share))
        for _ in range(2):
            nights.log("made", trend.read(kept), results / "made", uri)
    (run,) = stored(uri, name="made-trend").values()
    name = "Headline/gate_qa exact_match"
    points = client(uri).get_metric_history(run.info.run_id, name)
    assert [(point.step, point.value) for point in points] == [(0, 0.5), (1, 0.6), (3, 0.7)]


def test_an_accepted_run_is_marked_and_the_one_before_it_no_longer(results: Path, uri: str) -> None:
    folders = [make_run(results), make_run(results)]
    for folder in folders:
        pointer = accept(Run(folder), "rolling", "good", results)
        rows = results / "baselines" / pointer.rows
        baselines.push(Run(folder), pointer, rows, uri)
    old, new = (stored(uri, f"tags.invocation = '{folder.name}'") for folder in folders)
    assert {run.data.tags.get("baseline") for run in old.values()} == {None}
    assert {run.data.tags.get("baseline") for run in new.values()} == {"rolling"}
    assert "good" in new["rag"].data.tags["accepted"]
    (found,) = baselines.pull("made", results / "baselines", uri)
    assert found.run == folders[1].name


def test_a_pointer_on_a_server_names_no_file_outside_the_folder(results: Path, uri: str) -> None:
    folder = make_run(results)
    pointer = accept(Run(folder), "rolling", "good", results)
    rows = results / "baselines" / pointer.rows
    away = pointer.model_copy(update={"rows": "../../elsewhere.rows.json.gz"})
    baselines.push(Run(folder), away, rows, uri)
    with pytest.raises(BakeoffError, match=r"made\.rolling of the tracking server: rows: "):
        baselines.pull("made", results / "baselines", uri)


def test_a_store_that_cannot_be_written_is_one_error(
    results: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow takes `file:` for the name of a folder, and makes it.
    monkeypatch.chdir(results)
    runs.log(Run(make_run(results)), uri, 1)
    path = results / "mlflow.db"
    locked = f"sqlite:///file:{path}?mode=ro&uri=true"
    with pytest.raises(BakeoffError, match="Nothing is lost: send it later with `bakeoff log"):
        runs.log(Run(make_run(results)), locked)
    assert len(stored(uri)) == 4


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_never_answers_is_given_up(results: Path, cli: Cli) -> None:
    folder = make_run(results)
    with silent() as address:
        quick = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_TRACKING_URI": address}
        done = cli("log", folder, BAKEOFF_RESULTS=str(results), **quick)
    assert done.returncode == 2
    assert "Nothing is lost" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_waits_for_mlflow_no_longer_than_it_was_told(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(results)
    with silent() as address:
        for name, value in {
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "600",
            "MLFLOW_TRACKING_URI": address,
            "BAKEOFF_MLFLOW_WAIT": "2",
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(BakeoffError, match=r"not done after 2 s\. Nothing is lost: send it"):
            sink.send(Run(folder))


def test_a_process_that_was_started_before_its_run_logs_it(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKEOFF_RESULTS", str(results))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logger = sink.Logger()
    logger.prepare()
    logger.settle()
    early = logger._process
    assert early
    assert (results / "mlflow.db").is_file(), "its tables are made before there is a run"
    folder = make_run(results)
    assert logger(Run(folder))[0].startswith("MLflow charts:")
    assert early.returncode == 0
    assert links.read(folder)


def test_a_process_that_was_started_for_nothing_ends_with_the_run(results: Path) -> None:
    logger = sink.Logger()
    logger.prepare()
    unwanted = logger._process
    assert unwanted
    logger.close()
    assert unwanted.returncode == -signal.SIGKILL
    logger.close()
    logger.prepare()
    orphan = logger._process
    assert orphan
    assert orphan is not unwanted
    # As when the run is killed: whoever held the other end of its input is gone.
    assert orphan.communicate() == ("ready\n", None)
    assert orphan.returncode == 0


class _Asked(BaseHTTPRequestHandler):
    """Keeps what a run has shown by the time that its server is first asked, and refuses."""

    server: Shown

    def refuse(self) -> None:
        self.server.seen.append(self.server.output.read_text())
        self.send_response(400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = refuse

    def log_message(self, *_: object) -> None: ...


class Shown(ThreadingHTTPServer):
    """A tracking server that looks at the output of the run that logs to it."""

    def __init__(self, output: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.output, self.seen = output, list[str]()


def test_results_are_shown_before_logging_begins(tmp_path: Path) -> None:
    words_project.write_project(tmp_path)
    output = tmp_path / "output.txt"
    output.touch()
    command = [sys.executable, "-m", "bakeoff.cli", "run", words_project.FILE]
    with Shown(output) as server, output.open("w") as stream:
        Thread(target=server.serve_forever, daemon=True).start()
        where = {**os.environ, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.server_port}"}
        where["BAKEOFF_CACHE"] = str(tmp_path / "cache")
        done = subprocess.run(
            command, cwd=tmp_path, env=where, stdout=stream, stderr=subprocess.PIPE, check=False
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert b"Nothing is lost: send it later with `bakeoff log" in done.stderr
    assert re.search(r"^report: .*\npage: .*\n$", server.seen[0], re.MULTILINE)
    assert output.read_text() == server.seen[0], "of what was not logged no links are shown"


class Door(ThreadingHTTPServer):
    """Stands before a server: wants a name and password, or is gone after so many requests."""

    def __init__(self, server: str, password: str = "", last: int = 10**9) -> None:
        super().__init__(("127.0.0.1", 0), _Pass)
        self.server = server.rpartition("/")[2]
        self.wanted = "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()
        self.open, self.left = not password, last
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class _Pass(BaseHTTPRequestHandler):
    server: Door

    def pass_on(self) -> None:
        self.server.left -= 1
        if self.server.left < 0:
            self.connection.close()
            return
        if not self.server.open and self.headers["Authorization"] != self.server.wanted:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there = HTTPConnection(self.server.server, timeout=60)
        kept = {k: v for k, v in self.headers.items() if k != "Host"}
        there.request(self.command, self.path, body, kept)
        answer = there.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def door(server: str, password: str = "", last: int = 10**9) -> Iterator[str]:
    standing = Door(server, password, last)
    Thread(target=standing.serve_forever, daemon=True).start()
    try:
        yield standing.address
    finally:
        standing.shutdown()
        standing.server_close()


def test_a_server_that_dies_in_the_middle_is_sent_the_rest_later(
    results: Path, mlflow_server: str
) -> None:
    folder = make_run(results, name="dies")
    for last in (2, 9, 25, 60):
        with door(mlflow_server, last=last) as address, pytest.raises(BakeoffError):
            runs.log(Run(folder), address)
    runs.log(Run(folder), mlflow_server)
    there = stored(mlflow_server, name="dies")
    assert list(there) == list(SETUPS)
    assert {run.data.tags["logged"] for run in there.values()} == {"complete"}
    assert [len(traces(mlflow_server, run)) for run in there.values()] == [10] * 4
    assert list(stored(mlflow_server, name="dies-training")) == ["gate_qa"]


def test_a_server_that_wants_a_password_gets_it_and_it_is_never_shown(
    results: Path, mlflow_server: str, cli: Cli
) -> None:
    folder = make_run(results, name="guarded")
    with door(mlflow_server, password="canary-77") as address:
        known = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "canary-77"}
        where = {"MLFLOW_TRACKING_URI": address, "BAKEOFF_RESULTS": str(results)}
        refused = cli("log", folder, **where)
        assert refused.returncode == 2
        assert "401" in refused.stderr
        done = cli("log", folder, **where, **known)
        assert done.returncode == 0, done.stderr
        within = {**where, "MLFLOW_TRACKING_URI": address.replace("//", "//ann:canary-77@")}
        again = cli("log", folder, **within)
        assert again.returncode == 0, again.stderr
    assert list(stored(mlflow_server, name="guarded")) == list(SETUPS)
    shown = done.stdout + again.stdout + again.stderr + (folder / "mlflow.json").read_text()
    assert "canary-77" not in shown


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests of this module."""
    pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed")
    found = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if not (initdb := next((Path(each) for each in found[::-1] if each), None)):
        pytest.skip("no PostgreSQL binaries (initdb) here")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path must be short
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to be root
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--clear-groups"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, bin = str(folder / "data"), initdb.parent
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run([*as_user, initdb, "-D", data, "-U", "bakeoff", "-A", "trust"], **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*as_user, bin / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], **quiet)
    try:
        yield f"postgresql+psycopg2://bakeoff@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql_holds_what_sqlite_holds(results: Path, postgres: str) -> None:
    odd = " \x00 \ud83d \U0001f6aa"
    done = Run(make_run(results, text=odd))
    first = runs.log(done, postgres, 5)
    assert runs.log(done, postgres, 5) == first
    there = stored(postgres)
    shares = [run.data.metrics["Headline/gate_qa exact_match"] for run in there.values()]
    assert list(there) == list(SETUPS)
    assert shares == [0.2, 0.4, 0.6, 0.8]
    assert [len(traces(postgres, run)) for run in there.values()] == [6] * 4  # and one that failed
    assert table(postgres, there["rag"])["id"] == [f"q{i}" for i in range(10)]
    assert models(postgres) == Counter(list(SETUPS))


def test_the_ui_is_served_where_the_run_is_and_ends_when_told_to(results: Path, uri: str) -> None:
    folder = make_run(results)
    logged = runs.log(Run(folder), uri, 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "bakeoff.cli", "ui", "--no-browser", "--port", str(port)]
    where = {**os.environ, "BAKEOFF_RESULTS": str(results), "PYTHONUNBUFFERED": "1"}
    serving = subprocess.Popen(program, env=where, stdout=subprocess.PIPE, text=True)
    assert serving.stdout
    said = ""
    while "Ctrl-C" not in said:
        line = serving.stdout.readline()
        assert line, said  # it ended instead
        said += line
    ui = f"http://127.0.0.1:{port}"
    assert links.links(logged, ui)["charts"] in said
    taken = subprocess.run(program, env=where, capture_output=True, text=True, check=False)
    assert (taken.returncode, "name another with --port" in taken.stderr) == (2, True)
    with urlopen(f"{ui}/health", timeout=30) as answer:
        assert answer.status == 200
    serving.send_signal(signal.SIGHUP)  # its terminal was closed
    assert serving.wait(timeout=60) == 0
    with pytest.raises(URLError):
        urlopen(f"{ui}/health", timeout=30)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        pytest.raises(BakeoffError, match=r"the MLflow server did not start:\n(.*\n)*.*nosuch"),
        server.serving("nosuch://store", "127.0.0.1", port, tmp_path),
    ):
        pass
