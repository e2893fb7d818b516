"""Examples of docs/how-to/frameworks.md, and of gates in tests and hooks, run as they stand there.

Those of a framework that is not installed are skipped by name.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from bakeoff.analysis.measured_run import Run
from bakeoff.testing import Reply, Request, completion, fake_endpoint
from conftest import ROOT, Cli, write_project

pytestmark = pytest.mark.slow
DOCS = ROOT / "docs" / "how-to"
PAGE, GATES = ((DOCS / name).read_text() for name in ("frameworks.md", "gate-a-pull-request.md"))
TASK = """
description: The garden.
rows: {test: garden/test.jsonl}
corpora: {notes: {documents: "notes/*.md"}}
scorers: [contains, "retrieval_recall(k=1)", faithfulness]
"""
NOTES = {
    "barrow": "# The barrow\nThe Larch barrow weighs 19 kilos and carries 140 kilos.",
    "gate": "# The gate\nThe east gate opens at 6.40 and is locked at 21.15.",
}
ROWS = """
{"id": "q1", "question": "How heavy is the Larch barrow?", "targets": ["19"], "gold": ["barrow"]}
{"id": "q2", "question": "When does the east gate open?", "targets": ["6.40"], "gold": ["gate"]}
"""


def block(text: str, language: str, name: str) -> str:
    """The code block that begins with a comment of this name."""
    (found,) = (
        body
        for body in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        if body.startswith(f"# {name}\n")
    )
    return str(found)


def served(request: Request) -> Reply:
    """A model that quotes the sentence with a number, and an embedder that knows two words."""
    if request.path.endswith("/embeddings"):
        asked = request.body["input"]
        texts = [asked] if isinstance(asked, str) else asked
        vectors = [[float(w in text.lower()) for w in ("barrow", "gate")] + [0.1] for text in texts]
        data = [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(vectors)]
        return Reply({"object": "list", "data": data, "usage": {"prompt_tokens": 1}})
    if request.path == "/search":
        word = "barrow" if "barrow" in request.body["query"] else "gate"
        return Reply({"hits": [{"id": word, "score": 0.9}, {"id": "gone", "score": 0.1}]})
    prompt = str(request.body["messages"][-1]["content"])
    said = next((line for line in NOTES.values() if line.split("\n")[1] in prompt), "")
    reply = completion(said.partition("\n")[2] or "unknown", tokens=(30, 9))
    about = {"id": "x", "object": "chat.completion", "created": 1, "model": "small"}
    return Reply({**reply.body, **about})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "bots").mkdir()
    (tmp_path / "tasks" / "notes").mkdir(parents=True)
    (tmp_path / "tasks" / "garden").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "tasks" / "notes" / f"{name}.md").write_text(f"{text}\n")
    (tmp_path / "tasks" / "garden" / "test.jsonl").write_text(ROWS.strip())
    (tmp_path / "tasks" / "garden.yaml").write_text(TASK)
    for name in ("langchain_bot", "llama_index_bot", "haystack_bot", "serve", "search"):
        text = block(PAGE, "python", f"bots/{name}.py")
        (tmp_path / "bots" / f"{name}.py").write_text(text)
    return tmp_path


def measured(project: Path, program: Cli, setup: str, url: str, **more: str) -> Run:
    """A run of one setup of the page's benchmark beside `base`."""
    raw: dict[str, Any] = yaml.safe_load(block(PAGE, "yaml", "benchmarks/frameworks.yaml"))
    raw["endpoints"]["served"]["url"] = f"{url}/v1"
    raw["setups"] = {name: raw["setups"][name] for name in ("base", setup)}
    if "endpoint" in raw["setups"][setup]:
        raw["setups"][setup]["endpoint"]["url"] = more.pop("ask")
    (project / "benchmarks" / "own.yaml").write_text(yaml.safe_dump(raw))
    told = {**environment(url), **more}
    done = program("run", "benchmarks/own.yaml", "--no-mlflow", "--no-cache", cwd=project, **told)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder,) = (project / "results" / "own").glob("*/")
    return Run(folder)


def environment(url: str) -> dict[str, str]:
    key = "not-a-key"
    return {
        **{"LLM_URL": f"{url}/v1", "LLM_KEY": key, "OPENAI_API_KEY": key},
        **{"SEARCH_URL": f"{url}/search", "HAYSTACK_TELEMETRY_ENABLED": "False"},
        "LANGSMITH_TRACING": "false",
    }


def holds(run: Run, setup: str, tokens: int | None = 30) -> None:
    """Both questions are right with the passage of their gold, and `base` knows nothing."""
    metrics = run.comparison.tasks["garden"].metrics
    for metric in ("contains", "retrieval_recall(k=1)"):
        assert metrics[metric].setups[setup].value == 1, metric
    assert (metrics["faithfulness"].setups[setup].value or 0) > 0.9
    assert metrics["contains"].setups["base"].value == 0
    if tokens:
        assert metrics["prompt_tokens"].setups[setup].value == tokens
    assert metrics["latency_s"].setups[setup].value


FRAMEWORKS = {
    "langchain": ("langchain_openai", 30),
    "llama-index": ("llama_index.llms.openai_like", None),
    "haystack": ("haystack", 30),
}


def there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("setup", FRAMEWORKS)
def test_a_pipeline_of_a_framework_is_a_setup(project: Path, program: Cli, setup: str) -> None:
    module, tokens = FRAMEWORKS[setup]
    if not there(module):
        pytest.skip(f"{module} is not installed")
    with fake_endpoint(served) as endpoint:
        holds(measured(project, program, setup, endpoint.url), setup, tokens)


@pytest.fixture
def asked(project: Path) -> Iterator[tuple[str, str]]:
    """The page's server: the addresses of the model and of the service."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with fake_endpoint(served) as endpoint:
        command = [sys.executable, "-m", "uvicorn", "--app-dir", "bots", "--port", str(port)]
        env = {**os.environ, **environment(endpoint.url)}
        server = subprocess.Popen([*command, "serve:app"], cwd=project, env=env)
        try:
            wait(f"http://127.0.0.1:{port}/docs")
            yield endpoint.url, f"http://127.0.0.1:{port}/ask"
        finally:
            server.terminate()
            server.wait()


def wait(url: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def test_a_pipeline_behind_http_is_a_setup(
    project: Path, program: Cli, asked: tuple[str, str]
) -> None:
    if not (there("langchain_openai") and there("fastapi")):
        pytest.skip("langchain_openai or fastapi is not installed")
    model, ask = asked
    holds(measured(project, program, "over-http", model, ask=ask), "over-http")


def test_a_search_service_is_a_retriever(project: Path, program: Cli) -> None:
    with fake_endpoint(served) as endpoint:
        run = measured(project, program, "search-service", endpoint.url)
        assert "/search" in {request.path for request in endpoint.asked}
    holds(run, "search-service")
    assert run.suite.setups["search-service"].kind == "rag"


@pytest.mark.parametrize(("rag", "expected"), [("knows", 0), ("is_down", 1)])
def test_a_gate_is_asserted_in_a_test(tmp_path: Path, rag: str, expected: int) -> None:
    """The page's test in a suite of its own; where it fails, it prints the verdicts."""
    write_project(tmp_path)
    (tmp_path / "bots.py").write_text(
        "def knows(sample):\n    return '19 kilos'\n\n\ndef is_down(sample):\n    raise OSError\n"
    )
    (tmp_path / "benchmarks" / "mine.yaml").write_text(
        "tasks: [tiny]\nlatency: {samples: 0}\nsetups:\n  base: {call: '../bots.py::knows'}\n"
        f"  rag: {{call: '../bots.py::{rag}'}}\n"
    )
    test = tmp_path / "tests" / "test_gates.py"
    test.parent.mkdir()
    test.write_text(block(GATES, "python", "tests/test_gates.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    assert ("verdict" in done.stdout and "rate(rag.error)" in done.stdout) == bool(expected)


def test_the_hook_of_pre_commit_refuses_what_would_not_run(tmp_path: Path, program: Cli) -> None:
    config = yaml.safe_load(block(GATES, "yaml", ".pre-commit-config.yaml"))
    (hook,) = (hook for repo in config["repos"] for hook in repo["hooks"])
    assert re.search(hook["files"], "tasks/tiny.yaml") and not re.search(hook["files"], "src/a.py")
    name, *arguments = shlex.split(hook["entry"])
    assert name == "bakeoff" and not hook["pass_filenames"]
    file = write_project(tmp_path).with_name("mine.yaml")
    file.write_text("tasks: [tiny]\nsetups: {mine: {call: '../bot.py::answer'}}\n")
    assert program(*arguments, cwd=tmp_path).returncode == 0
    file.write_text(file.read_text().replace("tiny", "tyni"))
    assert program(*arguments, cwd=tmp_path).returncode == 2
