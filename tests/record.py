"""What is told and kept of a run of the tests: how long they took, and on which machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bakeoff.runs import machine

LONG_S = 20.0
"""A test that takes longer is to be marked slow."""


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "Keep outcomes, seconds and measured figures, with commit and machine, in FILE."
    parser.addoption("--record", metavar="FILE", type=Path, help=about)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the tests that ought to be marked slow, and write the record where one is asked for.

    Tests never fail by seconds.
    """
    told = [r for name in ("passed", "failed") for r in terminalreporter.getreports(name)]
    calls = [report for report in told if report.when == "call"]
    for report in calls:
        if report.duration > LONG_S and not {"slow", "study"} & set(report.keywords):
            line = f"mark it slow: {report.nodeid} took {report.duration:.0f} s"
            terminalreporter.write_line(line, yellow=True)
    if path := config.getoption("record"):
        path.write_text(json.dumps(_record(calls, config), indent=2) + "\n", encoding="utf-8")


def _record(calls: list[Any], config: pytest.Config) -> dict[str, Any]:
    arguments = " ".join(config.invocation_params.args)
    return {
        "command": f"pytest {arguments}",
        "commit": machine.commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": machine.hardware().model_dump(),
        "versions": machine.versions(),
        "tests": [
            {
                "test": report.nodeid,
                "outcome": report.outcome,
                "seconds": round(report.duration, 1),
                **dict(report.user_properties),
            }
            for report in calls
        ],
    }
