"""How a reply ended, in OpenAI's words, whatever the server calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bakeoff.core.words import CONTENT_FILTER, ERROR, LENGTH, REFUSAL, STOP, TOOL_CALLS

_OTHER_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("eos", "eos_token", "eos_found", "end_turn", "stop_token"), STOP),
    **dict.fromkeys(("stop_sequence", "stop_str", "complete", "completed"), STOP),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_new_tokens", "max_length"), LENGTH),
    **dict.fromkeys(("model_length", "token_limit", "error_limit"), LENGTH),
    **dict.fromkeys(("model_context_window_exceeded", "incomplete"), LENGTH),
    **dict.fromkeys(("safety", "recitation", "blocklist", "sensitive", "spii"), CONTENT_FILTER),
    **dict.fromkeys(("prohibited_content", "image_safety", "language"), CONTENT_FILTER),
    **dict.fromkeys(("content_filtered", "guardrail_intervened", "error_toxic"), CONTENT_FILTER),
    **dict.fromkeys(("function_call", "tool_use", "tool_call"), TOOL_CALLS),
    **dict.fromkeys(("abort", "cancel", "cancelled", "user_cancel", "failed", "timeout"), ERROR),
    **dict.fromkeys(("time_limit", "overloaded", "network_error", "server_error"), ERROR),
    **dict.fromkeys(("insufficient_system_resource", "model_error"), ERROR),
    **dict.fromkeys(("malformed_function_call", "malformed_response"), ERROR),
    "refused": REFUSAL,
    **dict.fromkeys(("null", "none", "unspecified"), ""),
}
"""What servers write -> OpenAI's word for it.

TGI, Anthropic, Bedrock, Cohere, Gemini, Mistral, vLLM, SGLang, DeepSeek, DashScope, watsonx.
"""
_ENUM = re.compile(r"finish_?reason[._]")
CHARACTERS = 40


def finish_reason(stated: Any) -> str:
    """A server's word as OpenAI's where there is one for it; empty where it states none.

    >>> finish_reason("FinishReason.MAX_TOKENS")
    'length'
    """
    word = stated.strip().lower().replace("-", "_") if isinstance(stated, str) else ""
    word = _ENUM.sub("", word, count=1)[:CHARACTERS]
    return _OTHER_WORDS.get(word, word)
