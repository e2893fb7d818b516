"""Task files: where rows and documents come from, how a model is asked, what is scored."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from bakeoff.core.hints import did_you_mean
from bakeoff.core.program import program
from bakeoff.core.words import BakeoffError, faults
from bakeoff.spec import keys, names
from bakeoff.spec.metric import Metric
from bakeoff.spec.refusals import PHRASES
from bakeoff.spec.shipped import TASKS, shipped
from bakeoff.spec.wording import Wording
from bakeoff.spec.yaml_files import TEXT, Also, File, Known, prompt_fields, read_yaml, validated

BEFORE = "_before"
"""What the name of a task ends with that asks its questions right after a change: of setups that
still know the documents and rows of the time before."""


def changed(task: str) -> str:
    """The task of a file whose state before a change `task` may be; else `task` itself."""
    return task.removesuffix(BEFORE)


def _known_encoding(value: str | None) -> str | None:
    try:
        codecs.lookup(value or "utf-8")
    except LookupError as error:
        raise ValueError("no such encoding; such as utf-8, cp1252, shift_jis") from error
    return value


Encoding = Annotated[Known[str], AfterValidator(_known_encoding)]
"""The name of a codec."""


class Source(File):
    """Where rows come from: files of the project, or a data set of the hub with a local copy."""

    files: str | None = None
    """Path or glob of files of rows, relative to the task file: JSON Lines, JSON, CSV, Parquet or
    XLSX; chats of fine-tuning services are questions with their last answer."""
    sheet: Known[str] = None
    """The sheet of a workbook that has several."""
    encoding: Encoding = None
    """Of files that are neither UTF-8 nor marked, such as `cp1252`; detected when left out."""
    columns: Known[Mapping[str, str]] = None
    """Our column -> theirs, where this source has others than the task's `columns`."""
    hub: str | None = None
    """A data set id of the Hugging Face hub."""
    config: str | None = None
    """The configuration of the hub data set."""
    split: str = "train"
    """The split of the hub data set, or of BEIR's `qrels`."""
    beir: Known[str] = None
    """A BEIR folder: the questions of its `queries.jsonl` that `qrels/SPLIT.tsv` judges, with their
    gold documents; `documents: FOLDER/corpus.jsonl` are its documents."""
    revision: str | None = None
    """A commit or tag of the hub data set."""
    local: str | None = None
    """Path or glob of the same set inside the data folder (`--data`)."""
    format: Literal["json", "csv", "text"] = "json"
    """How the local copy is read; `text` gives one row per file, in its `text` column."""
    adapt: str | None = None
    """A function rows -> rows for data that comes in another shape."""
    changes: str | None = None
    """Path or glob of rows that came with a change of the documents: one with a known id replaces
    that row, or takes it away where it says `removed: true`; others are added."""

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        if sum(map(bool, (self.files, self.hub or self.local, self.beir))) != 1:
            raise ValueError("give one of files, beir, or hub and local")
        return self


class Rows(File):
    """The rows of a task: a path or glob of files, or a source with settings."""

    test: Annotated[Source, Also(TEXT)]
    """The questions that are scored: a path or glob, or a source with settings."""
    train: Annotated[Source | None, Also(TEXT)] = None
    """The rows that tuned setups learn, and that examples come from."""

    @field_validator("test", "train", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str) else value


class CorpusFile(File):
    """What can be retrieved: documents, solved training examples, or what a function returns."""

    documents: str | tuple[str, ...] | None = None
    """Path or glob, or several, relative to the task file, of Markdown, text, reStructuredText,
    HTML, PDF or DOCX. A document's id is its file's name without ending; of files that share it,
    the path below the globs' folder (`a/readme`). JSON Lines and Parquet hold a document a row."""
    columns: Known[Mapping[str, str]] = None
    """`id`, `title`, `text` -> columns of documents in rows, CSV and JSON included: names or
    JMESPaths."""
    encoding: Encoding = None
    """Of text files that are neither UTF-8 nor marked, such as `cp1252`; detected when left out."""
    examples: Literal["train"] | None = None
    """The solved training rows, each as question and answer."""
    rows: Literal["documents"] | None = None
    """Documents that the rows themselves bring along, in their `documents` column."""
    call: str | None = None
    """A function without arguments that returns a mapping of document id to text."""
    changes: str | tuple[str, ...] | None = None
    """Globs, as of `documents`, of those that a change brought: known ids are replaced by them."""
    removed: tuple[str, ...] = ()
    """Ids of documents that the change took away."""

    @model_validator(mode="after")
    def _one_kind(self) -> CorpusFile:
        if sum(bool(v) for v in (self.documents, self.examples, self.rows, self.call)) != 1:
            raise ValueError("give one of documents, examples, rows, call")
        return self


class Refusal(File):
    """How the task asks a model to decline, and what counts as declining."""

    say: str
    """The words with which a model is to decline; unanswerable training rows are learnt with
    them."""
    phrases: tuple[str, ...] = PHRASES
    """What counts as declining wherever it is in an answer; `=unknown`, only as all of it.
    Without case, contractions as their words (`don't` is `do not`)."""


class Rule(File):
    """A condition on every answer of a task: one of `match`, `forbid`, `words`."""

    name: Annotated[str, Field(min_length=1)]
    """What reports call the rule."""
    match: Known[str] = None
    """A regular expression to be in the answer; `<field>` stands for the sample's own text."""
    forbid: Known[str] = None
    """The same, not to be in it."""
    words: Known[tuple[int, int]] = None
    """The least and the largest number of words."""

    @field_validator("match", "forbid")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(re.sub(r"<\w+>", "field", value))
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _is_one_condition(self) -> Self:
        if [self.match, self.forbid, self.words].count(None) != 2:
            raise ValueError("a rule has a name and one of match, forbid, words")
        return self


class TaskFile(File):
    """A task file, every default filled in."""

    name: SkipJsonSchema[str] = ""
    """The file's name without its ending."""
    description: str
    """What the task asks and where its data come from; shown in lists and reports."""
    license: str = ""
    """The license of the data; shown in reports."""
    rows: Rows
    """Where the rows come from: `test` and, for fine-tuning, `train`."""
    on_overlap: Literal["refuse", "drop"] = "refuse"
    """What to do with training rows that (nearly) repeat a test row."""
    columns: Mapping[str, str] = {}
    """Our column -> theirs, for question, id, targets, gold, cluster, tags, messages (chats), and
    any field of the prompt: the name of a column, or a JMESPath into it (`answers[*].text`)."""
    corpora: Mapping[str, CorpusFile] = {}
    """What can be retrieved, by a name of your choice; a setup reads the first unless it names
    another."""
    system: str = ""
    """The system message; `{field}` stands for a field of the row."""
    prompt: str = "{question}"
    """The user message; `{question}`, or any other `{field}` of the row."""
    with_passages: str = "Use these passages:\n{passages}\n\n{prompt}"
    """The user message of setups with retrieval, made from `{passages}` and `{prompt}`."""
    before_passages: str = "{prompt}\n\n{passages}"
    """The same where a setup wants the question in front (`retrieve: {question: before}`)."""
    max_tokens: Annotated[int, Field(ge=1)] = 32
    """Tokens of an answer at most."""
    answer: Literal["generate", "likelihood"] = "generate"
    """`likelihood` takes the likeliest of the labels instead of letting the model write."""
    normalization: Literal["squad", "strict"] = "squad"
    """Of answers and targets before they are compared: SQuAD's, or one that tells apart what that
    takes for equal (1.5 and 15, -5 and 5, C and C++)."""
    refusal: Refusal | None = None
    """How to decline; needed where questions have no answer."""
    labels: tuple[str, ...] = ()
    """The answers that are possible, for classification."""
    json_schema: Mapping[str, Any] | None = None
    """A JSON Schema of the answers, for `schema_valid`."""
    rules: tuple[Rule, ...] = ()
    """Conditions on every answer, for `rules_kept` and `all_rules_kept`."""
    scorers: Annotated[tuple[str, ...], Field(min_length=1)]
    """The metrics: names of scorers with their settings, or functions, `./file.py::name`."""
    headline: str = ""
    """The primary metric, shown in the first table; the first scorer when left out."""

    @property
    def wording(self) -> Wording:
        """How its questions are asked."""
        parts = {part: getattr(self, part) for part in Wording.model_fields}
        return Wording(**parts)

    @field_validator("system", "prompt", "with_passages", "before_passages")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        prompt_fields(value)
        return value

    @field_validator("with_passages", "before_passages")
    @classmethod
    def _takes_passages(cls, value: str) -> str:
        if (fields := prompt_fields(value)) != {"passages", "prompt"}:
            raise ValueError(f"needs {{passages}} and {{prompt}}, has {sorted(fields)}")
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

    @field_validator("headline")
    @classmethod
    def _by_its_name(cls, value: str) -> str:
        return names.metric(value)

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, value: Mapping[str, object] | None) -> Mapping[str, object] | None:
        from jsonschema import Draft202012Validator, SchemaError

        try:
            Draft202012Validator.check_schema(value or {})
        except SchemaError as error:
            raise ValueError(f"no JSON schema: {error.message}") from error
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

    @property
    def changes(self) -> bool:
        """Whether the task has a state before a change of its documents or training rows."""
        train = self.rows.train
        return bool(train and train.changes) or any(
            corpus.changes or corpus.removed for corpus in self.corpora.values()
        )

    def metrics(self) -> dict[str, Metric]:
        """The task's metrics by their one spelling. Raises `BakeoffError`."""
        return {str(metric): metric for metric in map(Metric.parse, self.scorers)}

    @property
    def headline_metric(self) -> str:
        return self.headline or next(iter(self.metrics()))


def load_task_file(path: Path) -> TaskFile:
    """The task file at `path`. Raises `BakeoffError` listing every fault in it."""
    raw = read_yaml(path)
    if isinstance(raw, dict) and "rows" not in raw and {"tasks", "setups"} <= set(raw):
        raise BakeoffError(
            f"{path}: this is a benchmark file, not a task (`{program()} plan {path}` shows it)"
        )
    task = validated(TaskFile, path, raw)
    faults([f"{path}: {problem}" for problem in keys.problems({}, raw)])
    return task.model_copy(update={"name": path.stem})


def task_path(name: str, suite_path: Path) -> Path:
    """Where the task `name` of a benchmark lives: a path, or a file in a folder `tasks/`.

    That is the one beside the benchmark's folder, the one here, or the shipped one. Raises
    `BakeoffError` naming the tasks that are there.
    """
    if name.endswith((".yaml", ".yml")):
        return (suite_path.parent / name).resolve()
    beside, here = suite_path.resolve().parent.parent, Path.cwd()
    folders = [folder / TASKS for folder in (beside, here, shipped())]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise BakeoffError(f"{suite_path}: tasks: no task '{name}'{did_you_mean(name, known)}")
