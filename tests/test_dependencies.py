"""What bakeoff imports is what its package declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from conftest import ROOT


def distribution(text: str) -> str:
    """The name of a distribution, in one spelling, from its name or a requirement."""
    name = re.match(r"[\w.-]+", text)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def declared() -> set[str]:
    """Distributions that the package or one of its extras for users asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "dev"}
    texts = [*project["dependencies"], *(text for group in extras.values() for text in group)]
    return {distribution(text) for text in texts}


def imported() -> dict[str, str]:
    """Library -> a module that imports it, anywhere in it."""
    places: dict[str, str] = {}
    for path in sorted((ROOT / "src" / "bakeoff").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                places.setdefault(name.partition(".")[0], path.name)
    return {k: v for k, v in places.items() if k not in {*sys.stdlib_module_names, "bakeoff"}}


def test_every_library_that_is_imported_is_declared() -> None:
    distributions = packages_distributions()
    missing = {
        name: place
        for name, place in imported().items()
        if not declared() & {distribution(each) for each in distributions.get(name, [name])}
    }
    assert not missing
