"""A model's tokenizer alone, to check the token counts of an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from bakeoff.models.templates import ChatTemplate
from bakeoff.models.weights import resolve


def load_tokenizer(reference: str, cache: Path) -> tuple[Callable[[str], int], ChatTemplate]:
    """(counts the tokens of a text, the model's chat template).

    Raises `BakeoffError` when the model reference leads nowhere.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(resolve(reference, cache).folder)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    return count, ChatTemplate(reference, tokenizer)
