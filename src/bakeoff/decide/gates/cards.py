"""Scorer cards: files with a scorer's agreement with human labels, which gates can require."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, as_markdown, cell
from bakeoff.core.words import digest
from bakeoff.decide.gates.agreement import Report
from bakeoff.decide.gates.card_check import file_of
from bakeoff.runs.store import write_json


def write_card(
    report: Report, folder: Path, labels: Path, version: str, judge: Mapping[str, str]
) -> Path:
    """Keep a card as JSON and, beside it, as Markdown; the path of the JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = file_of(report.metric, folder)
    card = {
        "metric": report.metric,
        "version": version,
        "judge": digest(dict(judge)) if judge else "",
        "labels": {"file": labels.name, "digest": digest(labels.read_bytes())},
        "checked": datetime.now(UTC).date().isoformat(),
        "scorers": [asdict(scorer) for scorer in report.scorers],
        "people": asdict(report.people) if report.people else None,
        "ahead": asdict(report.ahead),
    }
    write_json(path, card)
    text = f"# {report.metric}\n\nChecked on {labels.name}. {report.ahead.in_words()}\n\n"
    text += as_markdown(tables(report))
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    return path


def tables(report: Report) -> list[Table]:
    """A scorer's agreement with human labels, with baselines and inter-rater agreement."""
    scorers = report.scorers
    generators = list(dict.fromkeys(name for scorer in scorers for name in scorer.within))
    rows = [
        (
            scorer.name,
            f"{scorer.judged}" + (f" ({scorer.unjudged} unjudged)" if scorer.unjudged else ""),
            _measured(scorer.auroc),
            f"{scorer.balanced_accuracy:.3f}",
            f"{scorer.f1:.3f}",
            *map(_measured, (scorer.kappa, scorer.pearson, scorer.spearman)),
            *(_measured(scorer.within[g]) if g in scorer.within else "-" for g in generators),
        )
        for scorer in scorers
    ]
    if people := report.people:
        agreed = (_measured(people.kappa), _measured(people.pearson), "-")
        rows.append(
            ("one person and the others", f"{people.rows}", "-", "-", "-", *agreed)
            + ("-",) * len(generators)
        )
    agreement = Table(
        "Agreement with people",
        (
            *("scorer", "answers", "AUROC", "balanced accuracy", "F1"),
            *("kappa", "Pearson", "Spearman"),
            *(f"AUROC in {generator}" for generator in generators),
        ),
        tuple(rows),
        "AUROC: how often a good answer scores above a bad one, 0.5 is chance; 95% bootstrap "
        "over sources. Balanced accuracy (flagging everything: 0.500), F1 of finding bad answers "
        "and kappa at a threshold chosen on other sources.",
    )
    mine = scorers[0]
    facts = [(reason, str(count)) for reason, count in mine.reasons.items()]
    if mine.spread is not None:
        facts.append(("standard deviation of repeated scores", f"{mine.spread:.3f}"))
    more = Table("Unscored answers and repeated judgments", ("what", "how much"), tuple(facts), "")
    return [agreement, more] if facts else [agreement]


def _measured(estimate: Estimate) -> str:
    return cell(estimate, "")
