"""Calls that open an event loop, made where one is running already, as in a notebook's cell."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def outside_loops(work: Callable[[], T]) -> T:
    """What `work` returns or raises, called in a thread of its own where a loop is running here.

    An interrupt ends it as it would end it here.
    """
    if not _is_running():
        return work()
    done: Future[T] = Future()

    def call() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=call, name="outside-loops", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        _interrupt(thread)
        thread.join()
    return done.result()


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _interrupt(thread: threading.Thread) -> None:
    """Raise `KeyboardInterrupt` in a thread, as soon as it runs Python's own code again."""
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
    )
