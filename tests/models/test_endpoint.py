"""Endpoints and services, asked over HTTP: nothing is lost and nothing is asked for ever."""

from __future__ import annotations

import gc
import json
import logging
import random
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from stub import prompt_key, reset, running_stub, stats

from bakeoff.core.words import BakeoffError, Decoding, Failure, Passage
from bakeoff.models.endpoint import Client, EndpointDown
from bakeoff.models.protocol import (
    Read,
    Reply,
    Stream,
    Unreadable,
    chat_body,
    completions_body,
    embeddings_body,
    read_completion,
    read_embeddings,
    read_service,
    service_body,
)
from bakeoff.models.rate_limits import Breaker, Budget, Limit, backoff_s, retry_after_s
from bakeoff.models.transport import Ask, EndpointError, Secret
from bakeoff.spec.benchmark import Endpoint, Service

KEY = "sk-canary-0123456789"
DECODING = Decoding(16, temperature=0.5, seed=7)
MIXED_FAULTS = {"429": 0.05, "500": 0.02, "reset": 0.01, "hang": 0.005}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_stub(latency=0.005, retry_after=0.3) as url:
        yield url


@pytest.fixture
def stub(server: str) -> str:
    """The stub's address, with all counts at zero."""
    reset(server)
    return server


def connected(url: str, secret: str | None = None, **settings: Any) -> closing[Client]:
    return closing(Client(Endpoint(url=f"{url}/v1", **settings), secret, "stub"))


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def asks(texts: Iterable[str], stream: bool = False) -> Iterator[Ask]:
    for index, text in enumerate(texts):
        body = chat_body("small", chat(text), DECODING, stream=stream)
        yield Ask(index, "/chat/completions", body, stream=stream)


def outcomes(
    client: Client, requests: Iterable[Ask], read: Read = read_completion
) -> list[Reply | Failure]:
    """What became of each request, in their order; each exactly once."""
    found = list(client.ask(requests, read))
    assert sorted(index for index, _ in found) == list(range(len(found)))
    return [outcome for _, outcome in sorted(found, key=lambda pair: pair[0])]


def errors(found: list[Reply | Failure]) -> list[str]:
    assert all(isinstance(outcome, Failure) for outcome in found)
    return [outcome.error for outcome in found if isinstance(outcome, Failure)]


def texts(found: list[Reply | Failure]) -> list[str]:
    assert all(isinstance(outcome, Reply) for outcome in found), found
    return [outcome.text for outcome in found if isinstance(outcome, Reply)]


@contextmanager
def answering(head: str, body: str = "", seen: list[str] | None = None) -> Iterator[str]:
    """A server that gives the same reply to everybody, and then closes the connection.

    The first line of each request goes to `seen`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    request = connection.recv(65536).decode()
                    if seen is not None:
                        seen.append(request.splitlines()[0])
                    connection.sendall(f"HTTP/1.1 {head}\r\n\r\n{body}".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_chat_body_says_what_is_asked_and_how() -> None:
    assert chat_body("small", chat("hello"), DECODING) == {
        "model": "small",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 16,
        "temperature": 0.5,
        "seed": 7,
    }


def test_a_streamed_body_asks_for_the_usage() -> None:
    body = chat_body("small", chat("hello"), DECODING, stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_extra_fields_go_over_the_others_and_a_null_takes_one_out() -> None:
    extra = {"max_tokens": None, "max_completion_tokens": 16, "seed": 8}
    body = completions_body("small", "Once", DECODING, extra)
    assert body == {
        "model": "small",
        "prompt": "Once",
        "temperature": 0.5,
        "seed": 8,
        "max_completion_tokens": 16,
    }


def test_a_chat_is_completed_as_its_texts() -> None:
    messages = [{"role": "system", "content": "Be brief."}, *chat("Why?")]
    assert completions_body("small", messages, DECODING)["prompt"] == "Be brief.\n\nWhy?"


def test_a_service_body_is_filled_with_the_fields_of_the_sample() -> None:
    request = {"q": "{question}", "ask": [{"as": "{who}: {question}"}], "top_k": 3, "raw": None}
    filled = service_body(request, {"question": "What {is} it?", "who": "Ann"})
    assert filled == {
        "q": "What {is} it?",
        "ask": [{"as": "Ann: What {is} it?"}],
        "top_k": 3,
        "raw": None,
    }


@pytest.mark.parametrize("template", ["{topic}", "{question", "{}", "{question.nothing}"])
def test_a_service_body_that_cannot_be_filled_names_the_template(template: str) -> None:
    with pytest.raises(BakeoffError, match=r"request: .*cannot be filled in.* are question"):
        service_body({"q": template}, {"question": "Why?"})


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"message": {"content": "yes"}, "finish_reason": "stop"}, "yes"),
        ({"text": "yes", "finish_reason": "stop"}, "yes"),
        ({"message": {"content": None}, "finish_reason": "stop"}, ""),
        (
            {"message": {"content": [{"text": "y"}, {"text": "es"}]}, "finish_reason": "stop"},
            "yes",
        ),
    ],
)
def test_a_completion_is_read_whatever_its_shape(choice: dict[str, Any], text: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    assert read_completion({"choices": [choice], "usage": usage}) == Reply(text, 3, 2, "stop")


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -1}])
def test_a_usage_that_is_none_counts_nothing(usage: Any) -> None:
    assert read_completion({"choices": [{"text": "a"}], "usage": usage}) == Reply("a")


@pytest.mark.parametrize(
    "value", [None, [], "no", {}, {"choices": []}, {"choices": [3]}, {"choices": [{"index": 0}]}]
)
def test_a_completion_without_a_text_is_unreadable(value: Any) -> None:
    with pytest.raises(Unreadable):
        read_completion(value)


def test_an_error_in_place_of_choices_is_told() -> None:
    with pytest.raises(Unreadable, match="out of memory"):
        read_completion({"error": {"message": "out of memory"}})


def test_vectors_come_in_the_order_of_the_texts() -> None:
    data = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    reply = read_embeddings({"data": data, "usage": {"prompt_tokens": 4}})
    assert reply.vectors == ([1.0, 0.0], [0.0, 1.0])
    assert reply.prompt_tokens == 4


@pytest.mark.parametrize(
    "data", [None, [{"index": 0}], [{"index": 1, "embedding": [1.0]}], ["text"]]
)
def test_vectors_that_are_missing_are_unreadable(data: Any) -> None:
    with pytest.raises(Unreadable):
        read_embeddings({"data": data})


def test_a_service_reply_is_read_by_its_expressions() -> None:
    response = {
        "text": "result.answer",
        "passages": "sources[].{document: id, text: body}",
        "prompt_tokens": "usage.in",
        "completion_tokens": "usage.out",
    }
    value = {
        "result": {"answer": "19 kilos"},
        "sources": [{"id": 4, "body": "The barrow"}],
        "usage": {"in": 5, "out": 2},
    }
    assert read_service(value, response) == Reply(
        "19 kilos", 5, 2, passages=(Passage("4", 0, 10, "The barrow"),)
    )


def test_a_service_may_answer_with_a_number_and_without_passages() -> None:
    assert read_service({"answer": 19}, {"text": "answer", "passages": "sources"}) == Reply("19")


@pytest.mark.parametrize(
    ("response", "named"),
    [
        ({"text": "reply.text"}, "reply.text"),
        ({"text": "length(missing)"}, "length"),
        ({"text": "answer", "passages": "sources[].id"}, "sources"),
        ({"text": "answer", "passages": "answer"}, "answer"),
    ],
)
def test_what_a_service_reply_lacks_is_named_by_its_expression(
    response: dict[str, str], named: str
) -> None:
    value = {"answer": "yes", "sources": [{"id": "a"}]}
    with pytest.raises(Unreadable, match=named) as caught:
        read_service(value, response)
    assert not caught.value.again


CHUNKS = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"content": "naïve"}, "finish_reason": None}], "usage": None},
    {"choices": [{"delta": {"content": " ✓"}}]},
    {"choices": [{"delta": {"content": " \U0001f600"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}},
]


def events(*chunks: Any, end: str = "\n", done: bool = True) -> bytes:
    data = [json.dumps(chunk, ensure_ascii=False) for chunk in chunks] + ["[DONE]"] * done
    lines = [f": a comment{end}event: message{end}data: {datum}{end}{end}" for datum in data]
    return "".join(lines).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_stream_may_be_cut_anywhere(end: str) -> None:
    data = events(*CHUNKS, end=end)
    for cut in range(len(data) + 1):
        stream = Stream()
        stream.feed(data[:cut], 1.0)
        stream.feed(data[cut:], 2.0)
        assert stream.ended
        assert read_completion(stream.value()) == Reply("naïve ✓ \U0001f600", 3, 5, "stop")


def test_a_stream_may_come_byte_by_byte() -> None:
    stream = Stream()
    for byte in events(*CHUNKS):
        stream.feed(bytes([byte]), 1.0)
    assert read_completion(stream.value()).text == "naïve ✓ \U0001f600"


def test_the_first_text_and_the_gaps_between_tokens_are_timed() -> None:
    stream = Stream()
    for second, chunk in enumerate(CHUNKS):
        stream.feed(events(chunk, done=False), float(second))
    assert stream.first_s == 1.0
    # From second 1 to 3, with 4 gaps between the 5 tokens that the server counts.
    assert stream.token_gap_s == 0.5


def test_gaps_are_those_between_pieces_where_no_usage_is_sent() -> None:
    stream = Stream()
    for second, chunk in enumerate(CHUNKS[:-1]):
        stream.feed(events(chunk, done=False), float(second))
    assert stream.token_gap_s == 1.0
    assert read_completion(stream.value()) == Reply("naïve ✓ \U0001f600", finish_reason="stop")


def test_thoughts_are_not_the_answer() -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "Hmm."}}]}
    stream = Stream()
    for second, chunk in enumerate([thought, *CHUNKS]):
        stream.feed(events(chunk, done=False), float(second))
    assert stream.first_s == 2.0
    assert stream.token_gap_s == 1.0
    assert read_completion(stream.value()).text == "naïve ✓ \U0001f600"


def test_plain_completions_are_streamed_too() -> None:
    stream = Stream()
    stream.feed(events({"choices": [{"text": "a"}]}, {"choices": [{"text": "b"}]}), 1.0)
    assert read_completion(stream.value()).text == "ab"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        events(*CHUNKS[:3], done=False),
        events(*CHUNKS[:3], done=False)[:-9],
        events({"error": {"message": "out of memory"}}),
        b"data: <html>\n\n",
    ],
)
def test_a_stream_that_breaks_off_is_unreadable(data: bytes) -> None:
    stream = Stream()
    with pytest.raises(Unreadable):
        stream.feed(data, 1.0)
        stream.value()


def test_retry_after_is_a_number_of_seconds_or_a_date() -> None:
    assert retry_after_s("2.5") == 2.5
    assert retry_after_s("-3") == 0.0
    assert retry_after_s("soon") == retry_after_s("") == retry_after_s(None) == 0.0
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < retry_after_s(date) <= 3600
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_waits_between_attempts_are_drawn_below_a_bound_that_doubles() -> None:
    draw = random.Random(0)
    for failed, bound in ((1, 0.25), (2, 0.5), (5, 4.0), (8, 30.0), (5000, 30.0)):
        waits = [backoff_s(failed, draw) for _ in range(200)]
        assert 0 <= min(waits) < bound / 10
        assert 0.9 * bound < max(waits) <= bound


def spent_by(budget: Budget, seconds: int, cost: int = 1) -> int:
    """What goes through a budget by a clock that ticks ten times a second."""
    total = 0
    for tick in range(10 * seconds):
        while not budget.wait_s(100 + tick / 10):
            budget.spend(cost, 100 + tick / 10)
            total += cost
    return total


def test_a_budget_spaces_what_goes_out() -> None:
    assert spent_by(Budget(60), 1) == 2
    assert 60 <= spent_by(Budget(60), 60) <= 62
    assert 6000 <= spent_by(Budget(6000), 60, cost=50) <= 6200


def test_a_budget_takes_a_single_cost_above_it() -> None:
    budget = Budget(60)
    budget.spend(600, 100.0)
    assert budget.wait_s(100.0) == 599.0


def test_no_budget_never_waits() -> None:
    budget = Budget(None)
    budget.spend(10**9, 100.0)
    assert budget.wait_s(100.0) == 0.0


def test_the_limit_is_halved_while_many_are_refused_and_raised_again() -> None:
    limit = Limit(64)
    seen = []
    for _ in range(21 + 50):
        limit.note(True)
        seen.append(limit.allowed)
    assert seen == [64] * 20 + [32] * 50 + [16]
    for _ in range(49):
        limit.note(False)
    assert limit.allowed == 16
    limit.note(False)
    assert limit.allowed == 20
    for _ in range(1000):
        limit.note(False)
    assert limit.allowed == 64


def test_the_limit_never_falls_below_one_request() -> None:
    limit = Limit(2)
    for _ in range(1000):
        limit.note(True)
    assert limit.allowed == 1


def test_the_limit_stays_while_few_are_refused() -> None:
    limit = Limit(64)
    for number in range(1000):
        limit.note(number % 5 == 0)
    assert limit.allowed == 64


def test_the_breaker_opens_after_failures_in_a_row_and_lets_probes_through() -> None:
    breaker = Breaker(3, patience_s=100.0)
    for alive in (False, False, True, False, False):
        breaker.note(alive, False, 10.0)
    assert breaker.wait_s(10.0) == 0.0
    breaker.note(False, False, 10.0)
    now, waits = 10.0, []
    while not breaker.given_up(now):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.probing = True
        assert breaker.wait_s(now) > 0
        breaker.note(False, True, now)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 9]
    assert breaker.held_s(now) == 100.0
    breaker.note(True, True, now)
    assert breaker.wait_s(now) == 0.0
    assert breaker.held_s(now + 50) == 100.0


def test_every_ask_is_answered_once_and_by_its_own_answer(stub: str) -> None:
    with connected(stub, concurrency=8) as client:
        found = outcomes(client, asks(f"say w{i}" for i in range(100)))
    assert texts(found) == [f"w{i}" for i in range(100)]
    seen = stats(stub)
    assert seen["requests"] == 100
    assert 2 <= seen["in_flight_max"] <= 8
    first = found[0]
    assert isinstance(first, Reply)
    assert (first.prompt_tokens, first.completion_tokens, first.finish_reason) == (2, 1, "stop")
    assert (first.ttft_s, first.attempts) == (None, 1)
    assert first.total_s and first.total_s > 0


def test_the_connections_last_from_one_call_to_the_next(stub: str) -> None:
    with connected(stub) as client:
        for call in range(3):
            assert texts(outcomes(client, asks([f"say call{call}"]))) == [f"call{call}"]
    assert stats(stub)["requests"] == 3


def test_two_calls_may_be_read_in_turns(stub: str) -> None:
    with connected(stub, concurrency=2) as client:
        one = client.ask(asks(f"say a{i}" for i in range(20)), read_completion)
        two = client.ask(asks(f"say b{i}" for i in range(20)), read_completion)
        pairs = list(zip(one, two, strict=True))
    assert sorted(index for (index, _), _ in pairs) == list(range(20))
    assert sorted(index for _, (index, _) in pairs) == list(range(20))


@pytest.mark.parametrize("fault", ["429", "500", "reset", "hang", "truncated"])
def test_a_fault_that_passes_is_asked_again(stub: str, fault: str) -> None:
    with connected(stub, timeout_s=2.0 if fault == "hang" else 30.0) as client:
        found = outcomes(client, asks(f"[once {fault}] say w{i}" for i in range(5)))
    assert texts(found) == [f"w{i}" for i in range(5)]
    assert [outcome.attempts for outcome in found if isinstance(outcome, Reply)] == [2] * 5
    seen = stats(stub)
    assert seen["requests"] == 10
    assert seen["retry_after_violations"] == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("500", "server (500): "), ("hang", "timeout: "), ("truncated", "unreadable: ")],
)
def test_a_fault_that_stays_is_given_up(stub: str, fault: str, kind: str) -> None:
    patience = 0.2 if fault == "hang" else 30.0
    with connected(stub, attempts=2, timeout_s=patience) as client:
        found = errors(outcomes(client, asks([f"[always {fault}]", f"[always {fault}] too"])))
    assert all(error.startswith(kind) and error.endswith("(2 attempts)") for error in found), found
    assert stats(stub)["requests"] == 4


def test_a_rejected_ask_fails_alone_and_is_not_asked_again(stub: str) -> None:
    with connected(stub) as client:
        found = outcomes(client, asks(["[always 400]", "say yes"]))
    assert errors(found[:1])[0].startswith("rejected (400): ")
    assert texts(found[1:]) == ["yes"]
    assert stats(stub)["requests"] == 2


def test_rejections_from_the_start_stop_the_run(stub: str) -> None:
    kept = []
    with connected(stub, concurrency=2) as client, pytest.raises(EndpointError) as caught:
        for pair in client.ask(asks(f"[always 400] {i}" for i in range(100)), read_completion):
            kept.append(pair)
    assert "none of the first 8 requests" in str(caught.value)
    assert "rejected (400)" in str(caught.value)
    assert len(kept) >= 8
    assert stats(stub)["requests"] <= 12


def test_rejections_after_an_answer_do_not_stop_the_run(stub: str) -> None:
    with connected(stub, concurrency=1) as client:
        found = outcomes(client, asks(["say yes", *(f"[always 400] {i}" for i in range(20))]))
    assert len(errors(found[1:])) == 20


def test_one_answer_shows_that_the_settings_are_right(stub: str) -> None:
    def choosy(value: Any) -> Reply:
        reply = read_completion(value)
        if reply.text == "no":
            raise Unreadable("not this", again=False)
        return reply

    # The first is asked again, and fails after the last was answered.
    told = ["[once 500] say no", *(f"say no {i}" for i in range(7)), "say yes"]
    with connected(stub) as client:
        found = outcomes(client, asks(told), choosy)
    assert errors(found[:8]) == ["unreadable: not this"] * 8
    assert texts(found[8:]) == ["yes"]


def test_a_wrong_key_stops_the_run_at_once() -> None:
    with (
        running_stub(key=KEY) as url,
        connected(url, "sk-other-0123456789", api_key_env="MY_KEY", concurrency=4) as client,
    ):
        with pytest.raises(EndpointError) as caught:
            outcomes(client, asks(f"say w{i}" for i in range(100)))
        sent = stats(url)["requests"]
    message = str(caught.value)
    assert message.startswith(f"endpoint 'stub': {url}/v1/chat/completions answered 401: ")
    assert "environment variable MY_KEY" in message
    assert "sk-other" not in message
    assert sent <= 8


def test_a_missing_key_is_asked_for() -> None:
    with (
        running_stub(key=KEY) as url,
        connected(url) as client,
        pytest.raises(EndpointError, match="Name the environment variable"),
    ):
        outcomes(client, asks(["say yes"]))


def test_a_wrong_model_or_url_stops_the_run_at_once(stub: str) -> None:
    with connected(stub) as client, pytest.raises(EndpointError, match="model name 'small'"):
        outcomes(client, asks(["[always 404]"]))
    with connected(f"{stub}/nowhere") as client, pytest.raises(EndpointError, match="the url"):
        outcomes(client, asks(["say yes"]))


def test_what_was_answered_before_a_stop_is_not_lost(stub: str) -> None:
    kept = []
    with connected(stub, concurrency=1) as client, pytest.raises(EndpointError):
        for _, outcome in client.ask(asks(["say a", "say b", "[always 404]"]), read_completion):
            kept.append(outcome)
    assert texts(kept) == ["a", "b"]


def test_a_redirection_names_the_url_to_write() -> None:
    head = "308 Permanent Redirect\r\nLocation: https://example.org/v1\r\nContent-Length: 0"
    with (
        answering(head) as url,
        connected(url) as client,
        pytest.raises(EndpointError, match=r"answered 308: .*https://example\.org/v1"),
    ):
        outcomes(client, asks(["say yes"]))


@pytest.mark.parametrize(
    ("length", "body", "wanted"),
    [
        ("Connection: close", events(*CHUNKS[:3], done=False), Failure),
        ("Connection: close", events(*CHUNKS, done=False), Reply),
        ("Content-Length: 9999", events(*CHUNKS), Reply),
        ("Content-Length: 9999", events(*CHUNKS[:3], done=False), Failure),
    ],
)
def test_a_stream_is_whole_when_its_end_was_announced(
    length: str, body: bytes, wanted: type
) -> None:
    head = f"200 OK\r\nContent-Type: text/event-stream\r\n{length}"
    with answering(head, body.decode()) as url, connected(url, attempts=1) as client:
        (found,) = outcomes(client, asks(["hello"], stream=True))
    assert isinstance(found, wanted), found


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    head = "429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0"
    with answering(head) as url, connected(url) as client:
        (error,) = errors(outcomes(client, asks(["say yes"])))
    assert error.startswith("deadline: ")
    assert "server (429): Too Many Requests" in error


@pytest.mark.parametrize("fault", ["500", "hang"])
def test_an_ask_ends_at_its_deadline_whatever_it_has_left(stub: str, fault: str) -> None:
    with connected(stub, attempts=1000, deadline_s=0.4) as client:
        (error,) = errors(outcomes(client, asks([f"[always {fault}]"])))
    assert error.startswith("deadline: not answered in 0.4 s")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_mixed_faults_lose_nothing_and_ask_little_twice(seed: int) -> None:
    count, sent = 1000, []
    with (
        running_stub(faults=MIXED_FAULTS, seed=seed, retry_after=0.1) as url,
        connected(url, concurrency=32, timeout_s=3.0) as client,
    ):
        requests = asks(f"say w{i}" for i in range(count))
        found = list(client.ask(requests, read_completion, sending=sent.append))
        seen = stats(url)
    assert sorted(index for index, _ in found) == list(range(count))
    assert {index: outcome.text for index, outcome in found if isinstance(outcome, Reply)} == {
        index: f"w{index}" for index in range(count)
    }
    assert set(seen["answered"].values()) == {1}
    assert seen["retry_after_violations"] == 0
    assert seen["in_flight_max"] <= 32
    assert seen["requests"] == len(sent) <= 1.12 * count


def test_an_ask_that_waits_leaves_its_place_to_others(stub: str) -> None:
    order = []
    with connected(stub, concurrency=1) as client:
        for index, _ in client.ask(asks(["[once 429] say a", "say b", "say c"]), read_completion):
            order.append(index)
    assert order == [1, 2, 0]


def test_asks_are_pulled_as_they_are_needed(stub: str) -> None:
    pulled, most = 0, 0

    def source() -> Iterator[Ask]:
        nonlocal pulled
        for ask in asks(f"say w{i}" for i in range(200)):
            pulled += 1
            yield ask

    with connected(stub, concurrency=4) as client:
        for done, _ in enumerate(client.ask(source(), read_completion), 1):
            most = max(most, pulled - done)
    assert pulled == 200
    assert most <= 2 * 4


def test_the_number_of_waiting_asks_is_bounded(stub: str) -> None:
    pulled = 0

    def source() -> Iterator[Ask]:
        nonlocal pulled
        for ask in asks(f"[always 500] {i}" for i in range(100)):
            pulled += 1
            yield ask

    with connected(stub, concurrency=2, attempts=2, deadline_s=3.0) as client:
        next(client.ask(source(), read_completion))
    assert pulled <= 4 * 2


def test_what_the_source_or_the_journal_raises_comes_through(stub: str) -> None:
    def source() -> Iterator[Ask]:
        yield from asks(["say a"])
        raise ValueError("no more rows")

    def full_disk(index: int) -> None:
        raise OSError("no space left")

    with connected(stub) as client:
        with pytest.raises(ValueError, match="no more rows"):
            outcomes(client, source())
        with pytest.raises(OSError, match="no space left"):
            list(client.ask(asks(["say b"]), read_completion, sending=full_disk))
    assert prompt_key(chat("say b")) not in stats(stub)["per_prompt"]


def test_leaving_early_leaves_nothing_behind(stub: str, caplog: pytest.LogCaptureFixture) -> None:
    def interrupt(index: int) -> None:
        if index == 3:
            raise KeyboardInterrupt

    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        with connected(stub, concurrency=4) as client:
            hanging = ["say a", *(f"[always hang] {i}" for i in range(20))]
            running = client.ask(asks(hanging), read_completion)
            assert isinstance(next(running)[1], Reply)
            running.close()  # type: ignore[attr-defined]
            with pytest.raises(ZeroDivisionError):
                for _ in client.ask(asks(hanging), read_completion):
                    raise ZeroDivisionError
            with pytest.raises(KeyboardInterrupt):
                list(client.ask(asks(hanging), read_completion, sending=interrupt))
            assert texts(outcomes(client, asks(["say b"]))) == ["b"]
        del client, running
        gc.collect()
    assert not warned
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_closed_client_can_be_used_again(stub: str) -> None:
    with connected(stub) as client:
        assert texts(outcomes(client, asks(["say a"]))) == ["a"]
        client.close()
        assert texts(outcomes(client, asks(["say b"]))) == ["b"]


@pytest.mark.parametrize("settings", [{"requests_per_minute": 1}, {"tokens_per_minute": 60}])
def test_a_budget_holds_requests_back(stub: str, settings: dict[str, int]) -> None:
    body = chat_body("small", chat("say yes"), DECODING)
    requests = [Ask(index, "/chat/completions", body, tokens=60) for index in range(3)]
    with connected(stub, **settings) as client:
        assert isinstance(next(client.ask(requests, read_completion))[1], Reply)
    assert stats(stub)["requests"] == 1


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("number", [1, 100])
def test_a_server_that_is_not_there_stops_the_run(number: int) -> None:
    with connected(f"http://127.0.0.1:{free_port()}", attempts=2, concurrency=4) as client:
        found = client.ask(asks(["say yes"] * number), read_completion)
        with pytest.raises(EndpointDown, match=r"cannot be reached: connection: "):
            list(found)
        assert client.asked <= 20


@pytest.mark.slow
def test_asks_wait_for_a_server_that_comes_back() -> None:
    port, probes = free_port(), []

    def sending(index: int) -> None:
        """Stop the server after an answer, and start it right before the second probe."""
        if index == 1:
            servers.close()
        if client.breaker.opened_at is not None:
            probes.append(index)
            if len(probes) == 2:
                servers.enter_context(running_stub(port=port))

    with (
        ExitStack() as servers,
        connected(f"http://127.0.0.1:{port}", concurrency=1, attempts=1) as client,
    ):
        servers.enter_context(running_stub(port=port))
        requests = asks(f"say w{i}" for i in range(31))
        found = dict(client.ask(requests, read_completion, sending=sending))
    assert len(errors([found[index] for index in range(1, 21)])) == 20
    # Not even the ask that was the first probe has lost its only attempt.
    answered = [0, *range(21, 31)]
    assert texts([found[index] for index in answered]) == [f"w{i}" for i in answered]
    assert probes == [21, 22]


def test_the_time_of_an_ask_stands_still_while_the_breaker_is_open() -> None:
    with connected("http://models.invalid", concurrency=1) as client:
        for _ in range(20):
            client.breaker.note(False, False, 10.0)
        assert client.clock(25.0) == client.clock(10.0) == 10.0
        client.breaker.note(True, True, 30.0)
        assert client.clock(31.0) == 11.0


def test_a_server_that_stays_away_stops_the_run(stub: str) -> None:
    sent = []
    with (
        connected(stub, concurrency=4, attempts=50, deadline_s=1.0) as client,
        pytest.raises(EndpointDown, match=r"not answered for 1 s.*server \(500\).*--resume"),
    ):
        requests = asks(f"[always 500] {i}" for i in range(100))
        list(client.ask(requests, read_completion, sending=sent.append))
    assert len(sent) <= 20 + 4 + 1


def test_streamed_answers_are_timed(stub: str) -> None:
    with connected(stub) as client:
        found = outcomes(client, asks(["one two three", "[once midstream] a b"], stream=True))
        whole = outcomes(client, asks(["one two three"]))
    assert texts(found)[0] == texts(whole)[0]
    for reply, attempts in zip(found, (1, 2), strict=True):
        assert isinstance(reply, Reply)
        assert reply.ttft_s and reply.total_s and reply.token_gap_s is not None
        assert 0 < reply.ttft_s <= reply.total_s
        assert (reply.completion_tokens, reply.finish_reason, reply.attempts) == (
            8,
            "stop",
            attempts,
        )


def test_plain_completions_are_answered(stub: str) -> None:
    for stream in (False, True):
        body = completions_body("small", "say yes", DECODING, stream=stream)
        with connected(stub) as client:
            found = outcomes(client, [Ask(0, "/completions", body, stream=stream)])
        assert texts(found) == ["yes"]


def test_embeddings_are_answered(stub: str) -> None:
    body = embeddings_body("small", ["a gate", "a barrow", "a gate"])
    with connected(stub) as client:
        (reply,) = outcomes(client, [Ask(0, "/embeddings", body)], read_embeddings)
    assert isinstance(reply, Reply)
    assert len(reply.vectors) == 3
    assert reply.vectors[0] == reply.vectors[2] != reply.vectors[1]


def test_a_service_is_asked_at_its_own_url(stub: str) -> None:
    spec = Service(
        url=f"{stub}/rag",
        response={"text": "answer", "passages": "sources[].{document: id, text: text}"},
    )
    body = service_body(spec.request, {"question": "say yes"})
    with closing(Client(spec, None, "rag")) as client:
        (reply,) = outcomes(client, [Ask(0, "", body)], lambda v: read_service(v, spec.response))
    assert texts([reply]) == ["yes"]
    assert isinstance(reply, Reply)
    assert [passage.document for passage in reply.passages] == ["doc-1", "doc-2"]


def test_a_service_reply_without_a_text_is_a_failure_at_the_first_attempt(stub: str) -> None:
    spec = Service(url=f"{stub}/rag", response={"text": "result.text"})
    with closing(Client(spec, None, "rag")) as client:
        found = outcomes(
            client, [Ask(0, "", {"question": "?"})], lambda v: read_service(v, spec.response)
        )
    assert errors(found) == ["unreadable: text: 'result.text' finds no text in the reply"]
    assert stats(stub)["requests"] == 1


def test_the_proxy_of_the_environment_is_for_other_hosts(
    stub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", stub)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with connected("http://models.invalid") as client, pytest.raises(EndpointError, match="404"):
        outcomes(client, asks(["say yes"]))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with connected(stub) as client:
        assert texts(outcomes(client, asks(["say yes"]))) == ["yes"]


def everything(client: Client, error: BaseException) -> str:
    """All that a careless traceback or log could show."""
    # Without the test itself, which knows the key.
    frames = error.__traceback__ and error.__traceback__.tb_next
    shown = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    parts = [client, vars(client), client.line, vars(client.line), client.line.secret, error.args]
    return "".join(shown.format()) + "".join(map(repr, parts))


def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    asked = ["say yes", f"say {KEY}", "[always 400]", "[always 500]", f"[once 500] say x{KEY}y"]
    settings = {"api_key_env": "MY_KEY", "attempts": 2, "timeout_s": 30.0}
    with (
        caplog.at_level(logging.DEBUG),
        running_stub(key=KEY) as url,
        connected(url, f"{KEY}\n", **settings) as client,
    ):
        found = outcomes(client, asks(asked))
        found += outcomes(client, asks(asked[:2], stream=True))
        with pytest.raises(EndpointError) as caught:
            outcomes(client, asks(["[always 401]"]))
        leaks = everything(client, caught.value)
    assert texts([found[i] for i in (0, 1, 4, 5, 6)]) == ["yes", "[key]", "x[key]y", "yes", "[key]"]
    assert "[key]" in errors(found[2:3])[0]
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert KEY not in leaks + repr(found) + caplog.text + str(caught.value)


def test_the_key_shows_nowhere_when_the_connection_fails() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        connected(url, KEY, deadline_s=1.0, attempts=50) as client,
        pytest.raises(EndpointDown) as caught,
    ):
        outcomes(client, asks(f"say w{i}" for i in range(50)))
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert KEY not in everything(client, caught.value)


def test_a_key_is_masked_before_a_message_is_cut() -> None:
    said = "x" * 190 + KEY
    head = f"400 Bad Request\r\nContent-Length: {len(said)}"
    with answering(head, said) as url, connected(url, KEY) as client:
        (error,) = errors(outcomes(client, asks(["say yes"])))
    assert error == "rejected (400): " + "x" * 190 + "[key]"


def test_a_stand_in_for_a_key_does_not_maim_the_answers() -> None:
    assert Secret("none").clean("There is none.") == "There is none."
    assert Secret("").clean("There is none.") == "There is none."
    assert Secret(None).headers() == {}


def test_half_an_emoji_becomes_something_that_can_be_written() -> None:
    assert Secret(None).clean("a\ud83db") == "a?b"


def test_the_path_goes_before_the_query_which_is_not_shown() -> None:
    seen: list[str] = []
    with answering("404 Not Found\r\nContent-Length: 0", seen=seen) as url:
        spec = Endpoint(url=f"{url}/v1/?version={KEY}")
        with closing(Client(spec, None, "stub")) as client:
            with pytest.raises(EndpointError) as caught:
                outcomes(client, asks(["say yes"]))
            assert KEY not in repr(client)
    assert seen == [f"POST /v1/chat/completions?version={KEY} HTTP/1.1"]
    assert f"{url}/v1/chat/completions answered 404: Not Found" in str(caught.value)


def test_settings_that_no_request_could_work_with_are_refused() -> None:
    with pytest.raises(EndpointError, match="a user and a password do not belong"):
        Client(Endpoint(url="http://ann:secret@example.org/v1"), None, "stub")
    with pytest.raises(EndpointError, match="MY_KEY holds characters") as caught:
        Client(
            Endpoint(url="http://example.org/v1", api_key_env="MY_KEY"), f"{KEY}\nHost: x", "stub"
        )
    assert KEY not in str(caught.value)


def test_the_module_is_light() -> None:
    code = (
        "import sys, bakeoff.models.endpoint\n"
        "print({'torch', 'numpy', 'mlflow', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
