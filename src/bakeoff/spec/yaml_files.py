"""YAML files a user writes: read strictly, and one list of everything wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)

from bakeoff.core.hints import near
from bakeoff.core.hints import shown as _short
from bakeoff.core.parts import parts_of
from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec import names


class File(BaseModel):
    # Built when first used: a command that reads no such file does not wait for it.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _by_present_names(cls, raw: Any) -> Any:
        return names.fields(cls.__name__, raw)


class Stored(File):
    """A part of a file that bakeoff itself writes and reads back."""

    # JSON as Python writes it: what has no upper bound ends at Infinity.
    model_config = ConfigDict(ser_json_inf_nan="constants")


class Also:
    """Further forms in which a file may give a part, for its schema: `Annotated[Gate, Also(TEXT)]`.

    What reads the file turns them into the part's own form. A form may be made of the own one.
    """

    def __init__(self, *forms: Form | Callable[[Form], Form]) -> None:
        self.forms = forms

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Form:
        own = handler(schema)
        return {"anyOf": [*(form(own) if callable(form) else form for form in self.forms), own]}


Form = dict[str, Any]
"""A part of a JSON Schema."""
TEXT: Form = {"type": "string"}
NUMBER: Form = {"type": "number"}
SWITCH: Form = {"type": "boolean"}
NOTHING: Form = {"type": "null"}
F = TypeVar("F", bound=File)
T = TypeVar("T")
Known = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""A part that is left out of the file where there is none."""


def prompt_fields(template: str) -> set[str]:
    """The `{field}` names of a prompt template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def read_yaml(path: Path) -> Any:
    """The value a YAML file holds. Raises `BakeoffError` naming the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BakeoffError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise BakeoffError(
            f"{path}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be read: {error.strerror or error}") from error
    # A command that reads finished runs alone does not wait for the library.
    from bakeoff.spec import strict_yaml

    try:
        return strict_yaml.loads(text)
    except BakeoffError as error:
        raise BakeoffError(f"{path}: {error}") from error


def validated(model: type[F], path: Path, raw: Any) -> F:
    """The file's content as `model`; every fault in one `BakeoffError`."""
    if raw is None:
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        raise BakeoffError(f"{path}: is empty; write {', '.join(needed) or 'its fields'}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults([f"{path}: {fault}" for fault in explained(error, model)])
        raise


def explained(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """Every fault as `field: what is wrong`; `model` knows the names that a field could have."""
    problems = [parts_of(_Problem, problem) for problem in error.errors()]
    told = [(problem.loc, _wrong(problem, model)) for problem in problems]
    return [
        f"{'.'.join(map(str, place))}: {what}" if place else what
        for place, what in told
        # A benchmark's own recipe is in each of its setups, too, and told once.
        if place[:1] != ("setups",) or (place[2:], what) not in told
    ]


_MUST_BE = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), "a mapping, name: value"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list, [a, b]"),
    "string_type": "a text",
}
"""Kind of fault -> what the value must be."""


_LIMITS = {
    **{"greater_than_equal": ("ge", "{} or more"), "greater_than": ("gt", "above {}")},
    **{"less_than_equal": ("le", "{} or less"), "less_than": ("lt", "below {}")},
}
"""Kind of fault -> its bound, and what the value must be."""


class _Problem(NamedTuple):
    """One of the `errors()` of pydantic."""

    type: str
    loc: tuple[int | str, ...]
    input: Any
    msg: str
    ctx: Any = None


def _wrong(problem: _Problem, model: type[BaseModel] | None) -> str:
    """What is wrong with a value."""
    kind, place, value = problem.type, problem.loc, problem.input
    message = problem.msg.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = _fields_at(model, place[:-1]) if model else ()
        return f"no such field{near(str(place[-1]), known)}"
    if kind == "missing":
        return "must be given"
    if kind in _MUST_BE and place:
        unquoted = kind == "string_type" and isinstance(value, bool | int | float)
        found = f"must be {_MUST_BE[kind]} (found {masked(_short(value))})"
        return f"{found}; quote it" if unquoted else found
    if kind in _LIMITS:
        bound, words = _LIMITS[kind]
        message = f"must be {words.format(str(problem.ctx[bound]).removesuffix('.0'))}"
    elif kind == "string_pattern_mismatch" and "'^https?://" in message:
        message = "must be an address such as http://HOST:PORT/v1"
    message = message.replace("Input should be ", "must be ", 1)
    shown = "" if isinstance(value, dict | list) else f" (found {masked(repr(value))})"
    return f"{message}{shown}"


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> Collection[str]:
    """The fields of the part of a file that is at a place; none where that is no model."""
    kinds: set[Any] = {model}
    for name in place:
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = [part.model_fields[name] for part in parts if name in part.model_fields]
        # Names of a mapping's entries, numbers of a list's, and forms of a union lead no deeper.
        kinds = set(chain.from_iterable(_models(field.annotation) for field in fields)) or kinds
    return {field for kind in kinds for field in kind.model_fields}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
