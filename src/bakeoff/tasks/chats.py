"""Chat rows, as fine-tuning services take them, made into questions with their answers.

`{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ida"}]}`, or
`conversations` with `from` and `value`: the last assistant turn is the target, the turns before it
are the question, and the system turn is the field `system`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from bakeoff.core.counts import quantity
from bakeoff.core.hints import shown
from bakeoff.core.words import faults
from bakeoff.tasks.formats.decoding import Reading

COLUMNS = ("messages", "conversations")
"""Columns that hold the turns of a chat."""
_ROLES = {
    **{"human": "user", "gpt": "assistant", "model": "assistant", "developer": "system"},
    **{"function": "tool", "observation": "tool", "function_call": "assistant"},
}
"""Other words for a role -> the role."""


@dataclass(frozen=True)
class Turn:
    """One turn of a chat; `role` is `system`, `user`, `assistant` or `tool`."""

    role: str
    text: str
    calls: tuple[str, ...] = ()
    """The tools that an assistant's turn calls, with their arguments."""

    @property
    def shown(self) -> str:
        lines = [self.text] if self.text else []
        return "\n".join([*lines, *(f"calls {call}" for call in self.calls)])


def column_of(columns: Sequence[str], mapping: Mapping[str, str]) -> str:
    """The column with the turns, if these are chat rows: none holds the question itself."""
    if mapping.get("question", "question") in columns:
        return ""
    named = mapping.get("messages")
    return next((name for name in ((named,) if named else COLUMNS) if name in columns), "")


def questions_of(
    rows: Sequence[Mapping[str, object]], column: str, where: str, reading: Reading
) -> list[dict[str, object]]:
    """The chat rows as rows with `question`, `targets` and `system`.

    Rows whose last turn calls a tool have no text to compare with: they are left out and counted.
    Raises `BakeoffError` listing the rows that are no chats or have no answer.
    """
    made: list[dict[str, object]] = []
    problems: list[str] = []
    several = 0
    for number, row in enumerate(rows, 1):
        try:
            turns = _turns(row.get(column), reading)
            question = _question(turns)
        except ValueError as error:
            problems.append(f"{where} row {number}: {column}: {error}")
            continue
        if turns[-1].calls and not turns[-1].text:
            reading.dropped["rows that end in a tool call"] += 1
            continue
        system = "\n".join(turn.text for turn in turns if turn.role == "system")
        rest = {name: value for name, value in row.items() if name != column}
        # The number of the row as it is in its file, whatever is left out before it.
        rest.setdefault("id", str(number))
        several += len([turn for turn in turns if turn.role != "system"]) > 2
        made.append({**rest, "system": system, "question": question, "targets": [turns[-1].text]})
    faults(problems)
    if several:
        reading.remark(
            f"several turns in {several} of {quantity(len(made), 'chat')}: the "
            "question is all before the "
            "last answer"
        )
    return made


def _turns(value: object, reading: Reading) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"must be a list of turns, found {shown(value)}")
    turns = [_turn(raw, number, reading) for number, raw in enumerate(value, 1)]
    if turns[-1].role != "assistant":
        raise ValueError(
            f"ends with a turn of '{turns[-1].role}'; the answer of the assistant is the target"
        )
    if not turns[-1].text and not turns[-1].calls:
        raise ValueError("the last turn of the assistant is empty")
    return turns


class _Raw(BaseModel):
    """A part of a chat as it stands in a row; services name its parts differently."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class _RawTurn(_Raw):
    role: Any = Field(default=None, validation_alias=AliasChoices("role", "from"))
    content: Any = Field(default=None, validation_alias=AliasChoices("content", "value"))
    tool_calls: Any = None
    function_call: Any = None


class _RawPart(_Raw):
    text: Any = None


class _RawCall(_Raw):
    function: Any = None
    name: Any = "a tool"
    arguments: Any = ""


def _turn(raw: object, number: int, reading: Reading) -> Turn:
    if not isinstance(raw, dict):
        raise ValueError(
            f"turn {number}: must be a mapping with role and content, found {shown(raw)}"
        )
    stated = _RawTurn.model_validate(raw)
    role = _ROLES.get(str(stated.role), stated.role)
    if role not in ("system", "user", "assistant", "tool"):
        raise ValueError(
            f"turn {number}: role: {shown(stated.role)} is none of system, user, assistant, tool"
        )
    text = _content(stated.content, number, reading)
    if stated.role == "function_call":
        return Turn("assistant", "", (text,))
    calls = stated.tool_calls or ([stated.function_call] if stated.function_call else [])
    return Turn(str(role), text, tuple(map(_call, calls)))


def _call(raw: object) -> str:
    """`lookup({"id": 4})`, of a call in any form that services use."""
    call = _RawCall.model_validate(raw if isinstance(raw, dict) else {})
    if isinstance(call.function, dict):
        call = _RawCall.model_validate(call.function)
    return f"{call.name}({call.arguments})"


def _content(content: object, number: int, reading: Reading) -> str:
    """The text of a turn; its parts that are no text (images, audio) are counted."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise ValueError(
            f"turn {number}: content: must be a text or a list of parts, found {shown(content)}"
        )
    parts = [_RawPart.model_validate(part) for part in content if isinstance(part, dict)]
    texts = [part.text for part in parts if isinstance(part.text, str)]
    if other := len(content) - len(texts):
        reading.dropped["images and other parts of turns"] += other
    return "\n".join(texts)


def _question(turns: Sequence[Turn]) -> str:
    """The turns before the answer: the user's text alone, or all of them with their roles."""
    before = [turn for turn in turns[:-1] if turn.role != "system" and (turn.text or turn.calls)]
    if not any(turn.role == "user" and turn.text.strip() for turn in before):
        raise ValueError("no turn of the user with a text before the answer")
    if len(before) == 1:
        return before[0].text
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.shown}" for turn in before)
