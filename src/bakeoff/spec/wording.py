"""How a task words its questions: the templates that make the chat that asks a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakeoff.core.words import Message, Passage
from bakeoff.spec.yaml_files import Stored


class Wording(Stored):
    """The templates of a task, as its file has them."""

    system: str = ""
    prompt: str
    with_passages: str
    before_passages: str

    def messages(
        self, fields: Mapping[str, str], context: str = "", question: str = "after"
    ) -> list[Message]:
        """The chat that asks a row: the only place where instructions, passages, question meet.

        `question` is before or after the passages of `context`.
        """
        prompt = self.prompt.format(**fields)
        if context:
            template = self.before_passages if question == "before" else self.with_passages
            prompt = template.format(passages=context, prompt=prompt)
        chat: list[Message] = [{"role": "user", "content": prompt}]
        if self.system:
            chat.insert(0, {"role": "system", "content": self.system.format(**fields)})
        return chat


def marked(number: int, passage: Passage) -> str:
    """A passage as a context has it: `[1] Title: text`."""
    title = f"{passage.title}: " if passage.title else ""
    return f"[{number}] {title}{passage.text}"


def context_text(passages: Sequence[Passage]) -> str:
    """The passages of a prompt as one text, numbered from 1."""
    return "\n\n".join(marked(number, passage) for number, passage in enumerate(passages, 1))
