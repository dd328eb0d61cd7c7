"""What is to become of memories: when one expires, and which ones an order to erase means; writes nothing itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from simonides.clock import micros, parse_id, utc
from simonides.errors import InputError, NotFound, TimeError
from simonides.ledger import Manner, Selection
from simonides.ledger.filters import parse
from simonides.ledger.rules import checked_count, checked_kinds, checked_name
from simonides.parts.analyse import fold, unspaced
from simonides.types import Json, Kind

if TYPE_CHECKING:
    from simonides.ledger import Ledger

_MOST_ENTITIES = 100_000
_SCOPE = ("user", "agent", "session", "project")


class Erasing(TypedDict, total=False):
    """What to erase, and how; see `Memory.erase`."""

    query: str | None
    k: int
    subject: str | None
    entity: str | None
    user: str | None
    agent: str | None
    session: str | None
    project: str | None
    kinds: Sequence[str] | None
    where: Mapping[str, Json] | None
    before: datetime | None
    everything: bool
    links: bool
    derived: bool
    keep_pages: bool
    backups: bool
    full: bool
    reason: str


def ending(now: datetime, expires: datetime | None, ttl: timedelta | None) -> datetime | None:
    """Return when something expires that is to live until then, or so long from now; None for never.

    Raises:
        InputError: both are given, or the time is over already.
    """
    if ttl is not None:
        if expires is not None:
            raise InputError("ttl", "must not be given together with a time", str(ttl), "Give one of them.")
        if not isinstance(ttl, timedelta):
            raise InputError("ttl", "must be a timedelta", repr(ttl), "Example: timedelta(days=30).")
        try:
            expires = now + ttl
        except OverflowError as err:
            raise TimeError("ttl", "is longer than time", str(ttl), "Leave it out for no end.") from err
    if expires is not None and utc(expires, "expires") <= now:
        way_out = "To end it now, use `retire`; to be rid of it, `erase`."
        raise TimeError("expires", "must be later than now", expires.isoformat(), way_out)
    return expires


def mentioning(name: str) -> Callable[[str], bool]:
    """Return what tells whether a text names somebody or something, as whole words, small and capital alike."""
    wanted = fold(checked_name(name, "subject", needed=True)).strip()
    if not wanted:
        raise InputError("subject", "must not be empty", repr(name), "Name a person or a thing.")
    start = "" if unspaced(wanted[0]) or not wanted[0].isalnum() else r"(?<!\w)"
    end = "" if unspaced(wanted[-1]) or not wanted[-1].isalnum() else r"(?!\w)"
    found = re.compile(start + r"\s+".join(map(re.escape, wanted.split())) + end).search
    return lambda text: found(fold(text)) is not None


def erasing(
    ledger: Ledger,
    id: str | Sequence[str] | None,
    given: Erasing,
    scopes: Callable[[Mapping[str, str]], Sequence[int]],
    found: Callable[[str, int], Sequence[str]],
) -> tuple[Selection, Manner]:
    """Return what an order to erase means.

    Args:
        id: one id or several, None to choose by what is `given`.
        scopes: gives the numbers of the scopes with exactly these fields.
        found: gives the ids of the first k memories that a query finds.

    Raises:
        InputError: something can't be used. NotFound: there is no such entity, or the query finds nothing.
    """
    unknown = set(given) - Erasing.__annotations__.keys()
    if unknown:
        raise TypeError(f"no such keyword argument: {', '.join(sorted(unknown))}")
    ids = None if id is None else {parse_id(one) for one in ((id,) if isinstance(id, str) else id)}
    query = given.get("query")
    if query is not None:
        hits = {parse_id(one) for one in found(query, checked_count(given.get("k", 10), "k"))}
        if not hits:
            raise NotFound("query", "finds nothing to erase", query, "Try `subject`, or `list` with filters.")
        ids = hits if ids is None else ids & hits
    entity, subject, before = given.get("entity"), given.get("subject"), given.get("before")
    where, kinds = given.get("where"), checked_kinds(given.get("kinds"))
    fields = {name: checked_name(value, name) for name in _SCOPE if (value := given.get(name)) is not None}
    selection = Selection(
        ids=None if ids is None else tuple(sorted(ids)),
        around=None if entity is None else entities(ledger, entity),
        scopes=tuple(scopes(fields)) if fields else None,
        kinds=kinds,
        where=None if where is None else parse(where),
        before=None if before is None else micros(utc(before, "before")),
        mentions=None if subject is None else mentioning(subject),
        everything=given.get("everything", False),
    )
    manner = Manner(
        reason=checked_name(given.get("reason", ""), "reason"),
        links=given.get("links", True),
        derived=given.get("derived", True),
        keep_pages=given.get("keep_pages", False),
        backups=given.get("backups", False),
        full=given.get("full", False),
    )
    return selection, manner


def entities(ledger: Ledger, name: str) -> tuple[bytes, ...]:
    """Return the memories that stand for an entity: the one with this id, or those whose text is this name.

    Raises:
        NotFound: there is none.
    """
    wanted = fold(checked_name(name, "entity", needed=True)).strip()
    if re.fullmatch("[0-9a-f]{32}", name):
        return (parse_id(name),)
    listed = ledger.list(kinds=(Kind.ENTITY,), limit=_MOST_ENTITIES)
    named = tuple(parse_id(one.id) for one in listed if fold(one.text).strip() == wanted)
    if not named:
        way_out = "`list --kind entity` shows those there are; `subject` finds names in texts."
        raise NotFound("entity", "no entity of this name", name, way_out)
    return named
