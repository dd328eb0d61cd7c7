"""The shapes of answers, for /openapi.json alone: what `simonides.shapes` makes, described; nothing is made with them.

Answers are written as JSON by `simonides.shapes` and never pass through these classes, which would cost time; the
tests hold every answer against them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_ID = "01977d1c8a5b7c3f9e2d4b6a8c0e1f23"
_AT = "2026-05-02T08:00:00Z"


class Answer(BaseModel):
    """What the server says; later versions may say more."""

    model_config = ConfigDict(extra="allow")


class ScopeOut(Answer):
    """Whose it is; empty where nobody said."""

    user: str
    agent: str
    session: str
    project: str


class SourceOut(Answer):
    """Where a memory comes from."""

    name: str
    memory: str
    span: list[int] | None
    modality: str


class MemoryOut(Answer):
    """One version of a memory."""

    id: str = Field(examples=[_ID])
    version: int
    kind: str
    text: str = Field(examples=["I moved from Berlin to Lisbon."])
    speaker: str
    at: datetime = Field(examples=[_AT])
    until: datetime | None
    zone: str
    recorded: datetime
    recorded_until: datetime | None
    scope: ScopeOut
    metadata: dict[str, Any]
    attributes: dict[str, Any]
    confidence: float
    importance: float
    source: SourceOut | None
    reason: str
    actor: str


class MemoriesOut(Answer):
    """A page of memories."""

    memories: list[MemoryOut]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")


class VersionsOut(Answer):
    """Every version of a memory, oldest first."""

    versions: list[MemoryOut]


class ReceiptOut(Answer):
    """What was committed, or would be: then `changes` says what, and `state` is `planned`."""

    ids: list[str] = Field(examples=[[_ID]])
    seqs: list[int]
    state: Literal["stored", "enriched", "planned"]
    skipped: int
    changes: list[dict[str, Any]]


class HitOut(Answer):
    """A memory found: its chance to be the answer, and what each signal added to it, in log-odds."""

    score: float
    shares: dict[str, float]
    memory: MemoryOut


class HitsOut(Answer):
    """What answers a query, best first; empty when nothing fits."""

    query: str
    hits: list[HitOut]


class ContextOut(Answer):
    """Hits packed for a prompt: `text` is the block."""

    text: str
    tokens: int
    budget: int
    hits: list[HitOut]
    left_out: list[HitOut]


class DroppedOut(HitOut):
    """A candidate that did not become a hit, and why."""

    reason: str


class GateOut(Answer):
    """The chance that the store holds an answer, and the threshold."""

    chance: float
    threshold: float


class ExplanationOut(Answer):
    """All that a search considered."""

    query: str
    reading: dict[str, Any]
    gate: GateOut
    considered: int
    hits: list[HitOut]
    dropped: list[DroppedOut]
    milliseconds: dict[str, float]


class LinkOut(Answer):
    """A link between two memories."""

    id: str
    source: str
    target: str
    relation: str
    weight: float
    at: datetime
    until: datetime | None
    recorded: datetime
    recorded_until: datetime | None
    evidence: str
    reason: str
    actor: str


class LinksOut(Answer):
    """Links."""

    links: list[LinkOut]


class LinkPageOut(LinksOut):
    """A page of links."""

    next: str | None


class NeighboursOut(Answer):
    """Memories that can be reached, with the number of hops."""

    neighbours: dict[str, int]


class ProgressOut(Answer):
    """How far the derived work of a memory is."""

    id: str
    state: Literal["stored", "enriched", "failed"]
    reason: str


class ProgressesOut(Answer):
    """How far memories are."""

    progress: list[ProgressOut]


class ErasureOut(Answer):
    """The receipt of an erasure, or a plan for one."""

    state: Literal["erased", "planned"]
    store: str
    at: datetime
    actor: str
    reason: str
    ids: list[str]
    links: list[str]
    derived: int
    counts: dict[str, int]
    seq: int
    digest: str
    pending: list[str]
    still_holding: list[str]
    examples: list[str]
    signature: str


class EventOut(Answer):
    """An entry of the log; it holds no text of a memory."""

    seq: int
    at: datetime
    actor: str
    verb: str
    subject: str
    payload: dict[str, Any] | None
    digest: str


class EventsOut(Answer):
    """A page of the log."""

    events: list[EventOut]
    next: int | None


class UndoneOut(Answer):
    """What an undo did, or would do."""

    state: Literal["undone", "planned"]
    undone: int
    ids: list[str]
    closed: list[list[str | int]]
    reopened: list[list[str | int]]
    seqs: list[int]


class UpkeepOut(Answer):
    """What upkeep did, or would do."""

    state: Literal["done", "planned"]
    retired: list[str]
    erasure: ErasureOut | None
    finished: list[str]
    pending: list[str]


class RuleOut(Answer):
    """A rule of how long memories are kept."""

    seconds: int
    action: Literal["retire", "erase"]
    kind: str
    scope: ScopeOut
    reason: str
    rule: int
    created: datetime | None


class RulesOut(Answer):
    """All rules."""

    rules: list[RuleOut]


class MadeRuleOut(Answer):
    """A new rule."""

    rule: RuleOut


class VerificationOut(Answer):
    """What recomputing the log found."""

    ok: bool
    events: int
    head: str
    problems: list[str]


class StatusOut(Answer):
    """How much the store holds."""

    memories: int
    versions: int
    links: int
    events: int
    backlog: int
    bytes: int
    meaning: str
    model: str
    dead: int
    oldest_seconds: float


class FindingOut(Answer):
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str
    fix: str


class FindingsOut(Answer):
    """What was checked, what is wrong, and the fix."""

    findings: list[FindingOut]


class JobOut(Answer):
    """Work that is still to be done, or failed."""

    job: int
    kind: str
    state: Literal["waiting", "leased", "dead"]
    memory: str | None
    payload: dict[str, Any] | None
    priority: int
    attempts: int
    due: datetime | None
    created: datetime | None
    worker: str
    reason: str


class JobsOut(Answer):
    """A page of jobs, and how many there are in all."""

    jobs: list[JobOut]
    next: int | None
    waiting: int
    leased: int
    dead: int
    retrying: int


class DoubtOut(Answer):
    """Memories that do not go together, or are of no use."""

    id: str
    why: str
    memories: list[MemoryOut]
    score: float
    reason: str


class DoubtsOut(Answer):
    """What waits for somebody to decide."""

    doubts: list[DoubtOut]


class CountsOut(Answer):
    """What an import took in, and what it left out."""

    memories: int
    links: int
    events: int
    skipped: int
    erased: int


class CredentialOut(Answer):
    """Who asks; never the token."""

    id: str
    name: str
    scope: ScopeOut
    rights: list[Literal["read", "write", "erase", "admin"]]
    created: datetime | None
    expires: datetime | None


class HealthOut(Answer):
    """Whether the server works, and what is wrong where it does not."""

    status: Literal["green", "red"]
    checks: dict[str, bool] = {}
    backlog: int | None = None
    oldest_seconds: float | None = None
    failure_share: float | None = None


class ProblemOut(Answer):
    """What went wrong, and the way out (RFC 9457)."""

    type: str = Field(examples=["urn:simonides:error:NotFound"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=[f"memory {_ID}: no such memory in this store. `list` shows what there is."])
    subject: str = Field(examples=[f"memory {_ID}"])
    rule: str = Field(examples=["no such memory in this store"])
    value: str = Field("", examples=[""])
    way_out: str = Field(examples=["`list` shows what there is."])
    current: int | None = Field(None, description="The version that a memory is at (409).", examples=[3])
