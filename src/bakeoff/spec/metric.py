"""Metrics as values: one spelling, and a parser that is the printer's inverse.

`retrieval_recall(k=5)` is the name in a task file, in a table header, in JSON and in a gate.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from bakeoff.core.words import BakeoffError
from bakeoff.spec import names

_NAME = re.compile(r"(?P<path>\S+::)?(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<args>.*)\))?")

_TEXT = r"'[^']*'|\"[^\"]*\""
_LISTED = re.compile(rf"(?:[^,()'\"]|{_TEXT}|\((?:[^()'\"]|{_TEXT})*\)|[()'\"])+")


def listed(text: str) -> tuple[str, ...]:
    """What is separated by commas, but for those within brackets or quotes."""
    return tuple(part.strip() for part in _LISTED.findall(text) if part.strip())


@dataclass(frozen=True)
class Metric:
    """A scorer's name with its settings; equal metrics print the same.

    >>> str(Metric.parse("retrieval_recall( k = 5 )"))
    'retrieval_recall(k=5)'
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Metric:
        """The metric that `text` spells, by its present name (`names.METRICS`).

        Raises `BakeoffError` when it spells none.
        """
        match = _NAME.fullmatch(text.strip())
        if not match:
            raise BakeoffError(f"'{text}' is not a metric; write name or name(setting=value)")
        path, name, arguments = match.groups(default="")
        if not path:
            present = _NAME.fullmatch(names.metric(f"{name}({arguments})" if arguments else name))
            assert present is not None
            name, arguments = present.group("name", "args")
        try:
            settings = _settings(arguments or "")
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
            raise BakeoffError(
                f"'{text}': settings are written name=value, such as retrieval_recall(k=5)"
            ) from error
        return cls(path + name, tuple(sorted(settings.items())))

    def setting(self, name: str) -> str:
        """The text that a setting has, or an empty one."""
        return str(dict(self.settings).get(name, ""))

    @property
    def judge(self) -> str:
        """The verifier, judge or embedder of the score; empty without one, or with the default."""
        # `by`: the setting's old name, in scorers of the user's own.
        settings = map(self.setting, ("verifier", "embedder", "by"))
        return opinion(next(filter(None, settings), ""))[0]

    @property
    def asks_model(self) -> bool:
        """Whether that is a model, and no file of numbers."""
        return bool(self.judge) and not self.judge.endswith(".json")

    def __str__(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.settings)
        return f"{self.name}({args})" if args else self.name


def _settings(text: str) -> dict[str, object]:
    """`a=1, b='x'` as a mapping. Raises `ValueError` for what is no plain value under a name."""
    call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise ValueError("settings have names")
    settings: dict[str, object] = {}
    for keyword in call.keywords:
        value = ast.literal_eval(keyword.value)
        hash(value)
        # The printed name must be read back as the same value: `1e999` prints as `inf`.
        if keyword.arg in (None, *settings) or ast.literal_eval(repr(value)) != value:
            raise ValueError("a setting is one name and one plain value")
        settings[str(keyword.arg)] = value
    return settings


def opinion(verifier: str) -> tuple[str, int]:
    """A judge and which of its opinions is asked: `judge:m#2` is the second of `judge:m`.

    >>> opinion("judge:m#2"), opinion("judge:m")
    (('judge:m', 2), ('judge:m', 1))
    """
    judge, mark, number = verifier.rpartition("#")
    return (judge, int(number)) if mark and number.isdigit() else (verifier, 1)


def behind_endpoint(verifier: str) -> bool:
    """Whether this is a judge behind an endpoint (NAME:MODEL) and not a model of this machine."""
    return ":" in verifier and not verifier.startswith("hf:")
