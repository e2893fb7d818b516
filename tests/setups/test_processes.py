"""Training by several processes: what one would have made, whatever becomes of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bakeoff.core.words import BakeoffError, Incomplete
from bakeoff.models.device import too_few_devices
from bakeoff.setups.tuning.processes import together
from bakeoff.setups.tuning.ranks import Ranks
from bakeoff.setups.tuning.trainer import train
from bakeoff.spec.recipes import Tune
from children import Started, alive, forked
from small_training import ROWS, Silent, inputs, network, recipe, weights

pytestmark = pytest.mark.usefixtures("two_cores")


@pytest.fixture(scope="module", autouse=True)
def started() -> Iterator[Started]:
    with forked() as found:
        yield found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    network().save_pretrained(folder)
    return folder


STEPS = 15
"""Of a training by two processes, three an epoch.

They do not wait for this process, so what it does at one step reaches them some steps later.
"""


def by_two(method: str) -> Tune:
    """With dropout where there are adapters; all weights take smaller steps."""
    rate = {"learning_rate": 1e-3} if method == "full" else {}
    return recipe(processes=2, method=method, epochs=STEPS // 3, **rate)


@pytest.fixture(scope="module", params=["lora", "full"])
def undisturbed(
    request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any, Path]:
    """A training by two processes: its method, what is said of it, and its folder."""
    folder = tmp_path_factory.mktemp("undisturbed")
    made = together(inputs(base, by_two(request.param)), folder, Silent())
    return request.param, made, folder


@pytest.mark.slow
@pytest.mark.parametrize(("method", "tied"), [("lora", False), ("full", False), ("full", True)])
def test_two_processes_make_what_one_makes(method: str, tied: bool, tmp_path: Path) -> None:
    """The same rows in the same batches: in float32 equal losses, and nearly equal weights.

    Of six rows there are batches of four and of two; where each process holds a part of the
    network, of five and of one, which the second process reads for no weight.
    """
    base, size = tmp_path / "base", 5 if method == "full" else 4
    network(tie_word_embeddings=tied).save_pretrained(base)
    chosen = recipe(dropout=0, batch_size=size, method=method, learning_rate=1e-3)
    alone = train(inputs(base, chosen), tmp_path / "one", Silent())
    progress = Silent()
    both = together(
        inputs(base, chosen.model_copy(update={"processes": 2})), tmp_path / "two", progress
    )
    read = (12, 6) if method == "full" else (9, 9)
    assert (alone.rows_by_process, both.rows_by_process) == (None, read)
    assert (both.rows, both.tokens, both.epochs) == (alone.rows, alone.tokens, alone.epochs)
    for one, two in zip(alone.curve, both.curve, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, abs=2e-5)
        assert two.validation_loss == pytest.approx(one.validation_loss, abs=2e-5)
    left, right = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert left.keys() == right.keys()
    for key, part in left.items():
        torch.testing.assert_close(right[key], part, rtol=1e-3, atol=1e-5)
    assert progress.units == ["x: computing the untuned lower layers once"] * (
        2 * (method == "lora")
    ) + ["x: training"]
    assert progress.steps == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("undisturbed", "disturbed"),
    [("full", "killed"), ("full", "stopped"), ("lora", "killed"), ("lora", "stopped")],
    indirect=["undisturbed"],
)
def test_a_disturbed_training_ends_all_processes_and_goes_on(
    disturbed: str,
    base: Path,
    undisturbed: tuple[str, Any, Path],
    started: Started,
    tmp_path: Path,
) -> None:
    """It comes to the same bytes; it is disturbed after the checkpoint of the first epoch."""

    class Killing(Silent):
        def advance(self, count: int = 1, figures: str = "") -> None:
            super().advance(count, figures)
            if self.training and self.steps == 5:
                os.kill(alive(started)[-1], signal.SIGKILL)

    method, whole, folder = undisturbed
    given = inputs(base, by_two(method))
    if disturbed == "killed":
        message = r"^x: process [12] of 2: it was ended by SIGKILL; .* goes on at the last check"
        with pytest.raises(Incomplete, match=message):
            together(given, tmp_path, killing := Killing())
        assert killing.finished == len(killing.units)
    else:
        with pytest.raises(KeyboardInterrupt):
            together(given, tmp_path, Silent(stop_after=5))
    assert not alive(started)
    assert not (tmp_path / "adapter").exists()
    progress = Silent()
    again = together(given, tmp_path, progress)
    (note,) = progress.notes
    resumed = int(note.removeprefix("x: training resumes at checkpoint-"))
    assert 3 <= resumed < STEPS
    assert progress.steps == STEPS - resumed
    assert (again.curve, again.rows_by_process) == (whole.curve, whole.rows_by_process)
    left, right = weights(folder), weights(tmp_path)
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.slow
def test_of_all_weights_each_process_holds_a_part(
    undisturbed: tuple[str, Any, Path], base: Path
) -> None:
    """Of what the optimiser keeps of them, too; an adapter is held whole by each."""
    method, _, folder = undisturbed
    kept = {file.parent for file in (folder / "checkpoints").glob("checkpoint-*/*.json")}
    files = sorted(min(kept).glob("part-*.pt"))
    assert len(files) == (2 if method == "full" else 0)
    every = sum(part.numel() for part in load_file(base / "model.safetensors").values())
    parts = [torch.load(file, weights_only=True) for file in files]
    held = [sum(weights.numel() for weights in part[0]) for part in parts]
    assert sum(held) == (every if parts else 0)
    for numbers, part in zip(held, parts, strict=True):
        assert numbers < 0.55 * every
        kept = part[1]["state"].values()
        assert sum(steps["exp_avg"].numel() for steps in kept) == numbers


@pytest.mark.slow
def test_what_is_wrong_in_a_process_is_said_by_the_one_that_started_it(
    base: Path, started: Started, tmp_path: Path
) -> None:
    """A fault of the user's in a sentence, one of ours by the last lines that were printed."""
    network("GptOss").save_pretrained(tmp_path / "oss")
    with pytest.raises(BakeoffError, match=r"^gpt_oss models cannot be tuned here"):
        together(inputs(tmp_path / "oss", recipe(processes=2)), tmp_path / "one", Silent())
    with pytest.raises(Incomplete, match=r"exit code 1;(.|\n)*no-such-folder"):
        together(
            inputs(tmp_path / "no-such-folder", recipe(processes=2)), tmp_path / "two", Silent()
        )
    assert not alive(started)


def test_a_part_of_a_batch_is_of_every_length() -> None:
    assert [Ranks(rank, 3).part("abcdefg") for rank in range(3)] == ["adg", "be", "cf"]
    assert Ranks().part("abc") == "abc"


def test_more_processes_than_can_work_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="processes: 3 is more than the 2 rows of a batch: write"):
        Tune(processes=3, batch_size=2)
    with pytest.raises(BakeoffError, match=r"x: tune\.processes: 9999 is more than the \d+ proces"):
        together(inputs(base, Tune(processes=9999, batch_size=9999)), tmp_path, Silent())
    assert not list(tmp_path.iterdir())
    assert too_few_devices(1, {}) == ""
    wanted = Tune(processes=2, batch_size=2)
    few = replace(inputs(base, wanted), rows=ROWS[:1])
    with pytest.raises(BakeoffError, match=r"x: tune\.processes: 2 is more than the 1 row to"):
        together(few, tmp_path, Silent())


def test_processes_are_part_of_what_an_adapter_is_kept_under() -> None:
    assert Tune().identity() == Tune(processes=1).identity()
    assert Tune(processes=2).identity() == {**Tune().identity(), "processes": 2}
    assert "processes" not in Tune().model_dump()
