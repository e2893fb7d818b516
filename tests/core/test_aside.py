"""Imports in a thread of their own."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from pathlib import Path

import pytest

from bakeoff.core.aside import import_aside


def test_who_imports_a_module_meanwhile_gets_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_aside.py").write_text(
        "import threading, time\ntime.sleep(0.1)\nBY = threading.current_thread().name\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import_aside("imported_aside")
    while "imported_aside" not in sys.modules:
        pass
    assert import_module("imported_aside").BY == "import imported_aside"


def test_a_module_that_cannot_be_had_is_missed_by_those_who_need_it_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    import_aside("no_such_library")
    for thread in threading.enumerate():
        if thread.name == "import no_such_library":
            thread.join()
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError):
        import_module("no_such_library")
