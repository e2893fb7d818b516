"""What a model thought, where its server leaves that in the text: it is no part of the answer."""

from __future__ import annotations

import re

_BEGIN = re.compile(r"<(?:think|thinking|reasoning)>", re.IGNORECASE)
_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)


def after_thinking(text: str) -> tuple[str, bool]:
    """The answer behind the thinking that a text begins with, and whether there was any.

    Thinking without an end was cut: there is no answer. Some chat templates begin it in the
    prompt, so that its end stands alone.
    """
    if "<" not in text:
        return text, False
    begin, end = _BEGIN.search(text), _END.search(text)
    if begin and not text[: begin.start()].strip():
        return (text[end.end() :].strip() if end else ""), True
    if end and not (begin and begin.start() < end.start()):
        return text[end.end() :].strip(), True
    return text, False
