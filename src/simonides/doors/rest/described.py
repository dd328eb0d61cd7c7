"""What /openapi.json says of each operation: its name, its answers, its headers, its errors; knows no route."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from simonides.doors.rest.answers import ProblemOut
from simonides.doors.rest.calling import LONGEST_KEY
from simonides.doors.rest.problems import MEDIA_TYPE, URN

MADE = {
    "Location": "Where the new memory is.",
    "ETag": "Its version.",
}
CHANGED = {"ETag": "The version that the memory is at."}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Drawn by the client for each write: sent again with it, it is done once. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read: 409 if the memory is not at this version any more.",
    "schema": {"type": "string"},
    "example": '"1"',
}
_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that the client has: 304 if it is still that version.",
    "schema": {"type": "string"},
    "example": '"1"',
}

ERRORS: dict[int, tuple[str, str, str, str, str]] = {
    400: ("What was sent cannot be used; nothing was written.", "TimeError", "at", "must carry a time zone",
          "Write 2026-05-02T10:00Z for UTC, or 2026-05-02T10:00+02:00."),
    401: ("There is no token, or it is nobody's.", "Unauthorized", "token", "is unknown", "See `simonides token`."),
    403: ("The credential may not do this.", "Forbidden", "this credential", "may not erase", "It may: read, write."),
    404: ("There is no such thing, or it belongs to others.", "NotFound", "memory 01977d1c8a5b7c3f9e2d4b6a8c0e1f23",
          "no such memory in this store", "`list` shows what there is."),
    408: ("The body came too slowly.", "RequestTimeout", "body", "did not come within 30 seconds", ""),
    409: ("Somebody else changed it first; `current` is the version it is at.", "Conflict",
          "memory 01977d1c8a5b7c3f9e2d4b6a8c0e1f23", "is at version 3, not at 2", "Read it again and decide anew."),
    413: ("The body is too large.", "RequestEntityTooLarge", "body", "must be at most 16777216 bytes",
          "Send it in several requests."),
    421: ("It was asked under a name that is not its own.", "MisdirectedRequest", "Host",
          "is no name of this server", "Start it with --allow-host NAME, if that is its name."),
    429: ("Too many requests, or the budget for model calls is spent.", "TooManyRequests", "requests",
          "5 requests a second are allowed with this credential", "Wait as long as Retry-After says."),
    431: (
        "The headers, or the address, are too large.",
        "RequestHeaderFieldsTooLarge",
        "headers",
        "must be at most 32768 bytes",
        "Ask for less at once.",
    ),
    500: ("A mistake in simonides; the log of the server has more of it.", "InternalServerError", "simonides",
          "failed unexpectedly", "The log of the server has more of it, under request 9f1c2d3e4b5a6978."),
    503: ("The store cannot do it now.", "StoreBusy", "store", "is locked by another process", "Try again."),
    504: ("It took too long; it may still be done.", "GatewayTimeout", "request", "took longer than 60 seconds",
          "It may still be done: ask again, a write with the same Idempotency-Key."),
}  # fmt: skip
_ALWAYS = (400, 401, 403, 404, 408, 413, 421, 429, 431, 500, 503, 504)


def describing(
    name: str,
    answer: type[BaseModel] | None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    writes: bool = False,
    versioned: bool = False,
    cached: bool = False,
) -> dict[str, Any]:
    """Return what a route's decorator is told.

    Args:
        name: of the operation.
        answer: the shape of what it answers with.
        headers: of that answer, with what they say.
        writes: whether it takes an Idempotency-Key.
        versioned: whether it takes If-Match too.
        cached: whether it takes If-None-Match.
    """
    writes = writes or versioned
    parameters = [
        *([_KEY] if writes else []),
        *([_MATCH] if versioned else []),
        *([_NONE_MATCH] if cached else []),
    ]
    responses: dict[int | str, dict[str, Any]] = {
        code: problem_of(code) for code in (*_ALWAYS, *((409,) if writes else ()))
    }
    told = {
        title: {"description": text, "schema": {"type": "string"}} for title, text in (headers or {}).items()
    }
    responses[status] = {"headers": told} if told else {}
    if cached:
        responses[304] = {"description": "It is still the version that the client has."}
    return {
        "operation_id": name,
        "response_model": answer,
        "status_code": status,
        "responses": responses,
        "openapi_extra": {"parameters": parameters} if parameters else None,
    }


def problem_of(status: int) -> dict[str, Any]:
    """Return the description of an error, with an example."""
    text, name, subject, rule, way_out = ERRORS[status]
    example = {
        "type": URN + name,
        "title": text.partition(";")[0].rstrip("."),
        "status": status,
        "detail": f"{subject}: {rule}. {way_out}".strip(),
        "subject": subject,
        "rule": rule,
        "value": "",
        "way_out": way_out,
        **({"current": 3} if status == 409 else {}),
    }
    schema = {"$ref": f"#/components/schemas/{ProblemOut.__name__}"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}
