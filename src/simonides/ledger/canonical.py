"""JSON written in exactly one way, and the digests made of it; knows no table and no noun.

Canonical means: keys sorted, no spaces, no escapes but the necessary ones, no NaN. Equal values give equal bytes, on
every machine, so that a digest can be computed again by anybody.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import cast

from simonides.errors import InputError, StoreUnusable
from simonides.types import Json

DEEPEST = 32
"""How many objects and lists may lie inside one another; SQLite's own limit is a thousand."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode
"""Write a value as canonical JSON."""


def short_hash(text: str) -> str:
    """Return the SHA-256 of a text in 43 characters (base64 for URLs, no padding)."""
    return urlsafe_b64encode(sha256(text.encode()).digest())[:43].decode()


def decode(text: str | None) -> dict[str, Json]:
    """Return the object that a column holds; NULL is the empty one."""
    if text is None:
        return {}
    try:
        value: object = json.loads(text)
    except ValueError as err:
        raise StoreUnusable("store", "holds a damaged record", text, "Run `simonides doctor`.") from err
    if not isinstance(value, dict):
        raise StoreUnusable("store", "holds a damaged record", text, "Run `simonides doctor`.")
    return cast("dict[str, Json]", value)


def checked_object(value: object, subject: str, limit_bytes: int) -> str | None:
    """Return an object as canonical JSON, None for an empty one.

    Raises:
        InputError: it is no object, or something in it can't be stored and compared the same everywhere.
    """
    if not isinstance(value, Mapping):
        raise InputError(subject, "must be an object (a mapping of text to values)", value)
    if not value:
        return None
    text = encode(plain(cast("object", value), subject))
    if len(text.encode()) > limit_bytes:
        raise InputError(subject, f"must be at most {limit_bytes} bytes as JSON", len(text.encode()))
    return text


def plain(value: object, subject: str, depth: int = DEEPEST) -> Json:
    """Return a value as plain JSON types; tuples become lists and mappings become dicts.

    Raises:
        InputError: a value isn't JSON, is NaN or infinite, is an integer of more than 64 bits, or a text (or key)
            holds NUL or a lone surrogate.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return checked_string(value, subject)
    if isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise InputError(subject, "integers must fit in 64 bits", value, "Store it as text.")
        return int(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise InputError(subject, "numbers must be finite", value, "Use None for a missing number.")
        return float(value)
    if depth == 0:
        raise InputError(subject, f"must not be nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {_key(key, subject): plain(item, f"{subject}.{key}", depth - 1) for key, item in pairs}
    if isinstance(value, list | tuple):
        return [plain(item, subject, depth - 1) for item in cast("Sequence[object]", value)]
    way_out = "Use text, numbers, booleans, None, lists and objects."
    raise InputError(subject, "must be JSON", f"{type(value).__name__} {value!r}", way_out)


def checked_string(value: str, subject: str) -> str:
    """Return a text that can be stored unchanged, as it is."""
    if "\0" in value:
        raise InputError(
            subject, "must not hold a NUL character", repr(value), "Remove the character U+0000."
        )
    try:
        value.encode()
    except UnicodeEncodeError as err:
        way_out = "Decode the bytes with errors='replace', or remove the characters U+D800 to U+DFFF."
        raise InputError(subject, "must not hold a lone surrogate", ascii(value), way_out) from err
    return str(value)


def _key(key: object, subject: str) -> str:
    if not isinstance(key, str):
        raise InputError(subject, "keys must be text", repr(key))
    return checked_string(key, f"{subject} key")
