"""YAML as people write it, read strictly."""

from __future__ import annotations

from typing import Any

import yaml

from bakeoff.core.words import BakeoffError


def loads(text: str) -> Any:
    """The value of a YAML text. Raises `BakeoffError` that says what is wrong, and where in it."""
    try:
        return yaml.load(text, _StrictLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise BakeoffError(_in_one_line(error)) from error
    except RecursionError as error:
        raise BakeoffError("nested too deeply") from error


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses what hides mistakes: keys that are no texts or occur twice, aliases."""

    def compose_node(self, parent: Any, index: int) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise BakeoffError(f"line {mark.line + 1}: YAML aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BakeoffError(f"line {line}: a key must be a text; quote what has braces")
            if key.tag != _TEXT:
                # `no` and `off` would be one and the same name, False.
                if key.tag == _MERGE:
                    raise BakeoffError(f"line {line}: YAML merge keys (<<) are not allowed")
                raise BakeoffError(
                    f"line {line}: key {key.value or '(none)'}: YAML reads "
                    f"{_KINDS.get(key.tag, 'no text')}; quote it: '{key.value or 'NAME'}'"
                )
            if key.value in seen:
                raise BakeoffError(f"line {line}: key '{key.value}' occurs twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_KINDS = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:timestamp": "a date",
}
"""What YAML takes a word for that is not quoted -> in words."""


_HINTS = {
    "found character '\\t'": "a tab; indent with spaces",
    "mapping values are not allowed here": (
        "a colon where none can be: put a space behind the colon of the line before, or quote a "
        "text that has one"
    ),
    "could not find expected ':'": "no colon behind a name, or no space behind the colon",
}
"""A YAML reader's message -> the likely mistake."""


def _in_one_line(error: Exception) -> str:
    """Where YAML is not valid, and why."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"not valid YAML: {' '.join(str(error).split())}"
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    hint = next((hint for text, hint in _HINTS.items() if text in str(parts[1])), "")
    reason = hint or ", ".join(filter(None, parts))
    return f"line {mark.line + 1}: not valid YAML: {reason}"
