"""`bench extraction`: what is extracted from dialogues, held against memories that people wrote; knows one data set."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench.cases import files_of, parse_date, read_json
from simonides.bench.machine import here, today
from simonides.bench.metrics import mean
from simonides.bench.report import Line, Report, Table, save, short, show, with_interval
from simonides.doors.desk import Desk
from simonides.doors.verb import verb
from simonides.errors import InputError
from simonides.parts.extract import Fact, Rules, Told
from simonides.parts.small_talk import small_talk
from simonides.parts.spans import sentences
from simonides.parts.verbs import has_verb, orders

if TYPE_CHECKING:
    from datetime import datetime

MATCH = 0.5
"""Token F1 from which on a gold memory counts as found."""
JUDGED = 500
"""Items of each row that are judged by the rules of `junk`."""
SEED = 20260506
NOTE = (
    "A gold memory is found when an item of its session has a token F1 of at least .5 with it (small letters, no"
    " articles, no headings in brackets); precision is the share of items that match a gold memory. *Sentences* are"
    " cut from the turns and nothing else. Junk is judged by written rules on {judged} items drawn with a fixed seed:"
    " small talk, a question, an order, a heading, a fragment without a verb, a pronoun that names nobody for a"
    " subject. The rules and the extractor share their lists of verbs and of small talk, so the figure says that the"
    " rules hold, not that a reader would keep the rest. In brackets: 95 % intervals by bootstrap."
)
_WORD = re.compile(r"\w+")
_HEADING = re.compile("\u3010[^\u3011]{0,200}\u3011")
_LABELLED = re.compile(r"[A-Z][^:]{2,40}: ?[^:]*[\dA-Z][^:]*")
_ARTICLES = frozenset(("a", "an", "the"))
_POINTS = re.compile(r"(?:it|this|that|these|those|they|he|she|there)\b", re.IGNORECASE)
_NAMES = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]")
_CLAUSE = re.compile(r"(?:[,;\u2014]|\b(?:and|but|so|because|that))\s(?:\w+\s)?the user\s")


@dataclass(frozen=True, slots=True)
class Session:
    """One session: its turns as (speaker, text), when it was, and the memories people wrote of it."""

    persona: str
    at: datetime
    turns: tuple[tuple[str, str], ...]
    gold: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """One way to extract, and what came of it."""

    name: str
    items: list[str] = field(default_factory=list[str])
    found: list[float] = field(default_factory=list[float])
    right: list[float] = field(default_factory=list[float])


def sessions(path: Path) -> Iterator[Session]:
    """Yield the sessions of RealMem that have memories, in the order of the files."""
    for file in files_of(path, "*_dialogues_*.json", "dataset/*_dialogues_*.json"):
        data = read_json(file)
        for one in data["dialogues"]:
            gold = [memory["content"] for memory in one.get("extracted_memory", ())]
            texts = [text if isinstance(text, str) else json.dumps(text) for text in gold]
            if not texts:
                continue
            at = parse_date(one["current_time"], "%Y-%m-%d (%A)", "%Y-%m-%d")
            turns = tuple((turn["speaker"].lower(), turn["content"]) for turn in one["dialogue_turns"])
            yield Session(file.stem, at, turns, tuple(texts))


def words(text: str) -> Counter[str]:
    """Return the words of a text that count in a comparison."""
    found = (word.lower() for word in _WORD.findall(_HEADING.sub(" ", text)))
    return Counter(word for word in found if word not in _ARTICLES)


def overlap(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Return the token F1 of two bags of words."""
    shared = sum(min(count, other.get(word, 0)) for word, count in one.items())
    both = sum(one.values()) + sum(other.values())
    return 2 * shared / both if both else 0.0


def junk(text: str) -> str:
    """Return why no reader would want an item, by written rules; empty where one may."""
    bare = text.strip().strip("*_ ")
    if talk := small_talk(bare):
        return talk
    if bare.rstrip("\"')").endswith("?"):
        return "a question"
    if bare.endswith(":") or bare.startswith("#"):
        return "a heading"
    if not _LABELLED.fullmatch(bare) and (len(bare.split()) < 3 or not has_verb(bare)):
        return "a fragment"
    if _POINTS.match(bare) and not _NAMES.search(bare) and not _CLAUSE.search(bare):
        return "names nobody"
    return (
        "an order"
        if orders(bare) and not re.search(r"\b(?:always|never|from now on)\b", bare, re.IGNORECASE)
        else ""
    )


def _facts(session: Session, *, agent: bool) -> list[Fact]:
    rules = Rules(agent=agent)
    return [
        fact
        for speaker, text in session.turns
        for fact in rules.extract(
            Told(text, session.at, speaker, "assistant" if speaker == "user" else "user")
        )
    ]


def _cut(session: Session, *, agent: bool) -> list[str]:
    return [
        text[start:end]
        for speaker, text in session.turns
        if agent or speaker == "user"
        for start, end in sentences(text)
    ]


WAYS: Mapping[str, Callable[[Session], list[str]]] = {
    "facts of the user": lambda one: [fact.text for fact in _facts(one, agent=False)],
    "sentences of the user": lambda one: _cut(one, agent=False),
    "facts, the assistant's too": lambda one: [fact.text for fact in _facts(one, agent=True)],
    "sentences, the assistant's too": lambda one: _cut(one, agent=True),
}


def measured(all_: Sequence[Session], step: Callable[[int], object]) -> list[Row]:
    """Extract from all sessions in every way, and match."""
    rows = [Row(name) for name in WAYS]
    for session in all_:
        gold = [words(text) for text in session.gold]
        for row in rows:
            items = WAYS[row.name](session)
            bags = [words(item) for item in items]
            scores = [[overlap(one, bag) >= MATCH for bag in bags] for one in gold]
            row.items += items
            row.found += [float(any(line)) for line in scores]
            row.right += [float(any(line[place] for line in scores)) for place in range(len(bags))]
        step(1)
    return rows


def judged(row: Row, count: int = JUDGED) -> list[float]:
    """Return for some items, drawn with a fixed seed, whether they are junk."""
    drawn = random.Random(SEED).sample(row.items, min(count, len(row.items)))
    return [float(bool(junk(item))) for item in drawn]


def spent(all_: Sequence[Session]) -> list[float]:
    """Return the milliseconds that each turn of a user takes, in order of size."""
    found: list[float] = []
    rules = Rules()
    for session in all_:
        for speaker, text in session.turns:
            if speaker == "user":
                begun = time.perf_counter()
                rules.extract(Told(text, session.at, speaker, "assistant"))
                found.append(1000 * (time.perf_counter() - begun))
    return sorted(found)


@verb(
    "extraction",
    examples=(
        "simonides bench extraction --data ./data",
        "simonides bench extraction --data ./data --files 3",
    ),
    then=("simonides bench recall", "make numbers"),
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="The folder of RealMem, or of all sets.",
)
@click.option("--files", type=click.IntRange(min=1), help="Only the first so many personas.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save the report here.")
def command(desk: Desk, *, data: Path, files: int | None, out: Path | None) -> None:
    """Measure what the rules extract, against the memories that were written for RealMem's dialogues."""
    place = data / "realmem" if (data / "realmem").is_dir() else data
    all_ = list(sessions(place))
    names = list(dict.fromkeys(one.persona for one in all_))[:files]
    all_ = [one for one in all_ if one.persona in names]
    if not all_:
        raise InputError("data", "must hold sessions with memories", str(data), "See docs/extraction.md.")
    ticker = desk.ticker()
    step = ticker.counting("session", len(all_))
    rows = measured(all_, step)
    ticker.clear()
    report = _report(all_, rows, spent(all_), files)
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: show(paper, report))


def _report(
    all_: Sequence[Session], rows: Sequence[Row], times: Sequence[float], files: int | None
) -> Report:
    told: list[list[str | int | float]] = []
    figures: dict[str, Any] = {}
    for row in rows:
        estimates = {"recall": mean(row.found), "precision": mean(row.right), "junk": mean(judged(row))}
        figures[row.name] = {"items": len(row.items), **estimates}
        told.append([row.name, f"{len(row.items):,}", *map(with_interval, estimates.values())])
    gold = sum(len(one.gold) for one in all_)
    middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
    ours, beside = figures["facts of the user"], figures["sentences of the user"]
    return Report(
        name="extraction",
        title="Extraction: RealMem",
        command="simonides bench extraction --data DATA" + (f" --files {files}" if files else ""),
        made=today(),
        machine=here(),
        note=f"{NOTE.format(judged=JUDGED)} {gold:,} gold memories of {len(all_):,} sessions. A turn of a user takes"
        f" {middle:.1f} ms at the median and {late:.0f} ms at the 99th percentile.",
        order=40,
        tables=[Table("Extraction", ["way", "items", "recall", "precision", "junk"], told)],
        summary=[
            Line(
                "Extraction by rules on RealMem, precision",
                short(ours["precision"].value),
                f"{short(beside['precision'].value)} for bare sentences",
            )
        ],
        details={"figures": figures, "gold": gold, "milliseconds": {"p50": middle, "p99": late}},
    )
