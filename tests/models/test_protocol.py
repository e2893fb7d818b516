"""How a reply ended, and what is no answer: read from whole replies and from streams alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bakeoff.models.protocol import Reply, Stream, Unreadable, read_completion, read_embeddings


def whole(content: Any, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def delta(finish: str | None = None, **parts: Any) -> str:
    return "data: " + json.dumps({"choices": [{"delta": parts, "finish_reason": finish}]}) + "\n\n"


DONE = "data: [DONE]\n\n"


def streamed(*events: str) -> Reply:
    stream = Stream()
    for second, event in enumerate(events):
        stream.feed(event.encode(), float(second))
    return read_completion(stream.value())


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("eos_token", "stop"),
        ("SAFETY", "content_filter"),
        ("function_call", "tool_calls"),
        ("COMPLETE", "stop"),
        ("FinishReason.STOP", "stop"),
        ("model_context_window_exceeded", "length"),
        ("ERROR_LIMIT", "length"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("tool-calls", "tool_calls"),
        ("null", ""),
        ("repetition", "repetition"),
        (None, ""),
    ],
)
def test_a_reply_says_how_it_ended_in_one_word(stated: str | None, read: str) -> None:
    assert read_completion(whole("two boats", stated)).finish_reason == read
    assert streamed(delta(content="two boats"), delta(stated), DONE).finish_reason == read


@pytest.mark.parametrize(
    "stated",
    ["error", "abort", "insufficient_system_resource", "MALFORMED_FUNCTION_CALL", "timeout"],
)
def test_a_reply_that_ended_in_an_error_is_none_though_it_has_half_a_text(stated: str) -> None:
    with pytest.raises(Unreadable, match="ended in an error") as caught:
        read_completion(whole("two bo", stated))
    assert caught.value.again
    with pytest.raises(Unreadable, match="ended in an error"):
        streamed(delta(content="two bo"), delta(stated), DONE)


def test_an_error_beside_the_text_is_told_in_the_servers_words() -> None:
    reply = whole("two bo", "stop")
    reply["choices"][0]["error"] = {"code": 502, "message": "the engine is gone"}
    with pytest.raises(Unreadable, match="the engine is gone"):
        read_completion(reply)
    with pytest.raises(Unreadable, match="no room"):
        read_completion({**whole("two bo"), "error": {"message": "no room"}})


def test_a_refusal_beside_the_content_is_the_text() -> None:
    reply = read_completion(whole(None, refusal="That I will not say."))
    assert (reply.text, reply.finish_reason) == ("That I will not say.", "refusal")
    parts = streamed(delta(refusal="That I "), delta(refusal="will not."), delta("stop"), DONE)
    assert (parts.text, parts.finish_reason) == ("That I will not.", "refusal")


def test_thinking_and_tool_calls_are_known_where_there_is_no_text() -> None:
    thought = read_completion(whole("", reasoning_content="two, or three"))
    assert (thought.text, thought.thought) == ("", True)
    assert streamed(delta(reasoning="two"), delta("length"), DONE).thought
    called = read_completion(whole(None, "stop", tool_calls=[{"id": "1"}]))
    assert called.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "event",
    [
        'data: {"error": {"message": "queue full"}}\n\n',
        'data: {"object": "error", "message": "queue full", "code": 40303}\n\n',
        'data: {"text": "queue full", "error_code": 50001}\n\n',
        'event: error\ndata: {"message": "queue full", "type": "overloaded_error"}\n\n',
        'event: error\ndata: {"code": 503, "text": "queue full"}\n\n',
        'data: {"type": "error", "detail": "queue full"}\n\n',
        'data: {"detail": "queue full"}\n\n',
        'data: "queue full"\n\n',
        'data: {"code": 503, "msg": "queue full"}\n\n',
        'data: {"type": "response.failed", "response": {"why": "queue full"}}\n\n',
        'data: {"text": "queue full"}\nevent: error\n\n',
        "error: queue full\n\n",
    ],
)
def test_an_error_in_a_stream_is_a_failure_whoever_wrote_it(event: str) -> None:
    with pytest.raises(Unreadable, match=r"holds an error: .*queue full"):
        streamed(delta(content="two"), event, DONE)


def test_an_event_of_an_error_without_data_is_a_failure() -> None:
    with pytest.raises(Unreadable, match="holds an error"):
        streamed(delta(content="two"), "event: error\n\n", DONE)


def other_piece(**parts: Any) -> str:
    return "data: " + json.dumps({"choices": [parts]}) + "\n\n"


@pytest.mark.parametrize(
    "events",
    [
        ("\ufeff" + delta(content="two boats"), delta("stop"), DONE),
        (delta(content=[{"type": "text", "text": "two boats"}]), delta("stop"), DONE),
        (other_piece(message={"content": "two boats"}, finish_reason="stop"), DONE),
        (
            delta(content="two boats"),
            other_piece(index=1, delta={"content": "three"}),
            delta("stop"),
            DONE,
        ),
        (delta(content="two boats"), other_piece(message={"content": "two boats"}), delta("stop")),
    ],
)
def test_no_text_of_a_stream_is_lost_or_doubled(events: tuple[str, ...]) -> None:
    read = streamed(*events)
    assert (read.text, read.finish_reason) == ("two boats", "stop")


def test_a_last_piece_that_stops_does_not_undo_a_cut() -> None:
    assert streamed(delta("length", content="two"), delta("stop"), DONE).finish_reason == "length"


def test_of_a_content_in_parts_only_texts_are_the_answer() -> None:
    thought = {"type": "reasoning", "text": "two, or three"}
    reply = read_completion(whole([thought, {"type": "text", "text": "two"}]))
    assert (reply.text, reply.thought) == ("two", True)
    declined = read_completion(whole([{"type": "refusal", "refusal": "I will not say."}]))
    assert (declined.text, declined.finish_reason) == ("I will not say.", "refusal")


def likely(*logprobs: Any) -> dict[str, Any]:
    return {"content": [{"token": "t", "logprob": stated} for stated in logprobs]}


def test_a_reply_that_states_its_tokens_has_a_confidence() -> None:
    reply = whole("two boats")
    reply["choices"][0]["logprobs"] = likely(-0.5, -1, 0)
    # e to the mean of the three, the end of the answer among them.
    assert read_completion(reply).confidence == 0.606531
    parts = [
        other_piece(delta={"content": "two"}, logprobs=likely(-0.5)),
        other_piece(delta={"content": " boats"}, logprobs=likely(-1)),
        other_piece(delta={}, logprobs=likely(0), finish_reason="stop"),
        other_piece(index=1, delta={"content": "three"}, logprobs=likely(-9)),
    ]
    assert streamed(*parts, DONE).confidence == 0.606531


@pytest.mark.parametrize(
    "stated",
    [
        *(None, {"content": None}, {"content": []}, {"content": "two"}, likely(-1, None)),
        *({"tokens": ["two"], "token_logprobs": [-1.0]}, likely("-1"), likely(float("nan"))),
    ],
)
def test_a_reply_that_does_not_state_all_its_tokens_has_none(stated: Any) -> None:
    reply = whole("two boats")
    reply["choices"][0]["logprobs"] = stated
    assert read_completion(reply).confidence is None


def test_probabilities_of_nought_and_of_one_are_taken_as_servers_write_them() -> None:
    reply = whole("two boats")
    reply["choices"][0]["logprobs"] = likely(-3.4e38, -3.4e38)
    assert read_completion(reply).confidence == 0
    reply["choices"][0]["logprobs"] = likely(1e-7)
    assert read_completion(reply).confidence == 1


def test_a_ping_between_events_is_no_error() -> None:
    ping = 'event: ping\ndata: {"type": "ping"}\n\n'
    assert streamed(": waiting\n\n", ping, delta(content="two"), delta("stop"), DONE).text == "two"


@pytest.mark.parametrize("events", [(DONE,), (delta(content="two"),), ()])
def test_a_stream_without_beginning_or_end_is_a_failure(events: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable, match="stream"):
        streamed(*events)


@pytest.mark.parametrize("index", [[0], "0"])
def test_a_vector_whose_number_is_none_is_a_failure(index: Any) -> None:
    with pytest.raises(Unreadable, match="no number as its index"):
        read_embeddings({"data": [{"embedding": [1.0], "index": index}]})
