"""The address of a store in PostgreSQL: what belongs to the server, and what is ours; connects to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from simonides.errors import InputError

SCHEMES = ("postgresql", "postgres")
_OURS = ("tenant", "schema")
_SECRET = ("password", "sslpassword")


def is_address(path: str | Path) -> bool:
    """Tell whether a path is the address of a PostgreSQL server."""
    return str(path).startswith(tuple(f"{scheme}:/" for scheme in SCHEMES))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is.

    Attributes:
        url: for libpq, without what is ours.
        tenant: whose store; empty for the one the role is bound to, else ``default``.
        schema: where the tables are; empty for the usual one.
        shown: the whole address with the password hidden.
    """

    url: str
    tenant: str
    schema: str
    shown: str

    @classmethod
    def of(cls, text: str) -> Address:
        """Return the parts of an address.

        Raises:
            InputError: it is no address of PostgreSQL.
        """
        if not is_address(text):
            raise InputError("address", "must start with postgresql://", text)
        scheme, rest = text.split(":", 1)
        # A path object makes one slash of two; three are an address without a host.
        parts = urlsplit(text if rest.startswith("//") else f"{scheme}:/{rest}")
        given = parse_qsl(parts.query, keep_blank_values=True)
        ours = {name: value for name, value in given if name in _OURS}
        theirs = [(name, value) for name, value in given if name not in _OURS]
        hidden = [(name, "***" if name in _SECRET else value) for name, value in given]
        server = f"{scheme}://{parts.netloc}{parts.path}{_query(theirs)}"
        shown = f"{scheme}://{_masked(parts.netloc)}{parts.path}{_query(hidden, '*/')}"
        return cls(server, ours.get("tenant", ""), ours.get("schema", ""), shown)


def _query(pairs: list[tuple[str, str]], plain: str = "") -> str:
    return f"?{urlencode(pairs, safe=plain, quote_via=quote)}" if pairs else ""


def masked(text: str) -> str:
    """Return an address with its password hidden; any other path as it is."""
    return Address.of(text).shown if is_address(text) else text


def _masked(place: str) -> str:
    who, at, where = place.rpartition("@")
    name, colon, _ = who.partition(":")
    return f"{unquote(name)}{':***' if colon else ''}{at}{where}"
