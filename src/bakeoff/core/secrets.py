"""API keys and passwords: what looks like one, how a file refers to one, texts without them.

A file names the environment variable that holds a secret: `api_key_env: NAME`, or `${NAME}` in a
text. What was written out all the same is known by the name of its field, or by its own form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MARK = "[key]"
"""What takes the place of a secret in a text."""
SHORTEST = 6
"""Shorter ones are stand-ins such as `none`; to mask them would maim the text."""
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_ALONE = re.compile(
    "apikey|auth|authorization|bearer|cookie|credentials?|jwt|key|pass|passwd|password|pwd|secret"
    "|sig|signature|token"
)
_BEFORE = {
    "key": re.compile(
        "access|account|api|apim|auth|client|encryption|functions?|license|master|private|secret"
        "|service|shared|signing|subscription"
    ),
    "token": re.compile(
        "access|api|auth|bearer|hf|id|oauth|personal|refresh|sas|secret|security|session|user"
    ),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FORMS = re.compile(
    r"(?<![\w-])(?:"
    r"(?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{16,}"  # OpenAI and its likes, Stripe
    r"|(?:hf|gsk|r8|gh[opsru]|github_pat)_\w{16,}"  # Hugging Face, Groq, Replicate, GitHub
    r"|(?:glpat|nvapi|xox[abeprs])-[\w-]{10,}"  # GitLab, NVIDIA, Slack
    r"|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}"  # AWS, Google
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r")|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]*-----END [A-Z ]*PRIVATE KEY-----)?"
)
_SCHEME = re.compile(r"(?i)^(?:bearer|basic|token|digest)\b\s*")
_TEMPLATE = re.compile(r"\{[^{}]*\}")
_RANDOM = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}")
_IN_TEXT = (
    (re.compile(r"(?<=://)[^/@\s'\"]+@"), f"{MARK}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+(?=\S*[\d=])[\w.~+/=-]{12,}"), rf"\1 {MARK}"),
)
_ASSIGNED = re.compile(r"([\w.-]+)(['\"]?\s*[=:]\s*['\"]?)([^\s&'\",;)}\]]{6,})")
_QUERY = re.compile(r"([?&])([^=&\s]+)=([^&\s'\"#]+)")


def names_secret(name: str) -> bool:
    """Whether a field, header or parameter of this name holds a secret.

    >>> [names_secret(name) for name in ("X-Api-Key", "accessToken", "max_tokens", "eos_token")]
    [True, True, False, False]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    *before, last = words
    if before and last in _BEFORE:
        return _BEFORE[last].fullmatch(before[-1]) is not None
    return _ALONE.fullmatch(last) is not None


def looks_secret(text: str) -> bool:
    """Whether a text holds a key in the form of a known service."""
    return _FORMS.search(text) is not None


def written_out(name: str, value: object) -> bool:
    """Whether a field holds a secret itself, neither a reference to one nor a template."""
    if not isinstance(value, str):
        return False
    if looks_secret(value):
        return True
    rest = _SCHEME.sub("", _TEMPLATE.sub("", REFERENCE.sub("", value)).strip())
    return names_secret(name) and len(rest) >= SHORTEST


def exposed(part: object, where: str = "") -> list[str]:
    """The places below `where` in a nested value that hold a secret written out."""
    if isinstance(part, Mapping):
        places = [(f"{where}.{name}" if where else str(name), v) for name, v in part.items()]
    elif isinstance(part, list | tuple):
        places = [(f"{where}[{number}]", value) for number, value in enumerate(part)]
    else:
        return []
    exposed_places: list[str] = []
    for place, value in places:
        if written_out(place.rpartition(".")[2], value):
            exposed_places.append(place)
        exposed_places += exposed(value, place)
    return exposed_places


def exposed_in_url(url: str) -> list[str]:
    """What of a url holds a secret written out: its user and password, parameters, its path."""
    parts = urlsplit(url)
    exposed_parts = ["the user and password"] if "@" in parts.netloc else []
    if looks_secret(parts.path):
        exposed_parts.append("the path")
    return exposed_parts + [
        f"the parameter '{name}'"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if _in_query(name, value)
    ]


def _in_query(name: str, value: str) -> bool:
    # `code` holds the key of an Azure function; elsewhere it is any code.
    as_key = "key" if name.lower() == "code" else name
    rest = REFERENCE.sub("", value)
    return written_out(as_key, value) or _RANDOM.search(rest) is not None


def masked(text: str) -> str:
    """A text of somebody else's, such as an error, without what looks like a secret in it.

    >>> masked("GET https://ann:pw@host/ask?api_key=abcdef1&k=5 failed")
    'GET https://[key]@host/ask?api_key=[key]&k=5 failed'
    """
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)

    def parameter(match: re.Match[str]) -> str:
        secret = _in_query(match[2], match[3])
        return f"{match[1]}{match[2]}={MARK}" if secret else match[0]

    def assigned(match: re.Match[str]) -> str:
        # A parser's `unexpected token: ...` is no secret.
        clear = names_secret(match[1]) and ("=" in match[2] or match[1].lower() not in _VAGUE)
        masks = clear and not match[3].startswith((MARK, "${")) and not _SCHEME.match(match[3])
        return f"{match[1]}{match[2]}{MARK}" if masks else match[0]

    return _FORMS.sub(MARK, _ASSIGNED.sub(assigned, _QUERY.sub(parameter, text)))


_VAGUE = frozenset({"auth", "key", "pass", "signature", "token"})


def without_secrets(part: Any) -> Any:
    """A nested value of a file in which secrets that were written out are marks."""
    if isinstance(part, Mapping):
        return {
            name: MARK if written_out(str(name), value) else without_secrets(value)
            for name, value in part.items()
        }
    if isinstance(part, list | tuple):
        return [without_secrets(value) for value in part]
    return masked(part) if isinstance(part, str) and "://" in part else part


def unnamed(part: Any) -> Any:
    """A nested value for an identity: which variable holds a secret is no part of it."""
    return _texts(part, lambda text: REFERENCE.sub(MARK, text))


def references(part: Any) -> list[str]:
    """The environment variables that the texts of a nested value refer to."""
    names: dict[str, None] = {}

    def note(text: str) -> str:
        names.update(dict.fromkeys(REFERENCE.findall(text)))
        return text

    _texts(part, note)
    return list(names)


def filled(part: Any, secret: Callable[[str], str]) -> Any:
    """A nested value with `secret(NAME)` in the place of every `${NAME}`."""
    return _texts(part, lambda text: REFERENCE.sub(lambda match: secret(match[1]), text))


def _texts(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if isinstance(part, Mapping):
        return {name: _texts(value, change) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_texts(value, change) for value in part]
    return part
