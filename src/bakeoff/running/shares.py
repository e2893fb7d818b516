"""The limits of a benchmark, divided among workers or shards so that all together keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Connection, Endpoint, Service, Setup, Suite
from bakeoff.spec.limits import Limits

S = TypeVar("S", Endpoint, Service, Setup)
RATES = ("requests_per_minute", "tokens_per_minute")
LIMITS = ("concurrency", *RATES)


def shared(suite: Suite, place: int, size: int) -> Suite:
    """The suite as the worker of a place, from 0, asks its connections."""
    return _divided(suite, lambda spec: _share(spec, place, _holders(spec, size)))


def of_shard(suite: Suite, shard: tuple[int, int]) -> Suite:
    """The suite as the i-th of n parts of a run is asked, so that all together keep its limits.

    Limits on rates, money, tokens and a number of errors are divided; none has less than one
    request at once. Raises `BakeoffError` for a rate that has less than a request for each part.
    """
    part, parts = shard
    if parts == 1:
        return suite
    for name, spec in _named(suite).items():
        for limit in RATES:
            if (given := getattr(spec, limit, None)) is not None and given < parts:
                raise BakeoffError(
                    f"{name}: {limit} {given} cannot be divided by {parts} shards; "
                    f"take at most {given}"
                )
    divided = _divided(suite, lambda spec: _share(spec, part - 1, parts))
    return divided.model_copy(update={"limits": _part_of(suite.limits, parts)})


def _named(suite: Suite) -> dict[str, Connection | Setup]:
    services = {f"setups.{n}.endpoint": s.endpoint for n, s in suite.setups.items() if s.endpoint}
    return {**{f"endpoints.{n}": spec for n, spec in suite.endpoints.items()}, **services}


def _part_of(limits: Limits, parts: int) -> Limits:
    """A share of errors is one of the part's own cells; each part has all the seconds."""
    divided = {
        "cost": None if limits.cost is None else limits.cost / parts,
        "tokens": None if limits.tokens is None else limits.tokens // parts,
    }
    if limits.errors is not None and not limits.errors_are_share:
        divided |= {"errors": limits.errors / parts}
    return limits.model_copy(update=divided)


class _Sharing(Protocol):
    def __call__(self, spec: S) -> S: ...


def _divided(suite: Suite, share: _Sharing) -> Suite:
    endpoints = {name: share(spec) for name, spec in suite.endpoints.items()}
    setups = {name: _setup(setup, share) for name, setup in suite.setups.items()}
    return suite.model_copy(update={"endpoints": endpoints, "setups": setups})


def _setup(setup: Setup, share: _Sharing) -> Setup:
    if setup.endpoint:
        return setup.model_copy(update={"endpoint": share(setup.endpoint)})
    return share(setup)


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


def _share(spec: S, place: int, holders: int) -> S:
    """The part of one of its holders; a worker without a share is never asked for it."""
    parts: dict[str, Any] = {}
    for name in LIMITS:
        limit = getattr(spec, name, None)
        if limit is not None:
            parts[name] = max(1, limit // holders + (place < limit % holders))
    return spec.model_copy(update=parts)
