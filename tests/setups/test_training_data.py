"""What tuned setups learn from: documents, passages with distractors, a teacher's good answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, BakeoffError, Failure, Passage, Sample, Step
from bakeoff.models.local import LocalModel
from bakeoff.models.pool import Pool
from bakeoff.setups.retrieval.retriever import RetrievalCache
from bakeoff.setups.tuning.distil import filter_answers
from bakeoff.setups.tuning.train import trials
from bakeoff.setups.tuning.training_data import (
    TrainingDataBuilder,
    faithful_rewording,
    lessons,
    together,
)
from bakeoff.spec.benchmark import Setup, Suite, load_suite
from bakeoff.spec.recipes import Distillation, Retrieve, Tune
from bakeoff.tasks.load import Task, load_task
from conftest import Cli, write_project
from fleet_project import small_model

NO_TEACHER: tuple[Sequence[tuple[Sample, str]], Mapping[str, int]] = ((), {})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("lessons")
    write_project(folder)
    return load_task(folder / "tasks" / "tiny.yaml")


@pytest.fixture
def builder(model: LocalModel, tiny: Task, cache: Path) -> TrainingDataBuilder:
    suite = Suite.model_validate(
        {"tasks": ["tiny"], "setups": {"base": {}}, "retrieve": {"k": 1, "chunk_words": 40}}
    )

    def no_writer(reference: str) -> LocalModel:
        raise AssertionError(reference)

    retrieval = RetrievalCache(Pool(suite, Path(), cache, {}))
    return TrainingDataBuilder(
        suite, retrieval, model.render, model.count, no_writer, lambda task, recipe: NO_TEACHER
    )


# -- what a recipe may say


def test_a_recipe_without_later_fields_is_kept_under_the_name_it_always_had() -> None:
    before = {"adapter", "layers", "rank", "alpha", "dropout", "learning_rate", "epochs"}
    before |= {"batch_size", "open_book", "validation", "patience"}
    assert set(Tune(rank=4).identity()) == before
    assert set(Tune(raft={"gold": 0.5}).identity()) == before | {"raft"}


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"cpt": {}, "raft": {}}, "one of cpt, raft"),
        ({"adapter": "here", "raft": {}}, "a ready adapter takes no recipe"),
        ({"adapter": "here", "method": "full"}, "a ready adapter takes no recipe"),
        ({"sweep": {"budget": 3}}, "to try"),
        ({"method": "prefix"}, "'lora', 'dora', 'qlora' or 'full'"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(tune: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Tune.model_validate(tune)


@pytest.mark.parametrize(
    ("setups", "message"),
    [
        ({"a": {"tune": {"distill": {"teacher": "rga"}}}, "rag": {}}, "no setup 'rga'.*rag"),
        (
            {
                "a": {"tune": {"distill": {"teacher": "b"}}},
                "b": {"tune": {"distill": {"teacher": "c"}}},
                "c": {},
            },
            "'b' learns from another setup itself",
        ),
        (
            {"a": {"tune": {"distill": {"teacher": "b"}}}, "b": {"tasks": ["other"]}},
            "'b' does not have all",
        ),
        ({"a": {"tune": {"rows": [50]}}}, "two different numbers"),
    ],
)
def test_a_teacher_or_a_curve_that_cannot_be_is_named(
    setups: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Suite.model_validate({"tasks": ["tiny", "other"], "setups": setups})


def test_a_learning_curve_is_a_setup_for_each_number_of_rows() -> None:
    suite = Suite.model_validate(
        {"tasks": ["tiny"], "setups": {"tuned": {"tune": {"rows": [50, 100], "rank": 4}}}}
    )
    found = {name: setup.tune for name, setup in suite.setups.items()}
    assert found == {"tuned-50": Tune(rows=50, rank=4), "tuned-100": Tune(rows=100, rank=4)}


@given(st.integers(0, 99), st.integers(1, 9))
def test_a_sweep_tries_a_seeded_choice_within_its_budget(seed: int, budget: int) -> None:
    sweep = {"rank": [4, 8], "learning_rate": [1e-3, 1e-4, 1e-5], "budget": budget}
    recipe = Tune.model_validate({"rank": 16, "alpha": 32, "epochs": 2, "sweep": sweep})
    found = trials(recipe, seed)
    assert len(found) == min(budget, 6)
    assert len({(t.rank, t.learning_rate) for t in found}) == len(found)
    assert all(t.alpha == 2 * t.rank and t.epochs == 2 and t.sweep is None for t in found)
    assert found == trials(recipe, seed)


# -- raft


def test_raft_shows_the_gold_passage_as_often_as_it_says(
    builder: TrainingDataBuilder, tiny: Task
) -> None:
    many = replace(
        tiny,
        train=tuple(
            replace(sample, id=f"{sample.id}-{n}") for sample in tiny.train for n in range(100)
        ),
    )
    found = lessons(builder, many, Tune.model_validate({"raft": {"gold": 0.7, "distractors": 1}}))
    texts = {"barrow": "The Larch barrow weighs", "gate": "The east gate opens"}
    with_gold = alone = 0
    for sample, example in zip(many.train, found.examples, strict=True):
        shown = {name for name, text in texts.items() if text in example.prompt}
        if sample.gold:
            with_gold += set(sample.gold) <= shown
            alone += not set(sample.gold) & shown
            # Gold and a distractor, or as many distractors as there are.
            assert shown == set(texts) if set(sample.gold) <= shown else shown != set(texts)
    assert with_gold + alone == 300
    assert found.facts == {
        "gold_share": round(with_gold / 300, 4),
        "with_gold": with_gold,
        "withheld": alone,
    }
    # 0.7 within four standard errors of so many draws.
    assert abs(with_gold / 300 - 0.7) < 4 * (0.7 * 0.3 / 300) ** 0.5


@pytest.mark.parametrize(("gold", "share"), [(1.0, 1.0), (0.0, 0.0)])
def test_raft_at_its_ends(
    builder: TrainingDataBuilder, tiny: Task, gold: float, share: float
) -> None:
    found = lessons(builder, tiny, Tune.model_validate({"raft": {"gold": gold}}))
    assert found.facts["gold_share"] == share


# -- continued pre-training


def test_documents_are_learnt_whole_and_no_question_is(
    builder: TrainingDataBuilder, tiny: Task
) -> None:
    found = lessons(builder, tiny, Tune(cpt={}))
    learnt = "\n".join(example.completion for example in found.examples)
    assert all(example.prompt == "" for example in found.examples)
    assert all(document.text in learnt for document in tiny.corpora["notes"])
    assert [e.completion for e in found.validation] == ["140 kilos", "21.15", "unknown", "21.15"]
    assert not {e.completion for e in found.validation} & {e.completion for e in found.examples}
    assert all(s.question in e.prompt for s, e in zip(tiny.train, found.validation, strict=True))


def test_supplied_rewordings_are_learnt_as_many_as_asked(
    builder: TrainingDataBuilder, tiny: Task
) -> None:
    rows = [{"document": "gate", "text": f"Wording {n}."} for n in range(5)]
    (tiny.folder / "said.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    recipe = Tune.model_validate({"cpt": {"paraphrases": 2, "paraphraser": "said.jsonl"}})
    found = lessons(builder, tiny, recipe)
    assert sum(e.completion.startswith("Wording") for e in found.examples) == 2
    assert found.facts == {"pieces": 2, "paraphrases": 2, "paraphrases_asked": 4}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"document": "moat", "text": "Deep."}', "line 1: no document 'moat'"),
        ('{"document": "gate"}', "line 1: write an object with document and text"),
        ("[1]", "line 1: write an object"),
        ("{", "line 1: write an object"),
    ],
)
def test_a_fault_in_supplied_rewordings_is_named(
    builder: TrainingDataBuilder, tiny: Task, line: str, message: str
) -> None:
    (tiny.folder / "odd.jsonl").write_text(line + "\n")
    recipe = Tune.model_validate({"cpt": {"paraphrases": 1, "paraphraser": "odd.jsonl"}})
    with pytest.raises(BakeoffError, match=message):
        lessons(builder, tiny, recipe)


@pytest.mark.parametrize(
    ("reworded", "faithful"),
    [
        ("At 6.40 in the morning they open the east gate.", True),
        ("At 6.45 in the morning they open the east gate.", False),
        ("The east gate opens every morning at 6.40 sharp.", False),
        ("Gate: 6.40.", False),
        ("", False),
    ],
)
def test_a_rewording_with_other_numbers_is_not_learnt(reworded: str, faithful: bool) -> None:
    text = "The east gate opens every morning at 6.40 sharp."
    assert faithful_rewording(text, reworded) is faithful


def test_one_adapter_learns_all_tasks_but_no_test_question_of_any(
    builder: TrainingDataBuilder, tiny: Task
) -> None:
    file = tiny.file.model_copy(update={"name": "other"})
    asked = replace(tiny.samples[0], id="asked", fields={"question": "How are tulips fed?"})
    other = replace(tiny, file=file, population=(asked,))
    leaked = replace(tiny.train[0], id="leaked", fields={"question": "HOW are tulips fed ?"})
    one = lessons(builder, tiny, Tune(open_book=0)).examples
    more = replace(tiny, train=(*tiny.train, leaked))
    both = together(builder, [more, other], Tune(open_book=0))
    assert both.examples == [*one, *one]
    assert both.facts == {"tiny": {"like a test question": 1}}


# -- distillation

GATE = Passage("gate", 11, 62, "The east gate opens at 6.40 and is locked at 21.15.")


def said(text: str) -> Answer:
    return Answer(text, (GATE,), (Step("retrieve"), Step("decode")))


def test_only_right_supported_cited_answers_to_questions_of_no_test_are_kept(tiny: Task) -> None:
    questions = {
        "good": ("Locking hour, please?", said("It is locked at 21.15 [1].")),
        "wrong": ("And when is it shut?", said("It is locked at 22.30 [1].")),
        "unsupported": ("Till when is it open?", said("The moat was dug at 21.15 by monks [1].")),
        "uncited": ("When do they lock up?", said("It is locked at 21.15.")),
        "failed": ("At what hour is it closed?", Failure("gone")),
        "leaked": ("WHO painted the East gate ?", said("It is locked at 21.15 [1].")),
    }
    train = tuple(
        Sample(name, {"question": question}, ("21.15",), ("gate",))
        for name, (question, _) in questions.items()
    )
    tests = {f"tiny/{s.id}": s.question for s in tiny.population}
    teacher = Setup(name="rag", retrieve=Retrieve())
    found = filter_answers(
        replace(tiny, train=train),
        teacher,
        [outcome for _, outcome in questions.values()],
        Distillation(teacher="rag", supported=1.0, cited=True),
        tests,
    )
    assert [row.sample.id for row in found.kept] == ["good"]
    assert found.counts == {
        "kept": 1,
        "not right": 1,
        "not supported": 1,
        "not cited": 1,
        "failed": 1,
        "like a test question": 1,
    }
    row = found.kept[0].as_row("rag", {"benchmark": "b"})
    assert row["targets"] == ["It is locked at 21.15 [1]."]
    assert row["provenance"] == {
        "from": "good",
        "teacher": "rag",
        "scores": {"right": 1.0, "supported": 1.0},
        "passages": [{"document": "gate", "start": 11, "end": 62}],
        "benchmark": "b",
    }


def test_too_few_good_answers_are_an_error_that_says_why(
    builder: TrainingDataBuilder, tiny: Task
) -> None:
    poor = replace(builder, teacher=lambda task, recipe: ((), {"kept": 0, "not right": 4}))
    with pytest.raises(BakeoffError, match=r"0 answers to 4 training questions.*4 not right"):
        lessons(poor, tiny, Tune(distill={"teacher": "rag"}))


# -- the program

EVERY = """
seed: 3
tune: {epochs: 1, batch_size: 2, rank: 4}
retrieve: {k: 1, chunk_words: 40, overlap_words: 8}
tasks: [tiny]
setups:
  base: {}
  rag: {retrieve: true}
  cpt: {tune: {cpt: {paraphrases: 1}}}
  raft: {tune: {raft: {gold: 0.5, distractors: 1}}, retrieve: true}
  distilled: {tune: {distill: {teacher: rag, min_score: 0, min_support: 0}}}
  dora: {tune: {method: dora}}
  full: {tune: {method: full, learning_rate: 1e-4}}
  together: {tune: {together: true, rank: 8}}
  swept: {tune: {sweep: {rank: [2, 4], budget: 2}}}
latency: {samples: 0}
"""


@pytest.mark.slow
def test_every_recipe_makes_weights_that_act(cli: Cli, tmp_path: Path, cache: Path) -> None:
    benchmark = write_project(tmp_path)
    small_model(tmp_path / "model", cache)
    benchmark.write_text(f"model: {tmp_path / 'model'}\ndtype: float32\n{EVERY}")
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run(next((tmp_path / "results" / "smallest").iterdir()))
    trained = {name.split("/")[1]: each for name, each in run.manifest.adapters.items()}
    assert len({adapter.digest for adapter in trained.values()}) == 7
    told = {name: adapter.training for name, adapter in trained.items()}
    assert {name: training.objective for name, training in told.items()} == {
        "cpt": "cpt",
        "raft": "raft",
        "distilled": "distill",
        **dict.fromkeys(["dora", "full", "together", "swept"], "sft"),
    }
    assert told["distilled"].learnt == {"kept": 4}
    tried = told["swept"].trials
    assert {trial.rank for trial in tried} == {2, 4}
    assert told["swept"].seconds == pytest.approx(sum(t.seconds for t in tried), abs=0.02)
    best = min(tried, key=lambda trial: trial.validation_loss)
    assert told["swept"].curve[0].validation_loss == best.validation_loss
    assert all(r.answer for s in trained for r in run.records("tiny", s))


def test_qlora_asks_for_a_gpu(cli: Cli, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    benchmark = write_project(tmp_path)
    benchmark.write_text("tasks: [tiny]\nsetups: {q: {tune: {method: qlora}}}\n")
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode != 0
    assert "needs a GPU" in done.stderr


def test_distilled_rows_train_another_task(cli: Cli, tmp_path: Path) -> None:
    benchmark = write_project(tmp_path)
    output = tmp_path / "tasks" / "rows" / "distilled.jsonl"
    arguments = ("--teacher", "mine", "--task", "tiny", "--output", output)
    bot = tmp_path / "bot.py"
    bot.write_text("def answer(sample):\n    return ', '.join(sample.targets) or 'unknown'\n")
    done = cli("distill", benchmark, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "kept: 4"
    task = tmp_path / "tasks" / "tiny.yaml"
    task.write_text(task.read_text().replace("rows/train.jsonl", "rows/distilled.jsonl"))
    taught = load_task(task)
    assert [s.id for s in taught.train] == ["t1-mine", "t2-mine", "t3-mine", "t4-mine"]
    assert [taught.completion(s) for s in taught.train] == [
        "140 kilos",
        "21.15",
        "unknown",
        "21.15",
    ]
    assert load_suite(benchmark).setups["mine"].custom


def test_a_teacher_that_is_not_there_is_named(cli: Cli, tmp_path: Path) -> None:
    benchmark = write_project(tmp_path)
    for teacher, task, message in [
        ("mien", "tiny", "no setup 'mien'; did you mean 'mine'"),
        ("mine", "tinny", "no task 'tinny'; did you mean 'tiny'"),
    ]:
        done = cli(
            *("distill", benchmark, "--teacher", teacher, "--task", task),
            *("--output", tmp_path / "d.jsonl"),
            cwd=tmp_path,
        )
        assert done.returncode == 2
        assert message in done.stderr
