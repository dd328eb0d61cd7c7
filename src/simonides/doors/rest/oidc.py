"""Bearer tokens of an identity provider (OpenID Connect): who is it, what may they see; knows no store and no route.

A token is a JWT that the provider has signed. Its keys are read from the provider itself, whose address the owner of
the server has named: nothing that a token says about keys is followed. Only signatures with a public key count, so
that neither an unsigned token nor one signed with what everybody can read gets in.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import jwt

from simonides.bounded import RIGHTS
from simonides.errors import Forbidden, InputError, SimonidesError, StoreBusy
from simonides.ledger.rules import checked_name
from simonides.types import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP",
}  # fmt: skip
"""Signatures that count, and the kind of key that each needs."""
LONGEST_TOKEN = 16 * 1024
LEEWAY_SECONDS = 30
FRESH_SECONDS = 300.0
"""After so long the keys are read again; a key that the provider took back is good for as long at most."""
STALE_SECONDS = 3600.0
"""So long the old keys serve while the provider can't be reached."""
PAUSE_SECONDS = 10.0
"""Between two readings at least, whatever comes in, so that nobody can have us flood the provider."""
_TIMEOUT = 5.0
_MOST_BYTES = 1024 * 1024
_MOST_KEYS = 100
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Claims:
    """Which claim of a token says what; empty for none, and that field is the caller's to choose.

    Attributes:
        user, agent, session, project: what the token is bound to. A token without that claim is refused.
        tenant: whose store, on PostgreSQL.
        rights: a list, or words with spaces between, of which those that begin with `prefix` are rights, e.g.
            ``memory:read``. Without such a claim configured, everybody may read and write.
        prefix: before the name of a right.
        name: who acts, as the log will say.
    """

    user: str = "sub"
    agent: str = ""
    session: str = ""
    project: str = ""
    tenant: str = ""
    rights: str = ""
    prefix: str = "memory:"
    name: str = "sub"

    @classmethod
    def of(cls, pairs: tuple[str, ...]) -> Claims:
        """Return what ``FIELD=CLAIM`` on the command line say.

        Raises:
            InputError: there is no such field.
        """
        given = {field: claim for field, _, claim in (pair.partition("=") for pair in pairs)}
        known = [item.name for item in fields(cls)]
        if wrong := sorted(set(given) - {*known}):
            way_out = f"FIELD=CLAIM, with a field of {', '.join(known)}."
            raise InputError("--oidc-claim", "names no such field", ", ".join(wrong), way_out)
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token is; what `Credential` says of our own."""

    id: str
    name: str
    scope: Scope
    rights: tuple[str, ...]
    tenant: str = ""
    created: datetime | None = None
    expires: datetime | None = None


@dataclass(slots=True)
class Keys:
    """The public keys of a provider, read when they are needed and not too often; safe for several threads.

    Attributes:
        issuer: the provider; its keys are found out there when `place` is empty.
        place: a URL or a file with the keys (JWKS).
        clock: seconds that only grow.
    """

    issuer: str
    place: str = ""
    clock: Callable[[], float] = time.monotonic
    reads: int = 0
    _held: dict[str, jwt.PyJWK] = field(default_factory=dict[str, jwt.PyJWK])
    _read_at: float | None = None
    _tried_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, kid: str | None, kind: str) -> jwt.PyJWK:
        """Return the key of a name; without a name, the only one of its kind.

        Raises:
            Forbidden: there is none. StoreBusy: the provider can't be reached.
        """
        # While one reads, the others go on with the keys that there are.
        if self._wants(kid, kind) and self._lock.acquire(blocking=self._read_at is None):
            try:
                if self._wants(kid, kind):
                    self._read(self.clock())
            finally:
                self._lock.release()
        if self._read_at is None or self.clock() - self._read_at >= STALE_SECONDS:
            way_out = "Try again in a moment."
            raise StoreBusy("identity provider", "can't be asked for its keys", "", way_out)
        found = self._pick(kid, kind)
        if found is None:
            raise _refused("is signed with a key that the provider doesn't name")
        return found

    def _pick(self, kid: str | None, kind: str) -> jwt.PyJWK | None:
        if kid is not None:
            found = self._held.get(kid)
            return found if found is not None and found.key_type == kind else None
        fitting = [one for one in self._held.values() if one.key_type == kind]
        return fitting[0] if len(fitting) == 1 else None

    def _wants(self, kid: str | None, kind: str) -> bool:
        """Tell whether the keys are to be read: they are old or don't hold this one, and it is not too soon."""
        now = self.clock()
        if self._tried_at is not None and now - self._tried_at < PAUSE_SECONDS:
            return False
        return self._read_at is None or now - self._read_at >= FRESH_SECONDS or self._pick(kid, kind) is None

    def _read(self, now: float) -> None:
        """Read the keys; where that fails the old ones stay."""
        self._tried_at = now
        self.reads += 1
        try:
            place = self.place or self._found_out()
            told = _fetched(place)
        except (OSError, ValueError, SimonidesError):
            return
        held: dict[str, jwt.PyJWK] = {}
        listed = told.get("keys")
        for number, one in enumerate(
            cast("list[Any]", listed)[:_MOST_KEYS] if isinstance(listed, list) else []
        ):
            if isinstance(one, dict) and (made := _public(cast("dict[str, Any]", one))) is not None:
                held[str(cast("dict[str, Any]", one).get("kid", f"#{number}"))] = made
        if held:
            self._held, self._read_at = held, now

    def _found_out(self) -> str:
        told = _fetched(self.issuer.rstrip("/") + _WELL_KNOWN)
        if told.get("issuer") != self.issuer:
            raise ValueError("another issuer")
        place = str(told.get("jwks_uri", ""))
        _require_safe(place, "jwks_uri")
        return place


class Provider:
    """Tells who a bearer token is.

    Args:
        issuer: the provider, exactly as its tokens say it.
        audience: what its tokens must be meant for.
        keys: a URL or a file of its keys; found out at the issuer if empty.
        claims: which claim says what.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        keys: str = "",
        claims: Claims = Claims(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _require_safe(issuer, "--oidc-issuer")
        if not audience:
            way_out = "Name what its tokens are meant for; without, those for any other program would get in."
            raise InputError("--oidc-audience", "must be given with --oidc-issuer", "", way_out)
        if "://" in keys:
            _require_safe(keys, "--oidc-keys")
        elif keys and not Path(keys).is_file():
            raise InputError("--oidc-keys", "must be a URL or a file", keys)
        self.issuer, self.audience, self.claims = issuer, audience, claims
        self.keys = Keys(issuer, keys, clock)

    def __call__(self, token: str) -> Bearer:
        """Return who a token is.

        Raises:
            Forbidden: nobody; the message holds nothing of the token.
            StoreBusy: the provider can't be asked for its keys.
        """
        if len(token) > LONGEST_TOKEN:
            raise _refused("is too long")
        try:
            head = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as err:
            raise _refused("is no token of this program, and no JWT") from err
        algorithm = head.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise _refused(f"must be signed with one of {', '.join(ALGORITHMS)}")
        kid = head.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise _refused("names its key in a way that can't be read")
        key = self.keys.find(kid, ALGORITHMS[algorithm])
        return self._bearer(self._verified(token, key, algorithm))

    def _verified(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"], "strict_aud": False},
            )
        except jwt.ExpiredSignatureError as err:
            raise _refused("has expired") from err
        except jwt.InvalidAudienceError as err:
            raise _refused("is meant for another program") from err
        except jwt.InvalidIssuerError as err:
            raise _refused("is of another identity provider") from err
        except jwt.MissingRequiredClaimError as err:
            raise _refused(f"says no {err.claim}") from err
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as err:
            raise _refused("is not valid") from err

    def _bearer(self, told: Mapping[str, Any]) -> Bearer:
        claims = self.claims
        scope = Scope(**{
            field: _text(told, claim) for field in ("user", "agent", "session", "project")
            if (claim := str(getattr(claims, field)))
        })  # fmt: skip
        name = _text(told, claims.name or "sub")
        who = "\n".join((self.issuer, name, *(getattr(scope, item.name) for item in fields(scope))))
        return Bearer(
            id=f"oidc-{sha256(who.encode()).hexdigest()[:32]}",
            name=name,
            scope=scope,
            rights=self._rights(told),
            tenant=_text(told, claims.tenant) if claims.tenant else "",
            created=_moment(told.get("iat")),
            expires=_moment(told.get("exp")),
        )

    def _rights(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        if not self.claims.rights:
            return ("read", "write")
        said = told.get(self.claims.rights)
        words = (
            said.split()
            if isinstance(said, str)
            else cast("list[object]", said)
            if isinstance(said, list)
            else []
        )
        given = {str(word) for word in words}
        rights = tuple(right for right in RIGHTS if f"{self.claims.prefix}{right}" in given)
        if not rights:
            raise _refused("gives no right here")
        return rights


def verifier(told: Mapping[str, Any]) -> Provider:
    """Return what tells who a bearer token is, from the options of `serve`."""
    return Provider(
        told["oidc_issuer"],
        told["oidc_audience"] or "",
        keys=told["oidc_keys"] or "",
        claims=Claims.of(tuple(told.get("oidc_claims") or ())),
    )


def _public(shape: dict[str, Any]) -> jwt.PyJWK | None:
    """Return a key that verifies signatures; None for any other, and for one that can't be read."""
    if shape.get("use", "sig") != "sig" or shape.get("kty") not in ALGORITHMS.values():
        return None
    if shape.get("alg") is not None and ALGORITHMS.get(str(shape["alg"])) != shape["kty"]:
        return None
    try:
        return jwt.PyJWK.from_dict({name: value for name, value in shape.items() if name != "d"})
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def _text(told: Mapping[str, Any], claim: str) -> str:
    value = told.get(claim)
    if not isinstance(value, str) or not value:
        raise _refused(f"says no {claim}")
    try:
        return checked_name(value, claim)
    except InputError as err:
        raise _refused(f"says something in {claim} that can't be used") from err


def _moment(value: object) -> datetime | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as err:
        raise _refused("names a time that there isn't") from err


def _refused(rule: str) -> Forbidden:
    return Forbidden("token", rule, "", "Get a new one from the identity provider.")


def _require_safe(url: str, subject: str) -> None:
    """Refuse an address from which keys could be forged on the way."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise InputError(
            subject, "must be an https:// address", url, "Whoever can change its keys can be anybody."
        )


class _Staying(HTTPRedirectHandler):
    """Follows no redirect: the owner of the server has named the address."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Return nothing to follow."""


def _fetched(place: str) -> dict[str, Any]:
    """Return the JSON object at a place.

    Raises:
        OSError: it can't be read. ValueError: it is none, or too large.
    """
    if "://" not in place:
        data = Path(place).read_bytes()
    else:
        opener = build_opener(_Staying, ProxyHandler({}))
        asked = Request(place, headers={"Accept": "application/json"})  # noqa: S310 - checked to be http(s)
        try:
            with cast("HTTPResponse", opener.open(asked, timeout=_TIMEOUT)) as answer:
                data = answer.read(_MOST_BYTES + 1)
        except URLError as err:
            raise OSError(str(err)) from err
    if len(data) > _MOST_BYTES:
        raise ValueError("too large")
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return cast("dict[str, Any]", found)
