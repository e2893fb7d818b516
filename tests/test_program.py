"""The program as a user runs it, on the embedded model."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Record
from conftest import ROOT, Cli, logged, write_project

HEAVY = ("torch", "transformers", "mlflow", "ragas", "datasets", "faiss", "peft", "sklearn")


def quality(run: Run) -> list[Record]:
    """All records of the quality pass."""
    return [r for task, setups in run.asked.items() for s in setups for r in run.records(task, s)]


def test_help_imports_no_model_library() -> None:
    code = (
        "import sys, bakeoff.cli\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(bakeoff.cli.main, ['--help']).exit_code == 0\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "plan",
        "score",
        "merge",
        "cache",
        "compare",
        "cost",
        "gate",
        "advise",
        "report",
        "tasks",
        "models",
        "ui",
        "doctor",
        "log",
    ],
)
def test_every_command_explains_itself(cli: Cli, command: str) -> None:
    done = cli(command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_reading_a_finished_run_imports_no_model_library(finished_run: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from bakeoff.analysis.measured_run import Run\n"
        "from bakeoff.decide.gates import judging\n"
        "from bakeoff.outputs.tables.markdown import markdown\n"
        f"run = Run(Path({str(finished_run)!r}))\n"
        "assert judging.verdicts_of(run) and markdown(run)\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_cell_of_a_run_has_one_record(finished_run: Path) -> None:
    run = Run(finished_run)
    records = quality(run)
    assert len({record.key for record in records}) == len(records) == 5 * 3
    assert all(record.error is None for record in records)


def test_only_the_latency_pass_has_seconds(finished_run: Path) -> None:
    run = Run(finished_run)
    timed = list(run.latencies("tiny"))
    assert len(timed) == 5 + 1  # the first setup is asked twice
    for record in (*quality(run), *timed):
        assert record.answer is not None
        assert (record.answer.seconds() is not None) == (record.phase == "latency")


def test_a_setups_kind_is_derived(finished_run: Path) -> None:
    assert Run(finished_run).kinds == {
        "base": "base",
        "fine-tuned": "fine-tuned",
        "rag": "rag",
        "hybrid": "hybrid",
        "mine": "custom",
    }


def test_open_book_setups_read_passages_with_offsets(finished_run: Path, project: Path) -> None:
    read = [r for r in quality(Run(finished_run)) if r.setup in ("rag", "hybrid")]
    assert all(record.answer and record.answer.passages for record in read)
    for record in read:
        assert record.answer
        for p in record.answer.passages:
            text = (project / "tasks" / "rows" / f"{p.document}.md").read_text()
            assert text[p.start : p.end] == p.text


def test_a_call_setup_is_scored_like_any_other(finished_run: Path) -> None:
    column = Run(finished_run).columns["tiny", "mine", "contains"]
    assert dict(zip(column.samples, column.values, strict=True)) == {"q1": 1, "q2": 0, "q3": 0}


def test_report_comparison_and_mlflow_hold_the_journals_numbers(
    finished_run: Path, project: Path
) -> None:
    """Recomputed here from the journal's answers alone, by other code than the program's."""
    run = Run(finished_run)
    samples = run.samples["tiny"]
    expected: dict[str, float] = {}
    for setup in run.suite.setups:
        values = []
        journal = finished_run / "units" / f"tiny.{setup}" / "committed.jsonl"
        for line in journal.read_text().splitlines():
            row = json.loads(line)
            if "answer" in row:
                said = " ".join(re.sub(r"[^\w\s]", "", row["answer"]["text"].lower()).split())
                wanted = [re.sub(r"[^\w\s]", "", t.lower()) for t in samples[row["sample"]].targets]
                refused = "unknown" in said or not said
                right = (
                    refused
                    if not wanted
                    else not refused
                    and any(re.search(rf"\b{re.escape(w)}\b", said) for w in wanted)
                )
                values.append(float(right))
        expected[setup] = float(np.mean(values))
    stored = json.loads((finished_run / "comparison.json").read_text())
    shown = stored["tasks"]["tiny"]["metrics"]["contains"]["setups"]
    assert {s: shown[s]["value"] for s in shown} == pytest.approx(expected)
    row = next(
        line
        for line in (finished_run / "report.md").read_text().splitlines()
        if line.startswith("| tiny | contains")
    )
    cells = [float(re.match(r"[\d.]+", c.strip())[0]) for c in row.split("|")[4:-1]]  # type: ignore[index]
    assert cells == pytest.approx(list(expected.values()), abs=5e-4)
    assert _mlflow_headlines(project, run.manifest.run) == pytest.approx(expected, abs=1e-4)


def _mlflow_headlines(project: Path, invocation: str) -> dict[str, float]:
    found = logged(project / "results", "smallest", f"tags.invocation = '{invocation}'")
    assert len(found) == 5
    return {run.data.tags["setup"]: run.data.metrics["Headline/tiny contains"] for run in found}


def test_logging_a_run_twice_doubles_nothing(finished_run: Path, project: Path, cli: Cli) -> None:
    again = cli("log", finished_run.name, cwd=project)
    assert again.returncode == 0, again.stderr
    assert len(_mlflow_headlines(project, finished_run.name)) == 5


def test_a_dead_tracking_server_costs_nothing(finished_run: Path, project: Path, cli: Cli) -> None:
    done = cli("log", finished_run.name, cwd=project, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "Nothing is lost" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_run_trains_and_indexes_nothing(
    finished_run: Path, project: Path, cli: Cli
) -> None:
    done = cli("run", "benchmarks/smallest.yaml", "--no-mlflow", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "adapter tiny: reused" in done.stderr
    assert "index tiny/notes: reused" in done.stderr
    first, second = (
        {r.key: r.answer.text for r in quality(Run(folder)) if r.answer}
        for folder in sorted(p.parent for p in project.glob("results/smallest/*/manifest.json"))[:2]
    )
    assert first == second


def test_gates_decide_the_exit_code(finished_run: Path, project: Path, cli: Cli) -> None:
    run = str(finished_run)
    assert cli("gate", run, cwd=project).returncode == 0
    assert cli("gate", run, "--check", "mine.tiny.contains >= 0.9", cwd=project).returncode == 10
    missing = cli("gate", run, "--check", "other.tiny.contains >= 0.1", cwd=project)
    assert missing.returncode == 12
    assert cli("gate", run, "--check", "nonsense", cwd=project).returncode == 2
    assert cli("gate", "no-such-run", cwd=project).returncode == 2


def test_a_run_that_did_not_finish_is_no_evidence(
    finished_run: Path, project: Path, cli: Cli, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "status": "interrupted"}))
    done = cli("gate", copy, cwd=project)
    assert done.returncode == 12
    assert "interrupted" in done.stderr


@pytest.mark.slow
def test_an_interrupted_run_resumes_with_what_is_missing(
    finished_run: Path, project: Path, cli: Cli
) -> None:
    copy = project / "results" / "smallest" / "cut-short"
    shutil.copytree(finished_run, copy)
    for unit in ("tiny.rag", "tiny.mine", "tiny.latency-pass"):
        shutil.rmtree(copy / "units" / unit)
    (copy / "units" / "tiny.hybrid" / "committed.jsonl").unlink()
    journal = copy / "units" / "tiny.hybrid" / "1.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1][:20])
    manifest = json.loads((copy / "manifest.json").read_text())
    changed = {**manifest, "status": "interrupted", "run": "cut-short"}
    (copy / "manifest.json").write_text(json.dumps(changed))
    done = cli(
        *("run", "benchmarks/smallest.yaml", "--resume", "cut-short", "--no-mlflow", "--no-cache"),
        cwd=project,
    )
    assert done.returncode == 0, done.stderr
    texts = [
        {r.key: r.answer.text for r in quality(Run(f)) if r.answer} for f in (copy, finished_run)
    ]
    assert texts[0] == texts[1]


def test_ctrl_c_leaves_a_journal_that_loads(tmp_path: Path, cache: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "bot.py").write_text(
        "import time\n\n"
        "def answer(sample):\n    time.sleep(0 if sample.id == 'q1' else 600)\n    return 'x'\n"
    )
    path = tmp_path / "benchmarks" / "slow.yaml"
    path.write_text("tasks: [tiny]\nsetups: {mine: {call: '../bot.py::answer'}}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "bakeoff.cli", "run", str(path), "--no-mlflow"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, as in many CI systems, inherit an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not any(
        "answer" in p.read_text() for p in tmp_path.glob("results/slow/*/units/*/1.jsonl")
    ):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "finished work is kept" in said
    (folder,) = tmp_path.glob("results/slow/*")
    run = Run(folder)
    assert [record.sample for record in run.records("tiny", "mine")] == ["q1"]
    assert run.manifest.status == "interrupted"


BAD = {
    "a missing file": (None, "no such file"),
    "a typo in a field": (("benchmark", "setups:", "setup:"), "setup: no such field"),
    "an unknown scorer": (("task", "exact_match", "exct_match"), "did you mean 'exact_match'?"),
    "a duplicate id": (("test", '"q2"', '"q1"'), "id occurs twice"),
    "a gold id no document has": (("test", '["gate"]', '["gait"]'), "no document 'gait'"),
    "an unknown prompt field": (
        ("task", "max_tokens: 12", 'max_tokens: 12\nprompt: "{topic}"'),
        "the prompt uses ['topic']",
    ),
    "a model that is nowhere": (
        ("benchmark", "seed: 3", "model: nowhere/at-all\nseed: 3"),
        "model: 'nowhere/at-all': no such file or folder",
    ),
    "a GGUF that is none": (
        ("benchmark", "seed: 3", "model: tasks/fake.gguf\nseed: 3"),
        "is not a GGUF file",
    ),
    "an adapter that is nowhere": (
        ("benchmark", "fine-tuned: {tune: true}", "fine-tuned: {tune: nowhere}"),
        "setups.fine-tuned.tune.adapter: 'nowhere': no such folder",
    ),
    "a gate on nothing": (
        ("benchmark", "rag.tiny.contains", "rag.tiny.contian"),
        "no metric 'contian'",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_ends_with_one_clear_message(tmp_path: Path, cli: Cli, fault: str) -> None:
    edit, message = BAD[fault]
    benchmark = write_project(tmp_path)
    (tmp_path / "tasks" / "fake.gguf").write_bytes(b"GGML not at all")
    files = {
        "benchmark": benchmark,
        "task": tmp_path / "tasks" / "tiny.yaml",
        "test": tmp_path / "tasks" / "rows" / "test.jsonl",
    }
    if edit:
        which, old, new = edit
        text = files[which].read_text()
        assert old in text
        files[which].write_text(text.replace(old, new, 1))
    else:
        benchmark.unlink()
    done = cli("run", "benchmarks/smallest.yaml", "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_adapter_for_another_base_is_refused(
    tmp_path: Path, cli: Cli, finished_run: Path, cache: Path
) -> None:
    digest = Run(finished_run).manifest.adapters["tiny/hybrid"].digest
    copy = tmp_path / "adapter"
    shutil.copytree(cache / "adapters" / digest, copy)
    (copy / "base.json").write_text(json.dumps({"weights": "0" * 16}))
    benchmark = write_project(tmp_path)
    benchmark.write_text(
        benchmark.read_text().replace("fine-tuned: {tune: true}", "fine-tuned: {tune: adapter}")
    )
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 2
    assert "made for base weights" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_keeps_what_was_finished(tmp_path: Path, cache: Path) -> None:
    """A file-size limit stands for the full disk: the journal's write fails half-way."""
    write_project(tmp_path)
    (tmp_path / "bot.py").write_text("def answer(sample):\n    return 'x' * 9000\n")
    path = tmp_path / "benchmarks" / "big.yaml"
    path.write_text("tasks: [tiny]\nsetups: {mine: {call: '../bot.py::answer'}}\n")
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        # Python keeps compiled modules that the limit has cut.
        "sys.dont_write_bytecode = True\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "sys.argv = ['bakeoff', 'run', 'benchmarks/big.yaml', '--no-mlflow', '--no-cache']\n"
        "from bakeoff.cli import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 20, done.stderr
    assert "1.jsonl: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = tmp_path.glob("results/big/*")
    assert len(quality(Run(folder))) == 2


def test_doctor_names_what_is_there(cli: Cli, finished_run: Path) -> None:
    done = cli("doctor")
    assert done.returncode == 0, done.stdout
    for word in ("torch", "bfloat16", "SmolLM2", "adapters", "processor"):
        assert word in done.stdout


def test_doctor_says_how_to_mend_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    done = cli("doctor", BAKEOFF_CACHE=str(tmp_path))
    assert done.returncode == 2
    assert "bakeoff models fetch" in done.stdout


def test_the_shipped_tasks_are_sound(cli: Cli) -> None:
    done = cli("tasks", ROOT / "tasks")
    assert done.returncode == 0, done.stderr
    for task in ("handbook_qa", "ticket_triage", "order_extraction", "house_style", "python_docs"):
        assert task in done.stdout
