"""Benchmark files: the tasks, the setups, and how both are run and judged.

`endpoints` says how something is reached over HTTP, `setups` what is compared, `limits` where a
run stops; `defaults` fills in what is left out, `checks` holds the parts of a file against one
another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, field_validator, model_validator

from bakeoff.core.measure import LATENCY_METRICS, MEASURED, TOKEN_METRICS
from bakeoff.core.parts import parts_of
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec import checks, keys
from bakeoff.spec.backends import BACKENDS, Backend, backend_of
from bakeoff.spec.defaults import name_of, named_tasks, setups_by_rows, with_defaults
from bakeoff.spec.endpoints import Connection, Endpoint, Price, Service
from bakeoff.spec.engines import EngineSpec
from bakeoff.spec.limits import Limits
from bakeoff.spec.policy import Gate, Gates, Policy, gate_lines, named_once
from bakeoff.spec.recipes import Retrieve, Tune
from bakeoff.spec.setups import Route, Setup
from bakeoff.spec.task import changed
from bakeoff.spec.yaml_files import (
    NOTHING,
    TEXT,
    Also,
    File,
    Form,
    prompt_fields,
    read_yaml,
    validated,
)

__all__ = [
    "LATENCY_METRICS",
    "MEASURED",
    "TOKEN_METRICS",
    "Connection",
    "Dtype",
    "Endpoint",
    "Forced",
    "Latency",
    "Limits",
    "Price",
    "Route",
    "Service",
    "Setup",
    "Suite",
    "TaskUse",
    "VerifierSpec",
    "load_gates",
    "load_suite",
]


Dtype = Literal["float32", "bfloat16", "float16"]


class VerifierSpec(File):
    """A local model that says whether passages support a claim; metrics name it in `verifier`."""

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


class _LikeTune:
    """Has the schema of a recipe: what is given are fields of one, not a whole one."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Form:
        return handler(Tune.__pydantic_core_schema__)


class TaskUse(File):
    """How a benchmark uses a task: all of it, or a seeded sample stratified by tag."""

    limit: Annotated[int, Field(ge=1)] | None = None
    """Samples of the task at most; all of them when left out."""
    stratify: tuple[str, ...] = ()
    """Tags (or `target`) whose shares the sample keeps."""
    tune: Annotated[Mapping[str, Any], _LikeTune()] = {}
    """Fields of the recipe that differ for this task: facts want more epochs than formats."""

    @field_validator("tune")
    @classmethod
    def _known_fields(cls, value: Mapping[str, object]) -> Mapping[str, object]:
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
    """Samples of each task that are timed."""
    warmup: Annotated[int, Field(ge=0)] = 1
    """Requests before the first timed one; none of a local model that has just answered."""
    concurrency: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Requests in flight at which endpoints are timed as well, beside one at a time."""


class Forced(File):
    """A number type to compute in even where the machine emulates it."""

    force: Dtype
    """The type."""


def _listed(own: Form) -> Form:
    return {"type": "array", "items": {"anyOf": [TEXT, own]}, "minItems": 1}


class _Raw(NamedTuple):
    """What a file may leave to be filled in."""

    tasks: Any = None
    setups: Any = None
    model: Any = "embedded"
    tune: Any = None
    retrieve: Any = None
    gates: Any = None


class Suite(File):
    """A benchmark file, every default filled in."""

    name: str = ""
    """The folder of its results; the file's name when left out."""
    description: str = ""
    """What the benchmark compares; shown in reports."""
    model: str = "embedded"
    """The model of every setup that names none: `embedded`, `hf:ORG/NAME[@REVISION]`, a folder, a
    `.gguf` file, or `ENDPOINT:MODEL`."""
    dtype: Literal["auto"] | Dtype | Forced = "auto"
    """What local models compute in, one type for all setups: `auto` is the fastest that the
    machine computes in natively."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Hold local weights in so many bits; needs a GPU and bitsandbytes."""
    device_map: Annotated[Literal["auto"] | None, Field(exclude_if=lambda value: value is None)] = (
        None
    )
    """`auto` spreads the layers of each local model over all GPUs; without it, it is on one."""
    engine: Annotated[
        EngineSpec | None, Also(TEXT), Field(exclude_if=lambda value: value is None)
    ] = None
    """A server that bakeoff starts to answer for the local models of setups: `vllm`, `llama.cpp`,
    or its settings. Without one they answer in this process, by transformers."""
    seed: int = 0
    """Of sampling, training and the choice of samples."""
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
    tasks: Annotated[Mapping[str, Annotated[TaskUse, Also(NOTHING)]], Also(_listed)]
    """Names of tasks in the `tasks` folder, or paths of task files, with how each is used."""
    setups: Mapping[str, Annotated[Setup, Also(NOTHING)]]
    """What is compared, by a name of your choice; the first one is the reference of the tables."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Of decoding; 0 takes the likeliest token."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """How often every sample is asked, with other seeds; only sense at a temperature above 0."""
    latency: Latency = Latency()
    """How latency is measured."""
    limits: Limits = Limits()
    """Where a run stops."""
    policy: Policy = Policy()
    """How gates are judged."""
    gates: tuple[Annotated[Gate, Also(TEXT)], ...] = ()
    """What must hold: lines such as `rag.qa.contains >= base.qa.contains`."""

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

    @field_validator("tasks", mode="before")
    @classmethod
    def _list_of_tasks(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"must be a list: [{value}]")
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
        held = _Raw(**{name: raw[name] for name in _Raw._fields if name in raw})
        defaults = {"tune": held.tune or {}, "retrieve": held.retrieve or {}}
        for part, recipe in defaults.items():
            if not isinstance(recipe, dict):
                raise ValueError(f"{part}: write its settings as a mapping")
        filled = {**raw, "gates": gate_lines(held.gates or [])}
        if isinstance(held.tasks, list):
            filled |= {"tasks": named_tasks(held.tasks)}
        if isinstance(held.setups, dict):
            setups = {
                part: with_defaults(part, setup, defaults, held.model)
                for name, spec in held.setups.items()
                for part, setup in setups_by_rows(name_of(name, "setups"), spec).items()
            }
            filled |= {"setups": setups}
        return filled

    @model_validator(mode="after")
    def _fits_together(self) -> Suite:
        checks.setups_name_tasks(self.setups, self.names)
        checks.teachers_teach(self.setups, self.names)
        checks.routes_lead_somewhere(self.setups, self.names)
        checks.tuned_models_are_here(self.setups, self.endpoints)
        if self.engine:
            checks.engine_can_serve(self.engine, self.setups, self.endpoints)
            checks.left_to_the_engine(quantize=self.quantize, device_map=self.device_map)
        if self.device_map:
            checks.one_process_trains(self.setups, self.tasks.values())
        return self

    @property
    def connections(self) -> dict[str, Connection]:
        """All that is reached over HTTP, by its place in the file."""
        own = {f"setups.{s.name}.endpoint": s.endpoint for s in self.setups.values() if s.endpoint}
        return {**{f"endpoints.{name}": spec for name, spec in self.endpoints.items()}, **own}

    def backend(self, reference: str) -> Backend:
        """What runs the model that a reference names."""
        return backend_of(reference, self.endpoints)

    def in_process(self, setup: Setup) -> bool:
        """Whether the setup's model answers in this process, not behind HTTP."""
        return not (setup.custom or self.engine) and self.backend(setup.model).weights

    def endpoint_of(self, reference: str) -> Endpoint | None:
        """The endpoint that serves a model, where one does."""
        return self.endpoints.get(reference.partition(":")[0]) if ":" in reference else None

    def asks(self, setup: Setup) -> str:
        """The reference of what answers: a served tuned model is another one on its endpoint."""
        if setup.tune and setup.tune.adapter and not self.backend(setup.model).weights:
            return f"{setup.model.partition(':')[0]}:{setup.tune.adapter}"
        return setup.model

    def price_of(self, reference: str) -> Price:
        """What the endpoint of a model asks; nothing where it has none."""
        endpoint = self.endpoint_of(reference)
        return endpoint.price if endpoint else Price()

    @field_validator("setups", "tasks", "endpoints")
    @classmethod
    def _well_named(
        cls, value: Mapping[str, Setup | TaskUse | Endpoint], info: ValidationInfo
    ) -> Mapping[str, Setup | TaskUse | Endpoint]:
        if not value and info.field_name != "endpoints":
            raise ValueError("name at least one")
        for name in BACKENDS if info.field_name == "endpoints" else ():
            if name in value:
                raise ValueError(f"'{name}:' is reserved for other models; choose another name")
        for name in value:
            # A task may be named by its path; gates split setup names at dots.
            stem = Path(name).stem if info.field_name == "tasks" else name
            if not stem.replace("-", "_").isidentifier():
                raise ValueError(f"'{name}': use letters, digits, - and _, no digit first")
        return value

    def price(self, setup: Setup) -> Price | None:
        """What the setup's endpoint asks; `None` where no price is stated."""
        if setup.route:
            parts = {self.price(self.setups[n]) for n in (setup.route.first, setup.route.then)}
            # Tokens of both add up in one record, which only one price can turn into money.
            return parts.pop() if len(parts) == 1 else None
        price = Price() if setup.custom else self.price_of(setup.model)
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


def load_suite(path: Path) -> Suite:
    """The benchmark file at `path`. Raises `BakeoffError` listing every fault in it."""
    return suite_of(read_yaml(path), path)


def suite_of(raw: Any, path: Path, setups: Mapping[str, Any] = MappingProxyType({})) -> Suite:
    """A benchmark by what its file holds, or could hold, with more setups.

    `path` is where it is; paths in it begin there. Raises `BakeoffError` as `load_suite`.
    """
    if setups and isinstance(raw, dict):
        raw = {**raw, "setups": {**(parts_of(_Raw, raw).setups or {}), **setups}}
    if isinstance(raw, dict) and "setups" not in raw and {"rows", "scorers"} <= set(raw):
        raise BakeoffError(
            f"{path}: this is a task file; a benchmark names it under `tasks`, beside `setups` "
            f"(`{program()} tasks {path}` shows it)"
        )
    suite = validated(Suite, path, raw)
    faults([f"{path}: {problem}" for problem in keys.problems(suite.connections, raw)])
    faults(
        [
            f"{path}: {part}"
            for part in checks.unknown_parts(suite.setups, suite.endpoints, suite.engine)
        ]
    )
    faults(
        [
            f"{path}: setups.{setup.name}.imported: only `bakeoff import` sets it: such a setup "
            "cannot be run"
            for setup in suite.setups.values()
            if setup.imported
        ]
    )
    return suite.model_copy(update={"name": suite.name or path.stem})


def load_gates(path: Path) -> Gates:
    """The gates and the policy of a file of gates, or of a benchmark file.

    Raises `BakeoffError` listing every fault in it.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and "setups" in raw:
        suite = validated(Suite, path, raw)
        return Gates(gates=suite.gates, policy=suite.policy)
    return validated(Gates, path, raw)
