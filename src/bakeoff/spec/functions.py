"""Functions of the user's own that a file names, and what may go wrong in them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError


def load_function(reference: str, folder: Path) -> Callable[..., Any]:
    """The function that `./file.py::name` (from `folder`) or `package.module::name` names.

    Raises `BakeoffError` when the file, module or function is not there, or cannot be imported.
    """
    where, _, name = reference.rpartition("::")
    if not where or not name:
        raise BakeoffError(f"'{reference}': write ./file.py::function or module::function")
    with users_code(where):
        module = _load_module(where, folder)
    function = getattr(module, name, None)
    if not callable(function):
        raise BakeoffError(f"'{reference}': {where} has no function '{name}'")
    loaded: Callable[..., Any] = function
    return loaded


@contextmanager
def users_code(name: str) -> Iterator[None]:
    """Runs code of the user's; whatever it raises, `sys.exit` too, is a `BakeoffError`."""
    try:
        yield
    except BakeoffError:
        raise
    except (Exception, SystemExit) as error:
        raise BakeoffError(f"'{name}': {told(error)}") from error


def told(error: BaseException) -> str:
    """What was raised, in one line of text."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    # Libraries quote the address that they asked, with the key in it.
    return f"{type(error).__name__}: {masked(' '.join(str(error).split()))}"


def _load_module(where: str, folder: Path) -> ModuleType:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = (folder / where).resolve()
    if not path.is_file():
        raise BakeoffError(f"'{where}': there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
