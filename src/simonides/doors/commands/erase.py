"""`erase`: forget for good, with a receipt, and check such a receipt; knows nothing of how it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

from simonides import shapes
from simonides.clock import parse_time
from simonides.doors.desk import NOTHING_FOUND, Desk, dumps
from simonides.doors.paper import Paper, count, cut, size
from simonides.doors.verb import DATA, MOMENT, Scoped, scoping, verb
from simonides.errors import InputError, SimonidesError
from simonides.parts.lifecycle import Erasing
from simonides.types import Erasure

_TABLES = (
    ("versions", "version of text", "versions of text"),
    ("link_versions", "version of a link", "versions of links"),
    ("events", "entry of the log, blanked", "entries of the log, blanked"),
    ("jobs", "job", ""),
    ("scopes", "scope that nothing else is in", "scopes that nothing else is in"),
)
_PENDING = {
    "pages": "stale pieces in pages of the file are left: `simonides upkeep` writes it anew",
    "log": "the write-ahead log could not be emptied: `simonides upkeep` does when nobody reads it",
}


def _whom(function: Callable[..., object]) -> Callable[..., object]:
    """Give the command the options of what is to be erased."""
    for option in (
        click.option("--query", metavar="TEXT", help="What a search for this finds."),
        click.option(
            "-k",
            "--limit",
            type=click.IntRange(min=1),
            default=10,
            show_default=True,
            help="Hits of --query.",
        ),
        click.option("--subject", metavar="NAME", help="What names this person or thing, anywhere in it."),
        click.option("--entity", metavar="NAME", help="An entity, by name or id, and all linked with it."),
        click.option("--kind", "kinds", multiple=True, help="Only this kind: turn, fact ... Repeatable."),
        click.option("--where", type=DATA, help='Filter on metadata, e.g. \'{"city": {"eq": "Lisbon"}}\'.'),
        click.option("--before", type=MOMENT, help="Only what was said before then."),
        click.option("--everything", is_flag=True, help="All there is."),
    )[::-1]:
        function = option(function)
    return scoping(function)


def _how(function: Callable[..., object]) -> Callable[..., object]:
    """Give the command the options of how to erase."""
    for option in (
        click.option("--keep-derived", is_flag=True, help="Keep what cites the memories."),
        click.option("--keep-linked", is_flag=True, help="Refuse when links hang on the memories."),
        click.option("--keep-pages", is_flag=True, help="Leave writing the file anew to `upkeep`."),
        click.option("--backups", is_flag=True, help="Delete the copies that migrations have left."),
        click.option("--full", is_flag=True, help="PostgreSQL: VACUUM FULL, which stops everybody meanwhile."),
        click.option("--reason", default="", help="Why, for the log. Don't repeat what is to be forgotten."),
        click.option("--receipt", type=click.Path(path_type=Path), metavar="FILE", help="Write the receipt there."),
    )[::-1]:  # fmt: skip
        function = option(function)
    return function


@verb(
    "erase",
    examples=(
        "simonides erase 4f2a91c7 --dry-run",
        'simonides erase --subject "Ana Kowalska" --receipt ana.json',
        "simonides erase --user ana --before 2024-01-01 --yes",
        "simonides erase --verify ana.json",
    ),
    then=("simonides log verify", "simonides retention add --kind turn --days 365 --action erase"),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@_whom
@_how
@click.option("--dry-run", is_flag=True, help="Count what would go; erase nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option(
    "--verify", type=click.Path(path_type=Path), metavar="RECEIPT", help="Check the receipt of an erasure."
)
def erase(
    desk: Desk, ids: tuple[str, ...], *, dry_run: bool, yes: bool, verify: Path | None, receipt: Path | None,
    **given: Any,
) -> None:  # fmt: skip
    """Forget for good, with a receipt; it can't be undone.

    Text, versions, links, vectors, words, jobs and what the log says of them go. What is given is combined:
    memories that fit all of it. Nothing is erased before the number has been typed, or without --yes. What
    backups and replicas hold is not reached.
    """
    if verify is not None:
        _verify(desk, verify)
        return
    if receipt is not None and receipt.exists():
        raise InputError(f"receipt {receipt}", "exists already", "", "Choose another name.")
    memory = desk.memory()
    chosen = _chosen(given)
    whole = [memory.ledger.expand(id) for id in ids] or None
    plan = memory.erase(whole, plan=True, **chosen)
    if dry_run:
        desk.answer(shapes.erasure(plan), lambda paper: _tell(paper, plan, "Would erase"))
        return
    if not yes:
        _confirm(desk, plan)
    done = memory.erase([*plan.ids, *plan.links], **_manner(chosen))
    if receipt is not None:
        receipt.write_text(dumps(shapes.erasure(done)) + "\n", "utf-8")
    desk.answer(shapes.erasure(done), lambda paper: _tell(paper, done, "Erased", receipt))


def _chosen(given: dict[str, Any]) -> Erasing:
    """Return what the options mean."""
    scope: Scoped = given["scope"]
    return Erasing(
        query=given["query"],
        k=given["limit"],
        subject=given["subject"],
        entity=given["entity"],
        user=scope.get("user"),
        agent=scope.get("agent"),
        session=scope.get("session"),
        project=scope.get("project"),
        kinds=list(given["kinds"]) or None,
        where=given["where"],
        before=given["before"],
        everything=given["everything"],
        derived=not given["keep_derived"],
        links=not given["keep_linked"],
        keep_pages=given["keep_pages"],
        backups=given["backups"],
        full=given["full"],
        reason=given["reason"],
    )


def _manner(chosen: Erasing) -> Erasing:
    """Return how to erase, without what."""
    names = ("derived", "links", "keep_pages", "backups", "full", "reason")
    return cast("Erasing", {name: value for name, value in chosen.items() if name in names})


def _confirm(desk: Desk, plan: Erasure) -> None:
    """Have the number typed.

    Raises:
        UsageError: nobody is there to type it.
    """
    if not sys.stdin.isatty() or desk.json:
        raise click.UsageError("Nobody is there to ask. Look with --dry-run, then erase with --yes.")
    _tell(Paper(plain=not sys.stderr.isatty(), colour=False), plan, "Would erase")
    number = str(len(plan.ids) or len(plan.links))
    typed = click.prompt(
        f"This can't be undone. Type {number} to erase", default="", show_default=False, err=True
    )
    if typed.strip() != number:
        raise click.Abort


def _tell(paper: Paper, erasure: Erasure, what: str, receipt: Path | None = None) -> None:
    kept = f"kept in {receipt}" if receipt else "--receipt FILE or --json keeps it"
    memories = count(len(erasure.ids), "memory", "memories")
    derived = f", {erasure.derived} of them because they cite another one" if erasure.derived else ""
    links = f" and {count(len(erasure.links), 'link')}" if erasure.links else ""
    paper.line(
        f"{what} {paper.style(memories, bold=True)}{derived}{links}, {size(erasure.counts['bytes'])} of text:"
    )
    for name, one, many in _TABLES:
        if number := erasure.counts.get(name, 0):
            paper.line(f"{number:>9,}  {one if number == 1 else many or one + 's'}")
    for example in erasure.examples:
        paper.line(f"           {paper.dim(cut(' '.join(example.split()), 90))}")
    for pending in erasure.pending:
        paper.line(f"Pending: {_PENDING.get(pending, pending)}.")
    for place in erasure.still_holding:
        paper.line(f"Still holds what was there: {place}")
    if erasure.state == "erased":
        paper.line(f"Receipt: event {erasure.seq}, {erasure.signature[:16]} ({kept})")


def _verify(desk: Desk, path: Path) -> None:
    found = desk.look().verify(_read(path))
    problems = [str(one) for one in found.problems]

    def people(paper: Paper) -> None:
        paper.line(paper.style("does not hold", "red") if problems else paper.style("holds", "green"))
        for problem in problems:
            paper.line(f"  {problem}")

    desk.answer({"holds": not problems, "problems": [*problems]}, people)
    if problems:
        click.get_current_context().exit(NOTHING_FOUND)


def _read(path: Path) -> Erasure:
    """Return the receipt in a file."""
    try:
        facts = json.loads(path.read_text("utf-8"))
        return Erasure(
            state=str(facts["state"]),
            store=str(facts["store"]),
            at=parse_time(facts["at"], "at"),
            actor=str(facts["actor"]),
            reason=str(facts["reason"]),
            ids=tuple(map(str, facts["ids"])),
            links=tuple(map(str, facts["links"])),
            derived=int(facts["derived"]),
            counts={str(name): int(number) for name, number in facts["counts"].items()},
            seq=int(facts["seq"]),
            digest=str(facts["digest"]),
            pending=tuple(map(str, facts["pending"])),
            still_holding=tuple(map(str, facts["still_holding"])),
            signature=str(facts["signature"]),
        )
    except SimonidesError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        rule = f"is no receipt of an erasure ({type(err).__name__}: {err})"
        raise InputError(f"receipt {path}", rule, "", "`erase --receipt FILE` writes one.") from err
