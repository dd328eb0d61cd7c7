"""The object that users hold: it plans, applies, searches and explains; knows no door and reads no environment."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, overload

import numpy as np

from simonides import clock as clocks
from simonides.backlog import read_backlog
from simonides.enrich import Enricher
from simonides.errors import InputError
from simonides.health import status
from simonides.ledger import Counts, Finding, Ledger, Verification
from simonides.ledger.backup import Copy, back_up
from simonides.ledger.canonical import checked_string
from simonides.ledger.drivers import STANDARD
from simonides.ledger.encrypted import Key, Vault
from simonides.ledger.index import Believed
from simonides.ledger.rules import checked_kinds, checked_name
from simonides.lifetime import Lifetime
from simonides.parts import analyse
from simonides.parts.ahead import analysed, text_of
from simonides.parts.intake import adding, batched
from simonides.parts.models import user_folder
from simonides.parts.pack import pack
from simonides.parts.progress import shown
from simonides.parts.rank import pick
from simonides.recipes import RECIPES
from simonides.reindex import Estimate, reindexing
from simonides.settings import Settings
from simonides.types import (
    Change,
    Connect,
    Context,
    Disconnect,
    Erasure,
    Event,
    Explanation,
    Hit,
    Json,
    Kind,
    Link,
    Progress,
    Receipt,
    Scope,
    Source,
    Status,
    Supersede,
)
from simonides.types import Memory as Version

if TYPE_CHECKING:
    from simonides.ledger import Lexical
    from simonides.parts.embed import Reader
    from simonides.parts.recall import Ranked, Recall
    from simonides.pool import Pool

BATCH = 500
"""Rows that `add_many` writes in one transaction."""
EXPLAINED = 50
"""Dropped candidates that `explain` shows."""
SCOPE = ("user", "agent", "session", "project")


def default_path() -> Path:
    """Return the file that is used when none is named: the platform's own place for a user's data."""
    return user_folder() / "memory.db"


class Within(TypedDict, total=False):
    """What a search may be limited to; each as in `Memory.search`."""

    user: str | None
    agent: str | None
    session: str | None
    project: str | None
    kinds: Sequence[str] | None
    where: Mapping[str, Json] | None
    as_of: datetime | None
    known_at: datetime | None
    now: datetime | None


class Memory(Lifetime):
    """A store of memories, opened: one file, or a tenant's in PostgreSQL; for any number of threads and processes.

    Nothing leaves the machine and nothing is fetched. What is added is durable and can be found when `add` returns.

    Args:
        path: the SQLite file, made if it is not there; ``":memory:"`` keeps nothing; None is `default_path()`;
            ``"postgresql://user@host/database"`` is a server, see docs/postgres.md.
        embedder: a model's name, or an object that fits `parts.embed.Reader`; None is what the settings say.
        recipe: a published system to compose this memory like; None is the default described in docs/recall.md.
        clock: what tells the time; hand in a `FrozenClock` to make time repeatable.
        settings: how the store behaves.
        actor: who writes, as the log will say.
        tracer: called with every SQL statement.
        key: encrypts the file: a passphrase, 32 bytes, or what returns one of them; see docs/safety.md.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        embedder: str | Reader | None = None,
        recipe: str | None = None,
        clock: clocks.Clock | None = None,
        settings: Settings | None = None,
        actor: str = "",
        tracer: Callable[[str], None] | None = None,
        key: Key | None = None,
    ) -> None:
        if recipe is not None:
            RECIPES.get(recipe)
        self.settings = settings or Settings()
        self.clock = clock or clocks.SystemClock()
        self.actor = actor
        if isinstance(embedder, str):
            self.settings = replace(self.settings, model=embedder)
        self.ledger = Ledger(
            default_path() if path is None else path,
            clock=self.clock,
            settings=self.settings,
            analyse=analyse.lexical,
            tracer=tracer,
            driver=STANDARD if key is None else Vault(key),
        )
        self._enricher = Enricher(self.ledger, self.settings, None if isinstance(embedder, str) else embedder)
        self._recall: Recall | None = None

    @property
    def path(self) -> Path | str:
        """The one file; or the address of the server, its password hidden."""
        return self.ledger.path

    # Writing

    def add(
        self,
        text: str,
        *,
        kind: str = Kind.TURN,
        speaker: str | None = None,
        at: datetime | None = None,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        source: Source | str | None = None,
        ttl: timedelta | None = None,
        expires: datetime | None = None,
        on_expiry: str = "retire",
        wait: bool = False,
        plan: bool = False,
    ) -> Receipt:
        """Write one memory, word for word; it is durable and can be found when this returns.

        Args:
            text: what was said or noted; anything but empty.
            kind: ``turn`` for what was said, ``document`` or ``note`` for what was written, or another `Kind`.
            speaker: who said it: a name, or ``user`` and ``assistant``.
            at: when it was said, aware; now if None. The start of its valid time.
            user, agent, session, project: whose it is; searches can be limited to them.
            metadata: your own fields, which `where` filters on; never identity.
            source: where it comes from.
            ttl, expires: how long it lives, or until when; then only `history` shows it, until `upkeep` does what
                `on_expiry` says: ``retire`` or ``erase``.
            wait: return only when the full tier has read it too (tens of milliseconds).
            plan: check and show what would be written, and write nothing.

        Raises:
            InputError: the text, a time, a kind or a field cannot be kept; nothing was written.
            StoreError: the file cannot be written; nothing was half-written.
        """
        row = {
            "text": text, "kind": kind, "speaker": speaker, "at": at, "user": user, "agent": agent,
            "session": session, "project": project, "metadata": metadata, "source": source, "ttl": ttl,
            "expires": expires, "on_expiry": on_expiry,
        }  # fmt: skip
        return self._write([adding(row, self.clock.now())], wait=wait, plan=plan)

    def add_many(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        progress: bool | Callable[[int], object] = False,
        wait: bool = False,
        plan: bool = False,
        pool: Pool | None = None,
    ) -> Receipt:
        """Write many memories, 500 in a transaction; much faster than one after the other.

        Args:
            rows: mappings with the keyword arguments of `add`, ``text`` among them.
            progress: True shows a bar on standard error; a callable is told how many more are in.
            wait: return only when the full tier has read them all.
            plan: check all of them and write nothing.
            pool: analyses the texts in its workers while this process writes, see `simonides.pool`.

        Raises:
            InputError: a row cannot be kept. Batches before it are in; its own is not.
        """
        ids: builtins.list[str] = []
        seqs: builtins.list[int] = []
        changes: builtins.list[Change] = []
        with shown(progress, "adding") as step:
            for batch, known in analysed(batched(rows, BATCH), text_of, pool):
                made = [adding(row, self.clock.now()) for row in batch]
                done = self._write(made, wait=False, plan=plan, known=known)
                ids.extend(done.ids)
                seqs.extend(done.seqs)
                changes.extend(done.changes if plan else ())
                step(len(made))
        if wait and not plan:
            self.wait(progress=progress)
        state = "planned" if plan else self._state(ids if wait else ())
        return Receipt(tuple(ids), tuple(seqs), state, tuple(changes))

    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        at: datetime | None = None,
        metadata: Mapping[str, Json] | None = None,
        if_version: int | None = None,
        reason: str = "updated",
        plan: bool = False,
    ) -> Receipt:
        """Say what is true from `at` on; what was true before stays true before, and everything can be undone.

        With `at` None the memory is corrected for all of its time: it was never true as written. A change that is
        dated before one that is known already (a late arrival) does not overwrite the newer truth.

        Raises:
            NotFound: no memory has this id. Conflict: it is not at `if_version` any more.
        """
        if at is not None:
            clocks.utc(at, "at")
        zone = None if at is None else clocks.zone_name(at)
        change = Supersede(id, text, at, zone, metadata, if_version=if_version, reason=reason)
        return self._write([change], plan=plan)

    def link(
        self,
        source: str,
        target: str,
        relation: str,
        *,
        weight: float = 1.0,
        at: datetime | None = None,
        evidence: str = "",
        plan: bool = False,
    ) -> Receipt:
        """Link two memories; `relation` is a short verb such as ``supports``. The receipt's id is the link's."""
        change = Connect(clocks.new_id(), source, target, relation, at or self.clock.now(), weight, evidence)
        return self._write([change], plan=plan)

    def unlink(self, id: str, *, at: datetime | None = None, plan: bool = False) -> Receipt:
        """End a link; it stays in the history."""
        return self._write([Disconnect(id, at or self.clock.now())], plan=plan)

    def apply(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        analysed: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        """Apply changes that a part or a recipe proposes, all in one transaction; `plan` only checks them.

        `analysed` holds the words of texts that were analysed elsewhere, as `parts.ahead` does.
        """
        return self._write(list(changes), wait=wait, plan=plan, known=analysed)

    # Finding

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        now: datetime | None = None,
        gate: bool = True,
    ) -> builtins.list[Hit]:
        """Return the memories that answer a query, best first; an empty list means that nothing fits.

        Args:
            k: at most so many.
            user, agent, session, project: only memories of this scope are candidates; None does not filter.
            kinds: only these kinds.
            where: filter on metadata, e.g. ``{"topic": "travel", "stars": {"gte": 4}}``; see docs/filters.md.
            as_of: what was true then (valid time); None is what has not ended.
            known_at: what this store believed then (recorded time); None is what it believes now.
            now: what relative dates in the query count from; the clock's time if None.
            gate: False returns the nearest even when nothing fits.

        Raises:
            InputError: the query is empty, `k` is below 1, a time is naive, or a filter is malformed.
        """
        ranked = self._ask(
            query, user=user, agent=agent, session=session, project=project, kinds=kinds, where=where,
            as_of=as_of, known_at=known_at, now=now,
        )  # fmt: skip
        return pick(ranked, _checked_k(k), gate=gate, explained=0, load=self.ledger.shown)[0]

    def explain(self, query: str, *, k: int = 10, gate: bool = True, **within: Unpack[Within]) -> Explanation:
        """Return what `search` would, with all that was considered, every share, and why the rest was dropped."""
        ranked = self._ask(query, **within)
        hits, dropped = pick(ranked, _checked_k(k), gate=gate, explained=EXPLAINED, load=self.ledger.shown)
        asked = ranked.question
        reading: dict[str, Json] = {
            "terms": [*asked.names],
            "dates": [f"{d.words}: {d.start:%Y-%m-%d} to {d.end:%Y-%m-%d}" for d in asked.dates],
            "about": "the assistant's words"
            if asked.asks_assistant
            else "the user"
            if asked.asks_user
            else "",
        }
        if why := self._enricher.degraded():
            reading["meaning"] = f"words and the instant tier alone: {why}"
        gates = (ranked.answerable, ranked.threshold)
        return Explanation(
            query, reading, tuple(hits), tuple(dropped), gates, ranked.considered, dict(ranked.took)
        )

    def context(
        self, query: str, *, budget: int = 800, k: int = 30, gate: bool = True, **within: Unpack[Within]
    ) -> Context:
        """Return the hits of a search packed for a prompt, dated and cited, in at most `budget` tokens.

        ``str()`` of it is the block; it is empty when nothing fits. Takes what `search` takes.
        """
        return pack(self.search(query, k=k, gate=gate, **within), budget)

    # Reading

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Version:
        """Return one memory as it is, or as it was by either clock; NotFound if there is none."""
        return self.ledger.get(id, as_of=as_of, known_at=known_at)

    def list(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        limit: int = 100,
        after: str = "",
        newest_first: bool = False,
    ) -> builtins.list[Version]:
        """Return memories in the order in which they were written; `after` the last id goes on with the next page."""
        fields = {"user": user, "agent": agent, "session": session, "project": project}
        scope = {name: checked_name(value, name) for name, value in fields.items() if value is not None}
        return self.ledger.list(
            scope=Scope(**scope) if all(scope.values()) else self._numbers(scope), kinds=kinds, where=where,
            as_of=as_of, known_at=known_at, limit=limit, after=after, newest_first=newest_first,
        )  # fmt: skip

    def history(self, id: str) -> builtins.list[Version]:
        """Return every version of a memory ever written, oldest first, each with its reason and who wrote it."""
        return self.ledger.history(id)

    def links(
        self,
        id: str | None = None,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> builtins.list[Link]:
        """Return the links of a memory, or all."""
        return self.ledger.links(of=id, relation=relation, as_of=as_of, known_at=known_at)

    def neighbours(
        self,
        id: str,
        hops: int = 1,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, int]:
        """Return the ids that can be reached over links, with the number of hops."""
        return self.ledger.neighbours(id, hops=hops, relation=relation, as_of=as_of, known_at=known_at)

    def log(self, *, after: int = 0, limit: int = 100, subject: str = "") -> builtins.list[Event]:
        """Return entries of the append-only log, oldest first."""
        return self.ledger.events(after=after, limit=limit, subject=subject)

    def verify(self, erasure: Erasure | None = None) -> Verification:
        """Check the log's hash chain and every memory against it; and the receipt of an erasure, if one is given."""
        return self.ledger.verify(erasure)

    # Keeping

    @overload
    def status(self) -> Status: ...

    @overload
    def status(self, receipt: Receipt | Iterable[str] | str) -> builtins.list[Progress]: ...

    def status(
        self, receipt: Receipt | Iterable[str] | str | None = None
    ) -> Status | builtins.list[Progress]:
        """Return how much there is; or, of a receipt or of ids, how far each memory is: stored, enriched or failed.

        Raises:
            NotFound: there is no memory or link of an id.
        """
        if receipt is not None:
            ids = receipt.ids if isinstance(receipt, Receipt) else receipt
            return self.ledger.progress([ids] if isinstance(ids, str) else ids)
        return status(self.ledger, self.settings, self._enricher.model)

    def doctor(self) -> builtins.list[Finding]:
        """Return each thing that was checked: what is wrong, and the fix."""
        return [*self.ledger.check(), *self._enricher.check()]

    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool | Callable[[int], object] = False,
        pool: Pool | None = None,
    ) -> int:
        """Read the backlog with the full tier until it is empty or the seconds are over; return what remains.

        A `pool` reads in its workers, see `simonides.pool`; an endpoint's model is always read in this process.
        """
        if self.settings.meaning != "full":
            return 0
        with shown(progress, "reading", self.ledger.backlog_size()) as step:
            read_backlog(self.ledger, self._enricher.chosen, pool, step, timeout)
            return self._enricher.drain(timeout, step)

    def reindex(
        self,
        model: str | Reader | None = None,
        *,
        missing: bool = False,
        progress: bool | Callable[[int], object] = False,
        pool: Pool | None = None,
    ) -> int:
        """Make derived data anew, from the texts, which are not touched; return how many versions that concerned.

        Args:
            model: read with this model from now on. The old codes answer until those of the new model are complete
                and checked; then one transaction switches, for all processes. Stopped on the way, it goes on when
                called again.
            missing: make only what is missing or damaged.
            progress: as for `add_many`.
            pool: reads in its workers.

        Raises:
            Conflict: another process is making the codes of another model, or these.
            StoreError: the model isn't here, or can't read the texts; the old codes go on answering.
        """
        if model is not None:
            change = reindexing(self.ledger, self.settings, model, self._enricher.spending, pool)
            with shown(progress, "reading") as step:
                done = change.run(step)
            self._enricher.adopt(model)
            self.settings = self._enricher.settings
            self._enricher.wake()
            return done.read
        full, chosen = self.settings.meaning == "full", self._enricher.chosen
        if missing:
            rows = self.ledger.mend(codes=full).many
        else:
            number = self.ledger.staging.number(chosen.identity()) if full else self.ledger.served()
            rows = self.ledger.drop_derived("all", model=number)
        self._recall = None
        self._enricher.forget()
        self.wait(progress=progress, pool=pool)
        return rows

    def estimate_reindex(self, model: str | Reader) -> Estimate:
        """Return how much reading with another model has to be done, and how long it takes here; reads a few texts."""
        return reindexing(self.ledger, self.settings, model, self._enricher.spending).estimate()

    def backup(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Copy:
        """Write a checked copy of the file, of one moment, while others go on; `progress(pages done, of how many)`."""
        return back_up(self.ledger.database, Path(path), overwrite=overwrite, progress=progress)

    def dump(self) -> Iterator[dict[str, Json]]:
        """Yield the whole store as plain values: one for each version, link and event; `undump` takes them."""
        return self.ledger.dump()

    def undump(
        self, records: Iterable[Mapping[str, Json]], *, plan: bool = False, even_erased: bool = False
    ) -> Counts:
        """Take in what `dump` yielded: all of it in an empty file (it then dumps equal bytes), else what is missing."""
        counts = self.ledger.undump(records, actor=self.actor, plan=plan, even_erased=even_erased)
        self._enricher.wake()
        return counts

    def close(self) -> None:
        """Finish a little of the backlog, stop the background and close the file; twice is fine."""
        self._enricher.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        """Return the open memory."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # Inside

    def _write(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        known: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        seqs = self.ledger.apply(changes, actor=self.actor, plan=plan, analysed=known)
        ids = tuple(change.id for change in changes)
        if plan:
            return Receipt(ids, (), "planned", tuple(changes))
        if wait:
            self.wait()
        else:
            self._enricher.wake()
        return Receipt(ids, seqs, self._state(ids) if wait else "stored", tuple(changes))

    def _state(self, ids: Sequence[str]) -> str:
        """Return whether all of these were read by the full tier; cheap when nothing waits at all."""
        if not ids or self.settings.meaning != "full":
            return "stored"
        waits = self.ledger.backlog_size()
        return "stored" if waits and {one.state for one in self.status(ids)} != {"enriched"} else "enriched"

    def _ask(self, query: str, **within: Unpack[Within]) -> Ranked:
        if not isinstance(query, str) or not query.strip():
            raise InputError("query", "must be a text that is not empty", query, "Ask something.")
        checked_string(query, "query")
        unknown = set(within) - Within.__annotations__.keys()
        if unknown:
            raise TypeError(f"no such keyword argument: {', '.join(sorted(unknown))}")
        first, self._recall = self._recall is None, self._enricher.recall()
        if first:
            self._enricher.wake(wrote=False)  # another process may have left some that are not read yet
        now = within.get("now")
        scope = {name: checked_name(value, name) for name in SCOPE if (value := within.get(name)) is not None}
        moment = self.clock.now() if now is None else clocks.utc(now, "now")
        with self.ledger.database.translating():  # a damaged file shows when its rows make no sense
            return self._recall.ask(query, scope, self._believed(within), moment)

    def _believed(self, within: Within) -> Believed:
        chosen = checked_kinds(within.get("kinds"))
        where, as_of, known_at = within.get("where"), within.get("as_of"), within.get("known_at")
        rows = None if where is None else np.array(self.ledger.rows_where(where, None), np.int64)
        return Believed(
            kinds=None if chosen is None else frozenset(chosen),
            rows=rows,
            as_of=None if as_of is None else clocks.micros(clocks.utc(as_of, "as_of")),
            known_at=None if known_at is None else clocks.micros(clocks.utc(known_at, "known_at")),
        )


def _checked_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError("k", "must be a whole number of at least 1", k, "Leave it out for 10.")
    return k
