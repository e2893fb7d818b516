"""The nouns of bakeoff: frozen facts that every other module passes around.

Imports the standard library alone, so that whatever reads finished runs stays light.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class BakeoffError(Exception):
    """A mistake the user can fix: file, field, what was found, what would work."""


class MissingEvidence(BakeoffError):
    """What a verdict needs is not there: never a pass (exit code 12)."""


class Incomplete(BakeoffError):
    """The run stopped before its end, keeps what is finished, and can be resumed (exit 20)."""


LISTED = 10
"""Problems that one message lists."""


def faults(problems: Sequence[str]) -> None:
    """Raise one `BakeoffError` with the first `LISTED` problems and how many more there are.

    Nothing happens where there is none.
    """
    if problems:
        more = len(problems) - LISTED
        rest = [f"and {more} more"] if more > 0 else []
        raise BakeoffError("\n".join([*problems[:LISTED], *rest]))


@dataclass(frozen=True, slots=True)
class Sample:
    """One question of a task, with what a right answer needs."""

    id: str
    fields: Mapping[str, str]
    """What the prompt template is filled from; `question` is always there."""
    targets: tuple[str, ...] = ()
    """Accepted answers, best first; empty when the question is unanswerable."""
    gold: tuple[str, ...] = ()
    """Ids of the documents that hold the answer."""
    cluster: str = ""
    """Samples of one cluster are not independent (questions about one document)."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def question(self) -> str:
        return self.fields["question"]

    @property
    def answerable(self) -> bool:
        return bool(self.targets)


@dataclass(frozen=True, slots=True)
class Document:
    """A text that can be retrieved, whole."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document: `document.text[start:end] == text`."""

    document: str
    start: int
    end: int
    text: str
    score: float = 0.0
    title: str = ""
    """Of its document, where the prompt has it in front of the text."""


RETRIEVE = "retrieve"
"""The step that looks passages up."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of making an answer: its tokens and, where it was timed alone, its seconds."""

    name: str
    seconds: float | None = None
    """`None` when the step ran in a batch: a share of a batch is no latency."""
    prompt_tokens: int = 0
    context_tokens: int = 0
    """The part of `prompt_tokens` that retrieved passages take."""
    completion_tokens: int = 0
    cached: bool = False
    """Taken from the response cache: nothing was spent on it in this run."""


STOP, LENGTH, CONTENT_FILTER, TOOL_CALLS = "stop", "length", "content_filter", "tool_calls"
REFUSAL, ERROR = "refusal", "error"
FINISH_REASONS = (STOP, LENGTH, CONTENT_FILTER, TOOL_CALLS, REFUSAL, ERROR)
"""How a reply can end, in the words of OpenAI's API; servers may state others. `length`: it was cut
at `max_tokens`. Empty: not reported."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A setup's answer to one sample, with its passages and steps."""

    text: str
    passages: tuple[Passage, ...] = ()
    steps: tuple[Step, ...] = ()
    confidence: float | None = field(default=None, compare=False)
    """The model's own, from 0 to 1: the geometric mean of its tokens' probabilities, or the
    probability of a chosen option among the options. `None` where it is not reported."""
    finish_reason: str = ""
    """How it ended: one of `FINISH_REASONS`, or another value of the server."""

    @property
    def open_book(self) -> bool:
        """Whether something was looked up for it: there are passages, or a step that found none."""
        return bool(self.passages) or any(step.name == RETRIEVE for step in self.steps)

    def tokens(self, kind: str) -> int:
        """Sum of `prompt_tokens`, `context_tokens` or `completion_tokens` over the steps."""
        return _tokens(self.steps, kind)

    def seconds(self, name: str | None = None) -> float | None:
        """Seconds of the named step, or of all; `None` when any of them was not timed alone."""
        steps = [step for step in self.steps if name in (None, step.name)]
        times = [step.seconds for step in steps if step.seconds is not None]
        return sum(times) if times and len(times) == len(steps) else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that could not be answered, and why. It counts as wrong, never as absent."""

    error: str
    finish_reason: str = ""
    """How the reply ended, where there was one that holds no answer."""
    steps: tuple[Step, ...] = ()
    """What such a reply took: tokens of reasoning without an answer are paid for, too."""

    def tokens(self, kind: str) -> int:
        """See `Answer.tokens`."""
        return _tokens(self.steps, kind)


def _tokens(steps: Sequence[Step], kind: str) -> int:
    return sum(getattr(step, kind) for step in steps)


SUPPORTED, CONTRADICTED, NOT_FOUND = "supported", "contradicted", "not found"


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A statement of an answer, and whether its passages support it."""

    text: str
    verdict: str
    """`supported`, `contradicted` or `not found`."""
    probability: float | None = None
    """Probability that it is supported, where the verifier gives one."""
    passage: int | None = None
    """Place of the most relevant passage."""
    start: int | None = None
    """`answer[start:start + len(text)] == text`, where the claim is in the answer."""
    missing: tuple[str, ...] = ()
    """Words, numbers and names of it that are in no passage."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The claims of an answer checked against passages. No claims: there was nothing to check."""

    claims: tuple[CheckedClaim, ...] = ()
    probability: float | None = None
    """That the whole answer is supported, where the verifier gives probabilities."""

    @property
    def share(self) -> float | None:
        """Share of the claims that are supported; `None` without a claim."""
        if not self.claims:
            return None
        return sum(claim.verdict == SUPPORTED for claim in self.claims) / len(self.claims)


@dataclass(frozen=True, slots=True)
class Score:
    """A value, or `None` with the reason why it could not be judged."""

    value: float | None
    reason: str = ""
    labels: tuple[str, str] | None = None
    """(expected, predicted) for metrics over a confusion matrix, such as macro-F1."""
    claims: tuple[CheckedClaim, ...] = ()
    """What the score was made of, for scores of faithfulness."""
    applies: bool = True
    """False where there is nothing to judge, as in a refusal: no score, and none is missing."""


QUALITY, LATENCY = "quality", "latency"


@dataclass(frozen=True, slots=True)
class Record:
    """One cell of a run: task x setup x sample, answered or failed.

    `phase` is `quality` (batched, every sample) or `latency` (one at a time, a few samples).
    """

    phase: str
    task: str
    setup: str
    sample: str
    outcome: Answer | Failure
    repeat: int = 0

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        return (self.phase, self.task, self.setup, self.sample, self.repeat)

    @property
    def answer(self) -> Answer | None:
        return self.outcome if isinstance(self.outcome, Answer) else None

    @property
    def error(self) -> str | None:
        return self.outcome.error if isinstance(self.outcome, Failure) else None


Message = Mapping[str, str]
"""One turn of a chat: its `role` and its `content`."""

Sending = Callable[[int], None]
"""Called with a sample's index right before a request for it goes out that may be billed."""


def unwatched(_: int) -> None:
    """A `Sending` that does nothing."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a model is to answer."""

    max_tokens: int
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0
    options: tuple[str, ...] = ()
    """Choose the likeliest of these instead of writing freely."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion: its text, its tokens, and seconds when it was made alone."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    prefill_s: float | None = None
    """Until the first new token is there; of the whole where `decode_s` is not known."""
    decode_s: float | None = None
    cached: bool = False
    confidence: float | None = field(default=None, compare=False)
    """See `Answer`. Its last digits differ from batch to batch, even where the answer does not."""
    finish_reason: str = ""
    """See `Answer`."""
    thought: bool = False
    """Whether the model thought before it wrote, where the server keeps that out of the text."""

    @property
    def missing(self) -> str:
        """Why there is no answer in it; empty where there is one.

        An empty text that ended by itself is one: a model may decline by saying nothing. After
        thinking, a filter, a tool call or a cut it says nothing of the question.
        """
        if self.text:
            return ""
        if self.finish_reason not in ("", STOP, REFUSAL):
            after = "after thinking" if self.thought else "no text"
            return f"empty: the reply ended with {self.finish_reason}, {after}"
        return "empty: the model thought, and wrote no answer" if self.thought else ""


class Model(Protocol):
    """A language model wherever it runs: in this process or behind an endpoint."""

    @property
    def repeatable(self) -> bool:
        """Whether an answer depends on its prompt alone, not on the others of its batch."""
        ...

    def fingerprint(self) -> Mapping[str, str]:
        """What can change an answer beside the prompt and the decoding."""
        ...

    def count(self, text: str) -> int:
        """Tokens in `text`; an estimate where the tokenizer is not known."""
        ...

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """(index, completion) as they get ready, none for the chats in `skip`."""
        ...

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        """One completion alone, with its seconds."""
        ...


class Embedder(Protocol):
    """Texts to vectors, wherever it runs."""

    @property
    def digest(self) -> str:
        """Changes when its vectors could."""
        ...

    def embed(self, texts: Sequence[str]) -> Any:
        """One row per text, float32 of shape (n, dimensions), each of length one."""
        ...


Ranked = Sequence[tuple[int, float]]
"""Passages that were found for a question: (place in the corpus, score), best first."""


class Retriever(Protocol):
    """Finds passages of the corpus that it was opened on."""

    def search(self, questions: Sequence[str], k: int) -> Sequence[Ranked]:
        """At least the `k` best passages for each question, as far as there are so many."""
        ...


class Answerer(Protocol):
    """The seam every setup is built to: samples in, (index, outcome) out as they are ready.

    `timed` asks for one sample at a time with every step measured. `skip` names samples that
    need no outcome: a resumed run skips what it has, yet forms the same batches, as in bfloat16
    an answer can depend on its batch. `repeat` numbers the times the same samples are asked.
    """

    def __call__(
        self,
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]: ...


def canonical(value: Any) -> str:
    """JSON that is the same for equal values whatever their key order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(value: Any) -> str:
    """The first 16 hex digits of the sha256 of bytes, text, or any JSON value."""
    if not isinstance(value, bytes):
        text = value if isinstance(value, str) else canonical(value)
        # A JSON file of a stranger may hold half of a surrogate pair.
        value = text.encode(errors="surrogatepass")
    return hashlib.sha256(value).hexdigest()[:16]


def sha256_file(path: Path) -> str:
    """The sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
