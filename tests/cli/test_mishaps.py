"""What a person can mend ends in one message with the right exit code, and in no traceback."""

from __future__ import annotations

import errno
import gzip
import json
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.runs import store
from forks import Disturbed, Forks
from words_project import FILE, N, write_project

RUN = ("run", FILE, "--no-mlflow")
NIGHT = ("nightly", FILE, "--no-mlflow", "--night", "2026-03-01")
TASK, ROWS = "tasks/words.yaml", "tasks/rows.jsonl"
IMPORT = ("import", "theirs.jsonl", "--score", "s", "--column", "setup=m")


CALM = Disturbed()


@dataclass(frozen=True)
class Mishap:
    """What is wrong, the command that meets it, and what comes of it."""

    spoil: Callable[[Path], object]
    """Called with the project's folder, which holds a finished run `results/words/r`."""
    command: tuple[str, ...]
    message: str
    code: int = 2
    how: Disturbed = CALM
    env: dict[str, str] = field(default_factory=dict)


def text(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Puts a file there."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def folder_at(name: str) -> Callable[[Path], object]:
    """Puts a folder where a file is expected."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir(parents=True)

    return spoil


def gone(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def file_at(name: str) -> Callable[[Path], object]:
    """Puts a file where a folder is expected."""

    def spoil(folder: Path) -> None:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")

    return spoil


def nothing(_: Path) -> None:
    """All is well with the files."""


def closed(part: str, number: int = errno.EACCES) -> Disturbed:
    """Files of that name cannot be opened for writing."""
    return Disturbed(refuse={f"write:{part}": number})


def unreadable(part: str) -> Disturbed:
    return Disturbed(refuse={f"open:{part}": errno.EACCES})


R = "results/words/r"
ZIPPED = gzip.compress(b'{"id": "q0", "question": "?", "targets": ["w"]}\n' * 50)
MISHAPS = {
    "no benchmark": Mishap(nothing, ("run", "benchmarks/none.yaml"), "no such file"),
    "a folder as benchmark": Mishap(folder_at(FILE), RUN, "is a folder; name a file"),
    "an empty benchmark": Mishap(text(FILE, ""), RUN, FILE),
    "a benchmark in UTF-16": Mishap(text(FILE, "tasks: [a]".encode("utf-16")), RUN, "UTF-8"),
    "a binary benchmark": Mishap(text(FILE, b"a: \x00\x01"), RUN, "not valid YAML"),
    "a tab in YAML": Mishap(text(FILE, "tasks:\n\t- words\n"), RUN, "not valid YAML"),
    "an open bracket": Mishap(text(FILE, "tasks: [words\n"), RUN, "not valid YAML"),
    "a key twice": Mishap(text(FILE, "tasks: [words]\ntasks: [a]\n"), RUN, "occurs twice"),
    "a list as benchmark": Mishap(text(FILE, "- tasks\n"), RUN, FILE),
    "a number as benchmark": Mishap(text(FILE, "7\n"), RUN, FILE),
    "YAML that names itself": Mishap(text(FILE, "tasks: &a [*a]\n"), RUN, FILE),
    "YAML without an anchor": Mishap(text(FILE, "tasks: *a\n"), RUN, "aliases"),
    "YAML with a tag": Mishap(text(FILE, "tasks: !!python/name:os.system\n"), RUN, "not valid"),
    "a date nobody knows": Mishap(text(FILE, "tasks: 2026-99-99\n"), RUN, FILE),
    "an unreadable benchmark": Mishap(nothing, RUN, "Permission denied", how=unreadable(FILE)),
    "no task": Mishap(gone(TASK), RUN, "no task 'words'"),
    "a folder as task": Mishap(folder_at(TASK), RUN, TASK.split("/")[-1]),
    "an empty task": Mishap(text(TASK, ""), RUN, "words.yaml"),
    "no rows": Mishap(gone(ROWS), RUN, "rows.jsonl"),
    "empty rows": Mishap(text(ROWS, ""), RUN, "words.yaml"),
    "a folder as rows": Mishap(folder_at(ROWS), RUN, "rows.jsonl"),
    "rows of no encoding": Mishap(
        text(ROWS, b'{"id": "\xc3"}\n{"id": "\x81"}\n'), RUN, "not UTF-8"
    ),
    "unreadable rows": Mishap(nothing, RUN, "Permission denied", how=unreadable("rows.jsonl")),
    "rows that are no gzip": Mishap(
        lambda f: (text(TASK, _task("rows.gz"))(f), text("tasks/rows.gz", "plain")(f)),
        RUN,
        "rows.gz: cannot be read",
    ),
    "a gzip cut short": Mishap(
        lambda f: (text(TASK, _task("rows.gz"))(f), text("tasks/rows.gz", ZIPPED[:-20])(f)),
        RUN,
        "rows.gz: cannot be read",
    ),
    "a damaged gzip": Mishap(
        lambda f: (
            text(TASK, _task("rows.gz"))(f),
            text("tasks/rows.gz", ZIPPED[:12] + b"\xff\xff\xff" + ZIPPED[15:])(f),
        ),
        RUN,
        "rows.gz: cannot be read",
    ),
    "no function": Mishap(gone("bot.py"), RUN, "there is no file"),
    "an unreadable function": Mishap(
        lambda f: shutil.rmtree(f / "__pycache__", ignore_errors=True),
        RUN,
        "Permission",
        how=unreadable("bot.py"),
    ),
    "results that are a file": Mishap(file_at("results"), RUN, "results"),
    "a file as folder of runs": Mishap(file_at("results/words"), RUN, "results/words"),
    "read-only results": Mishap(
        nothing, RUN, "BAKEOFF_RESULTS", how=Disturbed(refuse={"os.mkdir": errno.EROFS})
    ),
    "a run that cannot be written": Mishap(
        nothing, RUN, "Permission denied", how=closed("manifest.json")
    ),
    "a file system without locks": Mishap(
        nothing, RUN, "no file locks", how=Disturbed(refuse={"fcntl.flock": errno.ENOLCK})
    ),
    "no home": Mishap(nothing, RUN, "BAKEOFF_CACHE", env={"HOME": "", "BAKEOFF_CACHE": "~no/x"}),
    "too many open files": Mishap(
        nothing, RUN, "ulimit -n", how=Disturbed(refuse={"write:samples.jsonl": errno.EMFILE})
    ),
    "an empty manifest": Mishap(text(f"{R}/manifest.json", ""), ("gate", "r"), "manifest.json", 12),
    "a folder as manifest": Mishap(folder_at(f"{R}/manifest.json"), ("gate", R), R),
    "no samples": Mishap(gone(f"{R}/samples.jsonl"), ("compare", "r"), "samples.jsonl", 12),
    "a folder as scores": Mishap(
        folder_at(f"{R}/units/words.mine/scores.jsonl"), ("gate", "r"), "scores.jsonl", 12
    ),
    "unreadable answers": Mishap(
        nothing, ("report", "r"), "committed.jsonl", 12, unreadable("committed.jsonl")
    ),
    "a folder as report": Mishap(folder_at(f"{R}/report.md"), ("report", "r"), "report.md"),
    "a folder as page": Mishap(folder_at(f"{R}/report.html"), ("report", "r"), "report.html"),
    "a file as plots": Mishap(file_at(f"{R}/plots"), ("report", "r"), "plots"),
    "a folder as verdicts": Mishap(folder_at(f"{R}/gates.json"), ("gate", "r"), "gates.json"),
    "a read-only run": Mishap(nothing, ("report", "r"), "Permission", how=closed("comparison")),
    "an output in no folder": Mishap(
        nothing, ("report", "r", "--output", "none/r.html"), "none/r.html"
    ),
    "an output that is a folder": Mishap(nothing, ("report", "r", "--output", "tasks"), "tasks"),
    "a summary of GitHub's that is gone": Mishap(
        nothing, ("gate", "r"), "none/summary", env={"GITHUB_STEP_SUMMARY": "none/summary"}
    ),
    "baselines that are a file": Mishap(
        file_at("results/baselines"), ("baseline", "accept", "r", "--reason", "x"), "baselines"
    ),
    "a folder as history": Mishap(folder_at("results/nightly/words.jsonl"), NIGHT, "words"),
    "a history that cannot be kept": Mishap(nothing, NIGHT, "words.jsonl", how=closed("words.js")),
    "no history": Mishap(nothing, ("trend", "words"), "no nightly run yet", 12),
    "no prices": Mishap(nothing, ("cost", "r", "--prices", "none.yaml"), "no such file"),
    "a folder as prices": Mishap(
        nothing, ("cost", "r", "--prices", "tasks"), "is a folder; name a file"
    ),
    "no needs": Mishap(nothing, ("advise", "r", "--needs", "none.yaml"), "no such file"),
    "needs saved nowhere": Mishap(
        text("needs.yaml", "volume_per_month: 10\n"),
        ("advise", "r", "--needs", "needs.yaml", "--save", "none/needs.yaml"),
        "none/needs.yaml",
    ),
    "no gates file": Mishap(nothing, ("gate", "r", "--gates", "none.yaml"), "no such file"),
    "no judges": Mishap(nothing, ("score", "r", "--judges", "none.yaml"), "no such file"),
    "nothing to import": Mishap(nothing, ("import", "benchmarks", "--score", "s"), "benchmarks"),
    "an unreadable import": Mishap(nothing, IMPORT, "Permission", how=unreadable("theirs")),
    "an import in Latin-1": Mishap(
        text("theirs.jsonl", '{"id": "é"}\n'.encode("latin-1")), IMPORT, "UTF-8"
    ),
    "an import without a place": Mishap(file_at("results"), IMPORT, "results"),
    "a merge of one": Mishap(nothing, ("merge", "r"), "every part"),
    "a run that is none": Mishap(nothing, ("gate", "tasks"), "no such run"),
    "a name too long": Mishap(nothing, ("gate", "r" * 5000), "r"),
    "labels that are none": Mishap(
        text("labels.jsonl", b"\xff\xfe"),
        ("scorers", "check", "contains", "--labels", "labels.jsonl"),
        "labels.jsonl",
    ),
}


def _task(rows: str) -> str:
    return f"description: W.\nrows: {{test: {rows}}}\nscorers: [exact_match]\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A project with one finished run, whose id is `r`."""
    folder = tmp_path_factory.mktemp("finished")
    write_project(folder)
    done = forks(folder, *RUN)
    assert done.code == 0, done.said
    (run,) = (folder / "results" / "words").iterdir()
    run.rename(run.with_name("r"))
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "project")


@pytest.mark.parametrize("name", MISHAPS)
def test_what_a_person_can_mend_is_one_message(name: str, project: Path, forks: Forks) -> None:
    mishap = MISHAPS[name]
    mishap.spoil(project)
    done = forks(project, *mishap.command, how=mishap.how, **mishap.env)
    assert "Traceback" not in done.said, done.said
    assert done.code == mishap.code, done.said
    assert mishap.message in done.said
    assert done.said.count("bakeoff: ") <= 1


def test_a_port_in_use_is_one_message(project: Path, forks: Forks) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = forks(project, "ui", "r", "--port", str(taken.getsockname()[1]), "--no-browser")
    assert done.code == 2 and "--port" in done.said and "Traceback" not in done.said


def test_a_folder_that_is_gone_while_a_run_goes_on_is_one_message(
    project: Path, forks: Forks
) -> None:
    (project / "bot.py").write_text(
        "import pathlib, shutil\n"
        "def answer(sample):\n"
        "    shutil.rmtree(pathlib.Path(__file__).parent / 'results', ignore_errors=True)\n"
        "    return 'w'\n"
        "other = answer\n"
    )
    done = forks(project, *RUN)
    assert done.code in (2, 12, 20) and "Traceback" not in done.said, done.said
    assert "results" in done.said


def test_a_damaged_response_cache_is_told_and_the_run_goes_on(project: Path, forks: Forks) -> None:
    for name in ("responses.sqlite", "responses.sqlite-wal"):
        (project / "cache" / name).unlink(missing_ok=True)
    (project / "cache" / "responses.sqlite").write_bytes(b"no database " * 1000)
    done = forks(project, *RUN)
    assert done.code == 0 and "was damaged and is now responses.sqlite.damaged-1" in done.said


def test_a_second_process_on_a_run_is_one_message(project: Path, forks: Forks) -> None:
    with store.held(project / R):
        for command in ((*RUN, "--resume", "r"), ("score", "r")):
            done = forks(project, *command)
            assert done.code == 2 and "another process is running this run" in done.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_run_interrupted_and_the_same_command_goes_on(
    number: int, tmp_path: Path, forks: Forks
) -> None:
    write_project(tmp_path)
    stopped = forks(tmp_path, *RUN, how=Disturbed(signal_at=30, signal=number))
    assert stopped.code == 128 + number, stopped.said
    assert "the same command resumes" in stopped.said and "Traceback" not in stopped.said
    (manifest,) = tmp_path.glob("results/words/*/manifest.json")
    assert json.loads(manifest.read_text())["status"] == "interrupted"
    done = forks(tmp_path, *RUN)
    assert done.code == 0 and "resuming" in done.said, done.said
    assert Run(manifest.parent).manifest.complete
    assert len((tmp_path / "asked").read_text().split()) <= N + 1


def test_a_run_goes_on_although_other_plans_ran_since(tmp_path: Path, forks: Forks) -> None:
    write_project(tmp_path)
    one, two = (*RUN, "--shard", "1/2"), (*RUN, "--shard", "2/2")
    assert forks(tmp_path, *one, how=Disturbed(signal_at=25)).code == 128 + signal.SIGTERM
    assert forks(tmp_path, *two).code == 0
    assert forks(tmp_path, *RUN, "--limit", "1").code == 0
    again = forks(tmp_path, *one)
    assert again.code == 0 and "resuming" in again.said, again.said
    # What is complete and reported is not gone on with.
    assert "resuming" not in forks(tmp_path, *one).said


def test_files_without_hard_links_are_renamed(tmp_path: Path, forks: Forks) -> None:
    write_project(tmp_path)
    linkless = Disturbed(refuse={"os.link": errno.EOPNOTSUPP})
    done = forks(tmp_path, *RUN, how=linkless)
    assert done.code == 0, done.said
    (manifest,) = tmp_path.glob("results/words/*/manifest.json")
    run = Run(manifest.parent)
    assert run.manifest.spent["mine"].requests == N
    assert sorted(p.name for p in (run.folder / "units" / "words.mine").iterdir()) == [
        "committed.jsonl",
        "scores.jsonl",
    ]
    again = forks(tmp_path, *RUN, "--resume", run.folder.name, "--retry-failed", how=linkless)
    assert again.code == 0, again.said
    assert len((tmp_path / "asked").read_text().split()) == N


def full_at(project: Path, forks: Forks, *command: str) -> Iterator[int]:
    """Numbers of the command's file events."""
    trial = shutil.copytree(project, project.with_name("trial"))
    yield from range(1, forks(trial, *command).events + 1)


@pytest.mark.slow
def test_a_full_disk_is_exit_20_wherever_it_strikes_and_the_same_command_goes_on(
    tmp_path: Path, forks: Forks
) -> None:
    start = tmp_path / "start"
    write_project(start)
    for number in full_at(start, forks, *RUN):
        if number % 4:
            continue  # every fourth is enough: the kills strike at all of them
        folder = shutil.copytree(start, tmp_path / f"full-{number}")
        done = forks(folder, *RUN, how=Disturbed(full_at=number))
        if done.code == 0 and done.events < number:
            continue  # threads: this time it had fewer events
        assert done.code == 20 and "Traceback" not in done.said, (number, done.said)
        assert "make room" in done.said
        assert forks(folder, *RUN).code == 0
        assert len(list(folder.glob("results/words/*/manifest.json"))) == 1
        assert len((folder / "asked").read_text().split()) <= N + 1


@pytest.mark.parametrize("limit", [700, 3000, 20_000])
def test_a_limit_of_file_sizes_is_a_full_disk(limit: int, tmp_path: Path, forks: Forks) -> None:
    write_project(tmp_path)
    done = forks(tmp_path, *RUN, how=Disturbed(file_limit=limit))
    assert done.code == 20 and "Traceback" not in done.said, done.said
    assert forks(tmp_path, *RUN).code == 0
    assert len((tmp_path / "asked").read_text().split()) <= N + 1
