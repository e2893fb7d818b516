"""bakeoff from Python: what the command line does, by the same code, with values and exceptions."""

from bakeoff.api.run import Run
from bakeoff.api.verbs import compare, gate, load, run
from bakeoff.api.view import View

__all__ = ["Run", "View", "compare", "gate", "load", "run"]
