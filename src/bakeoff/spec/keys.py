"""API keys of a benchmark file: refused where a run would keep them, put in where one is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from bakeoff.core.secrets import (
    REFERENCE,
    exposed,
    exposed_in_url,
    filled,
    looks_secret,
    references,
)
from bakeoff.core.words import BakeoffError
from bakeoff.spec.endpoints import Connection

C = TypeVar("C", bound=Connection)
_REMEDY = "a run would keep it in its files; write ${NAME}, the environment variable that holds it"


def problems(known: Mapping[str, Connection], raw: object) -> list[str]:
    """What looks like a key in a file, each with its place and what would work.

    `known` are its connections; of the rest, `raw`, only texts in the form of a known key.
    """
    in_connections = [problem for where, spec in known.items() for problem in _of(spec, where)]
    about = tuple(known)
    return in_connections + [
        f"{place}: looks like an API key: {_REMEDY}"
        for place in _looking(raw)
        if not place.startswith(about)
    ]


def _of(spec: Connection, where: str) -> Iterator[str]:
    for part in exposed_in_url(spec.url):
        if part == "the user and password":
            remedy = (
                "they do not belong there; name the environment variable that holds the API key "
                'in api_key_env, or write headers: {Authorization: "Basic ${NAME}"}'
            )
            yield f"{where}.url: holds {part}: {remedy}"
        else:
            yield f"{where}.url: {part} holds what looks like an API key: {_REMEDY}"
    address = urlsplit(spec.url)
    if REFERENCE.search(address.netloc):
        yield (
            f"{where}.url: ${{NAME}} is in the host, which identifies the system; write it out "
            "(paths, parameters, headers and fields of the body take ${NAME})"
        )
    for name, value in (("headers", spec.headers), (_body_field(spec), spec.body)):
        for place in exposed(value, f"{where}.{name}"):
            yield f"{place}: holds what looks like an API key: {_REMEDY}"
    twice = [name for name in spec.headers if name.lower() == "authorization"]
    if twice and spec.api_key_env:
        yield f"{where}.headers.{twice[0]}: api_key_env sets it, too; leave one of them out"


def _body_field(spec: Connection) -> str:
    return "request" if "request" in type(spec).model_fields else "extra"


def _looking(part: object, where: str = "") -> Iterator[str]:
    """The places of a nested value that hold a key of a known form."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            yield from _looking(value, f"{where}.{name}" if where else str(name))
    elif isinstance(part, list | tuple):
        for number, value in enumerate(part):
            yield from _looking(value, f"{where}[{number}]")
    elif isinstance(part, str) and looks_secret(part):
        yield where


def secrets_of(spec: Connection, where: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variable -> the secret in it, of those that a connection names.

    Raises `BakeoffError` for one that is not set.
    """
    named = {name: _place(spec, name) for name in references([spec.url, spec.headers, spec.body])}
    if spec.api_key_env:
        named[spec.api_key_env] = "api_key_env"
    if unset := [name for name in named if not environment.get(name)]:
        lines = (
            f"{where}.{named[name]}: the environment variable '{name}' is not set; it holds the "
            "API key"
            for name in unset
        )
        raise BakeoffError("\n".join(lines))
    return {name: environment[name].strip() for name in named}


def _place(spec: Connection, name: str) -> str:
    if name in references(spec.url):
        return "url"
    return "headers" if name in references(spec.headers) else _body_field(spec)


def with_secrets(spec: C, secrets: Mapping[str, str]) -> C:
    """The connection as it is used: secrets in the place of references. Never to be written."""
    field = _body_field(spec)
    changed: dict[str, Any] = {
        "url": filled(spec.url, lambda name: quote(secrets[name], safe="")),
        "headers": filled(spec.headers, lambda name: secrets[name]),
    }
    if spec.body:
        # In a template of a service's request, braces name a field of the sample.
        braced = {n: s.replace("{", "{{").replace("}", "}}") for n, s in secrets.items()}
        inserted = braced if field == "request" else secrets
        changed[field] = filled(spec.body, lambda name: inserted[name])
    return spec.model_copy(update=changed)
