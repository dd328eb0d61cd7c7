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
    "speed": Entry(
        "Bench",
        "simonides.bench.speed:command",
        "Measure how fast it writes and finds, how large it gets, and what the machine allows.",
    ),
}


@click.group("bench", cls=LazyGroup, entries=BENCH)
def bench() -> None:
    """Measure recall and speed on this machine."""
