"""Writes docs/reference/files.md, docs/reference/commands.md and docs/schema/*.json.

    python docs/make_reference.py

The texts come from the models that read the files and from the commands, the examples from
docs/reference_examples.py.
tests/test_reference.py fails where a file is stale, an example does not load, or a field has no
text or no example.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.running.file_kinds import FILES, schema_text
from bakeoff.spec.schema import json_schema
from reference_commands import commands_page
from reference_examples import EXAMPLES, HEAD, PLACES

HERE = Path(__file__).parent
PAGE = HERE / "reference" / "files.md"
COMMANDS = HERE / "reference" / "commands.md"
SCHEMAS = HERE / "schema"


def written() -> dict[Path, str]:
    """Every file that is made, with its text."""
    schemas = {SCHEMAS / f"{kind}.json": schema_text(kind) for kind in FILES}
    return {PAGE: page(), COMMANDS: commands_page(), **schemas}


def page() -> str:
    """The reference page: a chapter for each kind of file, a section for each of its parts."""
    seen: set[str] = set()
    return "\n\n".join([HEAD, *(_chapter(kind, seen) for kind in FILES)]) + "\n"


def _chapter(kind: str, seen: set[str]) -> str:
    whole = json_schema(FILES[kind], kind)
    parts = whole.get("$defs", {})
    name = FILES[kind].__name__
    sections = [_section(f"## {kind.capitalize()} files", name, whole, parts)]
    for part in _in_order(whole, parts):
        if part in seen:
            continue
        seen.add(part)
        sections.append(_section(f"### `{PLACES[part]}`", part, parts[part], parts))
    return "\n\n".join(sections)


def _in_order(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> list[str]:
    """The parts of a file in the order in which its fields name them."""
    order: list[str] = []

    def walk(schema: Mapping[str, Any]) -> None:
        for name in re.findall(r"'#/\$defs/(\w+)'", str(schema.get("properties"))):
            if name not in order:
                order.append(name)
                walk(parts[name])

    walk(schema)
    return order


def _section(title: str, name: str, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        f"| `{field}` | {form(about, parts)} | {_default(field, about, required)} | "
        f"{_cell(about['description'])} |"
        for field, about in schema["properties"].items()
    ]
    table = ["| field | form | default | meaning |", "|---|---|---|---|", *rows]
    examples = [f"```yaml\n{example.strip()}\n```" for example in EXAMPLES[name]]
    return "\n\n".join([title, schema["description"], "\n".join(table), *examples])


def _default(field: str, about: Mapping[str, Any], required: Any) -> str:
    if field in required:
        return "required"
    value = about.get("default", "")
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{_cell(str(shown))}`" if value != "" else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", r"\n")


def form(about: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What a field may hold, in a few words."""
    if "anyOf" in about:
        forms = [form(one, parts) for one in about["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(forms))
    if "$ref" in about:
        part = about["$ref"].rpartition("/")[2]
        return f"[`{PLACES[part]}`](#{_anchor(PLACES[part])})"
    if "const" in about or "enum" in about:
        return ", ".join(
            f"`{_spelled(value)}`" for value in about.get("enum", [about.get("const")])
        )
    return _of_type(about, parts)


def _of_type(about: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    kind = about.get("type")
    if kind == "array":
        if "prefixItems" in about:
            return "[" + ", ".join(form(one, parts) for one in about["prefixItems"]) + "]"
        return f"list of {form(about['items'], parts)}"
    if kind == "object":
        values = about.get("additionalProperties")
        held = form(values, parts) if isinstance(values, Mapping) and values else "anything"
        return f"name: {held}"
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(about)
    words = {
        "string": "date" if about.get("format") == "date" else "text",
        "boolean": "true, false",
    }
    return words.get(str(kind), "anything")


def _bounds(about: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    ends = [f"{sign} {about[name]:g}" for name, sign in signs.items() if name in about]
    return f" {', '.join(ends)}" if ends else ""


def _spelled(value: object) -> str:
    return (
        {True: "true", False: "false"}.get(value, str(value))
        if value in (True, False)
        else str(value)
    )


def _anchor(place: str) -> str:
    return re.sub(r"[^\w -]", "", place.lower()).replace(" ", "-")


def main() -> None:
    """Write all of them."""
    SCHEMAS.mkdir(exist_ok=True)
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
