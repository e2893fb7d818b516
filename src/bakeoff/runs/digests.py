"""What a task was made of, as digests: runs of the same parts measure the same."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, RootModel, model_validator

_CORPUS = "corpus:"


class TaskDigests(RootModel[Mapping[str, str]]):
    """Part of a task -> its digest, as the manifest holds and shows them."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    @model_validator(mode="after")
    def _whole(self) -> TaskDigests:
        if missing := [part for part in ("test", "prompt") if part not in self.root]:
            raise ValueError(f"no digest of {' and of '.join(missing)}: every run records both")
        return self

    @property
    def test(self) -> str:
        """Of the test rows."""
        return self.root["test"]

    @property
    def train(self) -> str:
        """Of the training rows; empty where it is not known."""
        return self.root.get("train", "")

    @property
    def prompt(self) -> str:
        """Of what a model is asked for."""
        return self.root["prompt"]

    @property
    def scoring(self) -> str:
        """Of what scorers read in the task file; runs of before have none."""
        return self.root.get("scoring", "")

    @property
    def corpora(self) -> dict[str, str]:
        """Of the documents, by `corpus:NAME`."""
        return {part: is_ for part, is_ in self.root.items() if part.startswith(_CORPUS)}

    def corpus(self, name: str) -> str:
        """Of the documents of one corpus."""
        return self.root[f"{_CORPUS}{name}"]
