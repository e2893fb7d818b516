"""Workers that are Ray actors: on the nodes of a cluster, without a disk in common.

Each takes one GPU, or one processor of a cluster without GPUs. The only module that imports ray.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import time
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.core.child import OWN
from bakeoff.core.words import BakeoffError
from bakeoff.running.fleet import host
from bakeoff.running.fleet.messages import Link, Lost

PLACING_S = 60.0
"""How long a cluster may take to find room for a worker and start it."""
FORM = re.compile(r"ray(?::([1-9]\d*)|://([^/]+)(?:/([1-9]\d*))?)?")
"""Its groups: workers of a local cluster, an address, workers on the cluster there."""


@dataclass(eq=False)
class Actor:
    """A worker on a node; `hearing` is the reference of its next message."""

    ray: Any
    handle: Any
    hearing: Any
    started: bool = False
    began: float = field(default_factory=time.monotonic)

    def send(self, message: object) -> None:
        self.handle.send.remote(pickle.dumps(message))

    def close(self) -> None:
        self.ray.kill(self.handle)

    def heard(self) -> object:
        """The message that `hearing` stands for."""
        try:
            message = self.ray.get(self.hearing)
        except self.ray.exceptions.RayError as error:
            return Lost(f"its node or actor ended ({type(error).__name__})")
        if isinstance(message, str):
            return Lost(message)
        self.started = True
        self.hearing = self.handle.receive.remote()
        return pickle.loads(message)


@dataclass(frozen=True)
class Actors:
    """So many workers on a Ray cluster, spread over its nodes."""

    ray: Any
    size: int
    host: Any
    """The class of the actors."""
    code: tuple[Any, str]
    """bakeoff itself on the cluster, and its digest."""
    connected: bool
    """Whether this run made the connection, and ends it."""
    apart: bool = True

    def start(self, place: int) -> Actor:
        handle = self.host.remote(*self.code)
        return Actor(self.ray, handle, handle.receive.remote())

    def wait(self, links: Collection[Link], seconds: float) -> list[tuple[Link, object]]:
        by_reference = {link.hearing: link for link in links if isinstance(link, Actor)}
        first, rest = self.ray.wait(list(by_reference), num_returns=1, timeout=seconds)
        more = self.ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        ready = [by_reference[reference] for reference in [*first, *more]]
        heard: list[tuple[Link, object]] = [(link, link.heard()) for link in ready]
        for link in by_reference.values():
            if not (link.started or link in ready) and time.monotonic() - link.began > PLACING_S:
                heard.append((link, Lost(f"the cluster had no room for it in {PLACING_S:.0f} s")))
        return heard

    def close(self) -> None:
        if self.connected:
            self.ray.shutdown()


def actors(named: str) -> Actors:
    """Workers on the cluster of `ray`, `ray:N`, `ray://HOST:PORT` or `ray://HOST:PORT/N`.

    Without a number, one for each GPU or, where there are none, for each node that has processors.
    Without an address, on the cluster of `RAY_ADDRESS`, else one of this machine. Raises
    `BakeoffError` where that is not to be had.
    """
    form = FORM.fullmatch(named)
    if form is None:
        raise BakeoffError(f"--on {named}: write ray, ray:N, ray://HOST:PORT or ray://HOST:PORT/N")
    here, address, there = form.groups()
    ray = _ray(named)
    connected = not ray.is_initialized()
    if connected:
        _connect(ray, named, f"ray://{address}" if address else None)
    gpus = int(ray.cluster_resources().get("GPU", 0))
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")]
    size = int(here or there or gpus or len(nodes))
    if not size:
        raise BakeoffError(f"--on {named}: the cluster has no node with a processor or GPU")
    ray.cloudpickle.register_pickle_by_value(host)
    needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    # It hears while it is told something.
    settings = {"max_concurrency": 2, "scheduling_strategy": "SPREAD", **needs}
    code, digest = _own_code()
    return Actors(
        *(ray, size, ray.remote(**settings)(host.Host)), (ray.put(code), digest), connected
    )


def _ray(named: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise BakeoffError(
            f"--on {named} needs the package ray: pip install 'bakeoff[ray]'"
        ) from error
    return ray


def _connect(ray: Any, named: str, address: str | None) -> None:
    # A client server gives its process 30 s to start, which a busy machine may need twice.
    tries = 2 if address else 1
    try:
        for left in reversed(range(tries)):
            try:
                ray.init(address, log_to_driver=False, logging_level="error")
                return
            except ConnectionError:
                if not left:
                    raise
    except (ConnectionError, ValueError, RuntimeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        # The first says what failed; of a server's traceback, the last one says why.
        why = " ".join(dict.fromkeys([lines[0], lines[-1]]))
        raise BakeoffError(f"--on {named}: no Ray cluster: {why}") from error


def _own_code() -> tuple[bytes, str]:
    """bakeoff's package as a zip archive, and the digest of its files."""
    whole, digest = io.BytesIO(), hashlib.sha256()
    home = Path(OWN)
    files = sorted(p for p in (home / "bakeoff").rglob("*") if p.is_file())
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            if "__pycache__" not in path.parts:
                name = path.relative_to(home).as_posix()
                archive.write(path, name)
                digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.getvalue(), digest.hexdigest()[:16]
