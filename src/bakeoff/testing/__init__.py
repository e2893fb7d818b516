"""Fakes for tests: finished runs, a model, an endpoint over HTTP, a retriever.

Each fills the seam of the real thing, so that a test runs the program as it is.
"""

from bakeoff.testing.endpoint import (
    NEVER,
    FakeEndpoint,
    Reply,
    Request,
    Script,
    completion,
    fake_endpoint,
    in_turn,
)
from bakeoff.testing.fakes import FakeModel, FakeRetriever
from bakeoff.testing.runs import (
    METRICS,
    RATE,
    SETUPS,
    TEXT,
    Made,
    made_manifest,
    make_run,
    right,
    suite,
    task_facts,
    write_run,
)

__all__ = [
    "METRICS",
    "NEVER",
    "RATE",
    "SETUPS",
    "TEXT",
    "FakeEndpoint",
    "FakeModel",
    "FakeRetriever",
    "Made",
    "Reply",
    "Request",
    "Script",
    "completion",
    "fake_endpoint",
    "in_turn",
    "made_manifest",
    "make_run",
    "right",
    "suite",
    "task_facts",
    "write_run",
]
