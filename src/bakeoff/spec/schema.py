"""JSON Schema of the files that people write, made from the models that read them.

An editor checks a file by it and shows what a field means. The descriptions are the texts under the
models' fields: there is no other place for them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bakeoff.spec.yaml_files import File, Form

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[File], title: str) -> Form:
    """The schema of a kind of file."""
    made = model.model_json_schema(schema_generator=_Described)
    return {"$schema": DIALECT, **made, "title": title}


@lru_cache
def field_texts(model: type[File]) -> Mapping[str, str]:
    """Field -> its documentation, in one line; fields without a text have no entry."""
    texts: dict[str, str] = {}
    for part in reversed(model.__mro__):
        if issubclass(part, File) and part is not File:
            texts |= _texts(part)
    return texts


def _texts(model: type[File]) -> dict[str, str]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


class _Described(GenerateJsonSchema):
    """Puts the texts under the fields in; leaves long defaults and made-up titles out."""

    def model_schema(self, schema: Any) -> Form:
        made = super().model_schema(schema)
        model = schema["cls"]
        texts = field_texts(model)
        made["description"] = " ".join((model.__doc__ or "").split())
        for name, field in made.get("properties", {}).items():
            field.pop("title", None)
            default = field.get("default", "")
            if default is None or isinstance(default, dict | list):
                field.pop("default")
            if name in texts:
                field["description"] = texts[name]
        return made
