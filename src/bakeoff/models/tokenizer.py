"""A model's tokenizer alone, to check the token counts of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from bakeoff.core.words import Message
from bakeoff.models.weights import resolve


def load_tokenizer(
    reference: str, cache: Path
) -> tuple[Callable[[str], int], Callable[[Sequence[Message]], str]]:
    """(counts the tokens of a text, writes a chat as the model's template does).

    Raises `BakeoffError` when the model reference leads nowhere.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(resolve(reference, cache).folder)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    def rendered(chat: Sequence[Message]) -> str:
        return str(
            tokenizer.apply_chat_template(list(chat), tokenize=False, add_generation_prompt=True)
        )

    return count, rendered
