"""A custom setup: a Python function that returns a text or an `Answer`."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

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


def custom(function: Callable[..., Any], reference: str, task: Task) -> Answerer:
    """A user's function `answer(sample)` or `answer(sample, task)` as a setup, `async` or not.

    `reference` is what messages call it. The function returns a text or an `Answer`; what else it
    returns, or raises, is that sample's failure. `sys.exit` in it is a `BakeoffError`.
    """
    takes_task = len(inspect.signature(function).parameters) > 1
    call = _called(function)

    def answer(
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]:
        for index, sample in enumerate(samples):
            if index in skip:
                continue
            if not timed:
                sending(index)
            started = time.perf_counter()
            try:
                returned = call(sample, task) if takes_task else call(sample)
            except SystemExit as error:
                raise BakeoffError(f"'{reference}': {described(error)}") from error
            except Exception as error:  # somebody else's code: its fault is this sample's failure
                yield index, Failure(described(error))
                continue
            seconds = time.perf_counter() - started if timed else None
            yield index, outcome(returned, seconds)

    return answer


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, to be called as if it were not `async`."""
    if not inspect.iscoroutinefunction(function):
        return function
    # One event loop for all samples: clients that the function keeps open are bound to it.
    runner = asyncio.Runner()

    def call(*given: Any) -> Any:
        return runner.run(function(*given))

    weakref.finalize(call, runner.close)
    return call


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
        if not (isinstance(passage.document, str) and isinstance(passage.text, str)):
            return "passages: document and text must be texts"
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
