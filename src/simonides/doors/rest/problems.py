"""Errors as application/problem+json (RFC 9457), each with the way out; knows no route and no store."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from simonides.errors import (
    BudgetSpent,
    Conflict,
    Forbidden,
    InputError,
    NotFound,
    SimonidesError,
    StoreBusy,
    StoreError,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simonides.types import Json

MEDIA_TYPE = "application/problem+json"
URN = "urn:simonides:error:"
"""Before the name of the error's class; what this door alone refuses is named after its status."""

STATUS: tuple[tuple[type[SimonidesError], int], ...] = (
    (NotFound, 404),
    (InputError, 400),
    (Forbidden, 403),
    (Conflict, 409),
    (BudgetSpent, 429),
    (StoreBusy, 503),
    (StoreError, 503),
    (SimonidesError, 500),
)
"""The first class that fits says the status."""
RETRY_SECONDS = 2


class Refusal(HTTPException):
    """What this door itself refuses: who may come in, how much, how fast.

    Args:
        headers: of the answer.
        closing: whether the connection is to be closed, because what else comes on it was not read.
    """

    def __init__(
        self,
        status: int,
        subject: str,
        rule: str,
        value: object = "",
        way_out: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        closing: bool = False,
    ) -> None:
        self.subject, self.rule, self.value, self.way_out = subject, rule, shorten(value), way_out
        given = {**(headers or {}), **({"Connection": "close"} if closing else {})}
        super().__init__(status, f"{subject}: {rule}", given)

    def response(self) -> Response:
        """Return the answer."""
        facts = {"subject": self.subject, "rule": self.rule, "value": self.value, "way_out": self.way_out}
        return problem(self.status_code, facts, headers=self.headers)


def problem(
    status: int,
    facts: Mapping[str, Json],
    *,
    name: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer; `facts` are subject, rule, value, way_out, and whatever else the error knows."""
    title = HTTPStatus(status).phrase
    got = f" (got {facts['value']})" if facts.get("value") else ""
    out = f" {facts['way_out']}" if facts.get("way_out") else ""
    body = {
        "type": URN + (name or title.replace(" ", "").replace("-", "")),
        "title": title,
        "status": status,
        "detail": f"{facts['subject']}: {facts['rule']}{got}.{out}",
        **facts,
    }
    return Response(json.dumps(body).encode(), status, {**(headers or {})}, MEDIA_TYPE)


def of_error(error: SimonidesError, **more: Json) -> Response:
    """Return the answer that says what went wrong, with whatever more is known, e.g. the current version."""
    status = next(code for kind, code in STATUS if isinstance(error, kind))
    facts = {"subject": error.subject, "rule": error.rule, "value": error.value, "way_out": error.way_out}
    headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, StoreBusy) else {}
    if isinstance(error, StoreError) and not isinstance(error, (StoreBusy, BudgetSpent)):
        facts["value"] = ""  # of the world of the server, and not of the client
    if isinstance(current := more.get("current"), int):
        headers["ETag"] = f'"{current}"'
    return problem(status, {**facts, **more}, name=type(error).__name__, headers=headers)


def of_validation(errors: Sequence[Mapping[str, Any]]) -> Response:
    """Return the answer to a request of a wrong shape: the first thing that is wrong, and where all others are."""
    first = errors[0]
    known = first.get("ctx", {}).get("error")
    if isinstance(known, SimonidesError):
        return of_error(known)
    where = _place(first)
    way_out = "See /openapi.json."
    if len(errors) > 1:
        way_out = f"Also wrong: {', '.join(sorted({_place(each) for each in errors[1:6]}))}. {way_out}"
    rule = str(first.get("msg", "cannot be used")).rstrip(".")
    given = first.get("input")
    value = "" if first.get("type") in ("missing", "json_invalid") else _shown(given)
    facts = {"subject": where, "rule": rule[:1].lower() + rule[1:], "value": value, "way_out": way_out}
    return problem(400, facts, name="InputError")


def of_status(error: HTTPException) -> Response:
    """Return the answer to what the framework refuses: an unknown path, a method, a body that is no JSON."""
    if isinstance(error, Refusal):
        return error.response()
    told = {
        400: ("body", "cannot be read", "Send JSON in UTF-8, with Content-Type: application/json."),
        404: ("path", "there is nothing here", "GET /openapi.json lists what there is."),
        405: ("method", "is not for this path", "The header Allow lists those that are."),
    }
    subject, rule, way_out = told.get(error.status_code, ("request", str(error.detail), ""))
    facts = {"subject": subject, "rule": rule, "value": "", "way_out": way_out}
    return problem(error.status_code, facts, headers=error.headers)


def unexpected(request: str) -> Response:
    """Return the answer to a mistake of ours: nothing of it but the number by which the log has it."""
    facts: dict[str, Json] = {
        "subject": "simonides",
        "rule": "failed unexpectedly",
        "value": "",
        "way_out": f"The log of the server has more of it, under request {request}.",
        "request": request,
    }
    return problem(500, facts)


def _place(error: Mapping[str, Any]) -> str:
    place = [str(part) for part in error.get("loc", ())]
    return ".".join(place) or "request"


def _shown(value: object) -> str:
    try:
        return shorten(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return shorten(value)
