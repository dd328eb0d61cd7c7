"""`bench postgres`: what a store on a server finds and how fast, beside a file and beside search in SQL.

Starts a server of its own, unless `--path` names one. Three ways to find the same turns are compared: our index over a
file, the same index following the server (the default there), and words by tsvector with vectors by pgvector.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast
from urllib.parse import quote

import click
import psycopg

from simonides.bench import filling, metrics, options, postgres_server
from simonides.bench.caching import CachedReader
from simonides.bench.datasets import load
from simonides.bench.generate import Generator as Inventor
from simonides.bench.machine import here, today
from simonides.bench.report import Report, Table, save, short, with_interval
from simonides.bench.stores import DEPTH, Store, when
from simonides.bench.timing import CELLS, Spell, digits, timed
from simonides.bench.where import places
from simonides.clock import new_id
from simonides.doors.desk import Desk
from simonides.doors.places import settings_from
from simonides.doors.verb import verb
from simonides.ledger.postgres.address import Address
from simonides.ledger.postgres.schema import SCHEMA, Names
from simonides.ledger.postgres.vectors import making
from simonides.memory import Memory
from simonides.parts import models
from simonides.settings import Settings

if TYPE_CHECKING:
    from simonides.bench.cases import Conversation, Question

FILE, SERVER, SQL = "file", "server, our index (default)", "server, tsvector + pgvector"
WAYS = (FILE, SERVER, SQL)
KS = (5, 10, 20)
RANKS = 60
"""The constant of reciprocal rank fusion."""
NOTE = (
    "R@k is the share of the turns that hold the answer among the first k hits. *File* and *server* are the same"
    " code over SQLite and over PostgreSQL. *tsvector + pgvector* ranks in SQL: any word of the question by"
    " `ts_rank_cd` over name, date and text, cosine of the same model's pooled vectors, both by reciprocal ranks; no"
    " other signal."
)
_RANKED = """WITH asked AS (SELECT plainto_tsquery('english', %(text)s) AS every),
    query AS (SELECT CASE WHEN numnode(every) > 0 THEN replace(every::text, '&', '|')::tsquery END AS q FROM asked),
    turn AS (SELECT m.row, m.text, to_tsvector('english', m.speaker || ' ' ||
        to_char(to_timestamp(m.valid_from / 1e6), 'FMMonth FMDD, YYYY') || ' ' || m.text) AS words
        FROM simonides.memory m WHERE m.valid_from <= %(until)s),
    words AS (SELECT t.row, row_number() OVER (ORDER BY ts_rank_cd(t.words, q) DESC, t.row) AS place
        FROM turn t, query WHERE t.words @@ q ORDER BY place LIMIT %(depth)s),
    near AS (SELECT p.row, row_number() OVER (ORDER BY p.embedding::halfvec(384) <=> %(vector)s::halfvec(384)) AS place
        FROM simonides.pooled p JOIN turn t ON t.row = p.row ORDER BY place LIMIT %(depth)s)
    SELECT row FROM (SELECT row, place FROM words UNION ALL SELECT row, place FROM near) ranked
    GROUP BY row ORDER BY sum(1.0 / (%(ranks)s + place)) DESC, row LIMIT %(depth)s"""


@verb(
    "postgres",
    examples=(
        "simonides bench postgres --data ./data --limit 2",
        "simonides bench postgres --rows 100000",
        "simonides --path postgresql://me@host/bench bench postgres --data ./data",
    ),
    then=("simonides bench postgres-write", "simonides postgres index"),
)
@click.option(
    "--data", type=click.Path(exists=True, path_type=Path), help="Where LoCoMo is; without it, speed only."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many of its conversations.")
@click.option(
    "--rows", type=click.IntRange(min=0), default=10_000, show_default=True, help="Memories for speed."
)
@options.out
def command(desk: Desk, *, data: Path | None, limit: int | None, rows: int, out: Path | None) -> None:
    """Measure a store in PostgreSQL beside one in a file.

    Recall on LoCoMo and speed on made-up memories, with a server that is started for it.
    """
    settings, machine, tables, details = settings_from(desk.settings), here(), list[Table](), dict[str, Any]()
    with (
        postgres_server.given_or_roomy(desk.server) as place,
        tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder,
    ):
        if data is not None:
            found = _recall(place, data, limit, settings, Path(folder), desk.ticker().show)
            tables.append(found.table())
            details["recall"] = found.estimates
        if rows:
            speed = _speed(place, Path(folder) / "speed.db", rows, settings)
            tables.append(
                Table(f"Speed at {rows:,} memories, instant tier", ["what", "where", *CELLS], speed)
            )
    desk.ticker().clear()
    given = {"--data": data and "DATA", "--limit": limit, "--rows": rows if rows != 10_000 else None}
    words = [f"{name} {value}" for name, value in given.items() if value is not None]
    said = " ".join(["simonides bench postgres", *words])
    report = Report("postgres", "PostgreSQL", said, today(), machine, NOTE, 60, tables, (), details)
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: paper.line(report.as_markdown()))


def _tenant(place: str) -> str:
    """Return the address of a store that nobody else has."""
    return f"{place}{'&' if '?' in place else '?'}tenant=bench-{quote(new_id())}"


# --- recall --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recalled:
    """R@k of each way, over the same questions."""

    scores: dict[str, list[metrics.Score]]

    @property
    def estimates(self) -> dict[str, dict[str, metrics.Estimate]]:
        """Return each figure with its interval."""
        return {way: metrics.summary(rows)[metrics.ALL] for way, rows in self.scores.items()}

    def table(self) -> Table:
        """Return it as a table, with the difference of each way to the file."""
        names, rows = [f"R@{k}" for k in KS], list[list[str]]()
        for way, values in self.estimates.items():
            off = metrics.difference(self.scores[way], self.scores[FILE], "R@10").value
            rows.append(
                [way, *(with_interval(values[name]) for name in (*names, "MRR")), short(off, signed=True)]
            )
        count = len(self.scores[FILE])
        return Table(
            f"Recall on LoCoMo, {count:,} questions", ["way", *names, "MRR", "R@10 less the file's"], rows
        )


def _recall(
    place: str, data: Path, limit: int | None, settings: Settings, folder: Path, show: Callable[[str], None]
) -> Recalled:
    name, path = next(iter(places(data, ("locomo",)).items()))
    scores: dict[str, list[metrics.Score]] = {way: [] for way in WAYS}
    with_model = replace(settings, meaning="full")
    reader = CachedReader(models.open_reader(with_model), folder / "cache")
    for number, conversation in enumerate(load(name, path)[:limit], 1):
        show(f"conversation {number} ...")
        file = Store(folder / f"{number}.db", conversation, with_model, reader)
        address = _tenant(place)
        server = Store(address, conversation, with_model, reader)
        sql = InSql(address, conversation, reader)
        for question in conversation.questions:
            if question.in_recall:
                ranked = {
                    FILE: file.default(question).ranked,
                    SERVER: server.default(question).ranked,
                    SQL: sql.rank(question),
                }
                for way, ids in ranked.items():
                    scores[way].append(metrics.score(conversation.id, question, ids, KS))
        for store in (file, server, sql):
            store.close()
    return Recalled(scores)


class InSql:
    """A store that is searched by the server alone."""

    def __init__(self, address: str, conversation: Conversation, reader: CachedReader) -> None:
        """Connect as the store's tenant, and let the server keep vectors of its own."""
        self._conversation, self._reader = conversation, reader
        with Memory(address, settings=Settings(meaning="off")) as memory:
            database = memory.ledger.database
            number = getattr(database, "tenant", 0)
            with database.reading() as connection:
                found = connection.execute("SELECT row FROM memory ORDER BY row").fetchall()
        self._turn_of = {row[0]: turn.id for row, turn in zip(found, conversation.turns, strict=True)}
        self._raw = psycopg.connect(Address.of(address).url, autocommit=True)
        for statement in making(Names(SCHEMA), 384):
            self._raw.execute(cast("LiteralString", statement))
        # Row-level security holds a plain role; a superuser is held by the setting of the role that it takes.
        self._raw.execute("SELECT set_config('simonides.tenant', %s, false)", (str(number),))
        self._raw.execute("SET hnsw.iterative_scan = relaxed_order")
        self._scope = number

    def rank(self, question: Question) -> tuple[str, ...]:
        """Return turn ids, best first."""
        times = when(self._conversation, question)
        until = times["as_of"] or times["now"]
        values = {
            "text": question.text,
            "until": int(until.timestamp() * 1_000_000),
            "vector": str(self._reader.ask(question.text).pooled.tolist()),
            "depth": DEPTH,
            "ranks": RANKS,
        }
        rows = self._raw.execute(_of_tenant(_RANKED, self._scope), values).fetchall()
        return tuple(self._turn_of[row[0]] for row in rows)

    def close(self) -> None:
        """Disconnect."""
        self._raw.close()


def _of_tenant(query: str, tenant: int) -> LiteralString:
    """Return a query over one tenant's rows, also for a superuser, whom no policy holds."""
    named = query.replace("WHERE m.valid_from", f"WHERE m.tenant = {tenant:d} AND m.valid_from")
    return cast(
        "LiteralString", named.replace("ON t.row = p.row", f"ON t.row = p.row AND p.tenant = {tenant:d}")
    )


# --- speed ---------------------------------------------------------------------------------------------------------


def _speed(place: str, path: Path, rows: int, settings: Settings) -> list[list[str]]:
    """Return the rows of a table: adding, bulk adding, finding, and following another process."""
    quick, table = replace(settings, meaning="instant", background=False), list[list[str]]()
    measured = {
        where: _one(target, rows, quick) for where, target in (("file", path), ("server", _tenant(place)))
    }
    for what in measured["file"]:
        for where, found in measured.items():
            value = found[what]
            cells = value.cells() if isinstance(value, Spell) else [value, "", "", ""]
            table.append([what, where, *cells])
    return table


def _one(place: Path | str, rows: int, settings: Settings) -> dict[str, Spell | str]:
    inventor = Inventor()
    with Memory(place, settings=settings) as memory, Memory(place, settings=settings) as other:
        bulk = timed(lambda _: filling.fill(memory, inventor, rows, lambda _step: None), [0])
        questions = [inventor.question() for _ in range(210)]
        memory.search(questions[0], project=filling.EVERYTHING)
        other.search(questions[0], project=filling.EVERYTHING)
        finding = timed(lambda text: memory.search(text, project=filling.EVERYTHING), questions[10:])
        adding = timed(memory.add, [f"note {n}: {text}" for n, text in enumerate(questions)])

        def seen(number: int) -> None:
            memory.add(f"zyzzyva{number} was here")
            assert (
                other.search(f"zyzzyva{number}", k=1, gate=False)[0].memory.text
                == f"zyzzyva{number} was here"
            )

        other.search("zyzzyva", gate=False)
        following = timed(seen, range(50))
    return {
        "add_many, memories a second": digits(rows / bulk.p50 * 1000),
        "add": adding,
        "search": finding,
        "add here and find there, in another handle": following,
    }
