"""Benchmark and task files: what they may say, and one list of everything wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bakeoff.core import BakeoffError, faults
from bakeoff.scoring import Metric, did_you_mean

DTYPES = ("float32", "bfloat16", "float16")
LATENCY_METRICS = ("latency_s", "retrieve_s", "ttft_s", "decode_s")
"""Seconds per answer, from the latency pass."""
TOKEN_METRICS = ("prompt_tokens", "context_tokens", "completion_tokens")
MEASURED = ("error", "leak", "cost", *TOKEN_METRICS, *LATENCY_METRICS)
"""Columns every run has, beside the scorers a task names."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


F = TypeVar("F", bound=_File)


class Tune(_File):
    """A LoRA recipe. `adapter` names a ready PEFT adapter instead of training one."""

    adapter: str | None = None
    rows: Annotated[int, Field(ge=2)] | None = None
    """Train on a seeded, stratified sample of so many rows; all of them when left out."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    epochs: Annotated[int, Field(ge=1)] = 4
    batch_size: Annotated[int, Field(ge=1)] = 16
    open_book: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the training rows that are also shown with retrieved passages."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training rows held out; the epoch with its lowest loss is kept."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Stop after so many epochs without a lower validation loss."""


class Retrieve(_File):
    """What an open-book setup reads: the task's corpus unless `corpus` names another one."""

    corpus: Mapping[str, str] = {}
    """Task name -> corpus name, where it is not the task's default."""
    embedder: str = "embedded"
    k: Annotated[int, Field(ge=1)] = 3
    chunk_words: Annotated[int, Field(ge=16)] = 120
    overlap_words: Annotated[int, Field(ge=0)] = 24
    context_tokens: Annotated[int, Field(ge=32)] = 640
    """Passages that would take the context past this many tokens are left out, last first."""

    @model_validator(mode="after")
    def _overlap_below_chunk(self) -> Retrieve:
        if self.overlap_words >= self.chunk_words:
            raise ValueError(f"overlap_words must be below chunk_words ({self.chunk_words})")
        return self


class Connection(_File):
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


class Price(_File):
    """Money for a million tokens."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    completion: Annotated[float, Field(ge=0)] = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Money for so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class VerifierSpec(_File):
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


class Setup(_File):
    """A model with two optional parts, `tune` and `retrieve`; or your own system.

    Your own system is a function (`call`) or a service behind HTTP (`endpoint`).
    """

    name: str = ""
    model: str = "embedded"
    tune: Tune | None = None
    retrieve: Retrieve | None = None
    call: str | None = None
    """`./bot.py::answer` (from the benchmark file's folder) or `package.module::answer`."""
    endpoint: Service | None = None
    imported: tuple[str, ...] = ()
    """Files of another tool that hold its answers; set by `bakeoff import`, and never asked."""
    tasks: tuple[str, ...] = ()
    """The tasks this setup is asked; all of them when left out."""
    description: str = ""

    def takes(self, task: str) -> bool:
        """Whether the setup is asked the task's questions."""
        return not self.tasks or task in self.tasks

    @property
    def own(self) -> bool:
        """Whether it is a whole system of the user's."""
        return bool(self.call or self.endpoint or self.imported)

    @property
    def kind(self) -> str:
        """The corner of the square this setup is, never declared: it cannot be wrong."""
        if self.own:
            return "own"
        if self.tune:
            return "hybrid" if self.retrieve else "fine-tuned"
        return "rag" if self.retrieve else "base"

    @model_validator(mode="after")
    def _own_stands_alone(self) -> Setup:
        if self.own and (self.tune or self.retrieve or (self.call and self.endpoint)):
            raise ValueError(
                "a call or endpoint setup is a whole system: it takes no tune, no retrieve, "
                "and not both"
            )
        return self


class TaskUse(_File):
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


class Gate(_File):
    """A line that must hold, such as `hybrid.handbook_qa.token_f1 >= rag.handbook_qa.token_f1`."""

    check: Annotated[str, Field(max_length=500)]
    id: Annotated[str, Field(pattern=r"^[\w.:/ -]{0,80}$")] = ""
    description: str = ""
    mode: Literal["refute", "prove", "point"] | None = None
    """The policy's where left out; `point` for sums, counts, money and errors."""
    severity: Literal["fail", "warn"] | None = None
    """`fail` where left out, `warn` for a gate over slices."""
    by: str = ""
    """A tag: the gate is judged on each of its values, as well as can be told from so few."""
    on_inconclusive: Literal["warn", "fail", "pass"] | None = None
    force: bool = False
    """Keep a line that looks like a mistake: against the metric's direction, of two metrics."""

    @property
    def name(self) -> str:
        return self.id or self.check


class Policy(_File):
    """How gates are judged, where a gate does not say otherwise."""

    alpha: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.05
    mode: Literal["refute", "prove"] = "refute"
    """`refute` fails what is proven to be violated, `prove` passes what is proven to hold."""
    family: Literal["holm", "none"] = "holm"
    """How the gates that can fail a run share `alpha`."""
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"
    on_missing: Literal["fail", "skip"] = "fail"
    """What a missing task or baseline does to the gates that name it."""
    max_error_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.01
    """Failed answers of a setup above which its quality is not judged at all."""
    min_coverage: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the samples whose score must be known."""
    pairing: Literal["same", "intersect"] = "same"
    """Whether a baseline must have the very samples, or those shared are enough."""
    min_agreement: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] | None = None
    """AUROC with people's labels, the lower end of its interval, that the scorer card of every
    verifier or judge must show before a gate on it counts."""
    cards: str = "docs/scorers"
    """The folder of the scorer cards, from where the command is run."""
    errors: Literal["worst", "exclude"] = "worst"
    """Whether a failed answer has the worst score or leaves its sample out."""
    confirm: Annotated[int, Field(ge=0, le=10)] = 0
    """Ask every sample so often again before a failure counts; the pooled answers decide."""


class Gates(_File):
    """A file of gates: `policy` and `gates`, as in a benchmark."""

    policy: Policy = Policy()
    gates: tuple[Gate, ...]

    @model_validator(mode="before")
    @classmethod
    def _lines(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise ValueError("a file of gates is a mapping with gates, and policy where needed")
        return {**raw, "gates": gate_lines(raw.get("gates"))}

    @field_validator("gates")
    @classmethod
    def _some(cls, value: tuple[Gate, ...]) -> tuple[Gate, ...]:
        if not value:
            raise ValueError("name at least one gate: without one, nothing can fail")
        return _named_once(value)


def gate_lines(raw: Any) -> Any:
    """Gates as mappings: a bare line is its check."""
    if not isinstance(raw, list):
        return raw
    return [{"check": gate} if isinstance(gate, str) else gate for gate in raw]


def _named_once(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    counts = Counter(gate.name for gate in gates)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"'{twice[0]}' stands twice; give each gate its own id")
    return gates


class Latency(_File):
    """The latency pass: samples per task, asked one at a time; 0 switches it off."""

    samples: Annotated[int, Field(ge=0)] = 8
    warmup: Annotated[int, Field(ge=0)] = 1
    concurrency: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Requests in flight at which endpoints are timed as well, beside one at a time."""


class Limits(_File):
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


class Suite(_File):
    """A benchmark file, every default filled in."""

    name: str = ""
    description: str = ""
    model: str = "embedded"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
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

    @field_validator("gates")
    @classmethod
    def _gates_are_named_once(cls, value: tuple[Gate, ...]) -> tuple[Gate, ...]:
        return _named_once(value)

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
                str(name): _setup(str(name), spec, defaults, raw.get("model", "embedded"))
                for name, spec in setups.items()
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
        found = None if setup.own else self.served(setup.model)
        price = self.endpoints[found[0]].price if found else Price()
        return price if price != Price() else None

    def use(self, task: str) -> TaskUse:
        """How the benchmark uses the task of this name."""
        return next(use for name, use in self.tasks.items() if Path(name).stem == task)


def _named(tasks: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for entry in tasks:
        use = entry if isinstance(entry, dict) else {str(entry): {}}
        for name, value in use.items():
            if name in named:
                raise ValueError(f"tasks: '{name}' is named twice")
            named[str(name)] = value or {}
    return named


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


class Source(_File):
    """Where rows come from: files of the project, or a data set of the hub with a local copy."""

    files: str | None = None
    """Path or glob of JSON Lines files, relative to the task file."""
    hub: str | None = None
    """A data set id of the Hugging Face hub."""
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    local: str | None = None
    """Path or glob of the same set inside the data folder (`--data`)."""
    format: Literal["json", "csv", "text"] = "json"
    """How the local copy is read; `text` gives one row per file, in its `text` column."""
    adapt: str | None = None
    """A function rows -> rows for data that comes in another shape."""

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if bool(self.files) == bool(self.hub or self.local):
            raise ValueError("give either files, or hub and local")
        return self


class Rows(_File):
    test: Source
    train: Source | None = None

    @field_validator("test", "train", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str) else value


class CorpusFile(_File):
    """What can be retrieved: documents, solved training examples, or what a function returns."""

    documents: str | None = None
    """Glob of text files relative to the task file; a document's id is its file's stem."""
    examples: Literal["train"] | None = None
    rows: Literal["documents"] | None = None
    """Documents that the rows themselves bring along, in their `documents` column."""
    call: str | None = None
    """A function without arguments that returns a mapping of document id to text."""

    @model_validator(mode="after")
    def _one_kind(self) -> CorpusFile:
        if sum(bool(v) for v in (self.documents, self.examples, self.rows, self.call)) != 1:
            raise ValueError("give one of documents, examples, rows, call")
        return self


class Refusal(_File):
    """How the task asks a model to decline, and what counts as declining."""

    say: str
    phrases: tuple[str, ...]


class TaskFile(_File):
    """A task file, every default filled in."""

    name: str = ""
    description: str
    licence: str = ""
    rows: Rows
    on_overlap: Literal["refuse", "drop"] = "refuse"
    """What to do with training rows that (nearly) repeat a test row."""
    columns: Mapping[str, str] = {}
    """Our column -> theirs, for question, id, targets, gold, cluster."""
    corpora: Mapping[str, CorpusFile] = {}
    system: str = ""
    prompt: str = "{question}"
    with_passages: str = "Use these passages:\n{passages}\n\n{prompt}"
    max_tokens: Annotated[int, Field(ge=1)] = 32
    answer: Literal["generate", "likelihood"] = "generate"
    """`likelihood` takes the likeliest of the labels instead of letting the model write."""
    refusal: Refusal | None = None
    labels: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    scorers: Annotated[tuple[str, ...], Field(min_length=1)]
    headline: str = ""
    """The metric that stands in the first table; the first scorer when left out."""

    @field_validator("system", "prompt", "with_passages")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        prompt_fields(value)
        return value

    @field_validator("with_passages")
    @classmethod
    def _takes_passages(cls, value: str) -> str:
        if (found := prompt_fields(value)) != {"passages", "prompt"}:
            raise ValueError(f"needs {{passages}} and {{prompt}}, has {sorted(found)}")
        return value

    @field_validator("scorers")
    @classmethod
    def _are_metrics(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                Metric.parse(text)
            except BakeoffError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        from jsonschema import Draft202012Validator, SchemaError

        try:
            Draft202012Validator.check_schema(value or {})
        except SchemaError as error:
            raise ValueError(f"no JSON schema: {error.message}") from error
        return value

    @field_validator("rules")
    @classmethod
    def _are_rules(cls, value: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
        for rule in value:
            name, conditions = rule.get("name"), set(rule) - {"name"}
            if not name or len(conditions) != 1 or not conditions <= {"match", "forbid", "words"}:
                raise ValueError(f"{dict(rule)}: a rule has a name and one of match, forbid, words")
            if "words" not in rule:
                try:
                    re.compile(re.sub(r"<\w+>", "field", str(rule[conditions.pop()])))
                except re.error as error:
                    raise ValueError(f"{name}: no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _likelihood_has_labels(self) -> TaskFile:
        if self.answer == "likelihood" and not self.labels:
            raise ValueError("answer: likelihood needs labels to choose from")
        return self

    @model_validator(mode="after")
    def _headline_is_a_scorer(self) -> TaskFile:
        if self.headline and self.headline not in self.metrics():
            raise ValueError(f"headline: '{self.headline}' is none of the task's scorers")
        return self

    def metrics(self) -> dict[str, Metric]:
        """The task's metrics by their one spelling. Raises `BakeoffError`."""
        return {str(metric): metric for metric in map(Metric.parse, self.scorers)}

    @property
    def headline_metric(self) -> str:
        return self.headline or next(iter(self.metrics()))


def prompt_fields(template: str) -> set[str]:
    """The `{field}` names of a prompt template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses duplicate keys and aliases: both hide mistakes."""

    def compose_node(self, parent: Any, index: int) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise BakeoffError(f"line {mark.line + 1}: YAML aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise BakeoffError(f"line {line}: a key must be a text; quote what has braces")
            if key.value in seen:
                line = key.start_mark.line + 1
                raise BakeoffError(f"line {line}: key '{key.value}' stands twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The value a YAML file holds. Raises `BakeoffError` naming the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BakeoffError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BakeoffError(f"{path}: cannot be read: {error}") from error
    try:
        return yaml.load(text, _StrictLoader)
    except BakeoffError as error:
        raise BakeoffError(f"{path}: {error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise BakeoffError(f"{path}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise BakeoffError(f"{path}: nested too deeply") from error


def _validated(model: type[F], path: Path, raw: Any) -> F:
    """The file's content as `model`; every fault in one `BakeoffError`."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        known = set(model.model_fields)
        faults([f"{path}: {_explain(problem, known)}" for problem in error.errors()])
        raise


def _explain(problem: Any, known: set[str]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(str(problem["loc"][-1]), known if len(problem["loc"]) == 1 else set())
        return f"{where}: no such field{hint if known and len(problem['loc']) == 1 else ''}"
    if problem["type"] == "missing":
        return f"{where}: must be given"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    shown = "" if isinstance(found, dict | list) else f" (found {found!r})"
    return f"{where}: {message}{shown}" if where else message


def load_suite(path: Path) -> Suite:
    """The benchmark file at `path`. Raises `BakeoffError` listing every fault in it."""
    raw = read_yaml(path)
    suite = _validated(Suite, path, raw)
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
        suite = _validated(Suite, path, raw)
        return suite.gates, suite.policy
    found = _validated(Gates, path, raw)
    return found.gates, found.policy


def load_task_file(path: Path) -> TaskFile:
    """The task file at `path`. Raises `BakeoffError` listing every fault in it."""
    task = _validated(TaskFile, path, read_yaml(path))
    return task.model_copy(update={"name": path.stem})


def task_path(name: str, suite_path: Path) -> Path:
    """Where the task `name` of a benchmark lives: a path, or a file in the `tasks/` beside it.

    Raises `BakeoffError` naming the tasks that are there.
    """
    if name.endswith((".yaml", ".yml")):
        return (suite_path.parent / name).resolve()
    folders = [suite_path.resolve().parent.parent / "tasks", Path.cwd() / "tasks"]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise BakeoffError(f"{suite_path}: tasks: no task '{name}'{did_you_mean(name, known)}")
