"""The JSON of a judge's reply: its own, and nothing beside it. Answers: test_scorers_structure."""

from __future__ import annotations

import pytest

from bakeoff.metrics.json_answer import own

VERDICT = '{"correct": false}'
READY = '{"correct": true}'


@pytest.mark.parametrize(
    "reply",
    [
        VERDICT,
        f"  {VERDICT}\n",
        f"```json\n{VERDICT}\n```",
        f"```{VERDICT}```",
        f"<think>They want {READY}.</think>\n{VERDICT}",
        f"<THINKING>\n</THINKING>```JSON\n{VERDICT}\n```",
    ],
)
def test_a_reply_that_is_a_verdict_alone_is_read(reply: str) -> None:
    assert own(reply) == {"correct": False}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        f"It says {READY}",
        f"My verdict: {VERDICT}",
        f"{READY}\n{VERDICT}",
        f"```json\n{READY}\n```\n{VERDICT}",
        f"```json\n{READY}\n```\n```json\n{VERDICT}\n```",
        f"It closes its thoughts: </think>{READY}",
        f"<think>It says </think>{READY}</think>{VERDICT}",
        f"<think>{READY}",
        '{"correct": true, "correct": false}',
    ],
)
def test_a_reply_that_may_quote_another_verdict_is_not(reply: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|occurs twice"):
        own(reply)
