"""Parts by name: bakeoff's own, those that a program assigns, those of installed packages.

A package adds parts by entry points, one group for each kind:

    [project.entry-points."bakeoff.scorers"]
    polite = "my_package.scoring:polite"

Looking for them reads the metadata of every installed package, and using one imports its module:
both are done when a name is asked for that is none of bakeoff's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True)
class Plugin:
    """A part that an installed package adds."""

    kind: str
    """The end of the group: `scorers` of `bakeoff.scorers`."""
    name: str
    package: str
    version: str
    entry: EntryPoint

    @property
    def target(self) -> str:
        """`module:name`, as the package declares it."""
        return self.entry.value

    def load(self) -> Any:
        """The object. Raises `BakeoffError` naming part and package, whatever its import raises."""
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:
            raise BakeoffError(
                f"plugin '{self.name}' (bakeoff.{self.kind}) of {self.package} {self.version}: "
                f"{self.target} cannot be loaded: {type(error).__name__}: {error}"
            ) from error


GROUP = "bakeoff."


@cache
def installed() -> Mapping[str, Mapping[str, Plugin]]:
    """Kind -> name -> what an installed package adds.

    Raises `BakeoffError` where two packages add the same name.
    """
    from importlib.metadata import entry_points

    plugins: dict[str, dict[str, Plugin]] = {}
    every = entry_points()
    groups = [group for group in every.groups if group.startswith(GROUP)]
    for entry in (entry for group in groups for entry in every.select(group=group)):
        package, kind = entry.dist, entry.group.removeprefix(GROUP)
        assert package  # of what is found by looking through packages
        plugin = Plugin(kind, entry.name, package.name, package.version, entry)
        other = plugins.setdefault(kind, {}).setdefault(entry.name, plugin)
        if other is not plugin:
            raise BakeoffError(
                f"{other.package} and {plugin.package} both add '{entry.name}' to "
                f"{entry.group}: uninstall one"
            )
    return plugins


_used: dict[str, str] = {}


def used() -> Mapping[str, str]:
    """Package -> version, of those whose parts this process has loaded."""
    return dict(sorted(_used.items()))


Part = TypeVar("Part")


class Registry(dict[str, Part], Generic[Part]):
    """The parts of one kind by name; `registry[name]` loads an installed one.

    Iteration, `in` and `get` see those of bakeoff and those that a program assigns, and no package
    takes their names; `everything` gives all.
    """

    def __init__(self, kind: str, parts: Mapping[str, Part]) -> None:
        super().__init__(parts)
        self.kind = kind

    def __missing__(self, name: str) -> Part:
        plugin = installed().get(self.kind, {}).get(name)
        if plugin is None:
            raise KeyError(name)
        part: Part = plugin.load()
        _used[plugin.package] = plugin.version
        return part

    def find(self, name: str) -> Part | None:
        """The part of that name. Raises `BakeoffError` when an installed one cannot be loaded."""
        try:
            return self[name]
        except KeyError:
            return None

    def names(self) -> list[str]:
        """All names, those of installed packages last."""
        return [*self, *self._added()]

    def everything(self) -> Iterator[tuple[str, Part]]:
        """All parts by name. Raises `BakeoffError` when an installed one cannot be loaded."""
        yield from self.items()
        for name in self._added():
            yield name, self[name]

    def _added(self) -> list[str]:
        return sorted(installed().get(self.kind, {}).keys() - self.keys())
