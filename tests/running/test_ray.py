"""One run on the nodes of a Ray cluster, which have no disk in common with the driver.

The cluster is Ray's own for tests: a head without processors and nodes as processes of this
machine, each with an empty cache.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import Failure
from bakeoff.models.server import free_port
from bakeoff.running.fleet.fleet import Fleet, Worker
from bakeoff.testing import fake_endpoint
from fleet_project import (
    N,
    comparison,
    limits_hold,
    newest,
    project,
    records,
    reply,
    run_on,
    taught_project,
    tuned_project,
)

pytest.importorskip("ray", reason="needs the package ray: pip install 'bakeoff[ray]'")
pytestmark = pytest.mark.slow
STORE = 80 * 2**20
"""Bytes of shared memory of a node: the least that Ray takes is 75 MB."""


@dataclass
class Nodes:
    """A cluster, and the caches of its nodes."""

    cluster: Any
    folder: Path
    address: str
    """For clients that are no part of it."""

    def add(self, name: str, **variables: str) -> Any:
        """A node with two processors."""
        known = {"BAKEOFF_CACHE": str(self.folder / name), **variables}
        return self.cluster.add_node(num_cpus=2, object_store_memory=STORE, env_vars=known)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, two_cores: None) -> Iterator[Nodes]:
    """Two nodes; Ray finds the cluster as a user's does, by RAY_ADDRESS."""
    from ray.cluster_utils import Cluster

    port = free_port()
    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(True, head_node_args={**head, "ray_client_server_port": port})
    made = Nodes(cluster, tmp_path_factory.mktemp("nodes"), f"ray://127.0.0.1:{port}")
    made.add("one")
    made.add("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield made
    cluster.shutdown()


@pytest.fixture
def all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is given out once the workers are ready, so that each has some; not to later ones."""
    idle = Fleet.idle
    begun: list[bool] = []

    def all_ready(fleet: Fleet, places: int) -> list[Worker]:
        ready = all(worker.done == len(fleet.steps) for worker in fleet.alive)
        if ready and len(fleet.steps) > 1:
            begun.append(True)
        return idle(fleet, places) if ready or begun else []

    monkeypatch.setattr(Fleet, "idle", all_ready)


def test_two_nodes_give_what_this_process_and_two_processes_give(
    tmp_path: Path, nodes: Nodes
) -> None:
    """Functions, a service, a served model: equal records, numbers, requests and tokens."""
    with fake_endpoint(reply) as server:
        project(
            tmp_path,
            f"""
  mine: {{call: "./bot.py::where"}}
  service: {{endpoint: {{url: "{server.url}/ask", request: {{question: "{{question}}"}}}}}}
  served: {{model: "here:m"}}
""",
            f"endpoints: {{here: {{url: {server.url}/v1}}}}\nrepeats: 2\n",
        )
        alone, ours = run_on(tmp_path, "here"), run_on(tmp_path, "processes:2")
        (tmp_path / "where").unlink()
        fleet = run_on(tmp_path, "ray")
    assert len(records(alone)) == 3 * 2 * N
    assert records(fleet) == records(ours) == records(alone)
    assert comparison(fleet) == comparison(ours) == comparison(alone)
    assert fleet.manifest.spent == alone.manifest.spent
    assert fleet.manifest.models == alone.manifest.models
    assert len(fleet.manifest.workers) == 2
    assert sum(worker.cells for worker in fleet.manifest.workers) == 3 * 2 * N
    # The function was called where it had been sent to, in the cache of a node.
    called = {Path(line) for line in (tmp_path / "where").read_text().splitlines()}
    assert called and all(path.is_relative_to(nodes.folder) for path in called)


def test_weights_and_adapters_reach_empty_nodes(
    tmp_path: Path, cache: Path, nodes: Nodes, all_at_once: None
) -> None:
    """Trained once: every cache has the same bytes, the seconds that it took among them."""
    tuned_project(tmp_path, cache)
    fleet = run_on(tmp_path, "ray:2")
    (tmp_path / "cache").rename(tmp_path / "their-cache")
    alone = run_on(tmp_path, "here")
    assert records(fleet) == records(alone)
    assert len(records(fleet)) == 4 * 24
    assert comparison(fleet) == comparison(alone)
    assert fleet.manifest.models == alone.manifest.models
    assert all(worker.cells for worker in fleet.manifest.workers)
    (adapter,) = {facts.digest for facts in fleet.manifest.adapters.values()}
    # Ray spreads workers as it can: both may have come to one node.
    used = [p for p in (nodes.folder / "one", nodes.folder / "two") if (p / "adapters").exists()]
    assert used
    for name in ("adapter_model.safetensors", "training.json"):
        places = [tmp_path / "their-cache", *used]
        copies = {(place / "adapters" / adapter / name).read_bytes() for place in places}
        assert len(copies) == 1
    # Weights came by the digest of their bytes; the driver's folder is named nowhere.
    assert all(list((p / "sent").glob("*/model.safetensors")) for p in used)


@pytest.mark.study
@pytest.mark.parametrize("processes", [1, 2])
def test_training_finds_what_it_reads_on_empty_nodes(
    tmp_path: Path, nodes: Nodes, cache: Path, processes: int
) -> None:
    """By the same names as here: a model that rewords, files, the task's scorer of answers."""
    taught_project(tmp_path, cache, processes)
    fleet = run_on(tmp_path, "ray")
    (tmp_path / "cache").rename(tmp_path / "their-cache")
    alone = run_on(tmp_path, "here")
    ours, theirs = alone.manifest.adapters, fleet.manifest.adapters
    assert len(ours) == 3
    assert {n: a.digest for n, a in theirs.items()} == {n: a.digest for n, a in ours.items()}
    for name, adapter in ours.items():
        made, other = adapter.training, theirs[name].training
        assert made and other and made.learnt == other.learnt
    assert records(fleet) == records(alone)


def test_a_killed_worker_and_a_poisonous_sample(tmp_path: Path, nodes: Nodes) -> None:
    project(tmp_path, '{mine: {call: "./bot.py::mortal"}, bad: {call: "./bot.py::poisoned"}}')
    run = run_on(tmp_path, "ray:2")
    (failed,) = [record for record in records(run) if record.error]
    assert (failed.setup, failed.sample) == ("bad", "q7")
    assert failed.outcome == Failure(
        "lost: 3 workers ended over it, the last one: it ended with exit code 3"
    )
    assert len(records(run)) == 2 * N
    reasons = [worker.lost for worker in run.manifest.workers if worker.lost]
    assert sorted(reasons) == ["it ended with exit code 3"] * 3 + ["it was ended by SIGKILL"]
    assert sum(worker.cells for worker in run.manifest.workers) == 2 * N - 1


def test_a_removed_nodes_samples_are_asked_of_others(
    tmp_path: Path, nodes: Nodes, all_at_once: None
) -> None:
    """Each node has one worker; nothing counts twice, and what was asked again is counted."""
    project(tmp_path, '{mine: {call: "./bot.py::slow"}}', n=400)
    third = nodes.add("three")
    asked = tmp_path / "asked"

    def remove() -> None:
        while not asked.exists() or len(asked.read_text().split()) < 100:
            time.sleep(0.01)
        nodes.cluster.remove_node(third, allow_graceful=False)

    removing = threading.Thread(target=remove)
    removing.start()
    run = run_on(tmp_path, "ray:3")
    removing.join()
    assert [record.sample for record in records(run)] == sorted(f"q{i}" for i in range(400))
    assert not any(record.error for record in records(run))
    (lost,) = [worker for worker in run.manifest.workers if worker.lost]
    assert lost.lost.startswith("its node or actor ended")
    assert lost.repeated >= 1
    assert sum(worker.cells for worker in run.manifest.workers) == 400
    assert 400 <= len(asked.read_text().split()) <= 400 + lost.repeated


def test_a_lost_driver_is_resumed_by_the_same_command(tmp_path: Path, nodes: Nodes) -> None:
    """Its workers end with it; what they had not handed over is asked again."""
    project(tmp_path, '{mine: {call: "./bot.py::slow"}}', n=400)
    command = [sys.executable, "-m", "bakeoff", "run", "words.yaml", "--no-mlflow"]
    command += ["--on", "ray:2"]
    environment = {**os.environ, "BAKEOFF_RESULTS": "results-ray", "BAKEOFF_CACHE": "cache"}
    asked = tmp_path / "asked"
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as driver:
        while not asked.exists() or len(asked.read_text().split()) < 40:
            assert driver.poll() is None
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
    before = -1
    while before != len(asked.read_text().split()):
        before = len(asked.read_text().split())
        time.sleep(2)
    assert before < 400
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = newest(tmp_path, "ray:2")
    assert run.manifest.resumed == 1
    assert [record.sample for record in records(run)] == sorted(f"q{i}" for i in range(400))
    assert 400 <= len(asked.read_text().split()) <= 400 + 2 * 64
    assert len(list((tmp_path / "results-ray" / "words").iterdir())) == 1


def test_limits_hold_for_all_workers_together(tmp_path: Path, nodes: Nodes) -> None:
    run = limits_hold(tmp_path, "ray:4")
    assert run.manifest.status == "interrupted"
    assert len(run.manifest.workers) == 4


def test_a_node_with_another_version_is_refused(tmp_path: Path, nodes: Nodes) -> None:
    """Before its first answer; the other ones answer all."""
    about = tmp_path / "old" / "jsonschema-0.1.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Metadata-Version: 2.1\nName: jsonschema\nVersion: 0.1\n")
    project(tmp_path, '{mine: {call: "./bot.py::slow"}}', n=400)
    old = nodes.add("old", PYTHONPATH=str(tmp_path / "old"))
    run = run_on(tmp_path, "ray:3")
    nodes.cluster.remove_node(old)
    (refused,) = [worker for worker in run.manifest.workers if worker.lost]
    assert refused.lost.startswith("refused: jsonschema is 0.1, and ")
    assert refused.cells == 0
    assert len(records(run)) == 400


def test_a_driver_may_be_outside_of_the_cluster(tmp_path: Path, nodes: Nodes) -> None:
    project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    run = run_on(tmp_path, nodes.address)
    assert records(run) == records(run_on(tmp_path, "here"))
    assert len(run.manifest.workers) == 2
