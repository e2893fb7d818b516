"""Functions of the user's own that a file names, and what may go wrong in them."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from bakeoff.core.hints import did_you_mean
from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError, digest


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


def missing_function(reference: str, folder: Path) -> str:
    """Why `load_function` would not get the function, where that shows without running any code.

    Empty where the function is named in the file, or the module is there.
    """
    where, _, name = reference.rpartition("::")
    if not where or not name:
        return f"'{reference}': write ./file.py::function or module::function"
    if not where.endswith(".py"):
        try:
            known = importlib.util.find_spec(where) is not None
        except (ImportError, ValueError):
            known = False
        return "" if known else f"'{reference}': there is no module '{where}'"
    path = (folder / where).resolve()
    if not path.is_file():
        return f"'{reference}': there is no file {path}"
    try:
        names = _names_in(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError) as error:
        return f"'{reference}': {described(error)}"
    if name in names or "*" in names:
        return ""
    return f"'{reference}': {where} has no function '{name}'{did_you_mean(name, names)}"


def _names_in(module: ast.Module) -> set[str]:
    """The names that a module binds, wherever in it."""
    names: set[str] = set()
    for part in ast.walk(module):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.alias):
            names.add(part.asname or part.name.partition(".")[0])
    return names


Functions = Mapping[str, Callable[..., Any]]
"""Setup -> the function of the calling program that answers for it."""


def reference_to(function: Callable[..., Any]) -> str:
    """How a function of the calling program is recorded: `module::name#digest of its source`.

    The digest is of the function's own lines: not of what they call, or of the values they use.
    """
    whole = function.func if isinstance(function, partial) else function
    whole = inspect.unwrap(whole)
    named = whole if hasattr(whole, "__qualname__") else type(whole)
    name = f"{named.__module__}::{named.__qualname__}"
    return f"{name}#{digest(source_of(named))}"


def source_of(function: Callable[..., Any]) -> str:
    """The lines of a function or class; what it was compiled to where there are none."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return f"{code.co_code.hex()} {code.co_names} {code.co_consts}" if code else repr(function)


def file_digests(references: Iterable[str], folder: Path) -> dict[str, str]:
    """Reference `./file.py::name` -> the digest of its file; not of what that file imports.

    Without those that name a module, or a missing file: loading it raises the error.
    """
    digests = {}
    for reference in references:
        where, _, name = reference.rpartition("::")
        path = folder / where
        if name and where.endswith(".py") and path.is_file():
            digests[reference] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return digests


@contextmanager
def users_code(name: str) -> Iterator[None]:
    """Runs code of the user's; whatever it raises, `sys.exit` too, is a `BakeoffError`."""
    try:
        yield
    except BakeoffError:
        raise
    except (Exception, SystemExit) as error:
        raise BakeoffError(f"'{name}': {described(error)}") from error


def described(error: BaseException) -> str:
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
