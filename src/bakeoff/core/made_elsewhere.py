"""Folders of the cache that are made once, by whichever worker of a run comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Others(Protocol):
    """Who else makes such folders, each named by the digest of all that it is made from."""

    def fetch(self, folder: Path) -> None:
        """Have it be what the others have; nothing where they have none."""
        ...

    def hand(self, folder: Path) -> None:
        """Give it to them, unless they have it."""
        ...


class Nobody:
    """This process shares its cache with all who make something."""

    def fetch(self, folder: Path) -> None: ...
    def hand(self, folder: Path) -> None: ...


others: Others = Nobody()
"""Of this process: set once, by a worker that has a cache of its own."""


def share(with_whom: Others) -> None:
    """From now on, fetch what others made before making it, and hand over what was made."""
    global others
    others = with_whom


def fetch(folder: Path) -> None:
    others.fetch(folder)


def hand(folder: Path) -> None:
    others.hand(folder)
