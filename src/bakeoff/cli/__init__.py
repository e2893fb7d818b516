"""The command line: reads arguments and the environment, calls one function, sets the exit code."""

from bakeoff.cli import (  # noqa: F401  (registers the commands)
    advising,
    batches,
    exporting,
    first,
    looking,
    nights,
    reading,
    running,
    starting,
)
from bakeoff.cli.app import main

__all__ = ["main"]
