"""Chat templates: how a chat becomes the text that a model reads, and what ends an answer in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from bakeoff.core.words import BakeoffError, Message

IN_USER_TURN = "in the first user turn"
"""Where the system message is put for a template that has no system role."""
_PROBE = "bakeoff-probe"
PLAIN = (
    "{% for turn in messages %}{{ turn['role'] | capitalize + ':\n' + turn['content'] }}"
    "{{ eos_token if turn['role'] == 'assistant' }}{{ '\n\n' }}{% endfor %}"
    "{{ 'Assistant:\n' if add_generation_prompt }}"
)
"""How a base model is asked, which brings no chat template: each text under its role."""
_NEXT_TURN = re.compile(r"\n(?:System|User|Assistant):")
_HEADING_TOKENS = 16
"""Tokens at the end of a text in which such a heading has room, be they single bytes."""


@dataclass(frozen=True)
class ChatTemplate:
    """The template of a tokenizer, or another one in its place."""

    model: str
    """Its reference, in messages."""
    tokenizer: Any
    source: str | None = None
    """The template; `None`: the tokenizer's own, or `PLAIN` where it has none."""

    @property
    def is_plain(self) -> bool:
        """Whether the model was published without a chat template."""
        return self.source is None and not self.tokenizer.chat_template

    @cached_property
    def text(self) -> str | Mapping[str, str]:
        """The template itself; several by name where the tokenizer has several."""
        if not self.is_plain:
            known: str | Mapping[str, str] = self.source or self.tokenizer.chat_template
            return known
        begin = self.tokenizer.bos_token
        ids = self.tokenizer("?").input_ids
        # As templates of families do whose tokenizers put a begin token before each text.
        begins = begin is not None and ids[0] == self.tokenizer.bos_token_id
        return "{{ bos_token }}" + PLAIN if begins else PLAIN

    @cached_property
    def has_system_role(self) -> bool:
        """Whether it writes what the system says: some refuse it, others silently leave it out."""
        chat = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "?"}]
        try:
            return _PROBE in self._written(chat)
        except TemplateError:
            return False

    @property
    def facts(self) -> Mapping[str, str]:
        """How a model is asked, where that does not follow from the template itself."""
        plain = {"template": "plain text, as it has none"} if self.is_plain else {}
        return plain | ({} if self.has_system_role else {"system": IN_USER_TURN})

    def fitted(self, chat: Sequence[Message]) -> Sequence[Message]:
        """The chat; without a system role, what the system says begins the first user turn."""
        turns = [(turn["role"], turn["content"]) for turn in chat]
        system = [text for role, text in turns if role == "system"]
        if self.has_system_role or not system:
            return chat
        others = [turn for turn in turns if turn[0] != "system"]
        first = next((n for n, (role, _) in enumerate(others) if role == "user"), None)
        asked = [] if first is None else [others[first][1]]
        merged = ("user", "\n\n".join(filter(str.strip, [*system, *asked])))
        others[(first or 0) : (first or 0) + len(asked)] = [merged]
        return [{"role": role, "content": text} for role, text in others]

    def render(self, chat: Sequence[Message]) -> str:
        """The prompt text as the model was taught to read it.

        Raises `BakeoffError` for a chat that the template refuses.
        """
        try:
            return self._written(self.fitted(chat))
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in chat)
            raise BakeoffError(
                f"model '{self.model}': its chat template refuses turns of {roles}: {error}"
            ) from error

    @cached_property
    def end(self) -> int:
        """The token that it writes behind an answer; else the one that ends a text.

        They are not the same in all families: Gemma's and Phi's turns end otherwise than texts.
        Raises `BakeoffError` where there is neither.
        """
        chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        try:
            _, found, behind = self._written(chat, asking=False).rpartition(_PROBE)
        except TemplateError:
            found = behind = ""
        of_text = self.tokenizer.eos_token_id
        ids = self.tokenizer(behind, add_special_tokens=False).input_ids if found else []
        special = {n for n, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        others = {self.tokenizer.unk_token_id, self.tokenizer.bos_token_id} - {of_text}
        end: int | None = next((n for n in ids if n in special - others), of_text)
        if end is None:
            raise BakeoffError(
                f"model '{self.model}': neither its tokenizer nor its chat template has a token "
                "that ends an answer"
            )
        return end

    def ends(self, stated: int | Sequence[int] | None) -> list[int]:
        """The tokens that end an answer: those that a generation config states, and its own.

        Generation configs of fine-tuned models often know the base model's alone.
        """
        known = [] if stated is None else [stated] if isinstance(stated, int) else stated
        return sorted({*known, self.end})

    def begins_turn(self, tokens: Sequence[int]) -> bool:
        """Whether the last of an answer's tokens begin another turn, as `before_turn` says."""
        if not self.is_plain:
            return False
        if len(tokens) <= _HEADING_TOKENS:
            return self.before_turn(self.tokenizer.decode(tokens)) is not None
        last = self.tokenizer.decode(tokens[-_HEADING_TOKENS:])
        return _NEXT_TURN.search(last) is not None

    def before_turn(self, answer: str) -> str | None:
        """What stands before the next turn, where a model that is asked in plain text begins one.

        It learns its end token by tuning alone; until then it writes the chat on.
        """
        # The line that the answer begins is in the prompt.
        found = _NEXT_TURN.search("\n" + answer) if self.is_plain else None
        return answer[: max(found.start() - 1, 0)] if found else None

    def encode(self, text: str) -> list[int]:
        """The tokens of a text as it is: none is added at its ends."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _written(self, chat: Sequence[Message], *, asking: bool = True) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                list(chat),
                # Of several the tokenizer chooses the default.
                chat_template=self.text if self.is_plain else self.source,
                tokenize=False,
                add_generation_prompt=asking,
            )
        )
