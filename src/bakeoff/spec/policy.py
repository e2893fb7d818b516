"""Gates and the policy they are evaluated by, in benchmark files and files of gates."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from bakeoff.spec import names
from bakeoff.spec.yaml_files import TEXT, Also, File

Mode = Literal["refute", "prove", "estimate"]
"""Fail what is proven to be violated, pass what is proven to hold, or compare numbers alone."""
Treated = Literal["prompt", "model", "k", "recipe", "decoding", "documents"]
"""What a pull request changes; `recipe` is all of `tune` and `retrieve`, `k` one part of it."""


class Gate(File):
    """A line that must hold, such as `hybrid.handbook_qa.token_f1 >= rag.handbook_qa.token_f1`."""

    check: Annotated[str, Field(max_length=500)]
    """What must hold: a comparison of `setup.task.metric` with another one or a number."""
    # The length apart: a counted repetition of `\w` takes 50 ms and 9 MB to compile.
    id: Annotated[str, Field(pattern=r"^[\w.:/ -]*$", max_length=80)] = ""
    """What reports call it; the check when left out."""
    description: str = ""
    """Why it must hold; shown beside the verdict."""
    mode: Mode | None = None
    """The policy's where left out; `estimate` for sums, counts, money and errors."""
    severity: Literal["fail", "warn"] | None = None
    """`fail` where left out, `warn` for a gate over slices."""
    group_by: str = ""
    """A tag: the gate is judged on each of its values, as well as can be told from so few."""
    on_inconclusive: Literal["warn", "fail", "pass"] | None = None
    """What a gate does that the data do not decide; the policy's when left out."""
    force: bool = False
    """Keep a line that looks like a mistake: against the metric's direction, of two metrics."""

    @field_validator("check")
    @classmethod
    def _with_present_metrics(cls, value: str) -> str:
        return names.series(value)

    @property
    def name(self) -> str:
        return self.id or self.check


class Policy(File):
    """How gates are evaluated, unless a gate states otherwise."""

    alpha: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.05
    """The error rate of the tests."""
    mode: Literal["refute", "prove"] = "refute"
    """`refute` fails what is proven to be violated, `prove` passes what is proven to hold."""
    correction: Literal["holm", "none"] = "holm"
    """How the gates that can fail a run share `alpha`."""
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"
    """What a gate does that the data do not decide."""
    on_missing: Literal["fail", "skip"] = "fail"
    """What a missing task or baseline does to the gates that name it."""
    max_error_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.01
    """Failed answers of a setup above which its quality is not judged at all."""
    min_coverage: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the samples whose score must be known."""
    pairing: Literal["same", "intersect"] = "same"
    """Whether a baseline must have the very samples, or those shared are enough."""
    same: Annotated[tuple[Treated, ...], Field(exclude_if=lambda value: not value)] = ()
    """What a run must have in common with a baseline, beside what measured it."""
    min_agreement: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] | None = None
    """AUROC with people's labels, the lower end of its interval, that the scorer card of every
    verifier or judge must show before a gate on it counts."""
    cards: str = "docs/scorers"
    """The folder of the scorer cards, from where the command is run."""
    errors: Literal["worst", "exclude"] = "worst"
    """Whether a failed answer has the worst score or leaves its sample out."""
    confirm: Annotated[int, Field(ge=0, le=10)] = 0
    """Ask every sample so often again before a failure counts; the pooled answers decide."""


class Gates(File):
    """A file of gates: `policy` and `gates`, as in a benchmark."""

    policy: Policy = Policy()
    """How the gates are judged."""
    gates: tuple[Annotated[Gate, Also(TEXT)], ...]
    """What must hold: lines, or mappings with a `check`."""

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
        return named_once(value)


def gate_lines(raw: Any) -> Any:
    """Gates as mappings: a bare line is its check."""
    if not isinstance(raw, list):
        return raw
    return [{"check": gate} if isinstance(gate, str) else gate for gate in raw]


def named_once(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    counts = Counter(gate.name for gate in gates)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"'{twice[0]}' occurs twice; give each gate its own id")
    return gates
