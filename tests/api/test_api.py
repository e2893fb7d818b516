"""bakeoff from Python: eight names, the numbers of the command line, its messages as exceptions."""

from __future__ import annotations

import ast
import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import bakeoff
from bakeoff.api.loops import outside_loops
from bakeoff.core.words import BakeoffError, MissingEvidence
from bakeoff.spec.functions import reference_to
from conftest import ROOT, Cli
from desk import write_desk

NAMES = {"Answer", "Passage", "Sample", "compare", "gate", "load", "run", "scorer"}
BENCHMARK = {
    "name": "mine",
    "tasks": ["desk"],
    "latency": {"samples": 1},
    "policy": {"max_error_rate": 0.5},
    "gates": [
        {"check": "reads.contains >= shrugs.contains", "mode": "estimate"},
        {"check": "rate(*.error) <= 0.5", "mode": "estimate"},
    ],
}
PRICES = {
    "prices": "v1",
    "dated": "2026-11-01",
    "currency": "EUR",
    "setups": {"reads": {"per_request": 0.02}, "shrugs": {"per_request": 0.01}},
}


def shrugs(sample: bakeoff.Sample) -> str:
    if sample.id == "q3":
        raise ValueError("<b>no</b>")
    return "unknown"


async def reads(sample: bakeoff.Sample, task: object) -> bakeoff.Answer:
    await asyncio.sleep(0)
    text = "The desk opens at 9."
    return bakeoff.Answer("9", passages=(bakeoff.Passage("desk", 0, len(text), text),))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return write_desk(tmp_path)


def made() -> bakeoff.api.Run:
    return bakeoff.run(BENCHMARK, setups={"shrugs": shrugs, "reads": reads}, mlflow=False)


def test_the_package_has_eight_names_and_imports_nothing_for_them() -> None:
    assert set(bakeoff.__all__) == NAMES <= set(dir(bakeoff))
    code = "import bakeoff, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "numpy", "pandas", "click", "asyncio"} & set(done.stdout.split())
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bakeoff.nothing  # type: ignore[attr-defined]


def test_every_name_of_the_package_is_what_a_type_checker_takes_it_for() -> None:
    tree = ast.parse((ROOT / "src" / "bakeoff" / "__init__.py").read_text())
    typed = {
        alias.name: node.module
        for part in tree.body
        if isinstance(part, ast.If)
        for node in part.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {name: bakeoff._PLACES[name] for name in NAMES}


def test_functions_are_setups_and_a_run_is_what_the_command_line_reads(
    project: Path, cli: Cli
) -> None:
    run = made()
    assert run.manifest.complete
    assert {n: s.call for n, s in run.manifest.suite.setups.items()} == {
        "shrugs": reference_to(shrugs),
        "reads": reference_to(reads),
    }
    assert run.manifest.suite.setups["reads"].call.startswith("test_api::reads#")
    assert not (run.folder / "unreported").exists()
    shown = cli("compare", "latest", "--format", "json", cwd=project)
    assert json.loads(shown.stdout) == json.loads((run.folder / "comparison.json").read_text())
    judged = cli("gate", "latest", cwd=project)
    assert judged.returncode == bakeoff.gate(run).value.exit_code == 0
    csv = cli("compare", "latest", "--format", "csv", cwd=project).stdout
    assert bakeoff.compare(run).frame().to_csv(index=False).count("\n") == csv.count("\n")


def test_the_frames_have_every_answer_and_every_score(project: Path) -> None:
    run = made()
    samples = run.samples().set_index(["setup", "sample"])
    assert len(samples) == 6
    assert samples.loc[("reads", "q1"), "answer"] == "9"
    assert samples.loc[("reads", "q1"), "passages"] == ("desk",)
    assert samples.loc[("shrugs", "q3"), "error"] == "ValueError: <b>no</b>"
    scores = run.scores().query("metric == 'contains'").set_index(["setup", "sample"])["score"]
    # q2 cannot be answered: to refuse is right.
    assert scores["reads"].to_dict() == {"q1": 1, "q2": 0, "q3": 1}
    assert scores["shrugs"].to_dict() == {"q1": 0, "q2": 1, "q3": 0}
    means = run.estimates().query("metric == 'contains' and slice == ''").set_index("name")
    assert means["value"].to_dict() == pytest.approx({"shrugs": 1 / 3, "reads": 2 / 3})
    (difference,) = (
        run.differences().query("metric == 'contains' and slice == ''").to_dict("records")
    )
    assert difference["value"] == pytest.approx(1 / 3)
    assert (difference["wins"], difference["ties"], difference["losses"]) == (2, 0, 1)


def test_a_run_shows_itself_as_text_and_as_html_in_which_nothing_acts(project: Path) -> None:
    run = made()
    assert "reads" in repr(run)
    assert "PASS" in repr(run)
    html = run._repr_html_()
    assert "<table>" in html
    assert "data:image/svg+xml;base64," in html
    assert "&lt;b&gt;no" in html
    assert "<b>" not in html
    assert "<script" not in html
    assert "<h4>Gates</h4>" in bakeoff.gate(run)._repr_html_()


def test_a_run_that_cannot_be_read_says_so_instead_of_failing_the_cell(project: Path) -> None:
    run = made()
    (run.folder / "samples.jsonl").unlink()
    again = bakeoff.load(run.folder)
    assert "samples.jsonl" in repr(again)
    assert "samples.jsonl" in again._repr_html_()
    with pytest.raises(MissingEvidence):
        again.samples()


def test_costs_advice_baselines_and_scoring_again(project: Path) -> None:
    run = made()
    costs = run.cost(PRICES, volume=100)
    assert costs.value.setups["reads"].per_month.value == pytest.approx(2)
    assert (run.folder / "cost.json").is_file()
    advice = run.advise({"volume_per_month": 1000, "sources": "required"})
    assert advice.value.picked == ("reads",)
    assert "advice" in run.report().read_text()
    with pytest.raises(BakeoffError, match="reason: is empty; write why this run is accepted"):
        run.accept(" ")
    assert run.accept("the first").run == run.folder.name
    again = run.score()
    assert again.manifest.rescored == 1
    assert again.estimates().equals(run.estimates())
    later = made()
    both = bakeoff.compare(run, later)
    frame = both.frame()
    # In the order in which they are named, whichever was made first; scores before tokens.
    assert frame["name"].isin(["B:reads - A:reads"]).any()
    assert frame["metric"].tolist().index("contains") < frame["metric"].tolist().index("error")
    turned = bakeoff.compare(later, run).value
    assert turned.runs == {"A": later.folder.name, "B": run.folder.name}
    against = bakeoff.gate(later, "reads.contains >= baseline:reads.contains", baseline=run)
    # The same answers again: of three samples a loss could not be significant.
    assert against.value.state == "INCONCLUSIVE"
    assert against.value.gates[0].gap == 0


def test_a_run_works_in_a_running_loop_and_can_be_interrupted(project: Path) -> None:
    async def cell() -> bakeoff.api.Run:
        return made()

    assert asyncio.run(cell()).manifest.complete

    async def stopped() -> None:
        def work() -> None:
            while True:
                time.sleep(0.01)

        main = threading.main_thread().ident
        threading.Timer(0.3, lambda: signal_main(main)).start()
        outside_loops(work)

    # Who starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.new_event_loop().run_until_complete(stopped())
    finally:
        signal.signal(signal.SIGINT, before)


def signal_main(thread: int | None) -> None:
    assert thread
    signal.pthread_kill(thread, signal.SIGINT)


@pytest.mark.parametrize(
    ("command", "call"),
    [
        (("compare", "nowhere"), lambda: bakeoff.compare("nowhere")),
        (("run", "quickstrat"), lambda: bakeoff.run("quickstrat")),
        (("run", "bad.yaml"), lambda: bakeoff.run("bad.yaml")),
        (("gate", "latest", "--check", "nonsense"), lambda: bakeoff.gate("latest", "nonsense")),
        (("cost", "latest", "--prices", "none.yaml"), lambda: bakeoff.load().cost("none.yaml")),
    ],
)
def test_an_exception_has_the_message_of_the_terminal(
    project: Path, cli: Cli, command: tuple[str, ...], call: object
) -> None:
    made()
    (project / "bad.yaml").write_text("tasks: [desk]\nsetup: {}\n")
    done = cli(*command, cwd=project)
    with pytest.raises(BakeoffError) as raised:
        call()  # type: ignore[operator]
    assert done.stderr == f"bakeoff: {raised.value}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": -1}, "limit: must be 1 or more (found -1)"),
        ({"repeats": 0}, "repeats: must be 1 or more (found 0)"),
        ({"sampel_ids": "q1"}, "sampel_ids: no such field; did you mean 'sample_ids'?"),
        ({"tags": "number"}, "tags: write name=value (found 'number')"),
        ({"shard": "5/4"}, "shard: write i/n with i from 1 to n (found '5/4')"),
        ({"setups": [shrugs]}, "setups: must be a mapping, name: function (found [<function"),
        ({"setups": {"ours": 3}}, "setups.ours: must be a function of a sample (found 3)"),
    ],
)
def test_an_option_that_would_choose_something_else_is_refused(
    project: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BakeoffError) as raised:
        bakeoff.run(**{"benchmark": BENCHMARK, "setups": {"shrugs": shrugs}, **options})  # type: ignore[arg-type]
    assert message in str(raised.value)
    assert not (project / "results").exists()


def test_a_benchmark_is_a_file_a_name_or_a_mapping() -> None:
    with pytest.raises(BakeoffError, match=r"benchmark: must be a file, a name .* \(found 3\)"):
        bakeoff.run(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"sample_ids": "q2"}, ["q2"]),
        ({"sample_ids": ["q1", "q3"]}, ["q1", "q3"]),
        ({"tags": {"part": "b"}}, ["q2"]),
        ({"tags": "part=a"}, ["q1", "q3"]),
        ({"tags": [("part", "a")], "limit": 1}, ["q1"]),
        ({"shard": "2/2"}, ["q2"]),
        ({"shard": (1, 2)}, ["q1", "q3"]),
    ],
)
def test_options_are_written_as_the_command_or_as_python_has_them(
    project: Path, options: dict[str, object], asked: list[str]
) -> None:
    run = bakeoff.run({**BENCHMARK, "gates": []}, setups={"reads": reads}, mlflow=False, **options)  # type: ignore[arg-type]
    assert list(run.samples()["sample"]) == asked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--sample-ids", "q1", "--sample-ids", "q0"),
            "--sample-ids: no sample 'q0'; known: q1, q2, q3",
        ),
        (("--tags", "part=c"), "--tags: no sample has part=c; did you mean"),
    ],
)
def test_what_is_chosen_and_not_there_is_named(
    project: Path, cli: Cli, options: tuple[str, ...], message: str
) -> None:
    (project / "b.yaml").write_text("tasks: [desk]\nsetups: {base: {}}\n")
    refused = cli("run", "b.yaml", *options, cwd=project)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert message in refused.stderr


def test_the_digest_is_of_the_source_wherever_the_function_stands() -> None:
    spaces: list[dict[str, object]] = [{}, {}, {}]
    for space, answer in zip(spaces, ("'a'", "'a'", "'b'"), strict=True):
        exec(f"def answer(sample):\n    return {answer}\n", space)
    one, same, other = (reference_to(s["answer"]) for s in spaces)  # type: ignore[arg-type]
    assert one == same != other


def test_a_scorer_of_a_cell_has_the_digest_of_its_lines(project: Path) -> None:
    from bakeoff.metrics.scorer import REGISTERED, Scorer
    from bakeoff.spec.metric import Metric

    space: dict[str, object] = {}
    code = compile("def own(sample, answer, context):\n    return 1\n", "<cell>", "exec")
    exec(code, space)
    before = set(REGISTERED)
    assert Scorer("own", space["own"]).version_of(Metric.parse("own"), project)  # type: ignore[arg-type]
    assert set(REGISTERED) == before
