"""What a run imports before its first request: nothing that only compares, draws or reports."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
