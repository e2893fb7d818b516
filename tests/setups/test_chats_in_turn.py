"""The chats that ask a task's samples: a sequence whose members are made when they are needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

import words_project
from bakeoff.core.words import Decoding, Generation, Message, Sample, Sending, unwatched
from bakeoff.models.pool import Pool
from bakeoff.setups.answerer import Engine, build, chats
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.spec.benchmark import Setup, load_suite
from bakeoff.tasks.load import Task, load_task


class Looked(list[Sample]):
    """Samples that keep the ids of those that were looked at."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__(samples)
        self.ids: list[str] = []

    def __getitem__(self, index):  # type: ignore[no-untyped-def, override]
        self.ids.append(super().__getitem__(index).id)
        return super().__getitem__(index)


class OneByOne:
    """A model that looks at a chat when its turn has come, as one behind an endpoint does."""

    repeatable = True

    def fingerprint(self) -> dict[str, str]:
        return {}

    def count(self, text: str) -> int:
        return len(text)

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation]]:
        for index in range(len(chats)):
            yield index, Generation(chats[index][0]["content"], 1, 1)

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation:
        raise NotImplementedError


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Setup, Task, Engine]:
    """A closed-book setup on a task, and what it is built from."""
    words_project.write_project(tmp_path)
    file = tmp_path / words_project.FILE
    suite = load_suite(file)
    pool = Pool(suite, file, tmp_path / "cache", {})
    task = load_task(tmp_path / "tasks" / "words.yaml")
    return Setup(name="base"), task, Engine(OneByOne(), RetrievalCache(pool))


def test_the_first_answer_is_there_before_the_last_question_is_worded(
    parts: tuple[Setup, Task, Engine],
) -> None:
    setup, task, engine = parts
    samples = Looked(task.samples[:3])
    answers = build(setup, task, engine)(samples)
    index, _ = next(answers)
    assert (index, samples.ids) == (0, ["q0"])
    assert [index for index, _ in answers] == [1, 2]
    assert samples.ids == ["q0", "q1", "q2"]


def test_chats_are_a_sequence_like_any_other(parts: tuple[Setup, Task, Engine]) -> None:
    setup, task, engine = parts
    asked = chats(setup, task, engine, task.samples)
    texts = [f"word {n}?" for n in range(words_project.N)]
    assert [chat[0]["content"] for chat in asked] == texts
    assert [chat[0]["content"] for chat in asked[1:3]] == texts[1:3]
    assert asked[-1][0]["content"] == texts[-1]
    with pytest.raises(IndexError):
        asked[words_project.N]
