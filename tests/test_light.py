"""What a run imports before its first request: nothing that only compares, draws or reports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from endpoint_speed import write_project

HEAVY = (
    *("numpy", "scipy", "pandas", "sklearn", "matplotlib", "torch", "transformers", "mlflow"),
    *(
        "rich",
        "jinja2",
        "jsonschema",
        "yaml",
        "datasets",
        "bakeoff.analysis.measured_run",
        "bakeoff.decide.advice",
        "bakeoff.metrics.lexical",
        "bakeoff.metrics.support",
    ),
)


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ("bakeoff.cli", ()),
        ("bakeoff.cli, bakeoff.running.gating", ("numpy", "bakeoff.analysis.measured_run")),
        ("bakeoff.cli, bakeoff.running.confirm, bakeoff.models.served, bakeoff.core.progress", ()),
        (
            "bakeoff.cli, bakeoff.running.confirm, bakeoff.running.gating, "
            "bakeoff.outputs.page.html",
            ("numpy", "jinja2", "bakeoff.analysis.measured_run"),
        ),
    ],
)
def test_what_is_heavy_is_not_imported(modules: str, allowed: tuple[str, ...]) -> None:
    code = f"import sys, {modules}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {name for name in HEAVY if name in loaded} - set(allowed)


UNTIL_THE_FIRST_REQUEST = """
import os, sys, threading

loaded = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        # What other threads import is waited for by nobody.
        if threading.current_thread() is threading.main_thread():
            loaded.add(name)

def ends(event, arguments):
    if event == "socket.connect":
        print(*sorted(loaded), flush=True)
        os._exit(0)

sys.meta_path.insert(0, Watch())
sys.addaudithook(ends)
from bakeoff.cli import main

main()
"""


def test_before_its_first_request_a_run_imports_no_scorer_but_those_of_its_task(
    tmp_path: Path,
) -> None:
    write_project(tmp_path, "http://127.0.0.1:9", 3, 1)
    command = ["run", "benchmarks/words.yaml", "--no-mlflow", "--no-cache"]
    done = subprocess.run(
        [sys.executable, "-c", UNTIL_THE_FIRST_REQUEST, *command],
        cwd=tmp_path,
        env={**os.environ, "BAKEOFF_RESULTS": str(tmp_path / "results")},
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert "bakeoff.metrics.scorers.text" in loaded, done.stderr  # the one of exact_match
    no_need = {name for name in loaded if name.startswith("bakeoff.metrics.scorers.")} - {
        "bakeoff.metrics.scorers.text",
        "bakeoff.metrics.scorers.labels",
    }
    no_need |= loaded & {*HEAVY, "jmespath"}
    assert no_need == {"yaml"}
