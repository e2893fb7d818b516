"""What is said of work that goes on: on a pipe, on a terminal, in its middle and at its end."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from bakeoff.core import progress
from bakeoff.core.progress import PlainProgress, Unit, working
from bakeoff.core.table import Table
from bakeoff.outputs.terminal import LiveProgress


class Heard(PlainProgress):
    """Plain progress whose lines are kept, and waited for."""

    EVERY_SECONDS = 0.01

    def __init__(self) -> None:
        super().__init__(list[Table]().append)
        self.lines: list[str] = []
        self.spoken = threading.Event()

    def note(self, text: str) -> None:
        self.lines.append(text)
        self.spoken.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time by which units of work are measured."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    yield now


def test_a_pipe_hears_of_work_even_when_no_step_ends() -> None:
    heard = Heard()
    with working(heard, "adapter qa: training", 400):
        assert heard.spoken.wait(60)
    assert heard.lines[0].startswith("adapter qa: training: 0 of 400")
    assert heard.lines[-1].startswith("adapter qa: training: 0 of 400 in")
    said = len(heard.lines)
    heard.spoken.clear()
    assert not heard.spoken.wait(0.05), heard.lines[said:]


def test_silence_before_a_unit_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heard, "EVERY_SECONDS", 600.0)
    heard = Heard()
    heard._told -= 600
    with working(heard, "adapter qa: training", 400):
        assert heard.spoken.wait(60)
    assert heard.lines[0].startswith("adapter qa: training: 0 of 400")


def test_the_middle_says_figures_and_the_time_left(clock: list[float]) -> None:
    unit = Unit("qa / rag", 10)
    clock[0] = 6.0
    unit.advance(3, "loss 1.250, 340 tokens/s")
    assert unit.state() == "qa / rag: 3 of 10, loss 1.250, 340 tokens/s, about 14 s left"
    clock[0] = 20.0
    unit.advance(7, "")
    assert unit.ended() == "qa / rag: 10 in 20.0 s (0.5/s)"


def test_failures_are_named_in_the_middle_and_at_the_end(clock: list[float]) -> None:
    unit = Unit("qa / rag", 4)
    clock[0] = 2.0
    unit.advance(2, "1 failed")
    assert unit.state() == "qa / rag: 2 of 4, 1 failed, about 2 s left"
    unit.advance(2, "3 failed")
    assert unit.ended() == "qa / rag: 4 in 2.0 s (2.0/s), 3 failed"


def test_work_of_unknown_length_counts_its_seconds(clock: list[float]) -> None:
    unit = Unit("scoring", None)
    clock[0] = 1.0
    assert unit.ended() == ""
    clock[0] = 21.0
    assert unit.state() == "scoring: 21 s so far"
    assert unit.ended() == "scoring: 21.0 s"


def test_work_that_broke_off_says_how_far_it_came(clock: list[float]) -> None:
    unit = Unit("qa / rag", 10)
    clock[0] = 4.0
    unit.advance(2, "")
    assert unit.ended() == "qa / rag: 2 of 10 in 4.0 s"


def test_a_bar_shows_steps_and_figures_and_leaves_a_line() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=160)
    live = LiveProgress(screen)
    with working(live, "adapter [qa]: training", 4):
        live.advance(1, "loss 1.250, 340 tokens/s")
        live.bars.refresh()
    shown = screen.file.getvalue()
    assert "adapter [qa]: training" in shown
    assert "1/4" in shown
    assert "loss 1.250, 340 tokens/s" in shown
    assert "adapter [qa]: training: 1 of 4 in" in shown
