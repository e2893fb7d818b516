"""The limits of a benchmark's connections, shared by workers so that the whole fleet keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from bakeoff.spec.benchmark import Connection, Endpoint, Service, Setup, Suite

S = TypeVar("S", Endpoint, Service, Setup)
LIMITS = ("concurrency", "requests_per_minute", "tokens_per_minute")


def shared(suite: Suite, place: int, size: int) -> Suite:
    """The suite as the worker of a place, from 0, asks its connections."""
    endpoints = {n: _share(spec, place, size) for n, spec in suite.endpoints.items()}
    setups = {n: _setup(setup, place, size) for n, setup in suite.setups.items()}
    return suite.model_copy(update={"endpoints": endpoints, "setups": setups})


def _setup(setup: Setup, place: int, size: int) -> Setup:
    if setup.endpoint:
        return setup.model_copy(update={"endpoint": _share(setup.endpoint, place, size)})
    return _share(setup, place, size)


def places(suite: Suite, setup: Setup, size: int) -> int:
    """How many workers, the first ones, may ask a setup at once."""
    return min([size, *(_holders(spec, size) for spec in _connections(suite, setup))])


def _connections(suite: Suite, setup: Setup) -> Iterator[Connection | Setup]:
    if setup.endpoint:
        yield setup.endpoint
    if setup.custom:
        yield setup  # calls side by side
        return
    embedder = setup.retrieve.embedder if setup.retrieve and setup.retrieve.vectors else ""
    for reference in (setup.model, embedder):
        if reference and (spec := suite.endpoint_of(reference)):
            yield spec


def _holders(spec: Connection | Setup, size: int) -> int:
    """How many workers have a share: none may have less than one request."""
    limits = [getattr(spec, name, None) for name in LIMITS]
    return int(min([size, *(limit for limit in limits if limit is not None)]))


def _share(spec: S, place: int, size: int) -> S:
    """The part of a worker; one without a share is never asked for the connection."""
    holders = _holders(spec, size)
    parts: dict[str, Any] = {}
    for name in LIMITS:
        limit = getattr(spec, name, None)
        if limit is not None:
            parts[name] = max(1, limit // holders + (place < limit % holders))
    return spec.model_copy(update=parts)
