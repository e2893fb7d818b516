"""The commented YAML of a first task and benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from bakeoff.core.counts import quantity
from bakeoff.metrics.forms import STRICT
from bakeoff.running.first_files.understood import SHORT, Understood, relative, rows_part
from bakeoff.spec.metric import Metric
from bakeoff.tasks.targets import compares_texts

ASKED, LEARNT = 60, 200
"""Test rows and training rows that the benchmark takes at first: minutes on a laptop, not hours."""
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Answers:
    """By what a benchmark's setups answer."""

    model: str = EMBEDDED
    endpoint: str = ""
    """The url of the OpenAI-compatible server that has the model; empty for a local one."""
    retriever: str = "dense"
    """What finds passages: by the meaning (`dense`), by words (`bm25`), or both (`fused`)."""

    @property
    def k(self) -> int:
        """Passages of a prompt: fewer for the small model."""
        return 2 if self.model == EMBEDDED else 3

    @property
    def reference(self) -> str:
        return f"server:{self.model}" if self.endpoint else self.model


def task_text(known: Understood, folder: Path, answers: Answers) -> str:
    """The text of the task file, to be written to `folder`."""
    parts = [
        _EDITOR.format(kind="task"),
        "# What is asked, of which rows and documents, and how answers are scored.",
        f"description: {_flow(f'Questions of {known.questions.path.name}.')}",
        *_rows(known, folder),
        *_documents(known, folder),
        *_asking(known),
        *_scoring(known, answers),
    ]
    return "\n".join(parts) + "\n"


_EDITOR = "# yaml-language-server: $schema=../.bakeoff/{kind}.schema.json"


def _rows(known: Understood, folder: Path) -> list[str]:
    parts = rows_part(known.questions, known.training, folder)
    lines = ["", "# Paths are relative to this file.", "rows:"]
    lines += [f"  {split}: {_flow(source)}" for split, source in parts.items()]
    if known.training is None:
        lines.append("  # train: FILE   # rows to fine-tune on; none may repeat a test row")
    if known.repeated:
        lines += [
            f"# Left out: {quantity(known.repeated, 'training row')} (nearly) "
            "repeating a test row.",
            "on_overlap: drop",
        ]
    if mapping := known.questions.mapping:
        lines += ["# Our field: the column (or JMESPath) that holds it.", "columns:"]
        lines += [f"  {field}: {_flow(column)}" for field, column in mapping.items()]
    return lines


def _documents(known: Understood, folder: Path) -> list[str]:
    if known.documents is None:
        return ["", "# corpora: {documents: {documents: FOLDER/*.md}}   # what can be retrieved"]
    base = relative(known.documents.folder, folder)
    globs = [f"{base}/{pattern}" for pattern in known.documents.patterns]
    corpus: dict[str, object] = {"documents": globs[0] if len(globs) == 1 else globs}
    lines = ["", "# What setups with retrieval search.", "corpora:", "  documents:"]
    lines += [f"    {field}: {_flow(value)}" for field, value in corpus.items()]
    return lines


def _asking(known: Understood) -> list[str]:
    lines = ["", "# What the model is told."]
    lines.append(f"system: {_flow(known.system or _system(known))}")
    if known.unanswerable:
        lines += [
            "# Rows without an answer are questions that have none: to decline is right there.",
            "refusal: {say: unknown}",
        ]
        if known.system and "unknown" not in known.system.casefold():
            lines.append("# Let `system` ask for it, such as: If you cannot know, reply - unknown.")
    if known.labels:
        lines.append(f"labels: {_flow(list(known.labels))}")
    lines.append(f"max_tokens: {_tokens(known)}   # of an answer")
    return lines


def _system(known: Understood) -> str:
    if known.labels:
        return f"Answer with one of: {', '.join(known.labels)}."
    how = "with one JSON object" if known.json else "in a few words"
    if known.answer_words > SHORT and not known.json:
        how = "in one or two sentences"
    decline = " If you cannot know, reply - unknown." if known.unanswerable else ""
    return f"Answer {how}.{decline}"


def _tokens(known: Understood) -> int:
    """Room for twice a long answer, as a power of two."""
    wanted = 4 * known.answer_words + 8
    size = 32
    while size < wanted and size < 1024:
        size *= 2
    return size


def _scoring(known: Understood, answers: Answers) -> list[str]:
    lines = ["", "# The first one is the primary metric. `bakeoff scorers list` has all."]
    chosen = scorers(known, answers)
    lines.append(f"scorers: {_flow(chosen)}")
    if compares_texts(map(Metric.parse, chosen)):
        lines.append(f"normalization: {STRICT}   # tells 1.5 from 15 and C from C++")
    return lines


def scorers(known: Understood, answers: Answers) -> list[str]:
    """Metrics that fit the answers, the primary one first."""
    if known.labels:
        return ["accuracy", "macro_f1"]
    if known.json:
        chosen = ["field_f1", "exact_json", "json_valid"]
    elif known.answer_words <= SHORT:
        chosen = ["contains", "token_f1", "exact_match"]
    else:
        chosen = ["token_f1", "rouge_l"]
    chosen += ["right_refusal", "wrong_refusal"] if known.unanswerable else []
    chosen += [f"retrieval_recall(k={answers.k})"] if known.gold and known.documents else []
    return chosen + (["faithfulness"] if known.documents else [])


def benchmark_text(known: Understood, name: str, answers: Answers) -> str:
    """The benchmark file."""
    parts = [
        _EDITOR.format(kind="benchmark"),
        "# Which setups are compared on which tasks.",
        f"description: The setups on {name}.",
        *_model(answers),
        "seed: 7",
        *_recipes(known, answers),
        *_tasks(known, name),
        *_setups(known, answers),
        *_gates(known, name, answers),
    ]
    return "\n".join(parts) + "\n"


def _model(answers: Answers) -> list[str]:
    if answers.endpoint:
        return [
            "endpoints:",
            "  server:",
            f"    url: {_flow(answers.endpoint)}",
            "    # api_key_env: NAME   # the environment variable that holds the API key",
            f"model: {_flow(answers.reference)}",
        ]
    note = "" if answers.model != EMBEDDED else "   # a small one to begin with"
    return [
        f"model: {_flow(answers.model)}{note}",
        "# Others: hf:ORG/NAME, a model's folder, a .gguf file, or ENDPOINT:MODEL of a server.",
    ]


def tunes(known: Understood, answers: Answers) -> bool:
    """Whether there are setups that learn: there are rows to learn, and weights here."""
    return bool(known.train) and not answers.endpoint


def _recipes(known: Understood, answers: Answers) -> list[str]:
    lines: list[str] = []
    if tunes(known, answers):
        rows = f", rows: {LEARNT}" if len(known.train) > LEARNT else ""
        lines.append(f"tune: {{epochs: 2, batch_size: 8, learning_rate: 0.002{rows}}}")
        if rows:
            lines.append(f"# rows: of {len(known.train)}; take it away to learn all of them.")
    if known.documents:
        words = "chunk_words: 60, overlap_words: 12" if answers.model == EMBEDDED else ""
        parts = [f"k: {answers.k}", words or "chunk_words: 120"]
        if answers.retriever != "dense":
            parts.append(f"retriever: {answers.retriever}")
        lines.append(f"retrieve: {{{', '.join(parts)}}}")
    return lines


def _tasks(known: Understood, name: str) -> list[str]:
    count = len(known.samples)
    if count <= ASKED:
        return ["", f"tasks: {_flow([name])}"]
    return [
        "",
        "tasks:",
        f"  - {_flow(name)}: {{limit: {ASKED}}}   # of {quantity(count, 'question')}; take "
        "the limit away for all",
    ]


def _setups(known: Understood, answers: Answers) -> list[str]:
    tuned, retrieval = tunes(known, answers), bool(known.documents)
    lines = ["", "# The first one is the reference of the tables.", "setups:"]
    lines.append("  base: {}                           # the model as it is")
    if tuned:
        lines.append("  fine-tuned: {tune: true}           # learns the training rows")
    if retrieval:
        lines.append("  rag: {retrieve: true}              # reads passages of the documents")
    if tuned and retrieval:
        lines.append("  hybrid: {tune: true, retrieve: true}")
    if not tuned and answers.endpoint:
        lines.append("  # A served model is not tuned here; one that the server has is a setup:")
        lines.append("  # fine-tuned: {model: 'server:MY-TUNED-MODEL'}")
    elif not tuned:
        lines.append("  # fine-tuned: {tune: true}         # needs training rows in the task file")
    if not retrieval:
        lines.append("  # rag: {retrieve: true}            # needs corpora in the task file")
    lines.append("  # mine: {call: '../bot.py::answer'}   # a system of your own")
    return lines


def _gates(known: Understood, name: str, answers: Answers) -> list[str]:
    first = scorers(known, answers)[0]
    better = "rag" if known.documents else "base"
    return [
        "",
        "# What must hold; `bakeoff gate` and the exit code of a run follow it.",
        "gates:",
        "  - rate(*.error) <= 0.01",
        f"  # - {better}.{name}.{first} >= 0.6",
    ]


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
