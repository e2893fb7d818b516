"""The stub server: what tests and benchmarks of endpoints lean on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any

import pytest
from stub import CHAT, COMPLETIONS, EMBEDDINGS, FAULTS, RAG, prompt_key, reset, running_stub, stats

from conftest import ROOT

PERF = ROOT / "benchmarks" / "perf"
KEY = "sk-canary-0123456789"
MOMENTS = ("first_request_at", "last_request_at", "last_reply_at")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_stub(retry_after=0.2) as url:
        yield url


@pytest.fixture
def stub(server: str) -> str:
    """The stub's address, with all counts at zero."""
    reset(server)
    return server


def connect(url: str, timeout_s: float = 10.0) -> HTTPConnection:
    return HTTPConnection(url.removeprefix("http://"), timeout=timeout_s)


def post(connection: HTTPConnection, path: str, body: Any, key: str = "") -> HTTPResponse:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request("POST", path, json.dumps(body), headers)
    return connection.getresponse()


def ask(url: str, path: str, body: Any, key: str = "", timeout_s: float = 10.0) -> tuple[int, Any]:
    """Status and JSON body of the reply to one request on a connection of its own."""
    connection = connect(url, timeout_s)
    try:
        response = post(connection, path, body, key)
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def key_of(text: str) -> str:
    return prompt_key(chat(text)["messages"])


def events(url: str, path: str, body: Any) -> list[str]:
    """The data of each event of a streamed reply."""
    connection = connect(url)
    try:
        lines = post(connection, path, body).read().decode().splitlines()
        return [line.removeprefix("data: ") for line in lines if line]
    finally:
        connection.close()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def outcome(url: str, text: str, timeout_s: float = 10.0) -> str:
    """The status of a chat request, or what cut it short."""
    try:
        return str(ask(url, CHAT, chat(text), timeout_s=timeout_s)[0])
    except (OSError, HTTPException) as error:
        return type(error).__name__


def test_it_says_the_word_that_the_last_user_message_asks_for(stub: str) -> None:
    messages = [
        {"role": "system", "content": "You say words."},
        {"role": "user", "content": "Please say one"},
        {"role": "assistant", "content": "say two"},
        {"role": "user", "content": [{"type": "text", "text": "Question 17: say w17"}]},
    ]
    status, body = ask(stub, CHAT, {"model": "m", "messages": messages})
    assert status == 200
    assert body["model"] == "m"
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "w17"}
    assert choice["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}


def test_other_prompts_are_answered_the_same_by_every_server() -> None:
    said = []
    for _ in range(2):
        with running_stub(words=5) as url:
            prompts = [("m", "Why?"), ("m", "Who?"), ("n", "Why?")]
            said.append(
                [
                    ask(url, COMPLETIONS, {"model": m, "prompt": p})[1]["choices"][0]["text"]
                    for m, p in prompts
                ]
            )
    assert said[0] == said[1]
    assert len(set(said[0])) == 3
    assert [len(text.split()) for text in said[0]] == [5, 5, 5]


def test_a_stream_brings_a_word_at_a_time(stub: str) -> None:
    whole = ask(stub, CHAT, chat("Why?"))[1]
    *chunks, done = events(
        stub, CHAT, chat("Why?", stream=True, stream_options={"include_usage": True})
    )
    assert done == "[DONE]"
    *pieces, usage = map(json.loads, chunks)
    contents = [piece["choices"][0]["delta"].get("content", "") for piece in pieces]
    assert "".join(contents) == whole["choices"][0]["message"]["content"]
    assert [len(content.split()) for content in contents] == [1] * 8 + [0]
    assert [p["choices"][0]["finish_reason"] for p in pieces] == [None] * 8 + ["stop"]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])


def test_a_stream_without_a_wish_for_usage_has_none(stub: str) -> None:
    *chunks, done = events(stub, COMPLETIONS, {"prompt": "say w1", "stream": True})
    assert done == "[DONE]"
    assert [json.loads(chunk)["choices"][0]["text"] for chunk in chunks] == ["w1", ""]
    assert not any("usage" in json.loads(chunk) for chunk in chunks)


def test_the_second_word_of_a_stream_waits_for_the_interval() -> None:
    with running_stub(token_interval=30) as url:
        connection = connect(url, timeout_s=0.3)
        response = post(connection, CHAT, chat("Why?", stream=True))
        assert response.readline().startswith(b"data: {")
        assert response.readline() == b"\n"
        with pytest.raises(TimeoutError):
            response.readline()
        connection.close()


def test_vectors_are_of_length_one_and_near_where_words_are_shared(stub: str) -> None:
    texts = ["the east gate", "The gate, east!", "the east wall", "nineteen heavy barrows"]
    status, body = ask(stub, EMBEDDINGS, {"model": "e", "input": texts})
    assert status == 200
    assert [item["index"] for item in body["data"]] == [0, 1, 2, 3]
    first, same, near, far = (item["embedding"] for item in body["data"])
    assert len(first) == 16
    assert math.hypot(*far) == pytest.approx(1)
    assert same == pytest.approx(first)
    assert cosine(first, near) > cosine(first, far) + 0.1
    assert body["usage"] == {"prompt_tokens": 12, "total_tokens": 12}


def test_a_service_answers_with_sources_and_usage(stub: str) -> None:
    status, body = ask(stub, RAG, {"question": "Please say 6.40"})
    assert status == 200
    assert body["answer"] == "6.40"
    assert [set(source) for source in body["sources"]] == [{"id", "text"}] * 2
    assert "6.40" in body["sources"][0]["text"]
    assert body["usage"] == {"in": 3, "out": 1}


@pytest.mark.parametrize("status", ["400", "401", "404", "429", "500"])
def test_an_ordered_refusal_comes_every_time_and_repeats_the_secret(stub: str, status: str) -> None:
    for _ in range(2):
        got, body = ask(stub, CHAT, chat(f"[always {status}] say w1"), key=KEY)
        assert got == int(status)
        assert KEY in body["error"]["message"]
    assert stats(stub)["by_status"] == {status: 2}
    assert stats(stub)["answered"] == {}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("429", "429"),
        ("500", "500"),
        ("reset", "ConnectionResetError"),
        ("hang", "TimeoutError"),
        ("truncated", "IncompleteRead"),
        ("midstream", "IncompleteRead"),
    ],
)
def test_a_fault_ordered_once_comes_once(stub: str, fault: str, seen: str) -> None:
    text = f"[once {fault}] say w1"
    assert outcome(stub, text, timeout_s=0.3 if fault == "hang" else 10) == seen
    assert [outcome(stub, text) for _ in range(2)] == ["200", "200"]
    counted = stats(stub)
    assert counted["by_status"] == {fault: 1, "200": 2}
    assert counted["per_prompt"] == {key_of(text): 3}
    assert counted["answered"] == {key_of(text): 2}


def test_two_orders_are_carried_out_one_after_the_other(stub: str) -> None:
    text = "[once 500] [once reset] say w1"
    assert [outcome(stub, text) for _ in range(3)] == ["500", "ConnectionResetError", "200"]


@pytest.mark.parametrize("fault", ["truncated", "midstream"])
def test_a_stream_breaks_off_between_its_first_word_and_its_end(stub: str, fault: str) -> None:
    connection = connect(stub)
    response = post(connection, CHAT, chat(f"[always {fault}] Why?", stream=True))
    # Not `response.read()`: it drops a chunk that is not whole.
    sent = response.fp.read()
    connection.close()
    assert response.status == 200
    assert b"data: {" in sent
    assert sent.endswith(b"}\n\n\r\n") == (fault == "midstream")
    assert b"[DONE]" not in sent


def test_half_a_body_is_half_of_the_json(stub: str) -> None:
    connection = connect(stub)
    with pytest.raises(IncompleteRead) as broken:
        post(connection, CHAT, chat("[always truncated] say w1")).read()
    connection.close()
    assert broken.value.partial.startswith(b'{"id": ')
    # Of an even and of an odd length alike: what came and what is missing differ by one at most.
    assert abs(len(broken.value.partial) - (broken.value.expected or 0)) <= 1


def test_a_retry_before_its_time_is_counted() -> None:
    with running_stub(retry_after=7.5) as url:
        connection = connect(url)
        refusal = post(connection, CHAT, chat("[once 429] say w1"))
        assert refusal.getheader("Retry-After") == "7.5"
        connection.close()
        assert outcome(url, "[once 429] say w1") == "200"
        assert stats(url)["retry_after_violations"] == 1


def test_a_retry_in_its_time_is_no_violation(stub: str) -> None:
    assert outcome(stub, "[once 429] say w1") == "429"
    time.sleep(0.2)
    assert outcome(stub, "[once 429] say w1") == "200"
    assert stats(stub)["retry_after_violations"] == 0


def test_a_seed_decides_the_faults_in_whatever_order_requests_come() -> None:
    prompts = [f"Question {number}: say w{number}" for number in range(60)]
    seen = []
    for seed, order in ((1, prompts), (1, prompts[::-1]), (2, prompts)):
        with running_stub(faults={"429": 0.2, "500": 0.2}, seed=seed) as url:
            first = {prompt: outcome(url, prompt) for prompt in order}
            second = {prompt: outcome(url, prompt) for prompt in order}
            seen.append([(first[prompt], second[prompt]) for prompt in prompts])
    assert seen[0] == seen[1] != seen[2]
    # Every prompt draws anew each time, so that a retry can pass.
    assert {first for first, _ in seen[0]} == {"200", "429", "500"}
    assert any(first != "200" and second == "200" for first, second in seen[0])


def test_a_wrong_key_is_refused_and_repeated() -> None:
    with running_stub(key=KEY) as url:
        assert ask(url, CHAT, chat("say w1"), key=KEY)[0] == 200
        status, body = ask(url, CHAT, chat("say w1"), key="sk-other")
        assert status == 401
        assert "sk-other" in body["error"]["message"]
        assert ask(url, CHAT, chat("say w1"))[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHAT, {"prompt": "say w1"}, 400),
        (CHAT, ["say w1"], 400),
        (EMBEDDINGS, {"input": []}, 400),
        ("/v1/unknown", chat("say w1"), 404),
    ],
)
def test_what_it_does_not_understand_it_refuses(
    stub: str, path: str, body: Any, status: int
) -> None:
    assert ask(stub, path, body)[0] == status
    assert stats(stub)["requests"] == 1


def test_requests_under_way_are_counted_together(stub: str) -> None:
    connections = [connect(stub) for _ in range(5)]
    for connection in connections:
        connection.request("POST", CHAT, json.dumps(chat("[always hang]")))
    while stats(stub)["requests"] < 5:
        time.sleep(0.01)
    assert stats(stub)["in_flight_max"] == 5
    for connection in connections:
        connection.close()
    # What a client gave up is under way no more.
    while stats(stub)["in_flight_max"] != 1:
        reset(stub)
        assert outcome(stub, "say w1") == "200"


def test_moments_are_those_of_this_machines_clock(stub: str) -> None:
    assert [stats(stub)[name] for name in MOMENTS] == [None] * 3
    before = time.time()
    ask(stub, CHAT, chat("say w1"))
    ask(stub, CHAT, chat("say w2"))
    first, last, replied = (stats(stub)[name] for name in MOMENTS)
    assert before < first < last < replied < time.time()


def test_a_reset_forgets_which_prompts_were_asked(stub: str) -> None:
    assert outcome(stub, "[once 500] say w1") == "500"
    reset(stub)
    assert stats(stub)["requests"] == 0
    assert outcome(stub, "[once 500] say w1") == "500"


def test_one_connection_serves_many_requests(stub: str) -> None:
    connection = connect(stub)
    for number in range(3):
        body = json.loads(post(connection, CHAT, chat(f"say w{number}")).read())
        assert body["choices"][0]["message"]["content"] == f"w{number}"
        assert connection.sock is not None
    connection.close()


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, str(PERF / "stub.py"), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_it_stops_when_its_parent_is_gone_even_with_a_request_under_way() -> None:
    process, url = start()
    with process:
        connection = connect(url)
        connection.request("POST", CHAT, json.dumps(chat("[always hang]")))
        while not stats(url)["requests"]:
            time.sleep(0.01)
        assert process.poll() is None
        _, complaints = process.communicate(timeout=60)
        connection.close()
    assert (process.returncode, complaints) == (0, "")


def test_it_stops_when_nobody_asks() -> None:
    process, url = start("--idle", "1")
    with process:
        assert ask(url, CHAT, chat("say w1"))[0] == 200
        assert process.wait(timeout=60) == 0


def test_it_takes_no_fault_that_it_does_not_know() -> None:
    process, url = start("--fault", "fire=0.5")
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, url) == (2, "")
    assert "no fault named 'fire'" in complaints
    assert all(fault in complaints for fault in FAULTS)


def test_the_bare_loop_gets_every_answer_right(stub: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PERF / "bare_loop.py"), stub, "--samples", "100"],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout)
    assert (measured["samples"], measured["right"]) == (100, 100)
    assert stats(stub)["answered"] == {key_of(f"Question {n}: say w{n}"): 1 for n in range(100)}
