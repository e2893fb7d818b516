"""The four setups on vLLM and on transformers: how far answers, numbers, pace and memory differ.

Studies: they need an environment with vLLM, which BAKEOFF_VLLM_PYTHON names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from bakeoff.analysis.compare import contrast
from bakeoff.analysis.measured_run import Run
from bakeoff.core.progress import PlainProgress
from bakeoff.core.words import Answer, Decoding, Generation
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.runs import store
from bakeoff.setups.engines import Engines
from bakeoff.spec.benchmark import Suite
from conftest import ROOT, Cli

pytestmark = [
    pytest.mark.study,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(
        not os.environ.get("BAKEOFF_VLLM_PYTHON"),
        reason="no environment with vLLM: BAKEOFF_VLLM_PYTHON names its interpreter",
    ),
]
ENGINE = {
    "kind": "vllm",
    "args": ["--enforce-eager", "--max-model-len", "2048"],
    # By itself vLLM keeps a core free: of two, half of what transformers computes with.
    "env": {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0"},
    "start_s": 1800,
}
SETUPS = {
    "base": {},
    "rag": {"retrieve": True},
    "fine-tuned": {"tune": True},
    "hybrid": {"tune": True, "retrieve": True},
}
ROWS = 12
Keep = Callable[[str, object], None]


def written(folder: Path, name: str, **fields: object) -> Path:
    file = folder / f"{name}.yaml"
    benchmark = {
        "tasks": {"handbook_qa": {"limit": ROWS}},
        "dtype": "float32",
        "seed": 7,
        "tune": {"epochs": 2, "rows": 48, "rank": 8},
        "setups": SETUPS,
        "latency": {"samples": 2},
        **fields,
    }
    file.write_text(yaml.safe_dump(benchmark, sort_keys=False))
    return file


def only_run(folder: Path, name: str) -> Run:
    (manifest,) = (folder / "results" / name).glob("*/manifest.json")
    return Run(manifest.parent)


def run_on(cli: Cli, folder: Path, name: str, **fields: object) -> Run:
    file = written(folder, name, **fields)
    results = str(folder / "results")
    done = cli("run", file, "--no-mlflow", "--no-cache", cwd=ROOT, BAKEOFF_RESULTS=results)
    assert done.returncode == 0, done.stderr
    return only_run(folder, name)


def answers(run: Run, setup: str) -> dict[str, str]:
    records = store.read_records(run.folder, store.Unit("handbook_qa", setup))
    return {record.sample: record.answer.text for record in records if record.answer}


def test_the_four_setups_agree_with_transformers(
    cli: Cli, tmp_path: Path, record_property: Keep
) -> None:
    served = run_on(cli, tmp_path, "served", engine=ENGINE)
    here = run_on(cli, tmp_path, "here")
    facts = served.manifest.engines["embedded"]
    assert facts.kind == "vllm"
    # Both tuned setups share one adapter, on the server of the base.
    assert (len(served.manifest.engines), len(facts.adapters), facts.restarts) == (1, 1, 0)
    assert served.manifest.adapters.keys() == here.manifest.adapters.keys()
    assert served.manifest.fingerprint(served.suite.setups["base"]) != here.manifest.fingerprint(
        here.suite.setups["base"]
    )
    tokens = (served.manifest.checks.tokens or {})["embedded"]
    assert tokens.checked and not tokens.differing
    for setup in SETUPS:
        mine, theirs = answers(served, setup), answers(here, setup)
        assert mine.keys() == theirs.keys() and len(mine) == ROWS
        same = sum(mine[name] == theirs[name] for name in mine)
        signs = ((served, 1), (here, -1))
        apart = contrast([(run.columns["handbook_qa", setup, "contains"], s) for run, s in signs])
        interval = [apart.value, apart.low, apart.high]
        record_property(setup, {"same": same, "of": ROWS, "contains": interval})
        assert same >= ROWS // 2
        assert apart.low is None or apart.low <= 0


def test_options_and_confidences_agree_with_transformers(
    cli: Cli, tmp_path: Path, record_property: Keep
) -> None:
    """Labels chosen by their likelihood, with an adapter too, and how sure written answers are."""
    (tmp_path / "ticket_triage").symlink_to(ROOT / "tasks/ticket_triage")
    task = yaml.safe_load((ROOT / "tasks/ticket_triage.yaml").read_text())
    triage = tmp_path / "triage.yaml"
    triage.write_text(yaml.safe_dump({**task, "answer": "likelihood"}, sort_keys=False))
    fields = {
        "tasks": {"handbook_qa": {"limit": 6}, str(triage): {"limit": 6}},
        "tune": {"epochs": 1, "rows": 16, "rank": 8},
        "setups": {
            "base": {},
            "fine-tuned": {"tune": True},
            "routed": {"route": {"first": "base", "then": "fine-tuned"}},
        },
        "latency": {"samples": 1},
    }
    runs = [
        run_on(cli, tmp_path, name, **fields, **on)
        for name, on in (("served", {"engine": ENGINE}), ("here", {}))
    ]
    tokens = (runs[0].manifest.checks.tokens or {})["embedded"]
    assert tokens.checked and not tokens.differing
    for name in ("handbook_qa", "triage"):
        for setup in fields["setups"]:
            served, here = (told(run, name, setup) for run in runs)
            assert served.keys() == here.keys() and len(served) == 6
            same = [sample for sample in served if served[sample].text == here[sample].text]
            apart = [abs(served[s].confidence - here[s].confidence) for s in same]
            sure = sorted(here[sample].confidence for sample in here)
            figures = {"same": len(same), "of": 6, "apart": max(apart), "confidence": sure}
            record_property(f"{name}, {setup}", figures)
            assert len(same) == 6
            assert max(apart) <= 0.01
        timed = {record.setup for record in runs[0].latencies(name)}
        assert timed == set(fields["setups"])


def told(run: Run, task: str, setup: str) -> dict[str, Answer]:
    records = store.read_records(run.folder, store.Unit(task, setup))
    return {record.sample: record.answer for record in records if record.answer}


def test_a_server_that_is_killed_is_started_once_more(
    tmp_path: Path, cache: Path, record_property: Keep
) -> None:
    """The engine's own process is killed, while the server in front of it still takes requests."""
    setups = {name: SETUPS[name] for name in ("base", "rag")}
    engine = {**ENGINE, "concurrency": 1}
    file = written(tmp_path, "killed", engine=engine, setups=setups, batch_check=0)
    places = {"BAKEOFF_RESULTS": str(tmp_path / "results"), "BAKEOFF_CACHE": str(cache)}
    command = [sys.executable, "-m", "bakeoff", "run", str(file), "--no-mlflow", "--no-cache"]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **places}, stdout=said, stderr=said
        ) as run,
    ):
        while (kept := sum(f.read_bytes().count(b"\n") for f in journals(tmp_path))) < 3:
            assert run.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.1)
        (engine_core,) = [pid for pid in started_by(run.pid) if "EngineCore" in title(pid)]
        os.kill(engine_core, signal.SIGKILL)
    assert run.returncode == 0, (tmp_path / "said").read_text()
    measured = only_run(tmp_path, "killed")
    assert measured.manifest.engines["embedded"].restarts == 1
    for setup in setups:
        assert len(answers(measured, setup)) == ROWS
    record_property("lines of journals before the kill", kept)


def journals(folder: Path) -> list[Path]:
    return list((folder / "results").glob("killed/*/units/*/[0-9]*.jsonl"))


def title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_the_pace_of_long_prompts_and_the_memory_of_one_server(
    model: LocalModel, cache: Path, record_property: Keep
) -> None:
    suite = Suite.model_validate(
        {"tasks": ["t"], "dtype": "float32", "engine": ENGINE, "setups": {"base": {}}}
    )
    assert suite.engine
    progress = PlainProgress(lambda table: None)
    engines = Engines(suite, suite.engine, cache, os.environ, progress, {})
    words = "The depot opens at six and the east gate is locked after the last cart has left. "
    prompts = [f"Note {n}. {words * 33}\nWhen does the depot open?" for n in range(9)]
    # The first one warms: a server keeps what it has read of a prompt.
    warm, *chats = ([{"role": "user", "content": prompt}] for prompt in prompts)
    decoding = Decoding(16)
    try:
        served = engines.base("embedded")
        paces = {}
        for name, asked in (("vllm", served), ("transformers", AdaptedModel(model))):
            list(asked.generate([warm], decoding))
            started = time.perf_counter()
            made = dict(asked.generate(chats, decoding))
            paces[name] = len(chats) / (time.perf_counter() - started)
            first = made[0]
            assert isinstance(first, Generation) and 550 < first.prompt_tokens < 700
        record_property("requests a second", paces)
        record_property("vllm / transformers", paces["vllm"] / paces["transformers"])
        record_property("server, MB", memory_mb(started_by(os.getpid())))
    finally:
        engines.close()


def started_by(parent: int) -> list[int]:
    """A process's descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    children = [pid for pid, of in parents.items() if of == parent]
    return [pid for child in children for pid in (child, *started_by(child))]


def memory_mb(processes: list[int]) -> float:
    """Of processes together, shared pages once."""
    lines = (Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in processes)
    return sum(int(line.split()[1]) for ls in lines for line in ls if line.startswith("Pss:")) / 1e3
