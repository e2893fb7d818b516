"""What came of the gates of a run, as `gates.json` keeps it and as everything else shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from bakeoff.spec import names
from bakeoff.spec.policy import Mode, Policy
from bakeoff.spec.yaml_files import Known, Stored

PASS: Final = "PASS"
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
ERROR: Final = "ERROR"
SKIPPED: Final = "SKIPPED"
State = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR", "SKIPPED"]
STATES: tuple[State, ...] = (ERROR, FAIL, INCONCLUSIVE, SKIPPED, PASS)
"""The worst first."""
FORMAT: Final = 2


class Changed(Stored):
    """A sample whose value is another one on the two sides of a gate."""

    task: str
    sample: str
    left: float
    """On the side that the gate is about."""
    right: float | None
    """`None` where that side is compared with a limit."""


class Verdict(Stored):
    """What came of one gate, for one setup and slice."""

    id: str
    setup: str = ""
    slice: str = ""
    check: str
    severity: Literal["fail", "warn"]
    mode: Mode
    state: State
    reason: str = ""
    left: float | None = None
    right: float | None = None
    """The limit: factor and shift included."""
    gap: float | None = None
    """At least 0 is what the check claims."""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """One-sided: against the claim in refute mode, for it in prove mode."""
    p_adjusted: float | None = None
    n: int = 0
    wins: int = 0
    ties: int = 0
    losses: int = 0
    detectable: float | None = None
    needed: int | None = None
    method: str = ""
    broke: tuple[Changed, ...] = ()
    mended: tuple[Changed, ...] = ()
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"

    @field_validator("check")
    @classmethod
    def _with_present_metrics(cls, value: str) -> str:
        return names.series(value)

    @property
    def failing(self) -> bool:
        """Whether it makes the exit code that of a failure or of no answer."""
        if self.severity == "warn":
            return False
        unanswered = self.state == INCONCLUSIVE and self.on_inconclusive == "fail"
        return self.state == FAIL or unanswered

    @property
    def not_disproved(self) -> bool:
        """Whether it passes below its limit: the shortfall is not significant."""
        return self.state == PASS and self.gap is not None and self.gap < -1e-9

    @property
    def warning(self) -> bool:
        """Whether it failed and only warns."""
        return self.state == FAIL and self.severity == "warn"


class Reference(Stored):
    """A run that gates compare with."""

    run: str
    accepted: Known[str] = None
    reason: Known[str] = None


class Verdicts(Stored):
    """The verdicts of a run's gates, and what they come to together."""

    format: Literal[2] = FORMAT
    run: str
    benchmark: str
    evidence: Annotated[str, Field(exclude_if=lambda value: not value)] = ""
    """What `seal.evidence` was of the manifest that they were judged on."""
    limited: str = ""
    """What of the run was left out on purpose; empty for a whole one."""
    seed: Known[int] = None
    policy: Policy = Policy()
    references: Mapping[str, Reference] = {}
    """By `baseline` and `anchor`."""
    mismatch: tuple[str, ...] = ()
    """What differs from the references although it was allowed to."""
    treatment: Annotated[tuple[str, ...], Field(exclude_if=lambda value: not value)] = ()
    """What the run did otherwise than the references: what a comparison with them tests."""
    state: State
    exit_code: int
    gates: tuple[Verdict, ...]

    @property
    def worst_first(self) -> list[Verdict]:
        """Errors, what decides the exit code, then by state."""
        return sorted(
            self.gates,
            key=lambda gate: (gate.state != ERROR, not gate.failing, STATES.index(gate.state)),
        )
