"""A store, opened: what writes to it, waits for it and closes it; knows neither search nor any other verb."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast

from simonides import clock as clocks
from simonides.backlog import read_backlog
from simonides.enrich import Enricher
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger import Ledger
from simonides.ledger.drivers import STANDARD
from simonides.ledger.encrypted import Key, Vault
from simonides.ledger.replays import Done, Replay, Seen
from simonides.ledger.upkeep import again
from simonides.parts import analyse
from simonides.parts.models import user_folder
from simonides.parts.progress import shown
from simonides.settings import Settings
from simonides.types import Change, Erasure, Receipt

if TYPE_CHECKING:
    from simonides.digesting import Digester
    from simonides.ledger import Lexical
    from simonides.parts.embed import Reader
    from simonides.parts.recall import Recall
    from simonides.pool import Pool
    from simonides.recipes.composition import Recipe


P = ParamSpec("P")
R = TypeVar("R")


class Requested(Protocol):
    """Whatever may be asked the same thing again."""

    def seen(self) -> Done | None:
        """Return the receipt of the first time, None for a request that is new."""
        ...


S = TypeVar("S", bound=Requested)


def replayed(verb: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let a verb that comes again return its first receipt where what it did then stands in its way now.

    What was erased is not there to be erased again, and a time that was to come is over. The transaction that writes
    knows a request again by itself; this is for what is looked at before it.
    """

    @wraps(verb)
    def run(self: S, *args: P.args, **named: P.kwargs) -> R:
        try:
            return verb(self, *args, **named)
        except (NotFound, Conflict, InputError):
            done = None if named.get("plan") else self.seen()
            if done is None:
                raise
            return cast("R", done)

    return run


def default_path() -> Path:
    """Return the file that is used when none is named: the platform's own place for a user's data."""
    return user_folder() / "memory.db"


class Opened:
    """An open store, and the one way by which changes get into it; `Memory` says what its arguments are."""

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        embedder: str | Reader | None = None,
        recipe: str | Recipe | None = None,
        clock: clocks.Clock | None = None,
        settings: Settings | None = None,
        actor: str = "",
        tracer: Callable[[str], None] | None = None,
        key: Key | None = None,
    ) -> None:
        self.recipe: Recipe | None = None
        if recipe is not None:
            from simonides.recipes.composition import chosen

            self.recipe = chosen(recipe)
        self._digesting: Digester | None = None
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
        self._replay: Replay | None = None

    @property
    def path(self) -> Path | str:
        """The one file; or the address of the server, its password hidden."""
        return self.ledger.path

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

    def acting(self, actor: str, *, replay: Replay | None = None) -> Self:
        """Return the same open store for another actor, as the log will say; it costs nothing, and is not closed.

        Args:
            replay: a request that may come again, for one call of one verb that writes: the second time nothing is
                written, and the receipt of the first comes back. `upkeep`, `retention` and `undump` don't need it:
                they write only what is not there yet.
        """
        other = copy.copy(self)
        other.actor = actor
        other._replay = replay
        return other

    def seen(self) -> Done | None:
        """Return the receipt of the first time, if this request was here before."""
        if self._replay is None:
            return None
        done = self.ledger.seen(replace(self._replay, part=0))
        return again(self.ledger.database, done) if isinstance(done, Erasure) else done

    # Inside

    def _write(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        known: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        replay = None if plan or not changes else self._next_part()
        ids = tuple(change.id for change in changes)
        try:
            seqs = self.ledger.apply(changes, actor=self.actor, plan=plan, analysed=known, replay=replay)
        except Seen as seen:
            first = cast("Receipt", seen.done)
            ids, seqs, changes = first.ids, first.seqs, ()
        if plan:
            return Receipt(ids, (), "planned", tuple(changes))
        if wait:
            self.wait()
        else:
            self._enricher.wake()
        return Receipt(ids, seqs, self._state(ids) if wait else "stored", tuple(changes))

    def _next_part(self) -> Replay | None:
        """Return what the next transaction of the request is known by."""
        replay = self._replay
        if replay is not None:
            self._replay = replace(replay, part=replay.part + 1)
        return replay

    def _state(self, ids: Sequence[str]) -> str:
        """Return whether all of these were read by the full tier; cheap when nothing waits at all."""
        if not ids or self.settings.meaning != "full":
            return "stored"
        waits = self.ledger.backlog_size()
        return (
            "stored"
            if waits and {one.state for one in self.ledger.progress(ids)} != {"enriched"}
            else "enriched"
        )
