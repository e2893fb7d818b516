"""Workers that are processes of this machine; where it has GPUs, each has one for itself."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from bakeoff.core import child, gpus
from bakeoff.core.child import Child
from bakeoff.core.words import BakeoffError
from bakeoff.running.fleet.messages import Link, Lost


@dataclass(frozen=True)
class Processes:
    """So many workers on this machine."""

    size: int
    apart: bool = False

    def start(self, place: int) -> Child:
        """Raises `BakeoffError` where the system starts no more processes."""
        try:
            return child.start("bakeoff.running.fleet.worker", gpus.given(os.environ, place))
        except OSError as error:
            raise BakeoffError(f"--on processes:{self.size}: {error.strerror or error}") from error

    def wait(self, links: Collection[Link], seconds: float) -> list[tuple[Link, object]]:
        by_connection = {link.connection: link for link in links if isinstance(link, Child)}
        heard: list[tuple[Link, object]] = []
        for connection in wait(list(by_connection), seconds):
            assert isinstance(connection, Connection)
            link = by_connection[connection]
            try:
                heard.append((link, connection.recv()))
            except (EOFError, OSError):
                heard.append((link, Lost(link.ending)))
        return heard

    def close(self) -> None:
        """Nothing is shared by the workers."""
