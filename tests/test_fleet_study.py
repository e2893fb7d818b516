"""The simulation of many workers: small ones, computed by hand."""

from __future__ import annotations

import pytest

from fleet import DRIVER_S, MESSAGE_S, Load, World, run

EVEN = Load("even", cells=12, cell_s=1.0, start_s=5.0, spread=0.0)


@pytest.mark.parametrize(("workers", "seconds"), [(1, 5 + 4 * 12), (3, 5 + 4 * 4), (12, 5 + 4)])
def test_even_cells_take_their_share(workers: int, seconds: float) -> None:
    """Four setups of 12 cells of a second, and some milliseconds of the driver."""
    came = run(EVEN, World(workers))
    assert came.seconds == pytest.approx(seconds, abs=0.05)
    assert came.busy_s == pytest.approx(4 * 12 * (DRIVER_S + MESSAGE_S))
    assert (came.lost, came.repeated) == (0, 0)


def test_a_limit_of_requests_holds_for_all_workers_together() -> None:
    """12 a minute are one in five seconds, whoever asks: 4 workers ask one in twenty each."""
    limited = Load("limited", cells=12, cell_s=1.0, start_s=0.0, per_minute=12, spread=0.0)
    assert run(limited, World(1)).seconds == pytest.approx(4 * 12 * 5, abs=0.1)
    assert run(limited, World(4)).seconds == pytest.approx(4 * 12 * 5, abs=0.1)


def test_quick_cells_are_the_drivers_work_alone() -> None:
    quick = Load("quick", cells=10_000, cell_s=0.0, start_s=0.0)
    came = run(quick, World(10))
    assert came.seconds == pytest.approx(came.busy_s)
    assert came.busy_s >= 4 * 10_000 * DRIVER_S


def test_lost_workers_cost_time_and_every_cell_is_answered() -> None:
    came = run(Load("long", cells=400, cell_s=10.0, start_s=5.0), World(4, lost_per_hour=2.0))
    assert came.lost > 0
    assert came.repeated > 0
    assert came.seconds > run(Load("long", 400, 10.0, 5.0), World(4)).seconds
