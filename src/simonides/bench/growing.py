"""The report of how a store grows, with its picture: runs `growth` over the sizes; measures nothing itself."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench import curves, filling, growth
from simonides.bench.curves import Curve, Panel
from simonides.bench.generate import SEED, Generator
from simonides.bench.growth import Grown
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table
from simonides.bench.timing import digits
from simonides.doors.paper import size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simonides.doors.desk import Desk

NAME = "growth"
AIM = 20.0
"""Milliseconds that the median search among a million memories should take at most."""
NOTE = (
    "Memories and questions are those of the report *Speed and size*. *One scope* is all memories; *spread* is one user"
    " of 100 memories among all users, which are 10,000 at a million. Of the larger stores the model read {read:,}"
    " memories; the others have codes of these with noise on them. Stores are filled with `add_many`, durable as by"
    " default, found by words and the instant tier at once. The *first answer* counts from the start of the Python"
    " process, with the file in the system's cache: the index is read from where an earlier process saved it, or"
    " *made anew* from the store. *With exact channels* is the share of the first {top} hits that are the same when"
    " every list and every vector is read whole and unquantised; *with all measured*, when every memory of the scope"
    " is a candidate."
)


def report(
    desk: Desk,
    sizes: Sequence[int],
    times: tuple[int, int],
    *,
    folder: Path | None,
    keep: Path | None,
    command: str,
) -> tuple[Report, str]:
    """Measure stores of the sizes, one after the other; return the report and the picture.

    Args:
        times: rounds, and questions a round.
        folder: where to put the stores for a while; `keep`: where to leave them, and to go on with those begun.
    """
    started, ticker = here(), desk.ticker()
    with contextlib.ExitStack() as stack:
        if keep is None:
            place = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="simonides-bench-", dir=folder))
            )
        else:
            keep.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = keep
        need = growth.needed(place, sizes, kept=keep is not None)
        desk.aside(f"This takes up to {size(need)} on the disk, and about an hour for a million memories.")
        ticker.show("the model reads ...")
        given = filling.read(Generator().memories(min(filling.READ, max(sizes))))
        found: list[Grown] = []
        for many in sizes:
            found.append(growth.grown(place, many, given, times, ticker))
            if keep is None:
                growth.discard(place, many)
    ticker.clear()
    made = Report(
        name=NAME,
        title="Growth",
        command=command,
        made=today(),
        machine=started,
        note=NOTE.format(read=filling.READ, top=growth.TOP),
        order=35,
        tables=_tables(found),
        summary=_summary(found),
        details={"rounds": times[0], "asked": times[1], "seed": SEED, "grown": found},
    )
    return made, curves.drawn(_panels(found))


def _tables(found: Sequence[Grown]) -> list[Table]:
    searched = [one.row() for grown in found for one in grown.searched]
    held, agreed = ([row for one in found for row in rows(one)] for rows in (Grown.held, Grown.agreed))
    return [
        Table("Search as a store grows, the question's embedding included", growth.FOUND, searched),
        Table("Everything else as it grows", growth.HEAD, [one.row() for one in found]),
        Table("Memory of a process that asked 100 questions", growth.HELD, held),
        Table("Share of the first hits that an exact ranking has", growth.AGREED, agreed),
    ]  # fmt: skip


def _summary(found: Sequence[Grown]) -> list[Line]:
    last = found[-1]
    many = f"{last.filled.memories:,} memories of one scope"
    full, instant = (_whole(last, tier) for tier in ("full", "instant"))
    return [
        Line(f"search in {many}, p50 / p99", f"{digits(full[0])} / {digits(full[1])} ms",
             f"instant tier alone {digits(instant[0])} / {digits(instant[1])} ms"),
        Line(f"first answer of a new process, {many}", f"{digits(last.starts['full'])} s",
             f"its imports take {digits(last.imported)} s"),
    ]  # fmt: skip


def _whole(grown: Grown, tier: str) -> tuple[float, float]:
    one = next(one for one in grown.searched if one.tier == tier and one.scope == "one scope")
    return one.spell.p50, one.spell.p99


def _panels(found: Sequence[Grown]) -> list[Panel]:
    def curve(name: str, of: Callable[[Grown], float]) -> Curve:
        return Curve(name, [(one.filled.memories, of(one)) for one in found])

    return [
        Panel(
            "Search in one scope, milliseconds",
            [
                curve("full tier, p50", lambda one: _whole(one, "full")[0]),
                curve("p99", lambda one: _whole(one, "full")[1]),
                curve("instant tier, p50", lambda one: _whole(one, "instant")[0]),
                curve("p99", lambda one: _whole(one, "instant")[1]),
            ],
            AIM,
        ),
        Panel(
            "First answer of a new process, seconds",
            [
                curve("full tier", lambda one: one.starts["full"]),
                curve("instant tier", lambda one: one.starts["instant"]),
                curve("index made anew", lambda one: one.rebuilt),
            ],
            1.0,
        ),
        Panel(
            "Bytes",
            [
                curve("store", lambda one: one.filled.store),
                curve("index beside it", lambda one: one.saved),
                curve("a process's own memory", lambda one: one.memory["full"].get("own", 0)),
            ],
        ),
        Panel(
            "Another's write taken in, milliseconds",
            [curve("p50", lambda one: one.followed.p50), curve("p99", lambda one: one.followed.p99)],
            5.0,
        ),
    ]
