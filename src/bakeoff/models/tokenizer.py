"""The tokenizer of a model, or it alone, to check the token counts of an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from bakeoff.core.words import BakeoffError
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.weights import resolve


def tokenizer_in(folder: Path, **options: Any) -> Any:
    """The tokenizer that lies in a model's folder.

    Raises `OSError` or `ValueError` where there is none. For many families transformers makes one
    with an empty vocabulary from `config.json` alone: every text would be none, or unknown tokens.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    if not tokenizer.get_vocab().keys() - set(tokenizer.all_special_tokens):
        raise ValueError(
            "its folder has no tokenizer: copy the tokenizer's files there from the model that "
            "it was tuned from, such as tokenizer.json and tokenizer_config.json"
        )
    return tokenizer


def load_tokenizer(reference: str, cache: Path) -> tuple[Callable[[str], int], ChatTemplate]:
    """(counts the tokens of a text, the model's chat template).

    Raises `BakeoffError` when the model reference leads nowhere, or to a model without tokenizer.
    """
    folder = resolve(reference, cache).folder
    try:
        tokenizer = tokenizer_in(folder)
    except (OSError, ValueError) as error:
        raise BakeoffError(f"model '{reference}': {error}") from error

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    return count, ChatTemplate(reference, tokenizer)
