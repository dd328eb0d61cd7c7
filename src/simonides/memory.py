"""The object that users hold: it plans, applies, searches and explains; knows no door and reads no environment."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from simonides import clock as clocks
from simonides.composed import Composed
from simonides.finding import Within
from simonides.keeping import Keeping
from simonides.lifetime import Lifetime
from simonides.opened import default_path, replayed
from simonides.parts.ahead import analysed, text_of
from simonides.parts.intake import adding, batched
from simonides.parts.progress import shown
from simonides.reviewing import Reviewing
from simonides.types import Change, Connect, Disconnect, Json, Kind, Receipt, Source, Supersede

if TYPE_CHECKING:
    from simonides.pool import Pool

__all__ = ["Memory", "Within", "default_path"]

BATCH = 500
"""Rows that `add_many` writes in one transaction."""


class Memory(Composed, Lifetime, Keeping, Reviewing):
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

    # Writing

    @replayed
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
