"""The program killed at every file event: the same command again gives what it always gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.measured_run import Run
from forks import Disturbed, Done, Forks
from words_project import FILE, write_project

RUN = ("run", FILE, "--no-mlflow")
OF_THE_MOMENT = {
    "run",
    "command",
    "created",
    "seconds",
    "checks",
    "rescored",
    "resumed",
    "seal",
    "files",
    "merged",
}
"""Parts of a manifest that no two runs share."""


def good(done: Done) -> None:
    assert done.code == 0, done.said


def runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("results/*/*/manifest.json"))


def outcome(folder: Path) -> dict[str, Any]:
    """All that the newest run comes to, and what is kept beside the runs; no times, no ids."""
    run = Run(runs(folder)[-1])
    assert run.manifest.complete
    _ = run.written
    records = [
        r for task, setups in run.asked.items() for s in setups for r in run.records(task, s)
    ]
    scores = [r for task, setups in run.asked.items() for s in setups for r in run.scores(task, s)]
    manifest = json.loads((run.folder / "manifest.json").read_text())
    for spent in manifest["spent"].values():
        spent.pop("requests", 0)  # one that was under way is sent again
    verdicts = run.folder / "gates.json"
    gates = json.loads(verdicts.read_text())["gates"] if verdicts.exists() else []
    pointer = folder / "results" / "baselines" / "words.rolling.json"
    nights = folder / "results" / "nightly" / "words.jsonl"
    return {
        "records": records,
        "scores": scores,
        "manifest": {k: v for k, v in manifest.items() if k not in OF_THE_MOMENT},
        "comparison": json.loads((run.folder / "comparison.json").read_text()),
        "gates": gates,
        "files": sorted(
            str(path.relative_to(run.folder))
            for path in run.folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        ),
        "baseline": pointer.exists() and json.loads(pointer.read_text())["run"] == run.folder.name,
        "nights": [json.loads(line)["series"] for line in nights.read_text().splitlines()]
        if nights.exists()
        else [],
    }


def asked(folder: Path) -> int:
    return len((folder / "asked").read_text().split()) if (folder / "asked").exists() else 0


COMMANDS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "run": ((), RUN),
    "shard": ((), (*RUN, "--shard", "1/2")),
    "score": ((RUN,), ("score", "latest")),
    "merge": (((*RUN, "--shard", "1/2"), (*RUN, "--shard", "2/2")), ("merge", "PART", "PART")),
    "import": ((), ("import", "theirs.jsonl", "--score", "s", "--column", "setup=m")),
    "accept": ((RUN,), ("baseline", "accept", "--reason", "good")),
    "nightly": ((), ("nightly", FILE, "--no-mlflow", "--night", "2026-03-01", "--advance")),
    "report": ((RUN,), ("report", "latest")),
    "gate": ((RUN,), ("gate", "latest")),
}
"""Name -> the commands before it, and the command that is killed."""


@pytest.mark.parametrize(
    "every", [pytest.param(1, marks=pytest.mark.study), pytest.param(9, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", COMMANDS)
def test_after_a_kill_at_a_file_event_the_same_command_gives_what_it_always_gives(
    name: str, every: int, tmp_path: Path, forks: Forks
) -> None:
    """Killed at each event in `make studies`, at every ninth and the last in `make test`."""
    before, command = COMMANDS[name]
    start = tmp_path / "start"
    write_project(start)
    for earlier in before:
        good(forks(start, *earlier))
    parts = iter(path.name for path in runs(start))
    command = tuple(next(parts) if word == "PART" else word for word in command)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(start, undisturbed)
    done = forks(undisturbed, *command)
    good(done)
    expected = outcome(undisturbed)
    once = asked(undisturbed)
    assert done.events >= 5
    for number in {*range(1, done.events + 1, every), done.events}:
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(start, folder)
        killed = forks(folder, *command, how=Disturbed(kill_at=number))
        if killed.code == 0 and killed.events < number:
            continue  # threads: this time it had fewer events
        assert killed.code == -9, killed.said
        good(forks(folder, *command))
        assert outcome(folder) == expected, number
        assert asked(folder) <= once + 1, number
        if name in ("run", "shard", "nightly"):
            assert len(runs(folder)) == 1, number
        shutil.rmtree(folder)
