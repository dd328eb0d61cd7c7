"""The shapes of requests: what a body or a query may hold, with an example of each; knows no store and no answer.

Everything else is refused. Texts, numbers and booleans of a body must be what JSON says they are; in a query, where
all is text, a boolean is `true` or `false`. What a value means is checked below the doors, so that each door says the
same about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from simonides.clock import parse_time
from simonides.errors import TimeError

BIG = 2**53
"""No number that is counted with is larger: beyond it JSON's numbers are not exact."""
_LONGEST_TTL = 100 * 366 * 86_400.0


def _moment(value: object) -> object:
    if isinstance(value, datetime) or value is None:
        return value
    if not isinstance(value, str):
        raise TimeError("time", "must be a text", repr(value), "Example: 2026-05-02T10:00:00+02:00.")
    found = parse_time(value, "time")
    if found.tzinfo is None:
        raise TimeError("time", "must carry a time zone", value, f"Write {value}Z for UTC, or {value}+02:00.")
    return found


def _flag(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _number(value: object) -> object:
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17
        else value
    )


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""A time with its zone, or a date, which is midnight UTC."""
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Whole = Annotated[int, BeforeValidator(_number)]
Metadata = Annotated[dict[str, Any], Field(description="Your own fields, which `where` filters on.")]
Where = Annotated[dict[str, Any], Field(description='A filter on metadata, e.g. {"city": {"eq": "Lisbon"}}.')]
Action = Literal["retire", "erase"]


class Shape(BaseModel):
    """What a request may hold; nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Scoped(Shape):
    """Whose memories."""

    user: str | None = None
    agent: str | None = None
    session: str | None = None
    project: str | None = None


def seconds(value: float | None) -> timedelta | None:
    """Return a length of time."""
    return None if value is None else timedelta(seconds=value)


class Origin(Shape):
    """Where a memory comes from."""

    name: str = ""
    memory: str = Field("", description="The id of the memory that it quotes.")
    span: tuple[Annotated[int, Field(ge=0, le=BIG)], Annotated[int, Field(ge=0, le=BIG)]] | None = Field(
        None, strict=False, description="Characters [start, end) of that memory's text."
    )
    modality: str = "asserted"


class NewMemory(Scoped):
    """One memory to write, word for word."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "I moved from Berlin to Lisbon.", "user": "ana", "at": "2026-05-02T10:00:00+02:00"}
            ]
        }
    )

    text: str = Field(description="What was said or noted; anything but empty.")
    kind: str = "turn"
    speaker: str | None = None
    at: Moment | None = Field(None, description="When it was said; now if left out.")
    metadata: Metadata | None = None
    source: str | Origin | None = None
    ttl: float | None = Field(None, gt=0, le=_LONGEST_TTL, allow_inf_nan=False, description="Seconds.")
    expires: Moment | None = None
    on_expiry: Action = "retire"


class NewMemories(Shape):
    """Many memories to write; 500 in a transaction."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rows": [{"text": "Ben is allergic to peanuts."}, {"text": "Clara sings.", "user": "ana"}]}
            ]
        }
    )

    rows: list[NewMemory]


class NewText(Shape):
    """What a memory says from `at` on; without `at` it was never true as written."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "I moved to Porto.", "reason": "a slip"}]}
    )

    text: str | None = None
    at: Moment | None = None
    metadata: Metadata | None = None
    reason: str = "updated"


class Restoring(Shape):
    """Which version is to be the truth again; without it the last change is undone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1}]})

    version: int | None = Field(None, ge=1, le=BIG)
    reason: str = "restored"


class Expiry(Shape):
    """When a memory expires, or after how many seconds from now; with neither, never."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ttl": 86400}, {"at": "2027-01-01T00:00:00Z"}]}
    )

    at: Moment | None = None
    ttl: float | None = Field(None, gt=0, le=_LONGEST_TTL, allow_inf_nan=False, description="Seconds.")
    action: Action = "retire"
    reason: str = "expiry set"


class NewLink(Shape):
    """A link from one memory to another."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "01977d1c8a5b7c3f9e2d4b6a8c0e1f23",
                    "target": "01977d1c8a5b7c3f9e2d4b6a8c0e1f24",
                    "relation": "supports",
                }
            ]
        }
    )

    source: str
    target: str
    relation: str
    weight: float = Field(1.0, allow_inf_nan=False)
    at: Moment | None = None
    evidence: str = ""


class Question(Scoped):
    """What is asked, and where the answer is looked for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "where did Ana move to?", "k": 5, "user": "ana"}]}
    )

    query: str
    k: int = Field(10, ge=1, le=1000)
    gate: bool = Field(True, description="False returns the nearest even when nothing fits.")
    kinds: list[str] | None = None
    where: Where | None = None
    as_of: Moment | None = Field(None, description="What was true then.")
    known_at: Moment | None = Field(None, description="What the store believed then.")
    now: Moment | None = Field(None, description="What relative dates in the query count from.")


class Packing(Question):
    """What is asked, and how many tokens the answer may take."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "where did Ana move to?", "budget": 400, "user": "ana"}]}
    )

    k: int = Field(30, ge=1, le=1000)
    budget: int = Field(800, ge=1, le=1_000_000)


class Erasing(Scoped):
    """What to erase for good. All that is given must fit; see docs/erasing.md."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"subject": "Ben", "user": "ana", "reason": "he asked for it"}]}
    )

    ids: list[str] | None = Field(None, min_length=1, description="Memories or links; alone.")
    query: str | None = None
    k: int = Field(10, ge=1, le=1000, description="How many hits of the query.")
    subject: str | None = None
    entity: str | None = None
    kinds: list[str] | None = None
    where: Where | None = None
    before: Moment | None = None
    everything: bool = False
    links: bool = True
    derived: bool = True
    keep_pages: bool = False
    reason: str = ""
    plan: bool = Field(False, description="Count what would go; erase nothing.")


class Undoing(Shape):
    """Why something is undone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "it was a mistake"}]})

    reason: str = "undone"
    plan: bool = False


class Keeping(Shape):
    """How to look after the store."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"plan": True}]})

    plan: bool = False
    full: bool = False


class NewRule(Shape):
    """How long memories are kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"seconds": 2592000, "kind": "turn", "scope": {"session": "s"}}]}
    )

    seconds: int = Field(ge=1, le=int(_LONGEST_TTL))
    action: Action = "retire"
    kind: str = ""
    scope: Scoped = Scoped()
    reason: str = ""


class Decision(Shape):
    """What becomes of a doubt."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "merge", "keep": "01977d1c8a5b7c3f9e2d4b6a8c0e1f23"}]}
    )

    decision: Literal["keep", "merge", "retire"]
    keep: str | None = None
    reason: str = ""
    plan: bool = False


class Then(Shape):
    """By which clocks."""

    model_config = ConfigDict(strict=False)

    as_of: Moment | None = Field(None, description="What was true then.")
    known_at: Moment | None = Field(None, description="What the store believed then.")


class Writing(Shape):
    """How to write."""

    model_config = ConfigDict(strict=False)

    plan: Flag = Field(False, description="Check, show what would be written, and write nothing.")


class Adding(Writing):
    """How to write memories."""

    wait: Flag = Field(False, description="Answer only when the full tier has read it too.")


class Retiring(Writing):
    """When a memory ends, and why."""

    at: Moment | None = Field(None, description="When it ends; now if left out.")
    reason: str = "retired"


class Ending(Writing):
    """When a link ends."""

    at: Moment | None = Field(None, description="When it ends; now if left out.")


class Listing(Then):
    """Which memories, and which page of them."""

    user: str | None = None
    agent: str | None = None
    session: str | None = None
    project: str | None = None
    kind: list[str] | None = Field(None, description="Only these kinds.")
    where: str | None = Field(None, description="A filter on metadata, as JSON.")
    limit: Whole = Field(100, ge=1, le=1000)
    after: str = Field("", description="The `next` of the page before.")
    newest_first: Flag = False


class Linked(Then):
    """Which links."""

    relation: str | None = None


class Linking(Linked):
    """Which links, and which page of them."""

    limit: Whole = Field(100, ge=1, le=1000)
    after: str = Field("", description="The `next` of the page before.")


class Near(Linked):
    """How far to go along links."""

    hops: Whole = Field(1, ge=1, le=10)


class Following(Shape):
    """Which memories' progress."""

    model_config = ConfigDict(strict=False)

    id: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=200)


class Reading(Shape):
    """Which page of the log."""

    model_config = ConfigDict(strict=False)

    after: Whole = Field(0, ge=0, le=BIG)
    limit: Whole = Field(100, ge=1, le=1000)
    subject: str = Field("", description="Only what is about this memory or link.")


class Queue(Shape):
    """Which jobs."""

    model_config = ConfigDict(strict=False)

    state: Literal["waiting", "leased", "dead"] | None = None
    kind: str = ""
    after: Whole = Field(0, ge=0, le=BIG)
    limit: Whole = Field(100, ge=1, le=1000)


class Doubting(Shape):
    """Whose doubts."""

    model_config = ConfigDict(strict=False)

    user: str | None = None
    agent: str | None = None
    session: str | None = None
    project: str | None = None
    limit: Whole = Field(100, ge=1, le=1000)


class Nothing(Shape):
    """A query that holds nothing."""


def given(shape: BaseModel, *without: str) -> dict[str, Any]:
    """Return what a request said, by name; what it left out is left out."""
    return {name: getattr(shape, name) for name in shape.model_fields_set if name not in without}
