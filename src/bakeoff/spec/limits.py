"""Where a run stops."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from bakeoff.spec.yaml_files import Also, File


class Limits(File):
    """Where a run stops, cleanly, to be resumed or given up; nothing is limited by default.

    The shards of a run divide all but `seconds` and a share of errors.
    """

    errors: Annotated[
        Annotated[float, Field(ge=0)] | None,
        Also({"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}),
    ] = None
    """Failed cells: a number, or a share of all cells written as `1%`."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds of the whole run."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Prompt and completion tokens that were not taken from the cache."""
    cost: Annotated[float, Field(gt=0)] | None = None
    """Money, by the endpoints' prices."""
    errors_are_share: SkipJsonSchema[bool] = False
    """Whether `errors` was written as a share."""

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
