"""Who may use a store over a network: tokens that are issued, checked, rotated and revoked; knows no door.

A token is shown once. The store keeps only its SHA-256: 256 random bits can't be guessed, so there is nothing that a
slow hash would make harder, and a fast one lets every request be checked. Nobody who reads the file, a backup or a
replica of it can come in with what it holds. All processes that have the store open see what one of them changes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from simonides.bounded import RIGHTS
from simonides.clock import FOREVER, instant, micros, new_id, parse_id, until
from simonides.errors import Forbidden, InputError, NotFound, TimeError
from simonides.ledger import credentials as table
from simonides.ledger.memories import Batch
from simonides.ledger.rules import checked_name, checked_scope
from simonides.types import Scope

if TYPE_CHECKING:
    from simonides.memory import Memory

R = TypeVar("R")

LONGEST_TOKEN = 1024
"""Characters beyond which nothing is looked at."""
_SECRET_BYTES = 32
_TOUCHED_EVERY = 60 * 1_000_000
"""Microseconds after which the time of the last use is written again."""
_FORM = re.compile(r"sim_(-|[a-z2-7]{1,200})_([0-9a-f]{32})_([a-z2-7]{52})")
_WAY_OUT = "`simonides token create` issues one."


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token stands for.

    Attributes:
        id: stays the same when the token is rotated.
        name: whose or what for, as a person would say.
        scope: what of the store it sees; empty fields are its holder's to choose.
        rights: of `bounded.RIGHTS`.
        expires: None for never.
        used: when it was last used, to the minute; None for never.
        revoked: since when it is good for nothing; None while it is good.
    """

    id: str
    name: str
    scope: Scope
    rights: tuple[str, ...]
    created: datetime
    expires: datetime | None
    used: datetime | None
    revoked: datetime | None


def issue(
    memory: Memory,
    name: str,
    *,
    scope: Scope = Scope(),
    rights: Iterable[str] = ("read", "write"),
    ttl: timedelta | None = None,
    tenant: str = "",
) -> tuple[str, Credential]:
    """Make a credential; return its token, which can't be shown again, and what it stands for.

    Args:
        ttl: how long it is good for; None for ever.
        tenant: of PostgreSQL, so that a server knows whose store to open; it is a part of the token. Empty is the
            one that the store was opened for.

    Raises:
        InputError: the name is empty, a right is unknown, or the time is over before it begins.
    """
    now = memory.clock.now()
    id = new_id()
    token = _token(tenant or memory.ledger.database.tenant_name, id)
    scope = checked_scope(scope)
    row = table.Row(
        id=parse_id(id),
        name=checked_name(name, "name", needed=True),
        user=scope.user,
        agent=scope.agent,
        session=scope.session,
        project=scope.project,
        rights=",".join(_rights(rights)),
        digest=_digest(token),
        former=None,
        former_until=0,
        created=micros(now),
        expires=FOREVER if ttl is None else _after(now, ttl, "ttl"),
        used=None,
        revoked=None,
    )
    _changed(memory, lambda batch: table.issue(batch, row))
    return token, _credential(row)


def check(memory: Memory, token: str, *, note: bool = True) -> Credential:
    """Return what a token stands for, and note at most once a minute that it was used.

    To note waits for whoever else writes. Who must not wait says ``note=False``, and calls `note_use` later.

    Raises:
        Forbidden: it is unknown, or was rotated away, has expired or was revoked; the message doesn't hold it.
    """
    form = _FORM.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if form is None:
        raise Forbidden("token", "is no token of this program", "", _WAY_OUT)
    try:
        row = _found(memory, form[2])
    except NotFound:
        raise Forbidden("token", "is unknown here", "", _WAY_OUT) from None
    now, digest = micros(memory.clock.now()), _digest(token)
    good = hmac.compare_digest(row.digest, digest)
    was = row.former is not None and hmac.compare_digest(row.former, digest)
    if not good and not was:
        raise Forbidden("token", "is unknown here", "", _WAY_OUT)
    if row.revoked is not None:
        raise Forbidden("token", "was revoked", "", _WAY_OUT)
    if row.expires <= now:
        raise Forbidden("token", "has expired", "", _WAY_OUT)
    if was and row.former_until <= now:
        raise Forbidden(
            "token", "was replaced by a newer one", "", "Use the one that `token rotate` printed."
        )
    if note and is_due(memory, found := _credential(row)):
        return note_use(memory, found)
    return _credential(row)


def is_due(memory: Memory, credential: Credential) -> bool:
    """Tell whether it is time to note that a credential is used; never where nothing can be written."""
    used = credential.used
    old = used is None or abs(micros(memory.clock.now()) - micros(used)) >= _TOUCHED_EVERY
    return old and not memory.ledger.database.read_only


def note_use(memory: Memory, credential: Credential) -> Credential:
    """Note that a credential is used now; waits for whoever else writes."""
    now = micros(memory.clock.now())
    with memory.ledger.database.writing() as connection:
        table.touch(connection, parse_id(credential.id), now)
    return replace(credential, used=instant(now))


def listed(memory: Memory) -> list[Credential]:
    """Return all, oldest first, those that are good for nothing any more too."""
    with memory.ledger.database.reading() as connection:
        return [_credential(row) for row in table.listed(connection)]


def revoke(memory: Memory, id: str) -> Credential:
    """Make a credential good for nothing from now on, in every process; twice is fine.

    Raises:
        NotFound: there is none of this id.
    """
    raw = parse_id(id)
    return _credential(_changed(memory, lambda batch: table.revoke(batch, raw)))


def rotate(memory: Memory, id: str, *, grace: timedelta) -> tuple[str, Credential]:
    """Give a credential another token; the one before stays good for `grace`, the ones before that end now.

    Raises:
        NotFound: there is none of this id. InputError: it was revoked, or has expired, or `grace` is negative.
    """
    now = memory.clock.now()
    row = _found(memory, id)
    if row.revoked is not None or row.expires <= micros(now):
        rule = "was revoked" if row.revoked is not None else "has expired"
        raise InputError(f"credential {id}", rule, "", "Issue a new one: `token create`.")
    if grace < timedelta():
        raise InputError("grace", "must not be negative", str(grace))
    token = _token(memory.ledger.database.tenant_name, row.id.hex())
    until_then = micros(now) if not grace else _after(now, grace, "grace")
    changed = _changed(memory, lambda batch: table.rotate(batch, row.id, _digest(token), until_then))
    return token, _credential(changed)


def known_tenant(memory: Memory, tenant: str) -> bool:
    """Tell whether there is a tenant beside the one of an open store; of a file there is only the one without a name.

    Opening the store of a tenant makes the tenant. So a server asks this before it opens one for a token that nobody
    has checked yet.
    """
    names = getattr(memory.ledger.database, "names", None)
    if names is None:
        return not tenant
    with memory.ledger.database.reading() as connection:
        found = connection.execute(f"SELECT {names.tables}.known(?)", (tenant,)).fetchone()
        return bool(found and found[0])


def tenant_of(token: str) -> str:
    """Return the tenant that a token names, empty for the default; whether the token is good, only its store knows.

    Raises:
        Forbidden: it is no token.
    """
    form = _FORM.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if form is None:
        raise Forbidden("token", "is no token of this program", "", _WAY_OUT)
    if form[1] == "-":
        return ""
    try:
        return _decoded(form[1])
    except (binascii.Error, UnicodeDecodeError):
        raise Forbidden("token", "is no token of this program", "", _WAY_OUT) from None


def _found(memory: Memory, id: str) -> table.Row:
    with memory.ledger.database.reading() as connection:
        return table.find(connection, parse_id(id))


def _changed(memory: Memory, step: Callable[[Batch], R]) -> R:
    """Take a step in a transaction of its own."""
    with memory.ledger.database.writing() as connection:
        return step(Batch(connection, now=micros(memory.clock.now()), actor=memory.actor))


def _token(tenant: str, id: str) -> str:
    whose = _encoded(tenant.encode()) if tenant else "-"
    token = f"sim_{whose}_{id}_{_encoded(secrets.token_bytes(_SECRET_BYTES))}"
    if not _FORM.fullmatch(token):
        raise InputError("tenant", "must be at most 125 bytes", tenant)
    return token


def _encoded(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _decoded(text: str) -> str:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8)).decode()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _rights(rights: Iterable[str]) -> tuple[str, ...]:
    """Return rights in the order of `RIGHTS`, each once."""
    given = {rights} if isinstance(rights, str) else {*rights}
    if unknown := given - {*RIGHTS}:
        raise InputError("rights", f"must be of {', '.join(RIGHTS)}", ", ".join(sorted(unknown)))
    if not given:
        raise InputError("rights", "must be at least one", "", f"Of {', '.join(RIGHTS)}.")
    return tuple(name for name in RIGHTS if name in given)


def _after(now: datetime, span: timedelta, subject: str) -> int:
    if not isinstance(span, timedelta):
        raise InputError(subject, "must be a timedelta", repr(span), "Example: timedelta(days=90).")
    if span <= timedelta():
        raise InputError(subject, "must be longer than nothing", str(span))
    try:
        return micros(now + span)
    except OverflowError as err:
        raise TimeError(subject, "is longer than time", str(span), "Leave it out for no end.") from err


def _credential(row: table.Row) -> Credential:
    return Credential(
        id=row.id.hex(),
        name=row.name,
        scope=Scope(row.user, row.agent, row.session, row.project),
        rights=tuple(row.rights.split(",")),
        created=instant(row.created),
        expires=until(row.expires),
        used=None if row.used is None else instant(row.used),
        revoked=None if row.revoked is None else instant(row.revoked),
    )
