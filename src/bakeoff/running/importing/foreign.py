"""Parts of other tools' files: what is read of them, and what is wrong with them."""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bakeoff.spec.yaml_files import explained


class Foreign(BaseModel):
    """What is read of a part of another tool's file; all else that it holds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, raw: Any) -> Any:
        """Null says as little as no field does."""
        if not isinstance(raw, dict) or None not in raw.values():
            return raw
        return {name: value for name, value in raw.items() if value is not None}


M = TypeVar("M", bound=BaseModel)


def understood(kind: type[M], raw: object) -> M | str:
    """A part of a file, or what is wrong with it: each field, and what was found there."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        return "; ".join(explained(error))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value can be a score as it stands."""
    return isinstance(value, bool | int | float)
