"""One run on many workers: the same numbers, whoever answers and whoever is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import bakeoff
from bakeoff.analysis.measured_run import Run
from bakeoff.cli.app import main
from bakeoff.core import child
from bakeoff.core.child import Child
from bakeoff.core.progress import PlainProgress
from bakeoff.core.words import QUALITY, BakeoffError, Failure
from bakeoff.running.fleet.asking import on_fleet
from bakeoff.running.fleet.chunks import Part, Parts
from bakeoff.running.fleet.fleet import Fleet, Worker
from bakeoff.running.fleet.messages import Call, Chunk, Link, Returned
from bakeoff.running.fleet.processes import Processes
from bakeoff.running.fleet.worker import identity
from bakeoff.running.planning import Choice, planned
from bakeoff.running.run import run as run_plan
from bakeoff.setups.builder import Workspace
from bakeoff.testing import fake_endpoint
from children import Started, forked
from fleet_project import (
    N,
    bfloat16_project,
    comparison,
    limits_hold,
    newest,
    project,
    records,
    reply,
    run_on,
    tuned_project,
)

pytestmark = pytest.mark.slow


def test_two_workers_give_what_this_process_gives(tmp_path: Path) -> None:
    """Functions, a service, a served model: equal records, numbers, requests and tokens."""
    with fake_endpoint(reply) as server:
        project(
            tmp_path,
            f"""
  mine: {{call: "./bot.py::answer"}}
  service: {{endpoint: {{url: "{server.url}/ask", request: {{question: "{{question}}"}}}}}}
  served: {{model: "here:m"}}
""",
            f"endpoints: {{here: {{url: {server.url}/v1}}}}\nrepeats: 2\n",
        )
        alone, fleet = run_on(tmp_path, "here"), run_on(tmp_path, "processes:2")
    assert len(records(alone)) == 3 * 2 * N
    assert records(fleet) == records(alone)
    assert comparison(fleet) == comparison(alone)
    assert fleet.manifest.spent == alone.manifest.spent
    assert fleet.manifest.models == alone.manifest.models
    assert not alone.manifest.workers
    assert [worker.cells for worker in fleet.manifest.workers] != [0, 0]
    assert sum(worker.cells for worker in fleet.manifest.workers) == 3 * 2 * N


def test_a_lost_workers_samples_are_asked_of_others_and_no_answer_counts_twice(
    tmp_path: Path,
) -> None:
    project(tmp_path, '{mine: {call: "./bot.py::mortal"}}')
    run = run_on(tmp_path, "processes:2")
    assert [record.sample for record in records(run)] == sorted(f"q{i}" for i in range(N))
    assert not any(record.error for record in records(run))
    (lost,) = [worker for worker in run.manifest.workers if worker.lost]
    assert lost.lost == "it was ended by SIGKILL"
    assert lost.repeated >= 1
    assert sum(worker.cells for worker in run.manifest.workers) == N
    assert N < run.manifest.spent["mine"].requests <= N + lost.repeated


def test_a_sample_that_ends_three_workers_fails_by_name_and_alone(tmp_path: Path) -> None:
    project(tmp_path, '{mine: {call: "./bot.py::poisoned"}}')
    run = run_on(tmp_path, "processes:2")
    (failed,) = [record for record in records(run) if record.error]
    assert (failed.sample, failed.phase) == ("q7", QUALITY)
    assert failed.outcome == Failure(
        "lost: 3 workers ended over it, the last one: it ended with exit code 3"
    )
    assert len(records(run)) == N
    assert sum(bool(worker.lost) for worker in run.manifest.workers) == 3
    assert run.manifest.spent["mine"].failed == {"lost": 1}


def test_a_lost_driver_is_resumed_by_the_same_command(tmp_path: Path) -> None:
    """Its workers end with it; what they had not handed over is asked again."""
    project(tmp_path, '{mine: {call: "./bot.py::slow"}}', n=200)
    command = [sys.executable, "-m", "bakeoff", "run", "words.yaml", "--no-mlflow"]
    command += ["--on", "processes:2"]
    places = {"BAKEOFF_RESULTS": "results-processes", "BAKEOFF_CACHE": "cache"}
    environment = {**os.environ, **places}
    asked = tmp_path / "asked"
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as driver:
        while not asked.exists() or len(asked.read_text().split()) < 40:
            assert driver.poll() is None
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
    time.sleep(1.5)  # as long as a worker takes to see it
    before = len(asked.read_text().split())
    assert before < 200
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = newest(tmp_path, "processes:2")
    assert run.manifest.resumed == 1
    assert [record.sample for record in records(run)] == sorted(f"q{i}" for i in range(200))
    assert 200 <= len(asked.read_text().split()) <= 200 + 2
    assert len(list((tmp_path / "results-processes" / "words").iterdir())) == 1


def test_limits_hold_for_all_workers_together(tmp_path: Path) -> None:
    run = limits_hold(tmp_path, "processes:4")
    assert run.manifest.status == "interrupted"
    assert len(run.manifest.workers) == 4


@pytest.mark.parametrize("lost", [False, True])
def test_latency_is_timed_on_one_worker_while_all_others_are_idle(
    tmp_path: Path, lost: bool
) -> None:
    """40 answers of the quality pass, a warm-up, 2 x 6 timed ones (the setup has two turns).

    Where the worker that times is lost after the warm-up and three of them, another one times
    the rest, alone as well.
    """
    project(tmp_path, '{mine: {call: "./bot.py::timed"}}', latency=6)
    if lost:
        (tmp_path / "mortal").touch()
    run = run_on(tmp_path, "processes:3")
    lines = [line.split() for line in (tmp_path / "times").read_text().splitlines()]
    calls = sorted((float(began), float(ended), pid) for pid, began, ended in lines)
    alone = calls[N:]
    assert len(alone) == 1 + 12
    assert all(before[1] <= after[0] for before, after in pairwise(calls[N - 1 :]))
    assert max(ended for _, ended, _ in calls[:N]) <= alone[0][0]
    assert len({pid for *_, pid in alone}) == 1 + lost
    assert sum(worker.timed for worker in run.manifest.workers) == 1 + 12
    assert sum(bool(worker.timed) for worker in run.manifest.workers) == 1 + lost
    assert sum(bool(worker.lost) for worker in run.manifest.workers) == lost


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("ray:0", "write ray, ray:N, ray://HOST:PORT or ray://HOST:PORT/N"),
        ("proceses:2", "no executor 'proceses'; did you mean 'processes'?"),
        ("processes", "write processes:N, such as processes:2"),
        ("processes:0", "write processes:N, such as processes:2"),
    ],
)
def test_a_place_that_is_none_is_refused_in_a_sentence(
    tmp_path: Path, where: str, message: str
) -> None:
    project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    done = CliRunner().invoke(
        main,
        ["run", str(tmp_path / "words.yaml"), "--on", where],
        env={"BAKEOFF_RESULTS": str(tmp_path / "results")},
    )
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("where", ["processes:2", "ray"])
def test_workers_that_have_one_gpu_each_spread_no_network(tmp_path: Path, where: str) -> None:
    file = project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    file.write_text(f"{file.read_text()}\ndevice_map: auto\n")
    done = CliRunner().invoke(main, ["run", str(file), "--on", where])
    assert done.exit_code == 2
    assert f"--on {where}: each worker has one GPU, and" in done.output


def test_ray_is_not_needed_and_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    run_on(tmp_path, "here")
    done = CliRunner().invoke(main, ["run", str(tmp_path / "words.yaml"), "--on", "ray"])
    assert done.exit_code == 2
    assert "--on ray needs the package ray: pip install 'bakeoff[ray]'" in done.output


def test_a_function_of_the_calling_program_is_refused(tmp_path: Path) -> None:
    file = project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    plan = planned(file, None, Choice(executor="processes:2"))
    object.__setattr__(plan, "functions", {"mine": len})
    with pytest.raises(BakeoffError, match=r"setups\.mine: a function of the calling program"):
        on_fleet(plan, Workspace(tmp_path, tmp_path), None, Processes(2))  # type: ignore[arg-type]


def test_chunks_are_whole_batches_and_shrink() -> None:
    batches = [[8, 9], [0, 1, 2], [3, 4], [5], [6, 7]]
    parts = Parts(Chunk("t", "s", tuple(range(1, 10)), whole=True), batches, 1)
    taken = []
    while part := parts.next():
        taken.append(part.chunk.indices)
    assert taken == [(8, 9, 1, 2), (3, 4), (5,), (6, 7)]
    assert parts.over


def test_what_a_worker_was_lost_over_is_asked_apart() -> None:
    """Of requests one by one, of batches the first one without all its answers."""
    parts = Parts(Chunk("t", "s", tuple(range(4))), None, 1)
    first = parts.next()
    assert first and first.chunk.indices == (0, 1)
    assert parts.lost(first, [0, 1], {0}) == []
    again = [parts.next(), parts.next()]
    assert [(p.chunk.indices, p.kills) for p in again if p] == [((1,), 0), ((0,), 1)]
    batched = Parts(Chunk("t", "s", (0, 1, 2), whole=True), [[2, 1], [0]], 1)
    part = batched.next()
    assert part and batched.lost(part, [1], set()) == []
    retried = batched.next()
    assert retried and (retried.chunk.indices, retried.kills) == ((1,), 1)


@pytest.fixture
def all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is given out once all are ready, however long that takes here, so that each has some."""
    idle = Fleet.idle

    def all_ready(fleet: Fleet, places: int) -> list[Worker]:
        ready = all(worker.done == len(fleet.steps) for worker in fleet.alive)
        return idle(fleet, places) if ready else []

    monkeypatch.setattr(Fleet, "idle", all_ready)


@pytest.fixture
def forks() -> Iterator[Started]:
    """Workers that need not import their libraries."""
    with forked() as found:
        yield found


@pytest.mark.usefixtures("forks")
def test_in_bfloat16_workers_answer_whole_batches_of_this_process(
    tmp_path: Path, cache: Path, all_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So answers and their probabilities are the same, whatever a machine's batches change."""
    call, give = Fleet.call, Fleet.give
    batches: list[list[int]] = []
    chunks: list[tuple[int, ...]] = []

    def calling(fleet: Fleet, name: str, *given: Any) -> Any:
        value = call(fleet, name, *given)
        batches.extend(value if name == "together" else ())
        return value

    def giving(fleet: Fleet, worker: Worker, part: Part) -> None:
        chunks.append(part.chunk.indices)
        give(fleet, worker, part)

    monkeypatch.setattr(Fleet, "call", calling)
    monkeypatch.setattr(Fleet, "give", giving)
    bfloat16_project(tmp_path, cache)
    alone, fleet = run_on(tmp_path, "here"), run_on(tmp_path, "processes:2")
    assert fleet.manifest.dtype == alone.manifest.dtype == "bfloat16"
    assert all(worker.cells for worker in fleet.manifest.workers)
    assert len(batches) > 1 and max(map(len, batches)) > 1
    # In the order of the batches, and none is cut.
    assert [index for chunk in chunks for index in chunk] == [i for b in batches for i in b]
    assert all(any({*batch} <= {*chunk} for chunk in chunks) for batch in batches)
    assert records(fleet) == records(alone)
    assert confidences(fleet) == confidences(alone)
    assert comparison(fleet) == comparison(alone)


def confidences(run: Run) -> list[float | None]:
    return [record.answer.confidence for record in records(run) if record.answer]


@pytest.mark.usefixtures("forks")
def test_weights_give_on_workers_what_they_give_here(
    tmp_path: Path, cache: Path, all_at_once: None
) -> None:
    """In float32: base, tuned and retrieving; tuned once, with the same bytes on both workers."""
    tuned_project(tmp_path, cache)
    # Each has a cache of its own: the adapter is trained twice, and must come out the same.
    fleet = run_on(tmp_path, "processes:2")
    (tmp_path / "cache").rename(tmp_path / "their-cache")
    alone = run_on(tmp_path, "here")
    assert len(list((tmp_path / "their-cache" / "adapters").glob("*/adapter_config.json"))) == 1
    assert records(fleet) == records(alone)
    assert len(records(fleet)) == 4 * 24
    assert comparison(fleet) == comparison(alone)
    assert fleet.manifest.models == alone.manifest.models
    assert all(len(a.sha256 or "") == 64 for a in fleet.manifest.adapters.values())
    assert all(len(i.sha256 or "") == 64 for i in fleet.manifest.indexes.values())
    assert fleet.manifest.indexes
    assert all(worker.cells for worker in fleet.manifest.workers)


@pytest.mark.usefixtures("two_cores")
def test_a_worker_trains_by_processes_of_its_own_and_all_have_what_it_made(
    tmp_path: Path, cache: Path
) -> None:
    """Once for all workers; a run in this process finds it by the same name."""
    tuned_project(tmp_path, cache)
    file = tmp_path / "words.yaml"
    file.write_text(file.read_text().replace("{epochs: 1,", "{processes: 2, epochs: 1,"))
    fleet = run_on(tmp_path, "processes:2")
    (made,) = (tmp_path / "cache" / "adapters").glob("*/adapter_config.json")
    assert not list(made.parents[1].glob("*.unfinished"))
    adapters = fleet.manifest.adapters
    assert {adapter.digest for adapter in adapters.values()} == {made.parent.name}
    training = adapters["words/tuned"].training
    assert training and training.rows_by_process
    # Batches of eight rows, a half of each for each process.
    assert max(training.rows_by_process) - min(training.rows_by_process) <= training.rows / 8
    assert sum(training.rows_by_process) == training.rows
    tuned = fleet.suite.setups["tuned"].tune
    assert tuned and tuned.processes == 2
    alone = run_on(tmp_path, "here")
    assert alone.manifest.adapters["words/tuned"].reused
    assert records(alone) == records(fleet)


@dataclass(frozen=True)
class Changed(Processes):
    """Workers of which the second one has other code of bakeoff."""

    path: str = ""

    def start(self, place: int) -> Child:
        with pytest.MonkeyPatch.context() as patch:
            if place:
                patch.setattr(child, "OWN", self.path)
            return super().start(place)


def test_a_worker_with_other_code_is_refused_before_its_first_answer(tmp_path: Path) -> None:
    """The other one's first answer waits for that."""
    file = project(tmp_path, '{mine: {call: "./bot.py::waiting"}}')
    shutil.copytree(Path(bakeoff.__file__).parent, tmp_path / "other" / "bakeoff")
    with (tmp_path / "other" / "bakeoff" / "core" / "words.py").open("a") as stream:
        stream.write("\n# other\n")
    notes: list[str] = []

    class Noting(PlainProgress):
        def note(self, text: str) -> None:
            notes.append(text)
            if "is refused" in text:
                (tmp_path / "go").touch()

    plan = planned(file, None, Choice(cached=False))
    site = Changed(2, path=str(tmp_path / "other"))
    run = run_plan(
        *(plan, Workspace(tmp_path / "cache", tmp_path / "results"), Noting(lambda _: None)),
        opens=lambda *given: on_fleet(*given, site),
    )
    first, second = sorted(run.manifest.workers, key=lambda worker: worker.cells, reverse=True)
    assert (first.cells, second.cells) == (N, 0)
    assert second.lost.startswith("refused: code of bakeoff is ")
    assert any("worker 2" in note and "is refused" in note for note in notes)


class AtOnce:
    """Two workers that do what they are told at once, and are heard together."""

    size, apart = 2, False

    def __init__(self, sha256: tuple[str, str] = ("", "")) -> None:
        self.said: dict[Echo, list[object]] = {}
        self.sha256 = sha256
        """Of what each of them opens."""

    def start(self, place: int) -> Echo:
        link = Echo(self, self.sha256[place])
        self.said[link] = [Returned()]
        return link

    def wait(self, links: Collection[Link], seconds: float) -> list[tuple[Link, object]]:
        return [(link, said.pop(0)) for link, said in self.said.items() if said]

    def close(self) -> None:
        self.said.clear()


@dataclass(eq=False)
class Echo:
    """The way to one of them: a call comes to its own name."""

    site: AtOnce
    sha256: str

    def send(self, message: object) -> None:
        assert isinstance(message, Call)
        value: tuple[Any, Any] = (["digest", self.sha256], message.name)
        if message.name == "hello":
            brief = message.given[0]
            value = (identity(brief.suite, brief.file, brief.packages), ("here", "cpu"))
        self.site.said[self].append(Returned(value))

    def close(self) -> None: ...


def test_what_several_workers_say_at_once_is_all_heard(tmp_path: Path) -> None:
    """One that had taken a step while another answered was taken to be at it for ever."""
    plan = planned(project(tmp_path, '{mine: {call: "./bot.py::answer"}}'), None)
    workspace = Workspace(tmp_path / "cache", tmp_path / "results")
    fleet = on_fleet(plan, workspace, PlainProgress(lambda _: None), AtOnce()).fleet
    assert fleet.step("prepare") == "prepare"
    for _ in range(3):
        assert fleet.call("batch_checks") == "batch_checks"
    assert [(worker.busy, worker.done) for worker in fleet.alive] == [(None, 2)] * 2


def test_a_worker_whose_adapter_has_other_bytes_is_refused(tmp_path: Path) -> None:
    """Whose digest, of all that it was made from, is the same."""
    plan = planned(project(tmp_path, '{mine: {call: "./bot.py::answer"}}'), None)
    workspace = Workspace(tmp_path / "cache", tmp_path / "results")
    notes: list[str] = []

    class Noting(PlainProgress):
        def note(self, text: str) -> None:
            notes.append(text)

    site = AtOnce(("aaa", "bbb"))
    fleet = on_fleet(plan, workspace, Noting(lambda _: None), site).fleet
    assert fleet.step("adapt", "tuned", "words") == "adapt"
    list(fleet.listen())
    list(fleet.listen())
    assert [worker.place for worker in fleet.alive] == [0]
    assert [worker.lost for worker in fleet.gone] == [
        "refused: it has bbb, and the others have aaa"
    ]
    assert notes == ["worker 2 on here is refused: it has bbb, and the others have aaa"]
