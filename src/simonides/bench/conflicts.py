"""Measures what is done about conflicts: which of two statements stands, and what is wrongly ended. Needs data sets.

Three things: a table of small cases written for this project, with a second one that no rule has seen; the update
items of Letta's core-memory set end to end, over stores of two hundred notes; and pairs of sentences from the
conversations of three sets that are alike and both true. Each rule is switched off in turn.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from simonides import Memory, Settings
from simonides.bench import options
from simonides.bench.conflict_cases import AGAIN, ALLOWED, CASES, CORRECTED, HELD, LOSSES, Case
from simonides.bench.datasets import load
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.clock import FrozenClock, Span
from simonides.doors.verb import verb
from simonides.parts import slots
from simonides.parts.extract import Fact, Rules, Told
from simonides.parts.resolve import RULES, Decision, applied, resolve, with_past
from simonides.parts.statements import statement
from simonides.recipes.composition import Asked, Look, Recipe, Searching
from simonides.types import Change, Hit, Scope
from simonides.types import Memory as Version

if TYPE_CHECKING:
    from simonides.bench.cases import Conversation, Question, Turn
    from simonides.bench.machine import Machine
    from simonides.doors.desk import Desk, Ticker
    from simonides.doors.paper import Paper

ENDING = ("UPDATE", "SUPERSEDE", "INVALIDATE")
"""Operations after which the old text is not what holds now."""
SETS = ("locomo", "longmemeval", "realmem")
PAIRS = 200
FIRST = 400
"""Pairs of each set, the most alike, of which some are drawn."""
OVERLAP, SHARED, LEAST = 0.6, 3, 4
"""Share and number of the words that two sentences have in common to be alike; words of a sentence."""
CONVERSATIONS = 40
"""Of LongMemEval, whose conversations repeat their sessions."""
NEIGHBOURS = 20
ABLATED = 2
"""Stores of Letta's items that are made again for each rule that is left out."""
START = datetime(2026, 1, 1, tzinfo=UTC)
NOTE = (
    "By rules: no model decides. *Cases* are two or three sentences of one person; a case is right when the operation"
    " is one of those that its sort allows, on the right neighbour, and sure. *Letta*: {items} update items of the"
    " development half; {stores} stores of up to 200 notes are digested note by note, and for each item the"
    " contradicting fact is added to a copy; it counts when a memory of a supporting fact has ended and the new fact is"
    " among the ten hits of the item's question with no supporting fact above it. Notes have no speaker, so two"
    " notes of one frame are taken for an older and a newer form of one note; what people say is not."
    " *Pairs*: sentences of one speaker with {overlap:.0%} of their words in common, without what the sets mark as"
    " updated; wrong is what ends the older. One remark told twice counts as wrong too when one is ended."
)


@dataclass(frozen=True)
class Resolving(Recipe):
    """The smallest recipe that resolves: rules extract, the nearest ten are held against it."""

    name: ClassVar[str] = "conflicts"
    paper: ClassVar[str] = "none: the parts by themselves"
    derives: ClassVar[tuple[str, ...]] = ("fact",)
    near: int = NEIGHBOURS
    without: frozenset[str] = frozenset()

    def digest(self, told: Version, before: Sequence[Version], look: Look) -> Iterator[Change]:
        """Yield what each fact of a turn does to the nearest of those that are known."""
        for fact in self._facts(told, before):
            hits = look.near(fact.text, self.near, self.kinds())
            known = with_past([hit.memory for hit in hits], look, told.at)
            known = [one for one in known if _cites(one) != told.id]
            decision = resolve(fact, known, at=told.at, record=not told.speaker, without=self.without)
            yield from applied(
                decision, self.derived(told, fact.text, fact=fact, reason=decision.reason), told
            )

    def _facts(self, told: Version, before: Sequence[Version]) -> list[Fact]:
        """Return the facts of a turn; a note of which no rule makes any is one as it stands."""
        found = Rules(supposed=True).extract(Told.of(told, before=before))
        if found or told.speaker:
            return found
        return [Fact(told.text, (0, len(told.text)), says=statement(told.text))]

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return the facts that answer, not the turns they are from."""
        return look.search(asked, self.kinds())


def _cites(memory: Version) -> str:
    return memory.source.memory if memory.source else ""


# Cases


def right(case: Case, without: Collection[str] = ()) -> bool:
    """Tell whether a case is decided as it should be."""
    known = [
        version(fact, START, case.speaker, f"{place}{number}")
        for place, text in enumerate(case.before)
        for number, fact in enumerate(Rules().extract(Told(text, START, case.speaker)))
    ]
    later = START + timedelta(days=30)
    facts = Rules().extract(Told(case.now, later, case.speaker))
    if not facts:
        return False
    found = resolve(facts[0], known, at=later, without=without)
    fits = found.op in ALLOWED[case.sort] and (case.sort == "kept" or not found.unsure)
    return fits and (found.op == "ADD" or found.target.startswith("0"))


def version(fact: Fact, at: datetime, speaker: str, id: str = "0") -> Version:
    """Return a fact as a memory that was told at a time."""
    return Version(
        id, fact.kind, fact.text, Scope(), Span(at), Span(at), speaker=speaker, attributes=fact.attributes()
    )


# Pairs


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sentences of one speaker, the older first, and when each was said."""

    source: str
    speaker: str
    older: Fact
    newer: Fact
    at: tuple[datetime, datetime]

    def decided(self, without: Collection[str] = (), *, record: bool = False) -> Decision:
        """Return what the newer does to the older."""
        known = version(self.older, self.at[0], "" if record else self.speaker)
        return resolve(self.newer, [known], at=self.at[1], record=record, without=without)


def wrong(decision: Decision) -> bool:
    """Tell whether a decision ends the older of two that are both true."""
    return decision.op in ENDING and not decision.unsure


def pairs(data: Path, seed: int) -> list[Pair]:
    """Return `PAIRS` pairs, drawn by chance from the most alike of each set."""
    rng, found = random.Random(seed), list[Pair]()
    for number, name in enumerate(SETS):
        some = alike(name, load(name, data / name))[:FIRST]
        share = PAIRS // len(SETS) + (number < PAIRS % len(SETS))
        found += rng.sample(some, min(share, len(some)))
    return found


def alike(name: str, conversations: Sequence[Conversation]) -> list[Pair]:
    """Return the pairs of one set that are alike, the most alike first, each once."""
    found: dict[tuple[str, str], tuple[float, Pair]] = {}
    for one in conversations[:CONVERSATIONS] if name == "longmemeval" else conversations:
        for said in _by_speaker(name, one).values():
            for place, (turn, older, mine) in enumerate(said):
                for later, newer, theirs in said[place + 1 :]:
                    shared = len(mine & theirs)
                    enough = shared >= SHARED and shared >= OVERLAP * min(len(mine), len(theirs))
                    if later.id != turn.id and mine != theirs and enough:
                        pair = Pair(name, turn.speaker, older, newer, (turn.at, later.at))
                        found.setdefault((older.text, newer.text), (shared / len(mine | theirs), pair))
    return [
        pair
        for _, pair in sorted(
            found.values(), key=lambda each: (-each[0], each[1].older.text, each[1].newer.text)
        )
    ]


_Said = list[tuple["Turn", Fact, frozenset[str]]]


def _by_speaker(name: str, one: Conversation) -> dict[tuple[str, str], _Said]:
    """Return what each speaker says, without what the set says has changed, and without what the machine says."""
    changed = {id for q in one.questions if _updates(q) for id in (*q.evidence, *q.stale)}
    said: dict[tuple[str, str], _Said] = defaultdict(list)
    for turn in one.turns:
        if turn.id in changed or turn.role == "assistant" or len(turn.text) > 3000:
            continue
        for fact in Rules().extract(Told(turn.text, turn.at, turn.speaker)):
            words = slots.content(fact.text)
            if len(words) >= LEAST:
                said[turn.speaker, turn.session if name == "longmemeval" else ""].append((turn, fact, words))
    return said


def _updates(question: Question) -> bool:
    return bool(question.stale) or "updat" in question.category


# Letta


@dataclass(slots=True)
class Updates:
    """What became of the update items.

    Attributes:
        first: the new fact is the first hit of the item's question.
        before: the new fact is among its hits, and no supporting fact is above it.
        ended: what was known of a supporting fact is marked as ended.
        both: it is the first hit and the old is marked.
        marked: it stands above the old, and the old is marked.
        items: all items.
        others: facts of other notes that the new one ended too.
        notes, wrong: notes before any update, and those that ended another of them.
    """

    first: int = 0
    marked: int = 0
    before: int = 0
    ended: int = 0
    both: int = 0
    items: int = 0
    others: int = 0
    notes: int = 0
    wrong: int = 0
    stores: int = 0
    missed: list[str] = field(default_factory=list[str])


def updates(
    data: Path,
    folder: Path,
    without: Collection[str] = (),
    ticker: Ticker | None = None,
    stores: int | None = None,
) -> Updates:
    """Return what becomes of Letta's update items, each on a copy of its store; of the first stores only, if asked."""
    found = Updates()
    recipe = Resolving(without=frozenset(without))
    for one in load("letta", data / "letta"):
        if one.id.startswith("update") and (stores is None or found.stores < stores):
            _store(one, recipe, folder, found)
            found.stores += 1
            if ticker is not None:
                ticker.show(f"Letta: {found.items} items ...")
    return found


def _store(one: Conversation, recipe: Recipe, folder: Path, found: Updates) -> None:
    news = {id for question in one.questions for id in question.evidence}
    path = folder / f"{one.id}.db"
    notes = [turn for turn in one.turns if turn.id not in news]
    with _opened(path, recipe, notes[-1].at) as memory:
        ids = {turn.id: memory.add(turn.text, at=turn.at, kind="document").id for turn in notes}
        live = {_cites(each) for each in memory.list(kinds=recipe.kinds(), limit=100_000)}
        found.notes += len(notes)
        found.wrong += len(set(ids.values()) - live)
    texts = {turn.id: turn for turn in one.turns}
    for number, question in enumerate(one.questions):
        copy = folder / f"{one.id}-{number}.db"
        shutil.copy(path, copy)
        (new,) = question.evidence
        with _opened(copy, recipe, texts[new].at) as memory:
            _item(memory, recipe, texts[new], question, {ids[name] for name in question.stale}, live, found)
        for left in folder.glob(f"{copy.name}*"):
            left.unlink()


def _item(
    memory: Memory,
    recipe: Recipe,
    turn: Turn,
    question: Question,
    stale: set[str],
    live: set[str],
    found: Updates,
) -> None:
    new = memory.add(turn.text, at=turn.at, kind="document").id
    now = {_cites(each) for each in memory.list(kinds=recipe.kinds(), limit=100_000)}
    hits = memory.search(question.text, k=10, gate=False)
    gone = live - now - {new}
    cited = [_cites(hit.memory) for hit in hits]
    first = cited[:1] == [new]
    above = new in cited and not stale & {*cited[: cited.index(new)]}
    found.before += above
    ended = bool(gone & stale) or (bool(stale) and not stale & now)
    found.items += 1
    found.first += first
    found.ended += ended
    found.both += first and ended
    found.marked += above and ended
    found.others += len(gone - stale)
    if not (first and ended):
        found.missed.append(question.id)


def _opened(path: Path, recipe: Recipe, now: datetime) -> Memory:
    settings = Settings(meaning="instant", synchronous="normal")
    return Memory(path, recipe=recipe, settings=settings, clock=FrozenClock(now + timedelta(days=1)))


# The command


@verb(
    "conflicts",
    examples=("simonides bench conflicts --data ./data", "simonides bench conflicts --data ./data --quick"),
    then=("make numbers",),
)
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder with locomo, longmemeval, realmem and letta in it.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Without Letta for each rule.")
@options.seed
@options.folder
@options.out
def command(desk: Desk, *, data: Path, quick: bool, seed: int, folder: Path | None, out: Path | None) -> None:
    """Measure what is done about statements that contradict each other."""
    started, ticker = here(), desk.ticker()
    chosen = pairs(data, seed)
    rows: dict[str, Sequence[int]] = {}
    few = 0
    with tempfile.TemporaryDirectory(prefix="simonides-conflicts-", dir=folder) as place:
        whole = updates(data, Path(place), (), ticker)
    for rule in ("", *RULES):
        ticker.show(f"without {rule or 'nothing'} ...")
        without = (rule,) if rule else ()
        with tempfile.TemporaryDirectory(prefix="simonides-conflicts-", dir=folder) as place:
            done = Updates() if quick else updates(data, Path(place), without, None, ABLATED)
        few = done.items
        rows[rule] = [
            *(sum(right(case, without) for case in some) for some in (CASES, HELD, LOSSES, AGAIN, CORRECTED)),
            done.marked,
            sum(wrong(pair.decided(without)) for pair in chosen),
        ]
    ticker.clear()
    notes = sum(wrong(pair.decided(record=True)) for pair in chosen)
    report = _report(rows, whole, few, chosen, notes, seed, started)
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: _show(paper, report))


_HEAD = ("without", "cases", "held out", "kept", "said again", "corrected", "Letta", "pairs wrongly ended")


def _report(
    rows: Mapping[str, Sequence[int]],
    whole: Updates,
    few: int,
    chosen: Sequence[Pair],
    notes: int,
    seed: int,
    started: Machine,
) -> Report:
    sizes = (len(CASES), len(HELD), len(LOSSES), len(AGAIN), len(CORRECTED), few, len(chosen))
    shown = [
        [
            rule or "nothing",
            *(f"{one} of {size}" if size else "" for one, size in zip(row, sizes, strict=True)),
        ]
        for rule, row in rows.items()
    ]
    cases, held, *_, ended = rows[""]
    by_sort = [
        [sort, sum(right(c) for c in CASES if c.sort == sort), sum(c.sort == sort for c in CASES)]
        for sort in dict.fromkeys(c.sort for c in CASES)
    ]
    items = max(1, whole.items)
    letta = [
        ["the new fact is the first hit", f"{whole.first / items:.3f}"],
        ["the old fact is marked as ended", f"{whole.ended / items:.3f}"],
        ["the new fact is among ten hits, and no old one stands above it", f"{whole.before / items:.3f}"],
        ["newest first, and the old marked", f"{whole.marked / items:.3f}"],
        ["the very first hit, and the old marked", f"{whole.both / items:.3f}"],
        ["other facts ended by a new one, an item", f"{whole.others / items:.3f}"],
        ["notes that ended another before any update", f"{whole.wrong} of {whole.notes}"],
    ]
    sure = [
        [
            name,
            sum(p.source == name for p in chosen),
            sum(wrong(p.decided()) for p in chosen if p.source == name),
        ]
        for name in SETS
    ]
    return Report(
        name="conflicts",
        title="Conflicts: what stands, and what is wrongly ended",
        command="simonides bench conflicts --data DATA" + (f" --seed {seed}" if seed != 1 else ""),
        made=today(),
        machine=started,
        note=NOTE.format(items=whole.items, stores=whole.stores, overlap=OVERLAP)
        + f" Were the same {len(chosen)} pairs notes without a speaker, {notes} would be ended.",
        order=45,
        tables=[
            Table("Cases", ["sort", "right", "of"], by_sort),
            Table("Letta, update items", ["", "share"], letta),
            Table("Pairs that are alike and both true", ["set", "pairs", "wrongly ended"], sure),
            Table("One rule left out at a time", _HEAD, shown),
        ],
        summary=[
            Line(
                "conflicts: cases right by rules", f"{cases} of {len(CASES)}, {held} of {len(HELD)} held out"
            ),
            Line("conflicts: newest first and stale marked (Letta)", f"{whole.marked / items:.3f}"),
            Line("conflicts: compatible pairs wrongly ended", f"{ended} of {len(chosen)}"),
        ],
        details={"rows": dict(rows), "missed": whole.missed, "seed": seed, "rules": RULES},
    )


def _show(paper: Paper, report: Report) -> None:
    show(paper, report, titled=True)
    paper.then("simonides bench conflicts --data DATA --out bench/out")
