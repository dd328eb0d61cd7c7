"""`bench`: hands over to the bench, which lives outside of what it measures; knows only where."""

from __future__ import annotations

import click

from simonides.doors.verb import Entry, LazyGroup

BENCH = {
    "recall": Entry(
        "Bench",
        "simonides.bench.recall:command",
        "Measure what is found, on data sets whose evidence is known turn by turn.",
    ),
    "conflicts": Entry(
        "Bench",
        "simonides.bench.conflicts:command",
        "Measure what is done about statements that contradict each other.",
    ),
    "extraction": Entry(
        "Bench",
        "simonides.bench.extraction:command",
        "Measure what the rules extract, against the memories that were written for RealMem's dialogues.",
    ),
    "speed": Entry(
        "Bench",
        "simonides.bench.speed:command",
        "Measure how fast it writes and finds, how large it gets, and what the machine allows.",
    ),
    "postgres": Entry(
        "Bench",
        "simonides.bench.postgres:command",
        "Measure a store in PostgreSQL beside one in a file.",
    ),
    "crash": Entry(
        "Bench",
        "simonides.bench.crash:command",
        "Kill processes that write one file, and prove that nothing acknowledged is lost.",
    ),
    "soak": Entry(
        "Bench",
        "simonides.bench.soak:command",
        "Do a hundred thousand operations in one process, and see whether it grows.",
    ),
    "batch": Entry(
        "Bench",
        "simonides.bench.batch:command",
        "Measure what workers are worth: an import, and reading with the full tier.",
    ),
    "failover": Entry(
        "Bench",
        "simonides.bench.failover:command",
        "Kill the primary while programs write, promote the standby, and count what was lost.",
    ),
    "postgres-write": Entry(
        "Bench",
        "simonides.bench.postgres_write:command",
        "Measure what several processes write to a server, against what the server can do.",
    ),
    "precision": Entry(
        "Bench",
        "simonides.bench.precision:command",
        "Measure what vectors of fewer bits find, and how fast, beside those of 32.",
    ),
    "load": Entry(
        "Bench",
        "simonides.bench.load:command",
        "Ask a server from many sides at once, and look for every write that it acknowledged.",
    ),
    "faults": Entry(
        "Bench",
        "simonides.bench.faults:command",
        "Crash at every write of a store, let every write fail, and prove that nothing acknowledged is lost.",
    ),
}


@click.group("bench", cls=LazyGroup, entries=BENCH)
def bench() -> None:
    """Measure recall, speed and safety on this machine."""
