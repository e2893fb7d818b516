"""References to models, and generation on the embedded one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core import BakeoffError, Failure
from bakeoff.models import Generation, LocalModel, resolve

QUESTIONS = ["What is the capital of France?", "Name a colour.", "What is two plus three?", "Hello"]


@pytest.fixture(scope="module")
def model(cache: Path) -> LocalModel:
    return LocalModel(resolve("embedded", cache), "float32")


@pytest.fixture(scope="module")
def prompts(model: LocalModel) -> list[str]:
    return [model.render([{"role": "user", "content": q}]) for q in QUESTIONS]


def test_the_embedded_model_knows_a_capital(model: LocalModel, prompts: list[str]) -> None:
    assert "Paris" in model.timed(prompts[0], 16).text


def test_float32_answers_are_the_same_alone_and_in_a_batch(
    model: LocalModel, prompts: list[str]
) -> None:
    together = dict(model.generate(prompts, 12, batch_tokens=8192))
    for index, prompt in enumerate(prompts):
        alone, batched = model.timed(prompt, 12), together[index]
        assert isinstance(batched, Generation)
        assert (batched.text, batched.prompt_tokens, batched.completion_tokens) == (
            alone.text,
            alone.prompt_tokens,
            alone.completion_tokens,
        )


def test_a_skipped_prompt_yields_nothing(model: LocalModel, prompts: list[str]) -> None:
    assert {i for i, _ in model.generate(prompts, 4, 8192, skip={0, 2})} == {1, 3}


def test_a_prompt_that_does_not_fit_is_a_failure_of_its_own(
    model: LocalModel, prompts: list[str]
) -> None:
    done = dict(model.generate(["word " * 9000, prompts[1]], 4, batch_tokens=8192))
    assert isinstance(done[0], Failure)
    assert "8192" in done[0].error
    assert isinstance(done[1], Generation)


def test_only_a_timed_answer_has_seconds(model: LocalModel, prompts: list[str]) -> None:
    alone = model.timed(prompts[1], 8)
    assert alone.prefill_s and alone.prefill_s > 0
    assert alone.decode_s and alone.decode_s > 0
    ((_, batched),) = model.generate(prompts[1:2], 8, 8192)
    assert isinstance(batched, Generation)
    assert batched.prefill_s is None


@pytest.mark.parametrize("reference", ["nowhere", "hf-without-colon/name", "file.gguf"])
def test_a_reference_that_leads_nowhere_says_what_would_work(
    reference: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError, match="write embedded, hf:ORG/NAME"):
        resolve(reference, tmp_path)


def test_a_folder_is_a_reference(cache: Path, model: LocalModel) -> None:
    folder = resolve("embedded", cache).folder
    found = resolve(str(folder), cache)
    assert found.folder == folder
    assert LocalModel(found, "float32").count("hello there") == model.count("hello there")
