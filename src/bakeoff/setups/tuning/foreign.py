"""What adapters of other programs bring along beside weights: a chat template, added tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from bakeoff.core.words import BakeoffError
from bakeoff.models.local import LocalModel

MERGE = (
    "merge the adapter into its base with the program that made it, save both with their "
    "tokenizer, and name that folder as the setup's model"
)


def own_template(model: LocalModel, folder: Path) -> str:
    """The chat template that an adapter was trained with; empty where it is that of its base."""
    template = _template(folder)
    return "" if template in ("", model.tokenizer.chat_template) else template


def refuse_added_tokens(model: LocalModel, folder: Path, weights: Path) -> None:
    """Raise `BakeoffError` for an adapter that needs tokens which its base does not have.

    Tokens that no prompt holds, such as one for padding, change nothing.
    """
    rows = model.network.get_input_embeddings().weight.shape[0]
    with safe_open(weights, "pt") as file:
        for key in file.keys():  # noqa: SIM118 (no mapping)
            if key.endswith(("embed_tokens.weight", "lm_head.weight")):
                found = file.get_slice(key).get_shape()[0]
                if found != rows:
                    raise BakeoffError(
                        f"adapter {folder}: made for a vocabulary of {found} tokens, and "
                        f"'{model.weights.reference}' has {rows}: {MERGE}"
                    )
    template = own_template(model, folder)
    known = model.tokenizer.get_vocab()
    if used := sorted(t for t in _added(folder) if t not in known and t in template):
        raise BakeoffError(
            f"adapter {folder}: its chat template has the token '{used[0]}', which "
            f"'{model.weights.reference}' does not know: {MERGE}"
        )


def _template(folder: Path) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    stated = _json(folder / "tokenizer_config.json").get("chat_template")
    return stated if isinstance(stated, str) else ""


def _added(folder: Path) -> Iterator[str]:
    yield from _json(folder / "added_tokens.json")
    for token in _json(folder / "tokenizer.json").get("added_tokens", []):
        yield str(token.get("content", ""))


def _json(file: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none, or no object."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
