"""The manifest of a run: what was run on which machine, and what it took.

Values, never filled in: a run that goes on replaces its manifest (`model_copy`) and writes it
whole. Fields of newer runs have defaults, so that older manifests are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from bakeoff.core.counts import quantity
from bakeoff.core.measure import Measure
from bakeoff.core.secrets import without_secrets
from bakeoff.runs.digests import TaskDigests
from bakeoff.runs.opened import (
    AdapterFacts,
    EngineFacts,
    IndexFacts,
    Training,
)
from bakeoff.runs.spent import JudgeSpent, SetupSpent
from bakeoff.spec import names
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.file_versions import with_stated_versions
from bakeoff.spec.wording import Wording
from bakeoff.spec.yaml_files import Known, Stored

FORMAT: Final = 3
"""Of a run's folder."""
RUNNING: Final = "running"
INTERRUPTED: Final = "interrupted"
SCORING: Final = "being scored"
"""`bakeoff score` has begun on a complete run, and not ended."""
COMPLETE: Final = "complete"
Fingerprint = Mapping[str, str]
"""What can change a model's answers beside prompt and decoding, by name."""
Counted = Annotated[int, Field(exclude_if=lambda value: not value)]
"""A number that is left out of the file where it is 0."""


class Selected(Stored):
    """The part of the samples that was asked."""

    limit: int | None = None
    ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    shard: tuple[int, int] = (1, 1)
    """(i, n): the run is the i-th of n parts; (1, 1) is the whole."""

    def __str__(self) -> str:
        """What was left out on purpose; empty for a whole run and for a part of one."""
        chosen = {"limit": self.limit, "ids": [*self.ids], "tags": [[*tag] for tag in self.tags]}
        return ", ".join(f"{name} {value}" for name, value in chosen.items() if value)


class MetricFacts(Stored):
    """A metric of a task as its scorer described it."""

    higher_is_better: bool
    aggregate: str = "mean"
    bounds: tuple[float, float] | None = None
    asks: str = ""
    """The kind of model that it asks, if any."""
    version: str = ""
    about: str = ""

    @property
    def measure(self) -> Measure:
        return Measure(self.higher_is_better, self.aggregate, self.bounds)


class Whole(Stored):
    """The samples of a task before a shard was taken."""

    n: int
    ids: str
    """Digest of their ids."""


class TaskFacts(Stored):
    """A task as it was asked."""

    description: str = ""
    license: str = ""
    headline: str
    metrics: Mapping[str, MetricFacts]
    n: int
    after: str = ""
    """The task that this one is the state before."""
    before: str = ""
    """The task that is the state before a change of the documents."""
    whole: Known[Whole] = None
    population: int
    train: int = 0
    dropped: tuple[str, ...] = ()
    """Training rows that (nearly) repeat test rows."""
    wording: Known[Wording] = None
    """How its questions are asked; older runs do not record it."""
    digests: TaskDigests


class TokenCheck(Stored):
    """An endpoint's token counts compared with those of a known tokenizer."""

    checked: int
    differing: int
    largest: int
    """The largest difference, in tokens."""


class BatchCheck(Stored):
    """Answers that change when they are generated alone instead of in a batch."""

    prompts: int
    differing: int


class Checks(Stored):
    """What the run measured of its own numbers."""

    tokens: Known[Mapping[str, TokenCheck]] = None
    """By model."""
    batches: Known[Mapping[str, BatchCheck]] = None
    """By setup."""
    load: Known[Mapping[str, tuple[float, ...]]] = None
    """Task -> processes that wanted to run before and after its latency pass."""


class AuditFinding(Stored):
    """A count of rows or documents, of how many, and the first of them."""

    about: str
    """What is counted, in words."""
    count: int
    of: int
    first: tuple[str, ...] = ()
    note: str = ""
    """What else must be known to read it."""
    grave: bool = False
    """Whether a run's numbers are wrong or doubtful where the count is above 0."""


class AuditFacts(Stored):
    """The faults of a task's rows and documents."""

    findings: Mapping[str, AuditFinding] = {}
    leaked: tuple[str, ...] = ()
    """Samples that must not count as unseen."""


class Hardware(Stored):
    """The machine that a run was made on."""

    processor: str
    cores: int | None
    memory_gb: float
    gpu: str | None
    system: str = ""

    def __str__(self) -> str:
        gpu = self.gpu or "none"
        return f"{self.processor_with_cores}, {self.memory_gb} GB, GPU: {gpu}"

    @property
    def processor_with_cores(self) -> str:
        cores = quantity(self.cores, "core") if self.cores else "cores not known"
        return f"{self.processor}, {cores}"


class ImportedFile(Stored):
    file: str
    sha256: str
    rows: int
    left_out: Known[int] = None
    """Rows that `--where` left out."""
    format: Known[str] = None
    """What the file was recognized as; `None` for rows whose columns were named."""


class Imported(Stored):
    """Where another tool's results came from, and what was made of them."""

    files: tuple[ImportedFile, ...] = ()
    fields: Mapping[str, Any] = {}
    answers: bool = False
    setups: Mapping[str, str] = {}
    """Setup -> its name in the rows."""
    metrics: Mapping[str, MetricFacts] = {}
    worst: Mapping[str, float] = {}
    """Imported metric -> what a failed answer scores."""
    tasks: Known[Mapping[str, tuple[str, ...]]] = None
    """Task -> its imported metrics, where the run has several tasks."""
    timing: str | None = None
    notes: tuple[str, ...] = ()


class TextsRemoved(Stored):
    """When texts were taken out of a run, and which."""

    on: str
    what: str
    unfinished: Known[bool] = None
    evidence: Known[str] = None
    """What `seal.evidence` was with texts: no number has changed since."""


class WorkerFacts(Stored):
    """A worker of a run that was carried out by several: where it was, and what came of it."""

    node: str
    device: str
    """The processor or GPU that it answered on."""
    cells: int = 0
    """Answers and failures of the quality pass that came from it."""
    seconds: float = 0.0
    """From its start to its end."""
    timed: Counted = 0
    """Answers of the latency pass that it gave."""
    repeated: Counted = 0
    """Cells that it was asked and never answered: they were asked of others."""
    lost: Annotated[str, Field(exclude_if=lambda value: not value)] = ""
    """How it ended before its time; empty for one that did not."""


class MergedShard(Stored):
    run: str
    hardware: Hardware | None


def _without_keys(raw: Any) -> Any:
    """A manifest without the keys that benchmark files could hold before they were refused."""
    if not (isinstance(raw, Mapping) and isinstance(suite := raw.get("suite"), Mapping)):
        return raw
    parts = {
        name: without_secrets(suite[name]) for name in ("endpoints", "setups") if name in suite
    }
    asked = {name: without_secrets(raw[name]) for name in ("models", "judges") if name in raw}
    return {**raw, **asked, "suite": {**suite, **parts}}


class Manifest(Stored):
    """All facts of a run beside its samples, answers and scores."""

    format: Literal[3] = FORMAT
    run: str = ""
    benchmark: str
    file: str = ""
    command: str = ""
    dtype: Known[str] = None
    """What local models computed in, empty without any; older runs do not record it."""
    status: Literal["running", "interrupted", "being scored", "complete"] = RUNNING
    night: str = ""
    created: str
    """ISO 8601."""
    suite: Suite
    selection: Selected = Selected()
    tasks: Mapping[str, TaskFacts]
    code: Annotated[Mapping[str, str], Field(exclude_if=lambda value: not value)] = {}
    """Function of the user's that answers or retrieves -> the digest of its file."""
    skipped: Mapping[str, str] = {}
    """Task that could not be run -> why."""
    models: Mapping[str, Fingerprint] = {}
    adapters: Mapping[str, AdapterFacts] = {}
    """By TASK/SETUP."""
    engines: Annotated[Mapping[str, EngineFacts], Field(exclude_if=lambda value: not value)] = {}
    """By the reference of the model, or the digest of weights that were all trained."""
    indexes: Mapping[str, IndexFacts] = {}
    """By TASK/CORPUS, with the setup that reads it where a corpus has several."""
    spent: Mapping[str, SetupSpent] = {}
    checks: Checks = Checks()
    audit: Mapping[str, AuditFacts] = {}
    versions: Mapping[str, str | None] = {}
    hardware: Known[Hardware] = None
    commit: str | None = None
    seconds: Mapping[str, float] = {}
    """By phase."""
    judges: Mapping[str, JudgeSpent] = {}
    workers: Annotated[tuple[WorkerFacts, ...], Field(exclude_if=lambda value: not value)] = ()
    """Who answered; empty for a run in one process."""
    merged: Annotated[tuple[MergedShard, ...], Field(exclude_if=lambda value: not value)] = ()
    rescored: Counted = 0
    resumed: Counted = 0
    imported: Known[Imported] = None
    pruned: Known[TextsRemoved] = None
    files: Annotated[Mapping[str, str], Field(exclude_if=lambda value: not value)] = {}
    """File of the run's evidence -> its sha256 at the end; runs of before have none."""
    seal: Annotated[str, Field(exclude_if=lambda value: not value)] = ""
    """Digest of all else in the manifest, where it has digests of files."""

    @model_validator(mode="before")
    @classmethod
    def _as_of_today(cls, raw: Any) -> Any:
        return with_stated_versions(names.in_tasks(_without_keys(raw)))

    @field_validator("created")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not a time") from None
        return value

    @field_validator("hardware", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        return value or None

    @property
    def started(self) -> datetime:
        made = datetime.fromisoformat(self.created)
        return made if made.tzinfo else made.replace(tzinfo=UTC)

    @property
    def complete(self) -> bool:
        return self.status == COMPLETE

    def fingerprint(self, setup: Setup) -> Fingerprint:
        """What the model of a setup was; empty where none of ours answered."""
        return {} if setup.custom else self.models.get(setup.model, {})

    def judge(self, by: str) -> Fingerprint:
        """What a judge or verifier was; empty where none was asked."""
        return self.judges[by].fingerprint if by in self.judges else {}

    def training(self, task: str, setup: str) -> Training | None:
        """What tuning a setup for a task took; `None` where it was not tuned here."""
        adapter = self.adapters.get(f"{task}/{setup}")
        return adapter.training if adapter else None

    def index(self, task: str, setup: str) -> IndexFacts | None:
        """The index that a setup is recorded to have read for a task."""
        indexes = (i for name, i in self.indexes.items() if name.partition("/")[0] == task)
        return next((index for index in indexes if setup in (index.setups or ())), None)
