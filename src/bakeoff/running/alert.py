"""Alerts kept in a file and, where there is a webhook, posted to it once each.

    {"id": "...", "at": "...", "text": "...", "facts": {...}, "owed": true}
    {"delivered": ["..."], "at": "..."}

The file is what counts. A webhook that was down gets what it is owed with the next call.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from bakeoff.core.secrets import masked

ATTEMPTS = 3
_BUSY = (408, 425, 429)
"""Refusals after which another attempt may do better, as after every 5xx."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_MENTION = re.compile(r"([@<])(?=[\w!#@])")


@dataclass(frozen=True)
class Alert:
    """Something a person should know."""

    id: str
    """What makes it the same alert: one whose id the file holds is not sent again."""
    text: str
    """One sentence."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The same for a program, as JSON values."""


@dataclass(frozen=True)
class _Kept(Alert):
    """An alert as a line of the file."""

    at: str = ""
    owed: bool = False
    """Whether there was a webhook to post it to."""


@dataclass(frozen=True)
class _Delivered:
    """The note that alerts were posted."""

    delivered: Sequence[str]
    """Their ids."""
    at: str


class _Unsent(Exception):
    """Why an attempt failed; never says more of the address than its host."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again
        """Whether another attempt may do better."""


def send(
    alerts: Sequence[Alert],
    webhook_url: str | None,
    path: Path,
    *,
    timeout_s: float = 10.0,
    backoff_s: float = 2.0,
) -> str:
    """Keep the alerts that `path` does not hold, post them, and return what failed as a sentence.

    The sentence is empty when all went well; nothing is raised for a file that cannot be written
    or a webhook that is down. `backoff_s` is the wait before the second attempt; it doubles. An
    alert can be posted twice when a process ends between the post and the note of it, or when two
    send at once; it is never posted by neither.
    """
    failed: list[str] = []
    rows = [_Kept(a.id, masked(a.text), a.facts, _now(), bool(webhook_url)) for a in alerts]
    try:
        rows = _keep(path, rows)
    except OSError as error:
        # The rows are posted all the same, each time anew: twice is better than never.
        failed.append(f"{path}: alerts cannot be written: {error.strerror or error}.")
    if not (webhook_url and rows):
        return " ".join(failed)
    if problem := _post(webhook_url, rows, timeout_s, backoff_s):
        failed.append(problem)
    elif not failed:
        try:
            _append(path, [_Delivered([row.id for row in rows], _now())])
        except OSError as error:
            failed.append(
                f"{path}: cannot be written: {error.strerror or error}; alerts come again."
            )
    return " ".join(failed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _keep(path: Path, rows: Sequence[_Kept]) -> list[_Kept]:
    """Append the rows that are new; what is owed to the webhook now, older ones first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept, delivered = _read(path)
    new = {row.id: row for row in rows if row.id not in kept}
    _append(path, list(new.values()))
    every = [*kept.values(), *new.values()]
    return [row for row in every if row.owed and row.id not in delivered]


def _read(path: Path) -> tuple[dict[str, _Kept], set[str]]:
    """The alerts in the file by id, and the ids that were delivered.

    Lines that are neither are stepped over: at worst an alert is sent a second time.
    """
    parse = TypeAdapter[_Kept | _Delivered](_Kept | _Delivered).validate_json
    kept: dict[str, _Kept] = {}
    delivered: set[str] = set()
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            row = parse(line)
        except ValidationError:
            continue
        if isinstance(row, _Delivered):
            delivered.update(row.delivered)
        else:
            kept.setdefault(row.id, row)
    return kept, delivered


def _append(path: Path, rows: Iterable[_Kept | _Delivered]) -> None:
    """Add whole lines and wait for the disk; a torn last line is closed first."""
    text = "".join(json.dumps(vars(row), default=str, ensure_ascii=False) + "\n" for row in rows)
    # Half of a surrogate pair in a text would make a line that cannot be read back.
    lines = text.encode("utf-8", "replace")
    if not lines:
        return
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        while lines:
            lines = lines[os.write(file, lines) :]
        os.fsync(file)
    finally:
        os.close(file)


def _post(url: str, rows: Sequence[_Kept], timeout_s: float, backoff_s: float) -> str:
    """Post the rows, in several attempts where that may help; why it failed, or nothing."""
    host = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            host = _host(url)
            _attempt(url, _body(rows), timeout_s)
            return ""
        except _Unsent as error:
            if not error.again or attempt == ATTEMPTS:
                where = f"webhook at {host}" if host else "webhook"
                tried = f" after {attempt} attempts" if attempt > 1 else ""
                return f"{where}: {error}{tried}; {len(rows)} not delivered."
        time.sleep(backoff_s * 2 ** (attempt - 1))
    raise AssertionError("the last attempt returns")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or "@" in parts.netloc:
        raise _Unsent("the address is not http://HOST/... or https://HOST/...")
    return str(parts.hostname)


def _body(rows: Sequence[_Kept]) -> bytes:
    alerts = [{"id": row.id, "text": row.text, "facts": row.facts} for row in rows]
    text = "\n".join(_harmless(row.text) for row in rows)
    return json.dumps({"text": text, "alerts": alerts}, default=str).encode()


def _harmless(text: str) -> str:
    """One line in which a chat finds nobody to call: names in alerts come from files."""
    return _MENTION.sub("\\1\u200b", _CONTROL.sub(" ", text))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are refused: another host must not see alerts, and 301 to 303 drop the body."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _attempt(url: str, body: bytes, timeout_s: float) -> None:
    """One POST. Raises `_Unsent`."""
    headers = {"Content-Type": "application/json", "User-Agent": "bakeoff"}
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        request = urllib.request.Request(url, body, headers, method="POST")
        opener.open(request, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error.code) from None
    except (OSError, HTTPException, ValueError) as error:
        # Not the error's own text: it may hold the path.
        raise _unreached(error, timeout_s) from None


def _refused(code: int) -> _Unsent:
    if 300 <= code < 400:
        return _Unsent(f"answers with a redirect ({code}), which is not followed")
    return _Unsent(f"answers {code}", again=code in _BUSY or code >= 500)


def _unreached(error: Exception, timeout_s: float) -> _Unsent:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return _Unsent(f"no answer within {timeout_s:g} s", again=True)
    if isinstance(reason, OSError):
        return _Unsent(reason.strerror or type(reason).__name__, again=True)
    return _Unsent(type(error).__name__, again=not isinstance(error, ValueError))
