"""The prompts of a run as its page holds them: each once, passages by their place alone."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Record, Sample

ANSWER = 4000
"""Characters kept of an answer, and of what is before or after the passages of a prompt."""
Prompt = Sequence[tuple[str, Sequence[str]]]
"""(role, text) of each message; a text with passages is in parts, and they are in between."""


def cut(text: str, most: int) -> str:
    """The beginning of a text, with a sentence on how long it was."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… (shortened: the whole has {len(text):,} characters)"


class Prompts:
    """The prompts of one sample after the other: setups that ask alike share one."""

    def __init__(self, run: Run, task: str) -> None:
        self.suite = run.suite
        # Without its texts a run does not know any more what it asked.
        self.wording = None if run.manifest.pruned else run.manifest.tasks[task].wording
        self.found: list[Prompt] = []

    def of(self, setup: str, sample: Sample, record: Record) -> int | None:
        """The place of the prompt of an answer; `None` where the run does not record it."""
        spec = self.suite.setups[setup]
        if self.wording is None or spec.custom or (spec.retrieve and record.answer is None):
            return None
        passages = record.answer.passages if record.answer else ()
        mark = _mark(sample) if passages and spec.retrieve else ""
        chat = self.wording.messages(
            sample.fields, mark, spec.retrieve.question if spec.retrieve else "after"
        )
        prompt = [
            (turn["role"], [cut(p, ANSWER) for p in turn["content"].split(mark)])
            if mark
            else (turn["role"], [cut(turn["content"], ANSWER)])
            for turn in chat
        ]
        if prompt not in self.found:
            self.found.append(prompt)
        return self.found.index(prompt)

    def take(self) -> list[Prompt]:
        """The prompts of the sample that is done."""
        done, self.found = self.found, []
        return done


def _mark(sample: Sample) -> str:
    """A placeholder for the passages: longer than any row of its sign in the sample."""
    return "\0" * (1 + sum(text.count("\0") for text in sample.fields.values()))
