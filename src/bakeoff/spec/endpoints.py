"""How something is reached over HTTP: a server of models, or a whole system of yours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from bakeoff.spec.yaml_files import File


class Connection(File):
    """How to reach something over HTTP, and how hard to press it."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
    """Where requests go; for an OpenAI-compatible server its base, ending in `/v1`."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Name of the environment variable that holds the API key, never the key itself."""
    headers: Annotated[Mapping[str, str], Field(exclude_if=lambda value: not value)] = {}
    """Further headers of every request; `${NAME}` stands for an environment variable in them, in
    the url's path and query, and in the fields of the body."""
    concurrency: Annotated[int, Field(ge=1)] = 16
    """Requests in flight at most; fewer while the server refuses many."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Requests a minute at most."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Tokens a minute at most, of prompts and answers."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """For one request."""
    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    """For one sample, all its attempts and waits together."""
    attempts: Annotated[int, Field(ge=1)] = 6
    """How often a request that fails for a passing reason is sent at most."""

    @property
    def body(self) -> Mapping[str, object]:
        """What the file says of the body of every request."""
        return {}


class Price(File):
    """Money for a million tokens."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    """Money for a million prompt tokens."""
    completion: Annotated[float, Field(ge=0)] = 0.0
    """Money for a million tokens of answers."""

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Money for so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class Endpoint(Connection):
    """A server that speaks the OpenAI API; its models are `NAME:MODEL` in the benchmark."""

    api: Literal["chat", "completions"] = "chat"
    """`chat` sends messages, `completions` one text without a chat template."""
    stream: Literal["latency", "always", "never"] = "latency"
    """When answers are streamed: the latency pass needs it to see the first token."""
    extra: Mapping[str, Any] = {}
    """Fields added to every request, such as `{chat_template_kwargs: {...}}`."""
    tokenizer: str | None = None
    """A model reference whose tokenizer checks the token counts that the server states."""
    price: Price = Price()
    """What its tokens cost."""

    @property
    def body(self) -> Mapping[str, object]:
        return self.extra


class Service(Connection):
    """A whole system of yours behind HTTP, asked with one POST per sample."""

    request: Mapping[str, Any] = {"question": "{question}"}
    """The JSON body; texts in it are templates of the sample's fields."""
    response: Mapping[str, str] = {"text": "answer"}
    """JMESPath expressions into the reply: `text`, and where they are there `passages` (a list
    of `{document, text}`), `prompt_tokens`, `completion_tokens`, `finish_reason`."""

    @property
    def body(self) -> Mapping[str, object]:
        return self.request

    @field_validator("response")
    @classmethod
    def _known_parts(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        import jmespath

        known = {"text", "passages", "prompt_tokens", "completion_tokens", "finish_reason"}
        if "text" not in value or not set(value) <= known:
            raise ValueError(f"needs text and may have {sorted(known - {'text'})}")
        for name, expression in value.items():
            try:
                jmespath.compile(expression)
            except jmespath.exceptions.JMESPathError as error:
                raise ValueError(f"{name}: no JMESPath: {error}") from error
        return value
