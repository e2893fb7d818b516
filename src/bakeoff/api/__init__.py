"""bakeoff from Python: what the command line does, by the same code, with values and exceptions."""

from bakeoff.api.before import audit, init, plan, power, task
from bakeoff.api.kept import baselines, import_results, merge, nightly, runs, trend
from bakeoff.api.run import Run
from bakeoff.api.verbs import compare, gate, load, run
from bakeoff.api.view import View

__all__ = [
    "Run",
    "View",
    "audit",
    "baselines",
    "compare",
    "gate",
    "import_results",
    "init",
    "load",
    "merge",
    "nightly",
    "plan",
    "power",
    "run",
    "runs",
    "task",
    "trend",
]
