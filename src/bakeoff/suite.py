"""Benchmark files: the tasks, the setups, and how both are run and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bakeoff.core import faults
from bakeoff.files import File, prompt_fields, read_yaml, validated
from bakeoff.policy import Gate, Gates, Policy, gate_lines, named_once
from bakeoff.recipes import Retrieve, Tune
from bakeoff.scoring import did_you_mean
from bakeoff.taskfile import changed

Dtype = Literal["float32", "bfloat16", "float16"]
LATENCY_METRICS = ("latency_s", "retrieve_s", "ttft_s", "decode_s")
"""Seconds per answer, from the latency pass."""
TOKEN_METRICS = ("prompt_tokens", "context_tokens", "completion_tokens")
MEASURED = ("error", "leak", "cost", *TOKEN_METRICS, *LATENCY_METRICS)
"""Columns every run has, beside the scorers a task names."""


class Connection(File):
    """How to reach something over HTTP, and how hard to press it."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
    key: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Name of the environment variable that holds the API key, never the key itself."""
    concurrency: Annotated[int, Field(ge=1)] = 16
    """Requests in flight at most; fewer while the server refuses many."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """For one request."""
    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    """For one sample, all its attempts and waits together."""
    attempts: Annotated[int, Field(ge=1)] = 6


class Price(File):
    """Money for a million tokens."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    completion: Annotated[float, Field(ge=0)] = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Money for so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class VerifierSpec(File):
    """A local model that says whether passages support a claim; metrics name it in `by`."""

    model: str
    """`hf:ORG/NAME` or a folder: a sequence- or token-classification model, or a seq2seq one."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run here."""
    supported: str | None = None
    """The label that means support (for a seq2seq model `yes|no`: the words for support and for
    none); found by its name when left out."""
    template: str = ""
    """What the model reads, made from `{passages}`, `{claim}` and `{question}`; a token classifier
    reads it beside the answer, without `{claim}`."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which on a claim counts as supported."""
    max_tokens: Annotated[int, Field(ge=32)] = 512
    """Of a passage and a claim together; longer passages are split, and the best part counts."""

    @field_validator("template")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        fields = prompt_fields(value)
        if value and not {"passages"} <= fields <= {"passages", "claim", "question"}:
            raise ValueError(
                f"needs {{passages}}, may have {{claim}}, {{question}}; has {sorted(fields)}"
            )
        return value


class Endpoint(Connection):
    """A server that speaks the OpenAI API; its models are `NAME:MODEL` in the benchmark."""

    api: Literal["chat", "completions"] = "chat"
    stream: Literal["latency", "always", "never"] = "latency"
    """When answers are streamed: the latency pass needs it to see the first token."""
    extra: Mapping[str, Any] = {}
    """Fields added to every request, such as `{chat_template_kwargs: {...}}`."""
    tokenizer: str | None = None
    """A model reference whose tokenizer checks the token counts that the server states."""
    price: Price = Price()


class Service(Connection):
    """A whole system of yours behind HTTP, asked with one POST per sample."""

    request: Mapping[str, Any] = {"question": "{question}"}
    """The JSON body; texts in it are templates of the sample's fields."""
    response: Mapping[str, str] = {"text": "answer"}
    """JMESPath expressions into the reply: `text`, and where they are there `passages` (a list
    of `{document, text}`), `prompt_tokens`, `completion_tokens`."""

    @field_validator("response")
    @classmethod
    def _known_parts(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        import jmespath

        known = {"text", "passages", "prompt_tokens", "completion_tokens"}
        if "text" not in value or not set(value) <= known:
            raise ValueError(f"needs text and may have {sorted(known - {'text'})}")
        for name, expression in value.items():
            try:
                jmespath.compile(expression)
            except jmespath.exceptions.JMESPathError as error:
                raise ValueError(f"{name}: no JMESPath: {error}") from error
        return value


class Route(File):
    """Two other setups of the benchmark: the second answers where the first is not to be trusted.

    Their stored answers are used; nothing is asked again.
    """

    first: str
    then: str
    when: Literal["unsure", "declined"] = "unsure"
    """`unsure`: below a confidence that is fitted on other samples; `declined`: where the first
    declines to answer. A refusal or a failure of the first always goes to the second."""


class Setup(File):
    """A model with two optional parts, `tune` and `retrieve`; or your own system.

    Your own system is a function (`call`), a service behind HTTP (`endpoint`), or put together from
    two other setups (`route`).
    """

    name: str = ""
    model: str = "embedded"
    tune: Tune | None = None
    retrieve: Retrieve | None = None
    call: str | None = None
    """`./bot.py::answer` (from the benchmark file's folder) or `package.module::answer`."""
    endpoint: Service | None = None
    route: Route | None = None
    imported: tuple[str, ...] = ()
    """Files of another tool that hold its answers; set by `bakeoff import`, and never asked."""
    tasks: tuple[str, ...] = ()
    """The tasks this setup is asked; all of them when left out."""
    description: str = ""

    def takes(self, task: str) -> bool:
        """Whether the setup is asked the task's questions."""
        return not self.tasks or task in self.tasks or changed(task) in self.tasks

    @property
    def own(self) -> bool:
        """Whether it is a whole system of the user's."""
        return bool(self.call or self.endpoint or self.imported or self.route)

    @property
    def kind(self) -> str:
        """The corner of the square this setup is, never declared: it cannot be wrong."""
        if self.route:
            return "routed"
        if self.own:
            return "own"
        if self.tune:
            return "hybrid" if self.retrieve else "fine-tuned"
        return "rag" if self.retrieve else "base"

    @model_validator(mode="after")
    def _own_stands_alone(self) -> Setup:
        whole = [name for name in ("call", "endpoint", "route") if getattr(self, name)]
        if self.own and (self.tune or self.retrieve or len(whole) > 1):
            raise ValueError(
                "a call, endpoint or route setup is a whole system: it takes no tune, no "
                "retrieve, and no other of the three"
            )
        return self


class TaskUse(File):
    """How a benchmark uses a task: all of it, or a seeded sample stratified by tag."""

    limit: Annotated[int, Field(ge=1)] | None = None
    by: tuple[str, ...] = ()
    """Tags (or `target`) whose shares the sample keeps."""
    tune: Mapping[str, Any] = {}
    """Fields of the recipe that differ for this task: facts want more epochs than formats."""

    @field_validator("tune")
    @classmethod
    def _known_fields(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        Tune.model_validate(value)
        return value

    def recipe(self, tune: Tune) -> Tune:
        """The setup's recipe with this task's own fields."""
        return tune if tune.adapter else Tune.model_validate({**tune.model_dump(), **self.tune})

    def limited(self, rows: int) -> TaskUse:
        """The same with recipes for so many training rows at most."""
        fewer = {"rows": max(2, min(self.tune["rows"], rows))} if "rows" in self.tune else {}
        return self.model_copy(update={"tune": {**self.tune, **fewer}})


class Latency(File):
    """The latency pass: samples per task, asked one at a time; 0 switches it off."""

    samples: Annotated[int, Field(ge=0)] = 8
    warmup: Annotated[int, Field(ge=0)] = 1
    concurrency: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Requests in flight at which endpoints are timed as well, beside one at a time."""


class Limits(File):
    """Where a run stops, cleanly, to be resumed or given up; nothing is limited by default."""

    errors: Annotated[float, Field(ge=0)] | None = None
    """Failed cells: a number, or a share of all cells written as `1%`."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Prompt and completion tokens that were not taken from the cache."""
    cost: Annotated[float, Field(gt=0)] | None = None
    """Money, by the endpoints' prices."""
    errors_are_share: bool = False

    @model_validator(mode="before")
    @classmethod
    def _percent(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(errors := raw.get("errors"), str):
            match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", errors.strip())
            if not match:
                raise ValueError(f"errors: a number or a share such as 1% (found {errors!r})")
            return {**raw, "errors": float(match[1]) / 100, "errors_are_share": True}
        return raw

    def errors_allowed(self, cells: int) -> float:
        """How many of so many cells may fail."""
        if self.errors is None:
            return float("inf")
        return self.errors * cells if self.errors_are_share else self.errors


class Forced(File):
    """A number type to compute in even where the machine emulates it."""

    force: Dtype


class Suite(File):
    """A benchmark file, every default filled in."""

    name: str = ""
    description: str = ""
    model: str = "embedded"
    dtype: Literal["auto"] | Dtype | Forced = "auto"
    """What local models compute in, one type for all setups: `auto` is the fastest that the
    machine computes in natively."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Hold local weights in so many bits; needs a GPU and bitsandbytes."""
    seed: int = 0
    batch_check: Annotated[int, Field(ge=0)] = 8
    """Prompts answered alone as well as in a batch, to see whether that changes answers."""
    batch_tokens: Annotated[int, Field(ge=256)] = 8192
    """Padded tokens in one generation batch, prompt and answer."""
    tune: Tune = Tune()
    """The recipe that `tune: true` stands for."""
    retrieve: Retrieve = Retrieve()
    """What `retrieve: true` stands for; training rows shown with passages get them this way."""
    endpoints: Mapping[str, Endpoint] = {}
    """Servers of models; `model: NAME:MODEL` is a model of the endpoint NAME."""
    verifiers: Mapping[str, VerifierSpec] = {}
    """Local models that scorers ask by name, with their settings."""
    tasks: Mapping[str, TaskUse]
    setups: Mapping[str, Setup]
    temperature: Annotated[float, Field(ge=0)] = 0.0
    repeats: Annotated[int, Field(ge=1)] = 1
    """How often every sample is asked, with other seeds; only sense at a temperature above 0."""
    latency: Latency = Latency()
    limits: Limits = Limits()
    policy: Policy = Policy()
    gates: tuple[Gate, ...] = ()

    @field_validator("dtype", mode="before")
    @classmethod
    def _known_dtype(cls, value: Any) -> Any:
        named = value["force"] if isinstance(value, dict) and set(value) == {"force"} else value
        forced = isinstance(value, Forced)
        if not (forced or named in get_args(Dtype) or value == "auto"):
            raise ValueError(
                "write auto, float32, bfloat16 or float16; or {force: bfloat16}, to compute in a "
                "type that the machine emulates"
            )
        return value

    @field_validator("gates")
    @classmethod
    def _gates_arenamed_once(cls, value: tuple[Gate, ...]) -> tuple[Gate, ...]:
        return named_once(value)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, raw: Any) -> Any:
        """`tune: true` means the benchmark's own recipe; a bare task name means all of it."""
        if not isinstance(raw, dict):
            raise ValueError("a benchmark file is a mapping with tasks and setups")
        raw = dict(raw)
        defaults = {part: raw.get(part) or {} for part in ("tune", "retrieve")}
        for part, recipe in defaults.items():
            if not isinstance(recipe, dict):
                raise ValueError(f"{part}: write its settings as a mapping")
        tasks = raw.get("tasks")
        if isinstance(tasks, list):
            raw["tasks"] = _named(tasks)
        setups = raw.get("setups")
        if isinstance(setups, dict):
            raw["setups"] = {
                part: _setup(part, each, defaults, raw.get("model", "embedded"))
                for name, spec in setups.items()
                for part, each in _by_rows(str(name), spec).items()
            }
        raw["gates"] = gate_lines(raw.get("gates") or [])
        return raw

    @model_validator(mode="after")
    def _setups_name_tasks(self) -> Suite:
        known = {Path(name).stem for name in self.tasks}
        for setup in self.setups.values():
            for task in setup.tasks:
                if task not in known:
                    raise ValueError(
                        f"setups.{setup.name}.tasks: no task '{task}'{did_you_mean(task, known)}"
                    )
        return self

    @model_validator(mode="after")
    def _teachers_teach(self) -> Suite:
        for setup in self.setups.values():
            if not (setup.tune and setup.tune.distill):
                continue
            name = setup.tune.distill.teacher
            where = f"setups.{setup.name}.tune.distill.teacher"
            teacher = self.setups.get(name)
            if teacher is None:
                raise ValueError(f"{where}: no setup '{name}'{did_you_mean(name, self.setups)}")
            if teacher.tune and teacher.tune.distill:
                raise ValueError(f"{where}: '{name}' learns from another setup itself")
            if teacher.tasks and not set(setup.tasks or self.names) <= set(teacher.tasks):
                raise ValueError(f"{where}: '{name}' is not asked all of this setup's tasks")
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Suite:
        for setup in self.setups.values():
            for part in ("first", "then") if setup.route else ():
                where, name = f"setups.{setup.name}.route.{part}", getattr(setup.route, part)
                other = self.setups.get(name)
                if other is None:
                    raise ValueError(f"{where}: no setup '{name}'{did_you_mean(name, self.setups)}")
                if other.route:
                    raise ValueError(f"{where}: '{name}' is routed itself")
                if other.tasks and not set(setup.tasks or self.names) <= set(other.tasks):
                    raise ValueError(f"{where}: '{name}' is not asked all of this setup's tasks")
        return self

    @model_validator(mode="after")
    def _endpoints_are_known(self) -> Suite:
        for setup in self.setups.values():
            used = [setup.model, *([setup.retrieve.embedder] if setup.retrieve else [])]
            for reference in used if not setup.own else []:
                name, colon, _ = reference.partition(":")
                if colon and name != "hf" and name not in self.endpoints:
                    raise ValueError(
                        f"setups.{setup.name}: '{reference}': no endpoint '{name}'"
                        f"{did_you_mean(name, self.endpoints)}"
                    )
            if self.served(setup.model) and setup.tune and not setup.tune.adapter:
                raise ValueError(
                    f"setups.{setup.name}.tune: a model behind an endpoint is not tuned here; "
                    "name the tuned model that it serves, such as tune: my-adapter"
                )
        return self

    def served(self, reference: str) -> tuple[str, str] | None:
        """(endpoint, model) when the reference is a model of one of the endpoints."""
        name, colon, model = reference.partition(":")
        return (name, model) if colon and name in self.endpoints else None

    @field_validator("setups", "tasks", "endpoints")
    @classmethod
    def _well_named(cls, value: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        if not value and info.field_name != "endpoints":
            raise ValueError("name at least one")
        if "hf" in value and info.field_name == "endpoints":
            raise ValueError("'hf' stands for the hub; choose another name")
        for name in value:
            # A task may be named by its path; gates split setup names at dots.
            stem = Path(name).stem if info.field_name == "tasks" else name
            if not stem.replace("-", "_").isidentifier():
                raise ValueError(f"'{name}': use letters, digits, - and _")
        return value

    def price(self, setup: Setup) -> Price | None:
        """What the setup's endpoint asks; `None` where no price is stated."""
        if setup.route:
            parts = {self.price(self.setups[n]) for n in (setup.route.first, setup.route.then)}
            # Tokens of both add up in one record, which only one price can turn into money.
            return parts.pop() if len(parts) == 1 else None
        found = None if setup.own else self.served(setup.model)
        price = self.endpoints[found[0]].price if found else Price()
        return price if price != Price() else None

    def limited(self, rows: int) -> Suite:
        """The benchmark with tuned setups that learn from so many rows of a task at most."""
        setups = {
            name: setup.model_copy(update={"tune": setup.tune.limited(rows)})
            if setup.tune
            else setup
            for name, setup in self.setups.items()
        }
        # A task's own number of rows comes before that of a setup.
        tasks = {name: use.limited(rows) for name, use in self.tasks.items()}
        return self.model_copy(update={"setups": setups, "tasks": tasks})

    @property
    def names(self) -> list[str]:
        """The names of its tasks, which may be named by their paths."""
        return [Path(name).stem for name in self.tasks]

    def use(self, task: str) -> TaskUse:
        """How the benchmark uses the task of this name."""
        known = {Path(name).stem: use for name, use in self.tasks.items()}
        return known[task if task in known else changed(task)]


def _named(tasks: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for entry in tasks:
        use = entry if isinstance(entry, dict) else {str(entry): {}}
        for name, value in use.items():
            if name in named:
                raise ValueError(f"tasks: '{name}' is named twice")
            named[str(name)] = value or {}
    return named


def _by_rows(name: str, spec: Any) -> dict[str, Any]:
    """A learning curve, `tune: {rows: [50, 100]}`, as one setup for each number of rows."""
    spec = spec or {}
    tune = spec.get("tune") if isinstance(spec, dict) else None
    rows = tune.get("rows") if isinstance(tune, dict) else None
    if not isinstance(tune, dict) or not isinstance(rows, list):
        return {name: spec}
    if len(set(map(str, rows))) < max(2, len(rows)):
        raise ValueError(f"setups: {name}: tune.rows: give two different numbers or more")
    return {f"{name}-{n}": {**spec, "tune": {**tune, "rows": n}} for n in rows}


def _setup(name: str, spec: Any, defaults: Mapping[str, Any], model: str) -> Any:
    if spec is not None and not isinstance(spec, dict):
        raise ValueError(f"setups: {name}: write a mapping, such as {{retrieve: true}}")
    filled = {"model": model, **(spec or {}), "name": name}
    for part, default in defaults.items():
        if filled.get(part) is True:
            filled[part] = default
        elif filled.get(part) is False:
            filled[part] = None
        elif isinstance(filled.get(part), str) and part == "tune":
            filled[part] = {"adapter": filled[part]}
        elif isinstance(filled.get(part), dict):
            filled[part] = {**default, **filled[part]}
    return filled


def load_suite(path: Path) -> Suite:
    """The benchmark file at `path`. Raises `BakeoffError` listing every fault in it."""
    raw = read_yaml(path)
    suite = validated(Suite, path, raw)
    faults(
        [
            f"{path}: setups.{setup.name}.imported: only `bakeoff import` sets it: such a setup "
            "cannot be asked"
            for setup in suite.setups.values()
            if setup.imported
        ]
    )
    return suite.model_copy(update={"name": suite.name or path.stem})


def load_gates(path: Path) -> tuple[tuple[Gate, ...], Policy]:
    """The gates and the policy of a file of gates, or of a benchmark file.

    Raises `BakeoffError` listing every fault in it.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and "setups" in raw:
        suite = validated(Suite, path, raw)
        return suite.gates, suite.policy
    found = validated(Gates, path, raw)
    return found.gates, found.policy
