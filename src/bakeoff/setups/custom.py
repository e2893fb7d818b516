"""A custom setup: a Python function that returns a text or an `Answer`."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
import weakref
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from bakeoff.core.words import (
    ERROR,
    Answer,
    Answerer,
    BakeoffError,
    Failure,
    Generation,
    Passage,
    Sample,
    Sending,
    Step,
    unwatched,
)
from bakeoff.models.finish_reasons import finish_reason
from bakeoff.spec.functions import described
from bakeoff.tasks.load import Task

T = TypeVar("T")
CANCEL_S = 1.0
"""What calls that are broken off get to end in."""
Asked = Iterator[tuple[int, tuple[Any, ...]]]
"""Number of a sample, and what the function is called with."""
Returned = Iterator[tuple[int, object, float]]
"""Number of a sample, what the function returned (or a `Failure`, or `SystemExit`), seconds."""


def custom(
    function: Callable[..., Any], reference: str, task: Task, concurrency: int = 1
) -> Answerer:
    """A user's function `answer(sample)` or `answer(sample, task)` as a setup.

    `reference` is what messages call it. Of an `async` function as many calls run concurrently as
    `concurrency` says, but one at a time while they are timed. The function returns a text or an
    `Answer`; what else it returns, or raises, is that sample's failure. `sys.exit` in it is a
    `BakeoffError`.
    """
    takes_task = len(inspect.signature(function).parameters) > 1
    call = _side_by_side(function) if inspect.iscoroutinefunction(function) else _in_turn(function)

    def answer(
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]:
        def asked() -> Asked:
            for index, sample in enumerate(samples):
                if index in skip:
                    continue
                if not timed:
                    sending(index)
                yield index, (sample, task) if takes_task else (sample,)

        for index, returned, seconds in call(asked(), 1 if timed else concurrency):
            if isinstance(returned, SystemExit):
                raise BakeoffError(f"'{reference}': {described(returned)}") from returned
            if not isinstance(returned, Failure):
                returned = outcome(returned, seconds if timed else None)
            yield index, returned

    return answer


def _in_turn(function: Callable[..., Any]) -> Callable[[Asked, int], Returned]:
    def call(asked: Asked, _: int) -> Returned:
        for index, given in asked:
            started = time.perf_counter()
            returned: object
            try:
                returned = function(*given)
            except SystemExit as error:
                returned = error
            except Exception as error:  # somebody else's code: its fault is this sample's failure
                returned = Failure(described(error))
            yield index, returned, time.perf_counter() - started

    return call


def _side_by_side(function: Callable[..., Awaitable[Any]]) -> Callable[[Asked, int], Returned]:
    # One event loop for all samples: clients that the function keeps open are bound to it.
    runner = asyncio.Runner()

    async def one(index: int, given: tuple[Any, ...]) -> tuple[int, object, float]:
        started = time.perf_counter()
        returned: object
        try:
            returned = await function(*given)
        except SystemExit as error:
            returned = error
        except Exception as error:  # somebody else's code: its fault is this sample's failure
            returned = Failure(described(error))
        return index, returned, time.perf_counter() - started

    def call(asked: Asked, most: int) -> Returned:
        running: set[asyncio.Task[tuple[int, object, float]]] = set()
        try:
            while True:
                for index, given in islice(asked, most - len(running)):
                    running.add(runner.get_loop().create_task(one(index, given)))
                if not running:
                    return
                done, running = runner.run(_first(running))
                yield from sorted((ended.result() for ended in done), key=lambda row: row[0])
        finally:
            if running:
                runner.run(_cancelled(running))

    weakref.finalize(call, runner.close)
    return call


async def _first(tasks: set[asyncio.Task[T]]) -> tuple[set[asyncio.Task[T]], set[asyncio.Task[T]]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _cancelled(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CANCEL_S)


def outcome(returned: object, seconds: float | None) -> Answer | Failure:
    """What a function returned, as an answer, or why it is none.

    `seconds` is how long it took, where it was timed alone.
    """
    if isinstance(returned, str):
        return Answer(str(returned), steps=(Step("call", seconds),))
    if not isinstance(returned, Answer):
        if inspect.iscoroutine(returned):
            returned.close()
        kind = "None" if returned is None else f"a value of type {type(returned).__name__}"
        return Failure(f"returned {kind}: return a text or a bakeoff.Answer")
    if wrong := _wrong(returned):
        return Failure(f"returned an Answer with {wrong}")
    ended, steps = finish_reason(returned.finish_reason), tuple(returned.steps)
    if ended == ERROR:
        return Failure("returned an Answer that ended in an error", ended, steps)
    if missing := Generation(returned.text.strip(), 0, 0, finish_reason=ended).missing:
        return Failure(missing, ended, steps)
    passages = tuple(returned.passages)
    # Without steps of its own, an answer took what the call took.
    steps = steps or (Step("call", seconds),)
    return replace(returned, passages=passages, steps=steps, finish_reason=ended)


def _wrong(answer: Answer) -> str:
    """What an `Answer` holds that it cannot: nothing checked it when it was made."""
    for name, held, kind in (
        ("text", [answer.text], str),
        ("passages", answer.passages, Passage),
        ("steps", answer.steps, Step),
        ("finish_reason", [answer.finish_reason], str),
    ):
        if not isinstance(held, list | tuple):
            return f"{name} of type {type(held).__name__}: a tuple works"
        if odd := [part for part in held if not isinstance(part, kind)]:
            return f"{name}: {type(odd[0]).__name__} where {kind.__name__} is needed"
    for passage in answer.passages:
        if not {type(passage.document), type(passage.text), type(passage.title)} <= {str}:
            return "passages: document, text and title must be texts"
    for step in answer.steps:
        tokens = (step.prompt_tokens, step.context_tokens, step.completion_tokens)
        if any(type(count) is not int or count < 0 for count in tokens):
            return "steps: tokens must be whole numbers of at least 0"
        if step.seconds is not None and not (_finite(step.seconds) and step.seconds >= 0):
            return "steps: seconds must be a number of at least 0"
    sure = answer.confidence
    if sure is not None and not _finite(sure):
        return "confidence: a number from 0 to 1 works"
    return ""


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
