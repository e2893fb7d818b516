"""How tests share a machine: a process for each core, dear fixtures made once, libraries once."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import warm

WORKERS = 4
"""Each imports the libraries anew: more seldom pay."""
WARM = "BAKEOFF_TESTS_WARM"
"""The variable that says where the warm process listens."""
TOGETHER = {
    "a finished run": ("test_program", "test_adapter"),
    "a server": ("test_mlflow", "test_mlflow_ui"),
    "a model": ("test_local", "test_training_data", "test_route", "test_retrieval"),
}
"""What is dear to make and made once -> the files of the tests that use it."""
LONGEST = ("test_small_pattern.py", "test_browser.py", "test_engine.py", "test_fleet.py")
"""Begun last, one of these files would keep one process busy while the others wait for it."""
DEAR = {"model", "finished_run", "mlflow_server", "browser", "program"}
"""Fixtures that take long to make: who needs one of them is slow, however short its own work."""


def cores() -> list[int]:
    """Those that this process may use; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


MACHINE = cores()
"""Those that all tests together may use: read before any worker is given its own."""


@pytest.fixture(scope="module")
def two_cores() -> Iterator[None]:
    """What trains by two processes is refused on the one core that a worker may have."""
    mine = cores()
    if mine and len(MACHINE) < 2:
        pytest.skip("needs two processors")
    if mine:
        os.sched_setaffinity(0, MACHINE[:2])
    yield
    if mine:
        os.sched_setaffinity(0, mine)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For tiny networks: threads would wait for each other longer than they compute."""
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return min(WORKERS, len(cores()) or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker cores of its own, or one to share with others.

    Torch has a thread for each: on shared ones they would wait for each other.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        if here := cores():
            first = int(worker.removeprefix("gw")) % len(here)
            os.sched_setaffinity(0, here[first::count])
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


def group(path: str) -> str:
    """The group of the test file at `path`: one process runs all tests of a group."""
    return next((name for name, files in TOGETHER.items() if Path(path).stem in files), path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins, so that no process waits for the last one."""
    for item in items:
        if DEAR & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    slow = {group(item.path.name) for item in items if item.get_closest_marker("slow")}
    first = [*LONGEST, *TOGETHER, *sorted(slow - TOGETHER.keys() - {*LONGEST})]
    place = {name: number for number, name in enumerate(first)}
    items.sort(key=lambda item: place.get(group(item.path.name), len(place)))


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it for garbage took a seventh of the time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole groups, in the order of the tests."""
    from xdist.scheduler import LoadFileScheduling

    class Groups(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(super()._split_scope(nodeid))

    config.option.loadscopereorder = False
    return Groups(config, log)
