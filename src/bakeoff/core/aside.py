"""Imports in a thread of their own, so that those who wait for something else get on with it."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module


def import_aside(module: str) -> None:
    """Begin to import a module; whoever imports it meanwhile waits for it as for any other.

    For one whose own imports nobody else begins at the same time in another order: two threads in
    a circle of modules may see one of them half made.
    """

    def work() -> None:
        # Where it cannot be had, who needs it says so.
        with suppress(ImportError):
            import_module(module)

    # Not a daemon: C libraries do not take it well when a program ends in the middle of them.
    threading.Thread(target=work, name=f"import {module}").start()
