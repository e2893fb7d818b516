"""What this machine has for bakeoff: packages, devices, models, cache, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.table import Table
from bakeoff.core.words import BakeoffError
from bakeoff.models import wheels
from bakeoff.models.engine_program import version_of
from bakeoff.models.response_cache import Responses
from bakeoff.runs.machine import PACKAGES, hardware, version
from bakeoff.spec.engines import ENGINES, EngineSpec


def packages() -> Table:
    """The installed versions of the libraries that bakeoff uses."""
    rows = tuple((name, version(name) or "missing") for name in PACKAGES)
    return Table("Packages", ("package", "version"), rows)


QUICKSTART_TOKENS = 81_794
"""Those that the quickstart tunes on, of both tasks and all epochs."""
TUNED_LAYERS = 15
"""Of the embedded model: the upper half."""


def quickstart_seconds(pace: float) -> float:
    """About what the quickstart takes from empty caches, where so many tokens a second pass a
    layer in tuning (`device.layer_pace`).

    About half of it is tuning. On two cores it took 331 and 269 s at 9,000 tokens a second
    (bfloat16 with AMX; here 273 s) and 530 s at 4,600 (held to AVX2, float32; here 533 s). The pace
    of one large product said 94 s for the first: it leaves out what is small. On an EPYC with AVX2
    it took 486 s, where the pace said 9 minutes before the run and 11 an hour after it. Not held
    against other processors, nor GPUs.
    """
    return 2 * TUNED_LAYERS * QUICKSTART_TOKENS / pace


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {quantity(max(10, round(seconds, -1)), 'second')}"
    return f"about {quantity(round(seconds / 60), 'minute')}"


def machine() -> Table:
    """Devices and dtypes that can be used here, and what they reach in a few seconds."""
    from bakeoff.models import device

    device.limit_threads()
    facts = hardware()
    rows = [
        ("processor", facts.processor_with_cores),
        ("memory", f"{facts.memory_gb} GB, read at {device.memory_pace() / 1e9:.0f} GB/s"),
        ("GPU", facts.gpu or "none"),
        ("device", device.pick_device()),
    ]
    chosen = device.choose_dtype("auto")
    for dtype, native in device.native_dtypes().items():
        pace = device.reach(dtype) / 1e9
        how = "native" if native else "emulated: refused unless forced"
        auto = ", what `dtype: auto` takes" if dtype == chosen else ""
        rows.append((dtype, f"{pace:.0f} GFLOP/s, {how}{auto}"))
    quickstart = _about(quickstart_seconds(device.layer_pace(chosen)))
    rows.append(("quickstart", f"{quickstart} from empty caches, if nothing else runs"))
    return Table("Machine", ("what", "found"), tuple(rows))


def engines(environment: Mapping[str, str]) -> Table:
    """The engines that can be started without a path in a benchmark, and what keeps others."""
    rows = []
    for name, kind in ENGINES.everything():
        spec = EngineSpec(kind=name) if kind.program else None
        if spec is None:
            continue  # of the user's own command nothing is known
        program = spec.program(environment)
        if program is None:
            rows.append((name, "not named", f"{spec.of.variable} names its interpreter"))
            continue
        try:
            rows.append((name, version_of(spec, program), program[0]))
        except BakeoffError as error:
            rows.append((name, "missing", str(error)))
    return Table("Engines", ("engine", "version", "where"), tuple(rows))


def models(cache: Path) -> Table:
    """The embedded models and whether they are there."""
    rows = []
    for role, wheel in (("generator", wheels.GENERATOR), ("embedder", wheels.EMBEDDER)):
        rows.append(
            (role, wheel.about, "cached" if wheels.is_fetched(wheel, cache) else "not fetched")
        )
    return Table("Embedded models", ("role", "model", "state"), tuple(rows))


def cached(cache: Path) -> Table:
    """What the cache holds, and how large it is."""
    rows = []
    for kind in ("models", "adapters", "indexes"):
        entries = [p for p in (cache / kind).glob("*") if p.is_dir()]
        size = sum(f.stat().st_size for p in entries for f in p.rglob("*") if f.is_file())
        rows.append((kind, str(len(entries)), f"{size / 2**20:.0f} MB"))
    answers = cache / "responses.sqlite"
    # Opening the cache would create it.
    if answers.is_file():
        with closing(Responses(answers)) as responses:
            count, size = responses.size()
        rows.append(("answers", str(count), f"{size / 2**20:.0f} MB"))
    return Table(f"Cache in {cache}", ("kind", "entries", "size"), tuple(rows))


def missing(cache: Path) -> list[str]:
    """A line for everything that is missing, with the command that installs it."""
    lines = [
        f"missing: {name}: pip install -c constraints.txt {name}"
        for name in PACKAGES
        if version(name) is None
    ]
    if not all(wheels.is_fetched(w, cache) for w in (wheels.GENERATOR, wheels.EMBEDDER)):
        lines.append("missing: the embedded models: bakeoff models fetch")
    return lines
