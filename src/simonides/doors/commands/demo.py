"""`demo`: a tour on a temporary file, with a conversation written for it; touches nothing that is yours."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides import shapes
from simonides.clock import FrozenClock
from simonides.doors.desk import Desk
from simonides.doors.importers import parser
from simonides.doors.importers.record import Reading
from simonides.doors.importers.run import Plan, Run
from simonides.doors.paper import Paper, count, day, short, worth_marking
from simonides.doors.places import settings_from
from simonides.doors.verb import Asked, verb
from simonides.settings import Settings
from simonides.types import Hit, Json

if TYPE_CHECKING:
    from simonides.memory import Memory

CONVERSATION = "demo_conversation.jsonl"
TODAY = datetime(2026, 2, 20, 18, 0, tzinfo=UTC)
"""The day on which the tour takes place, twelve days after the last turn of the conversation."""
LAST_SPRING = datetime(2025, 4, 15, tzinfo=UTC)
MOVED = datetime(2025, 9, 1, tzinfo=UTC)


@dataclass(slots=True)
class Tour:
    """A guided walk: each step says what is typed, does it, and shows what comes back."""

    memory: Memory
    paper: Paper | None
    steps: list[Json] = field(default_factory=list[Json])

    def say(self, text: str = "") -> None:
        """Write for people, unless the answer is JSON."""
        if self.paper:
            self.paper.line(text)

    def step(self, title: str, command: str, *why: str) -> None:
        """Begin a step."""
        number = len({str(step["title"]) for step in self.steps if isinstance(step, dict)}) + 1
        if self.paper:
            self.say()
            self.say(self.paper.style(f"{number}. {title}", bold=True))
            for text in why:
                self.say(f"   {text}")
        self.typed(command)
        self.steps.append({"title": title, "command": command})

    def typed(self, command: str) -> None:
        """Show what one would type."""
        if self.paper:
            self.say(
                f"   {self.paper.style('$', 'green')} {self.paper.style(f'simonides {command}', 'green')}"
            )

    def note(self, **facts: Json) -> None:
        """Keep what came of the step for `--json`."""
        step = self.steps[-1]
        assert isinstance(step, dict)
        step.update(facts)

    def ask(self, query: str, show: int = 2, as_of: datetime | None = None) -> list[Hit]:
        """Search, and show the first hits."""
        began = time.perf_counter()
        asked = Asked(as_of=as_of)
        hits = self.memory.search(query, k=5, **asked)
        took = 1000 * (time.perf_counter() - began)
        self.note(found=[shapes.hit(hit) for hit in hits])
        if self.paper:
            for rank, hit in enumerate(hits[:show], 1):
                self.paper.hit(hit, rank, worth_marking(query))
            self.say(
                self.paper.dim(f"    {f'{len(hits)} found' if hits else 'Nothing fits.'} in {took:.1f} ms")
            )
        return hits


@verb(
    "demo",
    examples=(
        "simonides demo",
        "simonides demo --keep tour.db      # then: simonides --path tour.db search ...",
    ),
    then=('simonides add "..."', "simonides import --detect PATH"),
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the file, to play on.",
)
def demo(desk: Desk, *, keep: Path | None) -> None:
    """Take a tour of twenty seconds on a temporary file.

    A made-up conversation of a year is imported, asked, contradicted, asked again as of last spring, explained,
    undone and exported. Nothing of yours is read or written, and nothing leaves this machine.
    """
    if keep is not None and keep.exists():
        raise click.UsageError(f"{keep} exists already; --keep wants a new file.")
    began = time.perf_counter()
    paper = None if desk.json or desk.quiet else desk.paper()
    with _folder(keep) as place, _open(desk, place) as memory:
        tour = Tour(memory, paper)
        _walk(tour, place)
    seconds = time.perf_counter() - began
    if desk.json:
        desk.answer({"steps": tour.steps, "seconds": round(seconds, 2)}, lambda _: None)
    elif paper:
        _farewell(paper, seconds, keep)


@contextmanager
def _folder(keep: Path | None) -> Generator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="simonides-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "memory.db"


@contextmanager
def _open(desk: Desk, place: Path) -> Generator[Memory]:
    from simonides.memory import Memory

    settings = settings_from(desk.settings)
    with Memory(
        place, clock=FrozenClock(TODAY), settings=settings, actor="demo", tracer=desk.tracer()
    ) as memory:
        yield memory


def _walk(tour: Tour, place: Path) -> None:
    tour.say("simonides keeps what was said, word for word, in one file, and finds it again by meaning.")
    tour.say(f"Here it works on a temporary file. Today is {TODAY:%d %B %Y}; no key, no network.")
    _import(tour)
    _ask(tour)
    home = _contradict(tour)
    _explain(tour)
    _refuse(tour)
    _undo(tour)
    _prove(tour, home, place)


def _import(tour: Tour) -> None:
    tour.step(
        "Bring in a conversation",
        "import jsonl conversation.jsonl --wait",
        "Nora and Sam, two people with an assistant, over a year. ChatGPT, Claude, notes ... come in alike.",
    )
    began = time.perf_counter()
    with as_file(files("simonides.doors") / CONVERSATION) as path:
        tally = Run(tour.memory, Plan("jsonl", CONVERSATION)).go(parser("jsonl")(path, Reading()))
    stored = time.perf_counter() - began
    tour.memory.wait()
    tour.memory.search("hello", gate=False)  # opens the index, so that the times below are those of a search
    read = time.perf_counter() - began
    tour.note(new=tally.new, sessions=len(tally.sessions), problems=len(tally.problems))
    tour.say(
        f"    {count(tally.new, 'turn')} in {count(len(tally.sessions), 'session')}: stored after {stored:.2f} s,"
    )
    tour.say(f"    read by the model after {read:.2f} s. A second import would add nothing.")


def _ask(tour: Tour) -> None:
    query = "does Nora eat meat?"
    tour.step("Ask, and get the latest word", f'search "{query}"')
    tour.ask(query)
    query = "why did Lantern switch to SQLite?"
    tour.step("Ask for the reason of a decision", f'search "{query}"')
    tour.ask(query, show=1)


def _contradict(tour: Tour) -> str:
    query = "where does Nora live?"
    then, now = "Nora lives in Hamburg, in Altona.", "Nora lives in Porto, on Rua do Almada."
    tour.step(
        "Note a fact, then contradict it",
        f'add "{then}" --kind fact --at 2025-03-08',
        "A new truth never destroys the old one: both stay, each with its time.",
    )
    id = tour.memory.add(then, kind="fact", at=datetime(2025, 3, 8, tzinfo=UTC), wait=True).id
    tour.typed(f'update {short(id)} "{now}" --at {MOVED:%Y-%m-%d}')
    tour.memory.update(id, now, at=MOVED, reason="they moved")
    tour.memory.wait()
    tour.note(id=id)
    tour.step("Ask where she lives now", f'search "{query}"')
    tour.ask(query, show=1)
    tour.step("Ask the same as of last spring", f'search "{query}" --as-of {LAST_SPRING:%Y-%m-%d}')
    tour.ask(query, show=1, as_of=LAST_SPRING)
    return id


def _explain(tour: Tour) -> None:
    query = "how did Sam do in the Portuguese exam?"
    tour.step(
        "See why", f'explain "{query}"', "Each hit says what made it one; what was dropped says why not."
    )
    found = tour.memory.explain(query, k=2)
    tour.note(explanation=shapes.explanation(found))
    if tour.paper and found.hits:
        tour.paper.hit(found.hits[0], 1, worth_marking(query))
        best = sorted(found.hits[0].shares.items(), key=lambda pair: -abs(pair[1]))
        tour.say(
            f"    shares: {', '.join(f'{name} {value:+.1f}' for name, value in best if abs(value) >= 0.05)}"
        )
        for one in found.dropped[:1]:
            tour.say(tour.paper.dim(f"    dropped: {one.memory.text[:60]}... because: {one.reason}"))
        tour.say(tour.paper.dim(f"    looked at {count(found.considered, 'memory', 'memories')}"))


def _refuse(tour: Tour) -> None:
    query = "which bank issued the mortgage?"
    tour.step("Ask what nobody ever said", f'search "{query}"', "No answer is better than the nearest noise.")
    tour.ask(query, show=1)


def _undo(tour: Tour) -> None:
    query = "when is the boiler replaced?"
    tour.step("Retire a memory, and bring it back", f'search "{query}"')
    hits = tour.ask(query, show=1)
    if not hits:
        return
    id = hits[0].memory.id
    tour.typed(f"retire {short(id)}")
    tour.memory.retire(id, reason="called off")
    left = [hit.memory.id for hit in tour.memory.search(query, k=5)]
    tour.say(f"    {'still found!' if id in left else 'No search finds it now.'}")
    tour.typed(f"restore {short(id)}")
    tour.memory.restore(id)
    back = [hit.memory.id for hit in tour.memory.search(query, k=5)]
    tour.say(f"    {'It is back, and its history tells of both.' if id in back else 'It did not come back!'}")
    tour.note(id=id, retired=id not in left, restored=id in back)


def _prove(tour: Tour, home: str, place: Path) -> None:
    tour.step("Look at a history", f"history {short(home)}")
    versions = tour.memory.history(home)
    tour.note(versions=shapes.memories(versions))
    for one in versions:
        end = day(one.valid.end) or "today"
        state = "" if one.recorded.end is None else "  (replaced)"
        tour.say(f"    version {one.version}: {one.text}  true {day(one.at)} to {end}{state}")
    tour.step("Prove that nothing was altered, and take it all with you", "log verify")
    proof = tour.memory.verify()
    intact = not proof.problems
    tour.say(
        f"    {'intact' if intact else 'altered!'}: {proof.events} entries, each with the hash of the one before"
    )
    tour.typed("export memory.jsonl")
    records = list(tour.memory.dump())
    same = _copied(records) == records
    tour.note(intact=intact, events=proof.events, records=len(records), same=same, bytes=place.stat().st_size)
    told = "the same again" if same else "NOT the same"
    tour.say(
        f"    {count(len(records), 'record')}: imported into an empty file and exported, they are {told}"
    )


def _copied(records: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Return what an empty store exports that took the records in."""
    from simonides.memory import Memory

    with Memory(":memory:", clock=FrozenClock(TODAY), settings=Settings(meaning="off")) as copy:
        copy.undump(records)
        return list(copy.dump())


def _farewell(paper: Paper, seconds: float, keep: Path | None) -> None:
    paper.line()
    left = f"It is in {keep}." if keep else "The temporary file is gone."
    paper.line(paper.style(f"That took {seconds:.1f} s. {left}", bold=True))
    if keep:
        paper.line(f'  simonides --path {keep} search "who is Biscuit?"')
    paper.line("Now with your own words:")
    for command, what in (
        ('simonides add "I moved from Berlin to Lisbon."', "remember"),
        ('simonides search "where did I move to?"', "and find"),
        ("simonides import claude-code", "what your coding agent and you have said"),
        ("simonides import --detect PATH", "a ChatGPT or Claude export, notes, memory.jsonl ..."),
        ("simonides --help", "everything else"),
    ):
        paper.line(f"  {command:<50} {paper.dim(what)}")
