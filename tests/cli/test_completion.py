"""What a shell completes, in bash as a user has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff.testing import make_run
from conftest import ROOT

BASH = shutil.which("bash")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a run, and the program on the path."""
    make_run(tmp_path / "results", name="mine")
    program = tmp_path / "bin" / "bakeoff"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom bakeoff.cli import main\nmain()\n")
    program.chmod(0o755)
    return tmp_path


def completed(place: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words, after the line of the documentation."""
    (line,) = (
        line
        for line in (ROOT / "docs" / "how-to" / "completion.md").read_text().splitlines()
        if "bash_source" in line
    )
    script = (
        f'{line}\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\n_bakeoff_completion bakeoff\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert BASH
    done = subprocess.run(
        [BASH, "--norc", "-c", script, "bash", "bakeoff", *words],
        cwd=place,
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    # `compopt` works in a shell that completes, and not in a script.
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("comp",), ["compare"]),
        (("run", "quick"), ["quickstart"]),
        (("run", "quickstart", "--resu"), ["--resume"]),
        (("compare", "lat"), ["latest"]),
        (("gate", "mi"), ["mine"]),
        (("runs", "mi"), ["mine"]),
        (("tasks", "ticket"), ["ticket_triage"]),
        (("cost", "latest", "--prices", "own"), ["own-machine"]),
        (("audit", "quickstart", "--task", "hand"), ["handbook_qa"]),
        (("distill", "quickstart", "--teacher", "hy"), ["hybrid"]),
    ],
)
def test_bash_completes(place: Path, words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(place, *words) == offered


def test_an_id_of_a_run_is_completed(place: Path) -> None:
    (run,) = (place / "results" / "mine").iterdir()
    assert completed(place, "report", run.name[:4]) == [run.name]


@pytest.mark.parametrize(
    ("shell", "asked", "offered"),
    [
        ("zsh", {"COMP_WORDS": "bakeoff run q", "COMP_CWORD": "2"}, ["plain", "quickstart", "_"]),
        ("fish", {"COMP_WORDS": "bakeoff run q", "COMP_CWORD": "q"}, ["plain,quickstart"]),
    ],
)
def test_zsh_and_fish_are_answered_in_their_own_form(
    place: Path, shell: str, asked: dict[str, str], offered: list[str]
) -> None:
    page = (ROOT / "docs" / "how-to" / "completion.md").read_text()
    assert f"_BAKEOFF_COMPLETE={shell}_source bakeoff" in page
    done = subprocess.run(
        [place / "bin" / "bakeoff"],
        cwd=place,
        env={**os.environ, "_BAKEOFF_COMPLETE": f"{shell}_complete", **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == offered


def test_completing_reads_no_more_than_names(place: Path) -> None:
    """What takes long to import is not imported: a shell waits for it at every key."""
    code = (
        "import sys\nfrom bakeoff.cli import main\ntry:\n    main(prog_name='bakeoff')\nfinally:\n"
    )
    code += "    print(*sys.modules, file=sys.stderr)"
    words = {
        "_BAKEOFF_COMPLETE": "bash_complete",
        "COMP_WORDS": "bakeoff gate l",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "plain,latest\n"
    assert not {"pydantic", "yaml", "numpy", "bakeoff.runs.store"} & {*done.stderr.split()}
