"""Alerts against a real server on this machine: kept always, posted once, secrets unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakeoff.running.alert import Alert, send
from bakeoff.testing import NEVER, Reply, Request, fake_endpoint

SECRET = "/services/T0/s3cret?token=hunter2"
FELL = Alert("qa down", "qa got worse", {"before": 0.7})
ROSE = Alert("qa up", "qa got better")


@dataclass
class Hook:
    """A webhook that answers what it is told to, and what it was sent."""

    answers: list[int]
    """Status codes in turn; the last one for good. 0 hangs until the test is over."""
    location: str = ""
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    def reply(self, request: Request) -> Reply:
        self.asked += 1
        code = self.answers[min(self.asked, len(self.answers)) - 1]
        if code == 200:
            self.bodies.append(request.body)
        headers = {"Location": self.location} if self.location else {}
        return Reply(status=code, headers=headers) if code else NEVER


@contextmanager
def listening(*answers: int, location: str = "") -> Iterator[Hook]:
    hook = Hook(list(answers), location)
    with fake_endpoint(hook.reply) as endpoint:
        hook.url = f"{endpoint.url}{SECRET}"
        yield hook


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nightly" / "alerts.jsonl"


def tell(path: Path, *alerts: Alert, url: str | None = None, timeout_s: float = 5.0) -> str:
    return send(alerts, url, path, timeout_s=timeout_s, backoff_s=0.01)


def kept(path: Path) -> list[str]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["id"] for row in rows if "id" in row]


def posted(hook: Hook) -> list[list[str]]:
    return [[alert["id"] for alert in body["alerts"]] for body in hook.bodies]


def test_without_a_webhook_alerts_are_kept_and_owed_to_none(path: Path) -> None:
    assert tell(path, FELL) == ""
    (row,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (row["id"], row["text"], row["facts"]) == (FELL.id, FELL.text, {"before": 0.7})
    with listening(200) as hook:
        assert tell(path, url=hook.url) == ""
        assert hook.asked == 0


def test_an_alert_is_posted_with_its_text_and_facts(path: Path) -> None:
    with listening(200) as hook:
        assert tell(path, FELL, ROSE, url=hook.url) == ""
    (body,) = hook.bodies
    assert body["text"] == "qa got worse\nqa got better"
    assert body["alerts"][0] == {"id": FELL.id, "text": FELL.text, "facts": {"before": 0.7}}


def test_the_same_alert_is_kept_and_posted_once(path: Path) -> None:
    with listening(200) as hook:
        for alerts in ([FELL, FELL], [FELL], [FELL, ROSE], [ROSE], []):
            assert tell(path, *alerts, url=hook.url) == ""
    assert posted(hook) == [[FELL.id], [ROSE.id]]
    assert kept(path) == [FELL.id, ROSE.id]


def test_a_webhook_that_is_down_gets_it_with_the_next_call(path: Path) -> None:
    with listening(500) as hook:
        failed = tell(path, FELL, url=hook.url)
        assert hook.asked == 3
    assert "webhook at 127.0.0.1: answers 500 after 3 attempts; 1 not delivered" in failed
    assert kept(path) == [FELL.id]
    with listening(200) as hook:
        assert tell(path, ROSE, url=hook.url) == ""
        assert tell(path, FELL, ROSE, url=hook.url) == ""
    assert posted(hook) == [[FELL.id, ROSE.id]]


@pytest.mark.parametrize("refusals", [[500], [429, 503]])
def test_a_webhook_that_recovers_in_time_is_asked_again(path: Path, refusals: list[int]) -> None:
    with listening(*refusals, 200) as hook:
        assert tell(path, FELL, url=hook.url) == ""
    assert hook.asked == len(refusals) + 1
    assert posted(hook) == [[FELL.id]]


@pytest.mark.parametrize("code", [400, 403, 404, 410])
def test_a_refusal_that_stays_is_not_tried_again(path: Path, code: int) -> None:
    with listening(code) as hook:
        assert f"answers {code};" in tell(path, FELL, url=hook.url)
        assert hook.asked == 1


def test_a_webhook_that_hangs_is_given_up(path: Path) -> None:
    with listening(0) as hook:
        failed = tell(path, FELL, url=hook.url, timeout_s=0.2)
        assert hook.asked == 3
    assert "no answer within 0.2 s after 3 attempts" in failed
    assert kept(path) == [FELL.id]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(path: Path, code: int) -> None:
    with (
        listening(200) as other,
        listening(code, location=other.url.replace("127.0.0.1", "localhost")) as hook,
    ):
        failed = tell(path, FELL, url=hook.url)
        assert (hook.asked, other.asked) == (1, 0)
    assert f"redirect ({code})" in failed
    assert_unsaid(failed)


def assert_unsaid(sentence: str) -> None:
    assert sentence
    assert not re.search("s3cret|hunter2|services|token", sentence), sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1" + SECRET,
        "http://127.0.0.1:99999" + SECRET,
        "http://127.0.0.1:1/s3cret path\x7f",
        "http://127.0.0.1:1/s3crét",
        "http://hunter2:hunter2@127.0.0.1:1/x",
        "https://127.0.0.1:1" + SECRET,
        "http://[::1" + SECRET,
        "http://" + SECRET,
        "file://" + SECRET,
        "ftp://127.0.0.1" + SECRET,
        "s3cret",
    ],
)
def test_an_address_that_leads_nowhere_is_a_sentence_without_its_secrets(
    path: Path, url: str
) -> None:
    failed = tell(path, FELL, url=url)
    assert_unsaid(failed)
    assert failed.startswith("webhook")
    assert kept(path) == [FELL.id]


def test_a_server_that_speaks_no_http_is_a_sentence(path: Path) -> None:
    with listening(1000) as hook:  # a status line of four digits
        assert_unsaid(tell(path, FELL, url=hook.url))


def test_a_file_that_cannot_be_written_still_lets_the_webhook_know(tmp_path: Path) -> None:
    (tmp_path / "nightly").write_text("no folder")
    with listening(200) as hook:
        failed = tell(tmp_path / "nightly" / "alerts.jsonl", FELL, url=hook.url)
    assert "alerts cannot be written" in failed
    assert posted(hook) == [[FELL.id]]


def test_a_torn_or_foreign_line_costs_no_other_alert(path: Path) -> None:
    tell(path, FELL)
    with path.open("ab") as stream:
        stream.write(b'[1]\n{"id": 3}\n{"delivered": [[]]}\n\xff\n{"id": "qa u')
    with listening(200) as hook:
        assert tell(path, FELL, ROSE, url=hook.url) == ""
        assert tell(path, FELL, ROSE, url=hook.url) == ""
    assert posted(hook) == [[ROSE.id]]
    assert path.read_bytes().count(b'{"id": "qa u\n') == 1


def test_names_from_files_call_nobody_in_a_chat(path: Path) -> None:
    odd = Alert("x", "<!channel> @here <@U1>\x1b[31m\r\nnext \ud800 a <= b, a@ b")
    with listening(200) as hook:
        assert tell(path, odd, url=hook.url) == ""
        assert tell(path, odd, url=hook.url) == ""
    assert len(hook.bodies) == 1
    text = hook.bodies[0]["text"]
    assert not re.search(r"<[!@#]|@\w|[\x00-\x1f\ud800]", text)
    assert "a <= b, a@ b" in text


ids = st.lists(st.sampled_from("abcd"), max_size=4)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(ids, st.booleans()), max_size=6))
def test_whatever_fails_in_between_every_alert_is_posted_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, nights: list[tuple[list[str], bool]]
) -> None:
    path = tmp_path_factory.mktemp("alerts") / "alerts.jsonl"
    with listening(200) as hook:
        for names, up in [*nights, ([], True)]:
            hook.answers = [200 if up else 404]
            tell(path, *(Alert(name, name) for name in names), url=hook.url)
    said = [name for post in posted(hook) for name in post]
    assert sorted(said) == sorted({name for names, _ in nights for name in names})
