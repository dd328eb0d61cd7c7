"""`bench recall`: how much of the evidence is found, by us and by what we have to beat; knows no metric by heart."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench import scoring
from simonides.bench.asking import Answer, Plan, ask
from simonides.bench.caching import CachedReader
from simonides.bench.datasets import SETS, load
from simonides.bench.machine import here, today
from simonides.bench.report import Report, save_lines
from simonides.bench.stores import DEPTH
from simonides.bench.where import places
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper
from simonides.doors.places import settings_from
from simonides.doors.verb import verb
from simonides.errors import InputError
from simonides.parts import models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simonides.bench.cases import Conversation
    from simonides.settings import Settings

TITLES = {
    "locomo": "Recall: LoCoMo",
    "longmemeval": "Recall: LongMemEval, rebuilt",
    "beam": "Recall: BEAM",
    "realtalk": "Recall: RealTalk",
    "realmem": "Recall: RealMem",
    "letta": "Recall: Letta's core-memory items",
}
NOTE = (
    "Share of the turns that hold the answer among the first k hits, averaged over questions. One store for each"
    " conversation, no language model, nothing refused (the gate is measured apart). *default* is simonides as"
    " installed, the next rows are the same with another setting, *without ...* is the default with a group of signals"
    " left out of the sum (its weights not fitted anew). BM25, cosine and what is made of them rank the same turns with"
    " names and dates in the text; the cosines are of the same model's pooled vectors. Ranks after {depth} count as"
    " not found. In brackets: 95 % intervals by bootstrap over questions."
)
SHOWN = 20
"""Ranks that are saved of each question."""


def _ks(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    parts = [part.strip() for part in value.split(",")]
    if not parts or not all(part.isdecimal() and 1 <= int(part) <= DEPTH for part in parts):
        raise click.BadParameter(f"must be whole numbers from 1 to {DEPTH} with commas between, e.g. 5,10,20")
    return tuple(dict.fromkeys(map(int, parts)))


def _names(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for part in value for name in part.split(",") if name.strip()))
    for name in names:
        if name not in SETS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(SETS)}")
    return names


@verb(
    "recall",
    examples=(
        "simonides bench recall --data ./data",
        "simonides bench recall --data ./data/locomo --k 10",
        "simonides bench recall --data ./data --set beam --limit 3 --alone",
        "simonides --set threads=2 bench recall --data ./data --set locomo,beam --out bench/out",
    ),
    then=("simonides bench speed", "make numbers"),
)
@click.option(
    "--data", type=click.Path(exists=True, path_type=Path), required=True, help="A set's file or folder, or the folder of all."
)
@click.option(
    "--set", "names", metavar="NAME[,NAME]", multiple=True, callback=_names,
    help=f"Only these of {', '.join(SETS)}; told from the files otherwise.",
)  # fmt: skip
@click.option("--k", "ks", default="5,10,20", show_default=True, callback=_ks, help="How many hits count.")
@click.option("--model", metavar="NAME", help="The full-tier model, see `simonides model list`.")
@click.option("--meaning", type=click.Choice(["full", "instant", "off"]), help="The default tier to measure.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many stores of each set, evenly chosen.")
@click.option("--alone", is_flag=True, help="Without baselines, other settings and left-out signals.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save reports and rankings here.")
@click.pass_obj
def command(
    desk: Desk,
    *,
    data: Path,
    names: tuple[str, ...],
    ks: tuple[int, ...],
    model: str | None,
    meaning: str | None,
    limit: int | None,
    alone: bool,
    out: Path | None,
) -> None:
    """Measure what is found, on data sets whose evidence is known turn by turn.

    Each conversation becomes a store, each of its questions is asked. Prints recall, hits and reciprocal ranks with
    their intervals, and how well questions that belong to another store are refused.
    """
