"""mem0's `Memory` over a store of ours; knows the verbs of a store within a scope, no model and no door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from simonides.bounded import Bounded
from simonides.compat.mem0 import checks, rows
from simonides.compat.mem0.filters import ANY, Combined, Condition, fits, names_somebody, parse, scope, wider
from simonides.compat.mem0.messages import Turn, added, said, told, written
from simonides.compat.mem0.rows import Row
from simonides.errors import Conflict, InputError, NotFound
from simonides.memory import Memory as Store
from simonides.types import Json, Retire
from simonides.types import Memory as Version

if TYPE_CHECKING:
    from simonides.bounded import Listing
    from simonides.finding import Within
    from simonides.parts.lifecycle import Erasing

UNSET = object()
OLD = {*checks.IDENTITIES, "limit"}
"""Arguments of the first generation."""
DEFAULT_LIMIT = 20
OLD_LIMIT = 100
"""Results of the first generation, where no number was given."""
DEFAULT_THRESHOLD = 0.1
PAGE = 500
TRIES = 20


class Memory:
    """Stands in for `mem0.Memory`: ``from simonides.compat.mem0 import Memory``.

    Takes the calls of both of mem0's generations: `search` and `get_all` with ``user_id=, agent_id=, run_id=, limit=``
    and with ``filters=, top_k=``. What is added is kept word for word, one memory for each message: there is no model
    that rewrites it, so `infer` changes the shape of the answer and nothing else. ``user_id`` is the scope's user,
    ``agent_id`` its agent, ``run_id`` its session.

    Args:
        config: what mem0 takes, as its object or as a dict. Models, vector stores and keys in it are not used. Of a
            dict, ``path`` is the file or the address of the store, the default one if it is missing, and
            ``erase_on_delete`` makes `delete` and `delete_all` erase for good.
    """

    def __init__(self, config: object = None) -> None:
        chosen: Mapping[str, object] = {}
        if isinstance(config, Mapping):
            chosen = cast("Mapping[str, object]", config)
        path = chosen.get("path")
        if path is not None and not isinstance(path, str | Path):
            raise InputError("config path", "must be a path", repr(path), 'Example: {"path": "memory.db"}.')
        if unused := sorted(chosen.keys() - {"path", "erase_on_delete"}):
            checks.log.debug("config: %s not used, nothing here needs a model", ", ".join(unused))
        self._begin(Bounded(Store(path)), erase=bool(chosen.get("erase_on_delete")), owned=True)

    @classmethod
    def from_config(cls, config_dict: dict[str, Any]) -> Self:
        """Return one that was configured by a dict, see the class."""
        return cls(config_dict)

    @classmethod
    def over(cls, store: Store | Bounded, *, erase_on_delete: bool = False) -> Self:
        """Return one over a store that is open already, and stays open when this is closed.

        Over a `Bounded`, its scope and its rights hold: what others own is not there, and to name another one is
        Forbidden.
        """
        new = cls.__new__(cls)
        bounded = store if isinstance(store, Bounded) else Bounded(store)
        new._begin(bounded, erase=erase_on_delete, owned=False)
        return new

    def _begin(self, store: Bounded, *, erase: bool, owned: bool) -> None:
        self._store = store
        self._erase = erase
        self._owned = owned
        self._bound = any((store.scope.user, store.scope.agent, store.scope.session))

    @property
    def store(self) -> Store:
        """The store below: everything that mem0's interface has no word for."""
        return self._store.memory

    # Writing

    def add(
        self,
        messages: object,
        *,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        metadata: Mapping[str, Json] | None = None,
        timestamp: object = None,
        expiration_date: object = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
    ) -> dict[str, list[Row]]:
        """Keep messages word for word, each as a memory of its own; all of a call, or none.

        Args:
            messages: a text, a message, or a list of them; those of the role ``system`` and those without text are
                left out, and of a message with pictures the text is kept.
            user_id, agent_id, run_id: whose it is; one of them is needed.
            metadata: your own fields; what names somebody in them is ignored.
            timestamp: when it was said: seconds since 1970, a time with a zone, or a day. mem0's own library
                refuses it; here it works.
            expiration_date: the last day (UTC) on which `search` and `get_all` show it.
            infer: False adds the role and the name to what is returned. Nothing is inferred either way.
            memory_type: ``procedural_memory`` keeps the conversation as one memory.
            prompt: not used: there is no model to ask.

        Returns:
            ``{"results": [{"id", "memory", "event": "ADD"}, ...]}``.

        Raises:
            ValidationError: nobody is named, or the messages have another form.
            InputError: a text or a field cannot be kept.
        """
        ends = checks.expiration(expiration_date)
        given = {"user_id": user_id, "agent_id": agent_id, "run_id": run_id}
        fields = checks.scoped(given) if self._bound else checks.require_scope(given)
        checks.check_kind(memory_type)
        own = checks.own_fields(metadata, {}, "add()")
        own = {name: value for name, value in own.items() if name not in rows.CORE - {"created_at"}}
        if ends is not None:
            own["expiration_date"] = ends
        turns = [*said(checks.listed(messages))]
        whole = bool(fields.get("agent")) and memory_type == checks.PROCEDURAL
        if whole and turns:
            own["memory_type"] = checks.PROCEDURAL
            turns = [Turn("", "", "\n".join(f"{one.role}: {one.text}" for one in turns))]
        at = checks.moment(timestamp, "timestamp") or told(own.get("created_at"))
        new = [written(one, fields, own, at) for one in turns]
        if not new:
            return {"results": []}
        ids = self._store.add_many(new).ids
        return {"results": [added(id, one, plain=infer or whole) for id, one in zip(ids, turns, strict=True)]}

    def update(
        self,
        memory_id: object,
        text: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        expiration_date: object = UNSET,
        data: str | None = None,
    ) -> dict[str, str]:
        """Change what a memory says; its history keeps what it said before.

        Args:
            memory_id: which.
            text: the new text; None leaves it.
            metadata: fields to set; the others stay, and whose it is never changes.
            expiration_date: its last day, or None to let it live.
            data: the old name of `text`.

        Raises:
            ValueError: there is no such memory, or nothing to change.
        """
        if data is not None:
            checks.log.warning(
                "The `data` argument to update() is deprecated and will be removed in the next major release. "
                "Use `text` instead."
            )
            text = data if text is None else text
        if text is None and metadata is None and expiration_date is UNSET:
            raise ValueError("At least one of text, metadata, or expiration_date must be provided.")
        ends = None if expiration_date is UNSET else checks.expiration(expiration_date)

        def change() -> None:
            now = self._find(memory_id) or _missing(memory_id, " Please provide a valid 'memory_id'")
            own = checks.own_fields(metadata, rows.payload(now), "update()")
            fields = {**now.metadata, **{k: v for k, v in own.items() if k not in rows.CORE}}
            if expiration_date is not UNSET:
                fields["expiration_date"] = ends
            self._store.update(now.id, text, metadata=fields, if_version=now.version)

        _again(change)
        return {"message": "Memory updated successfully!"}

    def delete(self, memory_id: object, *, erase: bool | None = None) -> dict[str, str]:
        """End a memory: nothing finds it any more, and its history is kept, as mem0 keeps it.

        Args:
            memory_id: which.
            erase: True erases it for good, history and all; by default what the config says.

        Raises:
            ValueError: there is no such memory.
        """
        found = self._find(memory_id) or _missing(memory_id)
        if self._erase if erase is None else erase:
            self._store.erase(found.id, reason="deleted")
        else:
            try:
                self._store.retire(found.id, reason="deleted")
            except (InputError, NotFound):  # somebody else has ended it since
                _missing(memory_id)
        return {"message": "Memory deleted successfully!"}

    def delete_all(
        self,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        *,
        erase: bool | None = None,
    ) -> dict[str, str]:
        """End all memories of a user, an agent or a run, see `delete`.

        Raises:
            ValueError: nobody is named.
        """
        fields = checks.scoped({"user_id": user_id, "agent_id": agent_id, "run_id": run_id})
        if not fields and not self._bound:
            raise ValueError(
                "At least one filter is required to delete all memories. "
                "If you want to delete all memories, use the `reset()` method."
            )
        if self._erase if erase is None else erase:
            with suppress(NotFound):  # there was nothing
                self._store.erase(**cast("Erasing", {**fields, "everything": True, "reason": "deleted"}))
        else:
            _again(lambda: self._retire_all(fields))
        return {"message": "Memories deleted successfully!"}

    def reset(self) -> None:
        """Erase everything for good: all users, their histories, the words in the file. It can't be undone."""
        with suppress(NotFound):  # it is empty already
            self._store.erase(everything=True, reason="reset")

    # Reading

    def get(self, memory_id: object) -> Row | None:
        """Return one memory, or None."""
        found = self._find(memory_id)
        return None if found is None else rows.single(found)

    def get_all(
        self,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 20,
        show_expired: bool = False,
        **kwargs: object,
    ) -> dict[str, list[Row]]:
        """Return memories in the order in which they were written.

        Args:
            filters: whose, and what else must hold of them; see `search`.
            top_k: at most so many.
            show_expired: also those whose last day is over.
            kwargs: ``user_id``, ``agent_id``, ``run_id`` and ``limit``, as the first generation has them.

        Raises:
            ValueError: nobody is named, or `top_k` is no number.
        """
        wanted = self._wanted(filters, top_k, kwargs, "get_all", show_expired=show_expired)
        found: list[Row] = []
        after = ""
        while len(found) < wanted.limit:
            size = min(PAGE, max(wanted.limit * 2, 60))
            chosen = {**wanted.fields, "where": wanted.where, "limit": size, "after": after}
            page = self._store.list(**cast("Listing", chosen))
            found.extend(rows.row(one) for one in page if wanted.keeps(one))
            if len(page) < size:
                break
            after = page[-1].id
        return {"results": found[: wanted.limit]}

    def search(
        self,
        query: str,
        *,
        top_k: int = 20,
        filters: dict[str, Any] | None = None,
        threshold: float | None = 0.1,
        rerank: bool = False,
        explain: bool = False,
        reference_date: object = None,
        show_expired: bool = False,
        **kwargs: object,
    ) -> dict[str, list[Row]]:
        """Return the memories that answer a query, best first; none when nothing fits.

        Args:
            query: what is asked.
            top_k: at most so many.
            filters: whose (``user_id``, ``agent_id`` or ``run_id`` must be there), and what else must hold of them.
            threshold: the least score; ours is the chance, in [0, 1], that a memory is evidence for the query. 0 asks
                for the nearest even when nothing fits; at 0.1, mem0's own default, and None our judgement alone counts.
            rerank: not used: the order is that of the whole ranking already.
            explain: adds ``score_details``, with the share of each signal.
            reference_date: what ``yesterday`` in the query counts from. mem0's own library refuses it.
            show_expired: also those whose last day is over.
            kwargs: ``user_id``, ``agent_id``, ``run_id`` and ``limit``, as the first generation has them.

        Raises:
            ValueError: nobody is named, a filter is malformed, or a number is out of range.
        """
        checks.check_numbers(threshold, top_k)
        asked = checks.question(query)
        now = checks.moment(reference_date, "reference_date")
        wanted = self._wanted(filters, top_k, kwargs, "search", show_expired=show_expired)
        least = 0.0 if threshold in (None, DEFAULT_THRESHOLD) else threshold
        k = wanted.limit
        while k:
            within = cast("Within", {**wanted.fields, "where": wanted.where, "now": now})
            hits = self._store.search(asked, k=k, gate=threshold != 0, **within)
            kept = [hit for hit in hits if wanted.keeps(hit.memory)]
            if len(kept) >= wanted.limit or len(hits) < k:
                kept = [hit for hit in kept if hit.score >= (least or 0.0)][: wanted.limit]
                return {"results": [rows.found(one, explain=explain, threshold=threshold) for one in kept]}
            k *= 4
        return {"results": []}

    def history(self, memory_id: object) -> list[Row]:
        """Return what happened to a memory, oldest first; an empty list when there is none."""
        try:
            return rows.history(self._store.history(str(memory_id)))
        except (NotFound, InputError):
            return []

    def chat(self, query: object) -> NoReturn:
        """Not there, as in mem0."""
        raise NotImplementedError("Chat function not implemented yet.")

    def close(self) -> None:
        """Close the store, if it was opened here; twice is fine."""
        if self._owned:
            self._store.memory.close()

    def __enter__(self) -> Self:
        """Return the open memory."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # Inside

    def _find(self, memory_id: object) -> Version | None:
        try:
            return self._store.get(str(memory_id))
        except (NotFound, InputError):
            return None

    def _retire_all(self, fields: Mapping[str, str]) -> None:
        """Retire all that is found in a scope; the ids come from a listing that keeps to what may be seen."""
        self._store.require("write")
        after = ""
        while page := self._store.list(**cast("Listing", {**fields, "limit": PAGE, "after": after})):
            after = page[-1].id
            at = self.store.clock.now()
            try:
                self.store.apply([Retire(one.id, at, reason="deleted") for one in page])
            except (InputError, NotFound) as err:
                raise Conflict("delete_all", "somebody else ended one of them meanwhile") from err

    def _wanted(
        self, filters: object, top_k: int, old: Mapping[str, object], verb: str, *, show_expired: bool
    ) -> Wanted:
        """Return what a reading call asks for, in whichever generation's words."""
        if unknown := sorted(old.keys() - OLD):
            raise TypeError(f"{verb}() got an unexpected keyword argument '{unknown[0]}'")
        limit = old.get("limit")
        if limit is None:
            limit = OLD_LIMIT if checks.scoped(old) and top_k == DEFAULT_LIMIT else top_k
        checks.check_numbers(None, limit)
        named = {name: old[name] for name in checks.IDENTITIES if old.get(name) is not None}
        tree = parse({} if filters is None else filters)
        for name, value in named.items():
            tree = Combined("AND", (*tree.parts, Condition(name, ANY if value == ANY else "eq", value)))
        if not names_somebody(tree) and not self._bound:
            raise ValueError(
                "filters must contain at least one of: user_id, agent_id, run_id. Example: filters={'user_id': 'u1'}"
            )
        fields, rest = scope(tree)
        where: dict[str, Json] | None = wider(rest)
        today = None if show_expired else self.store.clock.now().date()
        if today is not None:
            lives: dict[str, Json] = {"not": {"expiration_date": {"lt": today.isoformat()}}}
            both: list[Json] = [lives] if where is None else [where, lives]
            where = {"and": both}
        return Wanted(fields, where, cast("int", limit), rest, today)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reading call asks for.

    Attributes:
        fields: of the scope.
        where: a filter that keeps all of it, and perhaps more.
        limit: how many.
        rest: the filter itself, without the scope.
        today: after which day's end memories aren't shown; None shows all.
    """

    fields: Mapping[str, str]
    where: Mapping[str, Json] | None
    limit: int
    rest: Combined
    today: date | None

    def keeps(self, memory: Version) -> bool:
        """Tell whether a memory is among what was asked for."""
        over = self.today is not None and rows.expired(memory.metadata, self.today)
        return not over and (not self.rest.parts or fits(self.rest, rows.payload(memory)))


def _missing(memory_id: object, more: str = "") -> NoReturn:
    raise ValueError(f"Memory with id {memory_id} not found{'.' if more else ''}{more}")


def _again(change: Callable[[], None]) -> None:
    """Do what is decided on what was read, again when somebody else came in between."""
    for _ in range(TRIES - 1):
        try:
            return change()
        except Conflict:
            continue
    return change()
