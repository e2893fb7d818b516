"""How tests share a machine: a process for each core, dear fixtures made once, libraries once."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

import warm

WORKERS = 4
"""Each imports the libraries anew: more seldom pay."""
WARM = "BAKEOFF_TESTS_WARM"
"""The variable that says where the warm process listens."""
DEAR = ("finished_run", "mlflow_server", "model", "embedder")
"""Fixtures that take long to make: all tests of one run in one process."""


def cores() -> list[int]:
    """Those that this process may use; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS, len(cores()) or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker cores of its own: on shared ones torch's threads wait for each other."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        if mine := cores()[int(worker.removeprefix("gw")) :: count]:
            os.sched_setaffinity(0, mine)
    elif config.getoption("numprocesses", None) and sys.platform == "linux":
        _keep_warm(config)


def _keep_warm(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="warm")
    path = Path(folder.name) / "socket"
    started = warm.start(path)
    os.environ[WARM] = str(path)

    def stop() -> None:
        started.communicate()
        folder.cleanup()

    config.add_cleanup(stop)


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups down
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one dear fixture, else of one file, stay together; the longest groups begin."""
    groups: dict[pytest.Item, str] = {}
    for item in items:
        dear = [name for name in DEAR if name in getattr(item, "fixturenames", ())]
        groups[item] = dear[0] if dear else item.path.stem
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    slow = {groups[item] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: groups[item] not in DEAR and groups[item] not in slow)
