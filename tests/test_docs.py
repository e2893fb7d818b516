"""What the README and the pages of the docs show is run here, as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bakeoff.decide.advice.needs import load_needs
from bakeoff.decide.cost.prices import load_prices
from bakeoff.decide.gates.language import Check
from bakeoff.spec.benchmark import load_gates, load_suite
from bakeoff.spec.task import load_task_file
from conftest import ROOT, Cli, write_project

README = (ROOT / "README.md").read_text()


GLANCE, GATE, TASKS, CUSTOM = (
    (ROOT / "docs" / page).read_text()
    for page in (
        "start/commands.md",
        "how-to/gate-a-pull-request.md",
        "how-to/tasks-and-setups.md",
        "how-to/custom.md",
    )
)


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> list[str]:
    lines = "".join(blocks("sh", README + GLANCE + GATE)).splitlines()
    return list(dict.fromkeys(line.split("#")[0].strip() for line in lines if line.strip()))


def test_the_table_of_the_readme_is_that_of_the_reference_run(cli: Cli) -> None:
    (shown,) = [block for block in blocks("text", README) if "handbook_qa" in block]
    rows = [line.split() for line in shown.splitlines() if line.startswith("  ") and "  " in line]
    done = cli("compare", "results/reference/quickstart")
    assert len(rows) == 9
    printed = [line.split() for line in done.stdout.splitlines()]
    assert [row for row in rows if row not in printed] == []


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make ")])
def test_every_make_target_of_the_readme_exists(command: str) -> None:
    done = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose commands need no model: what they do to a real one is tested elsewhere."""
    folder = tmp_path_factory.mktemp("office")
    path = write_project(folder)
    setups = "".join(f"  {name}: {{call: '../bot.py::answer'}}\n" for name in ("base", "rag"))
    path.write_text(re.sub(r"setups:\n(?:  .*\n)+", f"setups:\n{setups}", path.read_text()))
    prices = folder / "benchmarks" / "prices" / "own-machine.yaml"
    prices.write_text(prices.read_text().replace("models:\n  embedded:", "setups:\n  rag:"))
    return folder


@pytest.mark.parametrize(
    "command", [c for c in commands() if c.startswith("bakeoff ") and "ui" not in c.split()]
)
def test_every_command_at_a_glance_works(command: str, cli: Cli, office: Path) -> None:
    """In a small project, whose benchmark of a function takes the place of the quickstart's."""
    arguments = shlex.split(command.replace("quickstart", "smallest"))[1:]
    done = cli(*arguments, cwd=office)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.slow
def test_the_examples_of_the_pages_make_a_benchmark_that_runs(tmp_path: Path, cli: Cli) -> None:
    """Task, benchmark, own system and scorer are taken out of their pages and run together."""
    task, benchmark = blocks("yaml", TASKS)
    (own,) = re.findall("setups:\n(?:  .*\n)+", blocks("yaml", CUSTOM)[0])
    bot, scorer = blocks("python", CUSTOM)
    for block in (task, benchmark, bot, scorer):
        path = tmp_path / block.split("\n")[0].removeprefix("# ").strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    rows = tmp_path / "tasks" / "returns"
    rows.mkdir()
    (rows / "policy.md").write_text("# Returns\nGoods come back within 30 days, on form R-4.\n")
    (rows / "test.jsonl").write_text(
        '{"id": "1", "question": "How long?", "targets": ["30 days"], "gold": ["policy"]}\n'
    )
    (rows / "train.jsonl").write_text(
        '{"id": "a", "question": "On which form?", "targets": ["R-4"], "gold": ["policy"]}\n'
        '{"id": "b", "question": "Within what time must it be back?", "targets": ["30 days"]}\n'
    )
    task_file = tmp_path / "tasks" / "returns.yaml"
    task_file.write_text(
        task_file.read_text().replace("[contains,", '[contains, "./returns.py::names_form",')
    )
    file = tmp_path / "benchmarks" / "returns.yaml"
    file.write_text(
        file.read_text().replace("setups:\n  base: {}\n", own).replace("epochs: 4", "epochs: 1")
        + "latency: {samples: 1}\n"
    )
    # Limited to its one sample: of a whole run, gates that can never fail would be refused.
    done = cli("run", file, "--no-mlflow", "--limit", "1", cwd=tmp_path)
    assert done.returncode in (0, 10), done.stderr
    assert "ours" in done.stdout


@pytest.mark.parametrize(
    "page",
    sorted({*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs" / "reference" / "files.md"}),
    ids=lambda p: p.name,
)
def test_the_benchmark_files_of_the_docs_are_valid(page: Path, tmp_path: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        file = tmp_path / "block.yaml"
        file.write_text(block)
        if block.startswith("# gates.yaml"):
            assert all(Check.parse(gate.check) for gate in load_gates(file).gates)
        elif block.startswith("# needs.yaml"):
            assert load_needs(file)
        elif block.startswith("# benchmarks/prices/"):
            assert load_prices(file).currency
        elif block.startswith("# ."):  # a file of another program
            assert yaml.safe_load(block)
        elif block.startswith("apiVersion:"):
            assert yaml.safe_load(block)["kind"]
        elif block.startswith("# tasks/"):
            assert load_task_file(file).rows
        else:
            assert block.startswith("# benchmarks/")
            assert load_suite(file).setups


TRANSCRIPTS = [
    page for page in sorted((ROOT / "docs").rglob("*.md")) if "```console\n$ " in page.read_text()
]


@pytest.mark.parametrize("page", TRANSCRIPTS, ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, cli: Cli, tmp_path: Path) -> None:
    """`$ cat FILE` shows an input, which is written. Every line shown is printed, in this order."""
    # Not the runs that were made here: forecasts go by them.
    for name in ("benchmarks", "tasks", "results/reference"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for block in re.findall(
        r"```yaml\n# ((?:tasks|benchmarks)/.*?)```", page.read_text(), re.DOTALL
    ):
        file, _, text = block.partition("\n")
        (tmp_path / file.strip()).write_text(text)
    results: dict[str, str] = {}
    for command, shown in transcripts(page):
        program, *arguments = shlex.split(command)
        if program == "cat":
            file = tmp_path / arguments[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(shown) + "\n")
            continue
        if command not in results:
            done = cli(*arguments, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            results[command] = done.stdout
        printed = iter([" ".join(line.split()) for line in results[command].splitlines()])
        for line in shown:
            words = " ".join(line.split())
            whole = not words.endswith("...")
            start = words.removesuffix("...").rstrip()
            assert not start or any(
                text == start or (not whole and text.startswith(start)) for text in printed
            ), f"{command}: does not print: {line}"


def transcripts(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands of a page's console blocks with the lines that are shown of their output."""
    for block in re.findall(r"```console\n\$ (.*?)```", page.read_text(), re.DOTALL):
        command, *shown = block.rstrip().split("\n")
        yield command, shown
