"""Functions of the user's own that a file names."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bakeoff.core.words import BakeoffError


def load_function(reference: str, folder: Path) -> Callable[..., Any]:
    """The function that `./file.py::name` (from `folder`) or `package.module::name` names.

    Raises `BakeoffError` when the file, module or function is not there.
    """
    where, _, name = reference.rpartition("::")
    if not where or not name:
        raise BakeoffError(f"'{reference}': write ./file.py::function or module::function")
    module = _load_module(where, folder)
    function = getattr(module, name, None)
    if not callable(function):
        raise BakeoffError(f"'{reference}': {where} has no function '{name}'")
    found: Callable[..., Any] = function
    return found


def _load_module(where: str, folder: Path) -> ModuleType:
    if not where.endswith(".py"):
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise BakeoffError(f"'{where}': {error}") from error
    path = (folder / where).resolve()
    if not path.is_file():
        raise BakeoffError(f"'{where}': there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
