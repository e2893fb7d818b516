"""What stands in the files: a record of one model's results, and rows of single answers.

Fields of the schema that bakeoff knows nothing of are left out; all `additional_details` are texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

VERSION = "0.3.0"
"""Of the schema, for records and rows alike."""
Details = Mapping[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def text(self) -> str:
        """As one line of JSON, without what is not known."""
        return self.model_dump_json(exclude_none=True)


class Source(_Part):
    """Who evaluated, and how it came about."""

    source_name: str
    source_type: Literal["evaluation_run"] = "evaluation_run"
    source_organization_name: str
    evaluator_relationship: Literal["first_party", "third_party", "collaborative", "other"]
    additional_details: Details


class Library(_Part):
    """The program that evaluated, or that ran the model."""

    name: str
    version: str


class ModelDetails(BaseModel):
    """Whose machine it ran on, whether its weights are public, and what else is known (texts)."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    deployment_type: Literal["self_deployed", "externally_managed", "unknown"]
    model_availability: Literal["open_weights", "closed_weights", "unknown"]


class ModelInfo(_Part):
    """What was evaluated: a model, or a system that is built on one."""

    name: str
    id: str
    """`DEVELOPER/MODEL`."""
    developer: str
    inference_engine: Library | None = None
    additional_details: ModelDetails


class SourceData(_Part):
    """The test rows."""

    dataset_name: str
    source_type: Literal["other"] = "other"
    additional_details: Details


class MetricConfig(_Part):
    """A metric; only one with bounds is `continuous` in the schema's sense."""

    evaluation_description: str
    metric_id: str
    metric_name: str
    metric_unit: str | None = None
    lower_is_better: bool
    score_type: Literal["continuous"] | None = None
    min_score: float | None = None
    max_score: float | None = None
    additional_details: Details


class Interval(_Part):
    """A confidence interval; there is none where an end is not bounded."""

    lower: float
    upper: float
    confidence_level: float
    method: str


class Uncertainty(_Part):
    """How sure a score is."""

    confidence_interval: Interval | None = None
    num_samples: int


class ScoreDetails(_Part):
    """The score over all samples."""

    score: float
    details: Details
    uncertainty: Uncertainty


class GenerationArgs(_Part):
    """How answers were generated."""

    temperature: float
    execution_command: str


class GenerationConfig(_Part):
    """How answers were generated, with what the schema has no field for."""

    generation_args: GenerationArgs
    additional_details: Details


class Result(_Part):
    """One metric of one task."""

    evaluation_result_id: str
    """`TASK/METRIC`; rows refer to it."""
    evaluation_name: str
    evaluation_timestamp: str
    source_data: SourceData
    metric_config: MetricConfig
    score_details: ScoreDetails
    generation_config: GenerationConfig


class SamplesFile(_Part):
    """Where the rows of a record are."""

    format: Literal["jsonl"] = "jsonl"
    file_path: str
    """From the folder that holds `data`."""
    hash_algorithm: Literal["sha256"] = "sha256"
    checksum: str
    total_rows: int


class Evaluation(_Part):
    """A record: all results of one setup."""

    schema_version: str = VERSION
    evaluation_id: str
    evaluation_timestamp: str
    """Seconds since 1970, as is the next one."""
    retrieved_timestamp: str
    source_metadata: Source
    eval_library: Library
    model_info: ModelInfo
    evaluation_results: tuple[Result, ...]
    detailed_evaluation_results: SamplesFile | None = None


class Input(_Part):
    """A question and the accepted answers."""

    raw: str
    reference: tuple[str, ...]


class Output(_Part):
    """What was answered; nothing for a failure."""

    raw: tuple[str, ...]


class Attribution(_Part):
    """Which text was scored: the answer as it is."""

    turn_idx: int = 0
    source: str = "output.raw"
    extracted_value: str
    extraction_method: str = "none"
    is_terminal: bool = True


class Scored(_Part):
    """The score of one answer; `is_correct` is the best score that there is."""

    score: float
    is_correct: bool


class TokenUsage(_Part):
    """Tokens of one answer."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Row(_Part):
    """One answer by one metric."""

    schema_version: str = VERSION
    evaluation_id: str
    model_id: str
    evaluation_name: str
    evaluation_result_id: str
    sample_id: str
    sample_hash: str
    interaction_type: Literal["single_turn"] = "single_turn"
    input: Input
    output: Output
    answer_attribution: tuple[Attribution, ...]
    evaluation: Scored
    token_usage: TokenUsage
    error: str | None = None
    metadata: Details
