"""Tables on screens: no word, number or interval is broken, whatever the width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import golden_tables
from bakeoff.core.layout import as_text, columns, laid_out, line_text, words
from bakeoff.core.table import Table
from bakeoff.testing import make_run

INTERVAL = "0.200 [0.050, 0.400]*"


def table(setups: int, cell: str = INTERVAL) -> Table:
    names = [f"setup-{n}" for n in range(setups)]
    return Table("Scores", ("task", "n", *names), (("qa", "20", *[cell] * setups),), "A note.")


def lines(shown: Table, width: int | None) -> list[str]:
    return [line_text(line) for line in laid_out(shown, width)]


def test_the_tables_are_those_that_were_looked_at() -> None:
    assert golden_tables.tables() == golden_tables.KEPT.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("setups", [1, 4, 14])
def test_no_screen_breaks_what_belongs_together(setups: int, width: int) -> None:
    shown = lines(table(setups), width)
    assert max(map(columns, shown)) <= width
    assert sum(line.count("[0.050, 0.400]*") for line in shown) == setups
    assert sum(len(re.findall(r"(?<![\d.])0\.200(?!\d)", line)) for line in shown) == setups


def test_what_does_not_fit_side_by_side_is_a_block_for_each_row() -> None:
    assert lines(table(4), 40) == [
        "Scores",
        "",
        "  task      qa",
        "  n         20",
        *(f"  setup-{n}   {INTERVAL}" for n in range(4)),
        "",
        "A note.",
    ]


def test_a_word_wider_than_the_screen_stays_whole() -> None:
    path = "/".join(["folder"] * 20)
    assert any(path in line for line in lines(Table("", ("what",), ((f"in {path} now",),)), 40))


def test_a_pipe_gets_a_line_for_each_row_without_padding_where_it_is_wide() -> None:
    rows = [line for line in as_text(table(14)).splitlines() if INTERVAL in line]
    assert rows == [" | ".join(["qa", "20", *[INTERVAL] * 14])]
    assert all(line == line.rstrip() for line in as_text(table(4)).splitlines())


def test_a_unit_stays_with_its_number() -> None:
    assert words("12 ms of 0.12 s [0.10, 0.15 s]^") == ["12 ms", "of", "0.12 s", "[0.10, 0.15 s]^"]


@pytest.mark.parametrize(("wide", "high"), [(80, 24), (120, 40)])
def test_a_terminal_shows_a_run_within_its_width(tmp_path: Path, wide: int, high: int) -> None:
    folder = make_run(tmp_path)
    shown = on_terminal(["compare", str(folder)], wide, high)
    assert max(map(columns, shown)) <= wide, max(shown, key=columns)
    assert any("exact_match" in line for line in shown)
    broken = [line for line in shown if line.count("[") != line.count("]")]
    assert not broken


def test_wide_keeps_each_row_on_a_line_and_a_narrow_screen_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    narrow = on_terminal(["compare", str(folder)], 80, 24)
    assert any("--wide keeps each on a line" in line for line in narrow)
    wide = on_terminal(["compare", str(folder), "--wide"], 80, 24)
    (row,) = [line for line in wide if line.lstrip().startswith("gate_qa") and "0.800" in line]
    assert all(value in row for value in ("0.200", "0.400", "0.600"))
    assert not any("--wide" in line for line in wide)


def on_terminal(arguments: list[str], wide: int, high: int) -> list[str]:
    """The lines that a command shows on a terminal of this size, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", high, wide, 0, 0))
    gone = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR")
    known = {name: value for name, value in os.environ.items() if name not in gone}
    command = [sys.executable, "-m", "bakeoff", *arguments]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**known, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
        assert process.wait(60) == 0, written
    os.close(ours)
    # A bar of progress is wiped off its line.
    shown = re.sub(r"[^\n]*\x1b\[2K", "", written.decode())
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "").split("\n")


def _read(terminal: int) -> bytes:
    """What a terminal has; nothing once its program is gone."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
