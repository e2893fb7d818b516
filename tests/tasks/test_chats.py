"""Chat rows, as fine-tuning services take them, are questions with their answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.load import load_task
from bakeoff.tasks.task import Task

SYSTEM = {"role": "system", "content": "Be brief."}
WHO = {"role": "user", "content": "Who runs it?"}
IDA = {"role": "assistant", "content": "Ida"}
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"type": "function", "function": {"name": "look_up", "arguments": '{"id": 4}'}}
]}  # fmt: skip
TOOL = {"role": "tool", "tool_call_id": "1", "content": "name: Ida"}


def loaded(folder: Path, chats: Sequence[Any], column: str = "messages", **task: Any) -> Task:
    rows = [chat if isinstance(chat, dict) else {column: chat} for chat in chats]
    (folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "chat.yaml"
    file = {"description": "d", "rows": {"test": "chats.jsonl"}, "scorers": ["contains"], **task}
    path.write_text(json.dumps(file))
    return load_task(path)


def test_the_last_answer_is_the_target_and_the_user_asks(tmp_path: Path) -> None:
    task = loaded(tmp_path, [[SYSTEM, WHO, IDA]], system="{system}")
    (sample,) = task.samples
    assert (sample.question, sample.targets) == ("Who runs it?", ("Ida",))
    assert sample.fields["system"] == "Be brief."
    assert task.notes == ()


def test_the_form_with_from_and_value_is_read_too(tmp_path: Path) -> None:
    chat = [{"from": "human", "value": "Who runs it?"}, {"from": "gpt", "value": "Ida"}]
    (sample,) = loaded(tmp_path, [chat], "conversations").samples
    assert (sample.question, sample.targets) == ("Who runs it?", ("Ida",))


def test_of_several_turns_and_tools_the_question_is_all_before_the_answer(tmp_path: Path) -> None:
    task = loaded(tmp_path, [[WHO, CALL, TOOL, IDA], [WHO, IDA]])
    assert task.samples[0].question == (
        'User: Who runs it?\n\nAssistant: calls look_up({"id": 4})\n\nTool: name: Ida'
    )
    assert task.notes == (
        "test rows: several turns in 1 of 2 chats: the question is all before the last answer",
    )


def test_chats_without_a_text_to_compare_with_are_left_out_and_counted(tmp_path: Path) -> None:
    task = loaded(tmp_path, [[WHO, IDA], [WHO, CALL], [WHO, IDA]])
    assert [sample.id for sample in task.samples] == ["1", "3"]
    assert task.notes == ("test rows: left out: rows that end in a tool call (1)",)


def test_a_system_turn_that_the_task_does_not_use_is_said(tmp_path: Path) -> None:
    (note,) = loaded(tmp_path, [[SYSTEM, WHO, IDA], [WHO, IDA]]).notes
    assert note.startswith("test rows: 1 chat with a system turn that the task does not use")
    assert "system: '{system}'" in note


def test_a_system_turn_that_is_the_tasks_own_is_used(tmp_path: Path) -> None:
    chats = [[SYSTEM, WHO, IDA], [WHO, IDA]]
    assert loaded(tmp_path, chats, system=SYSTEM["content"]).notes == ()


def test_parts_that_are_no_text_are_counted(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "Who is this?"}, {"type": "image_url", "image_url": {}}]
    task = loaded(tmp_path, [[{"role": "user", "content": parts}, IDA]])
    assert task.samples[0].question == "Who is this?"
    assert task.notes == ("test rows: left out: images and other parts of turns (1)",)


def test_other_columns_of_chats_are_kept_and_mapped(tmp_path: Path) -> None:
    rows = [{"Nr": "a7", "dialog": [WHO, IDA], "topic": "staff"}]
    columns = {"id": "Nr", "messages": "dialog", "tags": "{topic: topic}"}
    (sample,) = loaded(tmp_path, rows, columns=columns).samples
    assert (sample.id, sample.question) == ("a7", "Who runs it?")
    assert sample.tags == {"topic": "staff"}


def test_chats_to_train_on_go_with_a_table_of_questions(tmp_path: Path) -> None:
    """The columns of the table are not those of the chats."""
    (tmp_path / "q.csv").write_text("Nr;Frage;Antwort\n7;Where is it?;here\n")
    train = {"messages": [WHO, IDA]}
    (tmp_path / "train.jsonl").write_text(json.dumps(train))
    rows = {"test": "q.csv", "train": "train.jsonl"}
    columns = {"id": "Nr", "question": "Frage", "targets": "Antwort"}
    task = loaded(tmp_path, [], rows=rows, columns=columns)
    assert [(s.id, s.question, s.targets) for s in (*task.samples, *task.train)] == [
        ("7", "Where is it?", ("here",)),
        ("1", "Who runs it?", ("Ida",)),
    ]


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ([WHO], "row 1: messages: ends with a turn of 'user'; the answer of the assistant is"),
        ([], "row 1: messages: must be a list of turns, found []"),
        ("Who?", "row 1: messages: must be a list of turns, found 'Who?'"),
        ([WHO, {"role": "bot", "content": "Ida"}], "turn 2: role: 'bot' is none of system, user"),
        ([{"role": "user", "content": 7}, IDA], "turn 1: content: must be a text or a list of"),
        ([IDA], "no turn of the user with a text before the answer"),
        ([WHO, {"role": "assistant", "content": ""}], "the last turn of the assistant is empty"),
        ([WHO, "Ida"], "turn 2: must be a mapping with role and content, found 'Ida'"),
    ],
)
def test_what_is_no_chat_is_named_with_its_turn(chat: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(BakeoffError) as error:
        loaded(tmp_path, [chat] if isinstance(chat, list) else [{"messages": chat}])
    assert message in str(error.value)
