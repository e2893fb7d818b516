"""Metrics as values: one spelling, a parser that is the printer's inverse, one decorator.

`evidence_recall(k=5)` is the name in a task file, in a table header, in JSON and in a gate.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from bakeoff.core import Answer, BakeoffError, Failure, Sample, Score, digest

_NAME = re.compile(r"(?P<path>\S+::)?(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<args>.*)\))?")


@dataclass(frozen=True)
class Metric:
    """A scorer's name with its settings; equal metrics print the same.

    >>> str(Metric.parse("evidence_recall( k = 5 )"))
    'evidence_recall(k=5)'
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Metric:
        """The metric that `text` spells. Raises `BakeoffError` when it spells none."""
        match = _NAME.fullmatch(text.strip())
        if not match:
            raise BakeoffError(f"'{text}' is not a metric; write name or name(setting=value)")
        try:
            settings = _settings(match["args"] or "")
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
            raise BakeoffError(
                f"'{text}': settings are written name=value, such as evidence_recall(k=5)"
            ) from error
        return cls((match["path"] or "") + match["name"], tuple(sorted(settings.items())))

    def setting(self, name: str) -> str:
        """The text that a setting has, or an empty one."""
        return str(dict(self.settings).get(name, ""))

    @property
    def judge(self) -> str:
        """What is asked for the score; empty when nothing is."""
        return opinion(self.setting("by"))[0]

    @property
    def asks_model(self) -> bool:
        """Whether that is a model, and no file of numbers."""
        return bool(self.judge) and not self.judge.endswith(".json")

    def __str__(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.settings)
        return f"{self.name}({args})" if args else self.name


def _settings(text: str) -> dict[str, Any]:
    """`a=1, b='x'` as a mapping. Raises `ValueError` for what is no plain value under a name."""
    call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise ValueError("settings have names")
    settings: dict[str, Any] = {}
    for keyword in call.keywords:
        value = ast.literal_eval(keyword.value)
        hash(value)
        # The printed name must be read back as the same value: `1e999` prints as `inf`.
        if keyword.arg in (None, *settings) or ast.literal_eval(repr(value)) != value:
            raise ValueError("a setting is one name and one plain value")
        settings[str(keyword.arg)] = value
    return settings


Outcome = Score | float | bool | None
"""What a scorer returns: `None` means that the metric does not apply to this sample."""
Settings = Mapping[str, Any]
"""A metric's settings by name, the defaults filled in."""
Bounds = tuple[float, float]
"""The smallest and the largest score there can be."""


@dataclass(frozen=True)
class Chat:
    """A question to a judge behind an endpoint (`by` is NAME:MODEL); it answers with a text."""

    by: str
    system: str
    user: str
    max_tokens: int = 1024
    attempt: int = 0
    """Asked again, with another seed, when an earlier reply was of no use."""


@dataclass(frozen=True)
class Entailment:
    """Whether passages support each claim of an answer, asked of a local verifier model."""

    by: str
    question: str
    answer: str
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Embedding:
    """The vector of a text, by an embedder."""

    by: str
    text: str


def opinion(by: str) -> tuple[str, int]:
    """A judge and which of its opinions is asked: `judge:m#2` is the second of `judge:m`.

    >>> opinion("judge:m#2"), opinion("judge:m")
    (('judge:m', 2), ('judge:m', 1))
    """
    judge, mark, number = by.rpartition("#")
    return (judge, int(number)) if mark and number.isdigit() else (by, 1)


def behind_endpoint(by: str) -> bool:
    """Whether `by` names a judge behind an endpoint (NAME:MODEL) and no model of this machine."""
    return ":" in by and not by.startswith("hf:")


Need = Chat | Entailment | Embedding
"""What a scorer asks of a model. Equal needs are asked once."""


class Wanted(BaseException):
    """Needs that a scorer must have before it can go on; it is then called again, with them.

    Not an `Exception`: what scorers are made of may catch those.
    """

    def __init__(self, needs: Iterable[Need]) -> None:
        super().__init__("this scorer needs a model")
        self.needs = tuple(needs)


class Unjudged(Exception):
    """Why an answer could not be judged: its score is `None` with this reason."""


@dataclass(frozen=True)
class Context:
    """What a scorer may know of the task beside the sample and the answer."""

    refusals: tuple[str, ...] = ()
    """Phrases that count as declining to answer."""
    schema: Mapping[str, Any] | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    labels: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    """Text of every document a gold id can name."""
    folder: Path = Path()
    """Of the task file: what a metric names as a file is looked for there."""
    given: Mapping[Need, Any] = field(default_factory=dict, repr=False)
    """What models have said so far."""
    rivals: Mapping[str, Answer] = field(default_factory=dict, repr=False)
    """Answers of other setups to the same sample, where a metric is `against` them."""

    def ask(self, *needs: Need) -> list[Any]:
        """What the models say to these needs.

        Raises `Wanted` when they have not been asked yet, and `Unjudged` when one failed.
        """
        if missing := [need for need in needs if need not in self.given]:
            raise Wanted(missing)
        for need in needs:
            if isinstance(failed := self.given[need], Failure):
                raise Unjudged(failed.error)
        return [self.given[need] for need in needs]


@dataclass(frozen=True)
class Scorer:
    """A function (sample, answer, context) -> score, with what a reader must know about it.

    The function's keyword-only arguments are the metric's settings.
    """

    name: str
    function: Callable[..., Outcome]
    higher_is_better: bool = True
    aggregate: str = "mean"
    """`mean`, or `macro_f1` for scores that carry label pairs."""
    bounds: Bounds | None = None
    """The smallest and the largest score there can be, where that is known."""
    version: int | None = None
    """Raised whenever the same answer may get another score; `None`: its file stands for it."""
    made_of: Callable[[Metric], Mapping[str, str]] | None = None
    """What decides about a metric's score beside the code, such as a prompt -> its digest."""
    asks: str = ""
    """What its setting `by` names: a `verifier` (a judge, a local model, or words alone where it
    is left out), a `judge` behind an endpoint, or an `embedder`."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What settings of a few values may be."""
    bounds_by: Callable[[Settings], Bounds] | None = None
    """The bounds, where settings decide about them."""
    check: Callable[[Settings], str] | None = None
    """What is wrong with settings that have the right kinds; empty when nothing is."""

    def version_of(self, metric: Metric, folder: Path) -> str:
        """What decides about a metric's score, such as `2` or `1+lexical_model:ab12cd34ab12cd34`.

        Scores of two versions are not compared. A function that states no version has the digest
        of its file.
        """
        parts = dict(self.made_of(metric)) if self.made_of else {}
        if metric.judge.endswith(".json"):
            parts["calibration"] = digest((folder / metric.judge).read_bytes())
        if self.version is None:
            own = self._digest_of_file()
            return digest([own, *parts.values()]) if parts else own
        return "+".join([str(self.version), *(f"{name}:{is_}" for name, is_ in parts.items())])

    def _digest_of_file(self) -> str:
        file = inspect.getsourcefile(self.function)
        return digest([self.name, *([digest(Path(file).read_bytes())] if file else [])])

    @property
    def about(self) -> str:
        return (inspect.getdoc(self.function) or "").split("\n")[0]

    def settings(self) -> dict[str, Any]:
        """The settings the scorer takes and their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def score(
        self, sample: Sample, answer: Answer, context: Context, metric: Metric
    ) -> Score | None:
        """The score, or `None` where the metric does not apply to this sample.

        Raises `Wanted` when a model must be asked first.
        """
        try:
            result = self.function(sample, answer, context, **dict(metric.settings))
        except Unjudged as reason:
            return Score(None, str(reason))
        if result is None or isinstance(result, Score):
            return result
        return Score(float(result))


_SCORERS: dict[str, Scorer] = {}


def scorer(
    *,
    version: int | None = None,
    higher_is_better: bool = True,
    aggregate: str = "mean",
    bounds: Bounds | Callable[[Settings], Bounds] | None = (0.0, 1.0),
    made_of: Callable[[Metric], Mapping[str, str]] | None = None,
    asks: str = "",
    choices: Mapping[str, tuple[str, ...]] | None = None,
    check: Callable[[Settings], str] | None = None,
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Make a function a scorer under its own name. Its docstring's first line explains it.

    Raise `version` whenever the same answer may get another score.
    """
    fixed, by = (None, bounds) if callable(bounds) else (bounds, None)

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        name = function.__name__
        _SCORERS[name] = Scorer(
            name,
            function,
            higher_is_better,
            aggregate,
            fixed,
            version,
            made_of,
            asks,
            choices or {},
            by,
            check,
        )
        return function

    return register


def scorers() -> Mapping[str, Scorer]:
    """Every scorer that comes with bakeoff, by name."""
    import bakeoff.scorers  # noqa: F401  (registers them; the one door)

    return dict(sorted(_SCORERS.items()))


def load_function(reference: str, folder: Path) -> Callable[..., Any]:
    """The function that `./file.py::name` (from `folder`) or `package.module::name` names.

    Raises `BakeoffError` when the file, module or function is not there.
    """
    where, _, name = reference.rpartition("::")
    if not where or not name:
        raise BakeoffError(f"'{reference}': write ./file.py::function or module::function")
    module = _load_module(where, folder)
    function = getattr(module, name, None)
    if not callable(function):
        raise BakeoffError(f"'{reference}': {where} has no function '{name}'")
    found: Callable[..., Any] = function
    return found


def _load_module(where: str, folder: Path) -> ModuleType:
    if not where.endswith(".py"):
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise BakeoffError(f"'{where}': {error}") from error
    path = (folder / where).resolve()
    if not path.is_file():
        raise BakeoffError(f"'{where}': there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_scorer(metric: Metric, folder: Path) -> Scorer:
    """The scorer a metric names, its settings checked. Raises `BakeoffError`."""
    if "::" in metric.name:
        function = load_function(metric.name, folder)
        found = Scorer(metric.name, function)
        registered = _SCORERS.get(function.__name__)
        if registered and registered.function is function:
            found = replace(registered, name=metric.name)
    else:
        known = scorers()
        if metric.name not in known:
            raise BakeoffError(f"no scorer named '{metric.name}'{did_you_mean(metric.name, known)}")
        found = known[metric.name]
    known_settings = found.settings()
    for name, value in metric.settings:
        if name not in known_settings:
            takes = ", ".join(known_settings) or "none"
            raise BakeoffError(f"{metric.name} has no setting '{name}'; it takes {takes}")
        default = known_settings[name]
        kind = (int, float) if type(default) is float else type(default)
        if default is not inspect.Parameter.empty and not isinstance(value, kind):
            raise BakeoffError(
                f"{metric.name}: {name} must be of the kind of {default!r}, found {value!r}"
            )
        if value not in found.choices.get(name, (value,)):
            hint = did_you_mean(str(value), found.choices[name])
            raise BakeoffError(f"{metric.name}: {name}: there is no '{value}'{hint}")
    if metric.judge.endswith(".json") and not (folder / metric.judge).is_file():
        raise BakeoffError(f"{metric}: there is no file {folder / metric.judge}")
    if found.asks == "judge" and not behind_endpoint(metric.judge):
        raise BakeoffError(
            f"{metric}: name the judge that is asked: by='ENDPOINT:MODEL', with ENDPOINT one of "
            "the benchmark's endpoints"
        )
    settings = {**known_settings, **dict(metric.settings)}
    if found.check and (problem := found.check(settings)):
        raise BakeoffError(f"{metric}: {problem}")
    return replace(found, bounds=found.bounds_by(settings)) if found.bounds_by else found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of what is known when nothing is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(names)}"
