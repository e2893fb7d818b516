"""Paths, the program and a real run that several tests share."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

import warm
from forks import Forks
from record import pytest_addoption, pytest_terminal_summary
from sharing import (
    WARM,
    one_thread,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
    two_cores,
)

__all__ = [  # pytest finds its hooks here
    "one_thread",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_terminal_summary",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
    "two_cores",
]

# The same examples in every run: a red test then belongs to the change. BAKEOFF_EXPLORE=1 draws
# new ones, for a night or an afternoon of looking. No deadline: how long an example takes says more
# of the machine's load than of the code.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=500, deadline=None)
settings.load_profile("explore" if os.environ.get("BAKEOFF_EXPLORE") else "same")

if TYPE_CHECKING:
    from bakeoff.models.embedders import LocalEmbedder
    from bakeoff.models.local import LocalModel

USERS_CACHE = Path(
    os.environ.get("BAKEOFF_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bakeoff"
).expanduser()
ROOT = Path(__file__).resolve().parent.parent
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of all tests of a session. Answers of an earlier one would be those of others.

    An endpoint of a test may have the port that another had, and be asked the same.
    """
    here = tmp_path_factory.getbasetemp()
    made = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    folder = with_models(made / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAKEOFF_CACHE", str(folder))
        yield folder


def with_models(folder: Path) -> Path:
    """The folder as a cache that has the user's models: the embedded one is fetched there once."""
    (USERS_CACHE / "models").mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (folder / "models").symlink_to(USERS_CACHE / "models", target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def models_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the user's models and nothing else: what is trained is trained in the test."""
    return with_models(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def program(cache: Path) -> Cli:
    """The program started as a user starts it: `program("gate", run, cwd=...)`."""

    def call(*arguments: str | Path, cwd: Path = ROOT, **environment: str):
        return subprocess.run(
            [sys.executable, "-m", "bakeoff.cli", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "BAKEOFF_CACHE": str(cache), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def cli(program: Cli, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The program as a user runs it, forked from the warm process where there is one."""
    if WARM not in os.environ:
        return program
    said = tmp_path_factory.mktemp("said")

    def call(*arguments: str | Path, cwd: Path = ROOT, **environment: str):
        env = {**os.environ, "BAKEOFF_CACHE": str(cache), **environment}
        asked = [str(argument) for argument in arguments]
        code = warm.call(Path(os.environ[WARM]), asked, cwd, env, said)
        out, err = ((said / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return subprocess.CompletedProcess(asked, code, out, err)

    return call


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The program in forks of a warm process, to be disturbed at file events."""
    with Forks() as started:
        yield started


@pytest.fixture(scope="session")
def model(cache: Path) -> LocalModel:
    """The embedded model in this process. No test leaves an adapter on it."""
    from bakeoff.models.local import LocalModel
    from bakeoff.models.weights import resolve

    return LocalModel(resolve("embedded", cache), "float32")


@pytest.fixture(scope="session")
def embedder(cache: Path) -> LocalEmbedder:
    """The embedded embedder in this process."""
    from bakeoff.models.embedders import LocalEmbedder

    return LocalEmbedder("embedded", cache)


TASK = """
description: Small questions on a small text.
rows: {test: rows/test.jsonl, train: rows/train.jsonl}
corpora: {notes: {documents: rows/*.md}}
system: Answer in a few words. If you cannot know, reply - unknown.
max_tokens: 12
refusal: {say: unknown, phrases: [unknown]}
scorers: [contains, exact_match, token_f1, right_refusal, "retrieval_recall(k=2)", faithfulness]
"""
BENCHMARK = """
description: The smallest bake-off.
seed: 3
tune: {epochs: 1, batch_size: 2, rank: 4}
retrieve: {k: 1, chunk_words: 40, overlap_words: 8}
tasks: [tiny]
setups:
  base: {}
  fine-tuned: {tune: true}
  rag: {retrieve: true}
  hybrid: {tune: true, retrieve: true}
  mine: {call: "../bot.py::answer"}
latency: {samples: 1, warmup: 0}
gates:
  - rate(*.error) <= 0.01
  - {check: rag.tiny.contains >= base.tiny.contains, mode: estimate}
"""
BOT = '''
def answer(sample):
    """A system of one's own: it knows one thing."""
    return "19 kilos"
'''
NOTES = {
    "barrow": "# The barrow\\nThe Larch barrow weighs 19 kilos and carries 140 kilos.",
    "gate": "# The gate\\nThe east gate opens at 6.40 and is locked at 21.15.",
}
TEST = [
    ("q1", "How heavy is the Larch barrow?", ["19 kilos"], ["barrow"]),
    ("q2", "When does the east gate open?", ["6.40"], ["gate"]),
    ("q3", "Who painted the east gate?", [], []),
]
TRAIN = [
    ("t1", "What load may the barrow take?", ["140 kilos"], ["barrow"]),
    ("t2", "Tell me the hour at which they lock the gate.", ["21.15"], ["gate"]),
    ("t3", "What colour has the barrow?", [], []),
    ("t4", "Locking hour of the eastern gate, please?", ["21.15"], ["gate"]),
]


def write_project(folder: Path) -> Path:
    """A whole small project in `folder`; the path of its benchmark file."""
    rows = folder / "tasks" / "rows"
    rows.mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "tasks" / "tiny.yaml").write_text(TASK)
    for name, text in NOTES.items():
        (rows / f"{name}.md").write_text(text.replace("\\n", "\n"))
    for name, samples in (("test", TEST), ("train", TRAIN)):
        lines = [
            json.dumps({"id": i, "question": q, "targets": t, "gold": g}) for i, q, t, g in samples
        ]
        (rows / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "bot.py").write_text(BOT)
    shutil.copytree(ROOT / "benchmarks" / "prices", folder / "benchmarks" / "prices")
    path = folder / "benchmarks" / "smallest.yaml"
    path.write_text(BENCHMARK)
    return path


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small project of a user."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    return folder


@pytest.fixture(scope="session")
def finished_run(project: Path, cli: Cli) -> Path:
    """The folder of one real run of the small project, on the embedded model.

    It is made once: the files whose tests use it stand together in `sharing.TOGETHER`.
    """
    done = cli("run", "benchmarks/smallest.yaml", "--no-cache", cwd=project)
    assert done.returncode == 0, done.stderr + done.stdout
    (manifest,) = project.glob("results/smallest/*/manifest.json")
    return manifest.parent


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on this machine, for all tests that need one."""
    from bakeoff.outputs.mlflow import server

    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"sqlite:///{folder / 'server.db'}"
    with server.serving(uri, "127.0.0.1", port, folder / "artifacts") as (address, _):
        yield address


def logged(results: Path, experiment: str, where: str = "") -> list[Any]:
    """The runs that stand in the MLflow store of a results folder."""
    from mlflow import MlflowClient

    # Not set_tracking_uri: it writes the environment, which the programs under test inherit.
    client = MlflowClient(tracking_uri=f"sqlite:///{results / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], where))
