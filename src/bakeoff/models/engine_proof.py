"""Whether an adapter acts, asked of the server that serves it: its log-probabilities move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jmespath

from bakeoff.core.parts import parts_of
from bakeoff.core.words import BakeoffError
from bakeoff.models.server import Server

PROOF_PROMPT = "Which form do I need?"
BACK = 0.05
"""How far the base's log-probabilities may differ (in nats) from one request to the next: engines
on a GPU do not add up in the same order every time."""


class _Likely(NamedTuple):
    """A token that could have come, as an engine states it."""

    token: Any = None
    logprob: Any = None


_TOP = "choices[0].logprobs.content[0].top_logprobs"
_TIMEOUT_S = 600.0
"""The first request to an adapter compiles kernels."""


def prove(
    server: Callable[[], Server], base: str, adapter: str, load: Callable[[], None], what: str
) -> None:
    """Load an adapter, and see that it changes answers and leaves those of the base as they were.

    Raises `BakeoffError` where it does not, or the server states no log-probabilities.
    """
    before = _first_token(server(), base, what)
    load()
    tuned = _first_token(server(), adapter, what)
    after = _first_token(server(), base, what)
    noise = _shift(before, after)
    if noise > BACK:
        raise BakeoffError(f"{what}: loading it changed the base model ({noise:.3g} nats)")
    if _shift(before, tuned) <= 2 * noise:
        raise BakeoffError(f"{what}: it changes nothing (log-probabilities are equal)")


def _shift(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest difference, in nats; infinite where no token is likely in both."""
    both = one.keys() & other.keys()
    return max((abs(one[token] - other[token]) for token in both), default=float("inf"))


def _first_token(server: Server, name: str, what: str) -> dict[str, float]:
    """The likeliest first tokens of the reply to the proof prompt -> their log-probabilities."""
    body = {
        "model": name,
        "messages": [{"role": "user", "content": PROOF_PROMPT}],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 5,
    }
    try:
        reply: Any = server.post("/v1/chat/completions", body, _TIMEOUT_S)
    except BakeoffError as error:
        raise BakeoffError(f"{what}: {error}") from error
    rows = jmespath.search(_TOP, reply) or []
    likely = (parts_of(_Likely, row) for row in rows)
    known = {one.token: float(one.logprob) for one in likely if None not in one}
    if not known:
        raise BakeoffError(
            f"{what}: the engine states no log-probabilities (logprobs, top_logprobs), so that "
            "nothing shows whether it acts"
        )
    return known
