"""The command line: reads arguments and the environment, calls one function, sets the exit code."""

from bakeoff.cli import advising, batches, first, looking, nights, reading, running, starting  # noqa: F401  (registers the commands)
from bakeoff.cli.app import main

__all__ = ["main"]
