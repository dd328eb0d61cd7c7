"""The nouns of simonides as frozen values; knows no store, no model and no door.

Times are aware UTC. Ids are strings of 32 hexadecimal digits, ordered by time. An empty scope field means *not
said*; a search that names no value for it does not filter on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from simonides.clock import Span

Json: TypeAlias = "str | int | float | bool | None | list[Json] | dict[str, Json]"
"""What `metadata`, `attributes` and `where` are made of."""


class Kind(StrEnum):
    """What a memory is. `TURN` and `DOCUMENT` are verbatim; all others are derived or typed by somebody."""

    TURN = "turn"
    DOCUMENT = "document"
    FACT = "fact"
    PREFERENCE = "preference"
    DECISION = "decision"
    INSTRUCTION = "instruction"
    GOAL = "goal"
    COMMITMENT = "commitment"
    RELATIONSHIP = "relationship"
    CONTEXT = "context"
    EVENT = "event"
    LEARNING = "learning"
    OBSERVATION = "observation"
    ARTIFACT = "artifact"
    ERROR = "error"
    ENTITY = "entity"
    NOTE = "note"
    SUMMARY = "summary"
    SKILL = "skill"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory it is; columns of the store, immutable once written, never taken from metadata."""

    user: str = ""
    agent: str = ""
    session: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a memory comes from.

    Attributes:
        name: file, import or tool that brought it, e.g. ``"chatgpt:export.zip"``.
        memory: id of the stored memory that it quotes, empty for verbatim ones.
        span: characters ``[start, end)`` of that memory's text.
        modality: ``asserted``, ``hypothetical``, ``asked`` or ``agent`` (the agent's own words).
    """

    name: str = ""
    memory: str = ""
    span: tuple[int, int] | None = None
    modality: str = "asserted"


@dataclass(frozen=True, slots=True)
class Memory:
    """One version of one memory.

    Attributes:
        id: the same for all versions.
        version: counts the rows ever written for this id, from 1.
        valid: when it was (or is) true; starts at `at`, when it was said, unless told otherwise.
        recorded: when we believed it; open for what we believe now.
        zone: the zone in which `at` was given, an IANA name or an offset.
        confidence: how sure, in [0, 1].
        importance: how much it matters, in [0, 1].
        attributes: fields of recipes; `metadata` belongs to the caller.
        reason: why this version was written.
        actor: who wrote this version.
    """

    id: str
    kind: str
    text: str
    scope: Scope
    valid: Span
    recorded: Span
    version: int = 1
    speaker: str = ""
    source: Source | None = None
    zone: str = "UTC"
    confidence: float = 1.0
    importance: float = 0.5
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    attributes: Mapping[str, Json] = field(default_factory=dict[str, Json])
    reason: str = ""
    actor: str = ""

    @property
    def at(self) -> datetime:
        """When it was said (the start of its valid time), in UTC."""
        return self.valid.start


@dataclass(frozen=True, slots=True)
class Link:
    """A typed, weighted edge from one memory to another, with the same two clocks as a memory."""

    id: str
    source: str
    target: str
    relation: str
    valid: Span
    recorded: Span
    weight: float = 1.0
    evidence: str = ""
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Add:
    """Write a new memory. `id` is drawn by whoever makes the change, so that plans can be shown.

    From `expires` on nothing shows it but its history, until upkeep retires or erases it, as `on_expiry` says.
    """

    id: str
    text: str
    at: datetime
    kind: str = Kind.TURN
    scope: Scope = Scope()
    speaker: str = ""
    source: Source | None = None
    zone: str = "UTC"
    until: datetime | None = None
    confidence: float = 1.0
    importance: float = 0.5
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    attributes: Mapping[str, Json] = field(default_factory=dict[str, Json])
    reason: str = "said"
    expires: datetime | None = None
    on_expiry: str = "retire"


@dataclass(frozen=True, slots=True)
class Supersede:
    """Replace what a memory says from `at` on; what was true before stays true before.

    None leaves a field as it is. `at` None means: it was never true as written; correct it for all of its time.
    `if_version` refuses (Conflict) unless the memory is still at that version.
    """

    id: str
    text: str | None = None
    at: datetime | None = None
    zone: str | None = None
    metadata: Mapping[str, Json] | None = None
    attributes: Mapping[str, Json] | None = None
    confidence: float | None = None
    importance: float | None = None
    source: Source | None = None
    if_version: int | None = None
    reason: str = "updated"


@dataclass(frozen=True, slots=True)
class Retire:
    """End a memory at `at`; it stays in the history and can be restored."""

    id: str
    at: datetime
    if_version: int | None = None
    reason: str = "retired"


@dataclass(frozen=True, slots=True)
class Restore:
    """Undo the last update or retirement of a memory, or bring back the text of version `version`."""

    id: str
    version: int | None = None
    reason: str = "restored"


@dataclass(frozen=True, slots=True)
class Connect:
    """Write a link between two memories."""

    id: str
    source: str
    target: str
    relation: str
    at: datetime
    weight: float = 1.0
    evidence: str = ""
    reason: str = "linked"


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End a link at `at`."""

    id: str
    at: datetime
    reason: str = "unlinked"


@dataclass(frozen=True, slots=True)
class Expire:
    """Give a memory another time at which it expires, None for never, and what upkeep does then: retire or erase."""

    id: str
    at: datetime | None
    action: str = "retire"
    reason: str = "expiry set"


Change: TypeAlias = Add | Supersede | Retire | Restore | Connect | Disconnect | Expire
"""What parts and recipes propose, and only the ledger applies."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was committed.

    Attributes:
        ids: one id for each change, in order.
        seqs: the event numbers in the log; empty for a plan.
        state: ``stored`` (found by words and the instant tier), ``enriched`` (by the full tier too), ``planned``;
            `Memory.status` of a receipt says how far it is by now.
        changes: the changes themselves.
        skipped: how many given rows were already there (imports) and so left alone.
    """

    ids: tuple[str, ...]
    seqs: tuple[int, ...] = ()
    state: str = "stored"
    changes: tuple[Change, ...] = ()
    skipped: int = 0

    @property
    def id(self) -> str:
        """The id of the first change; empty when there was none."""
        return self.ids[0] if self.ids else ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the derived work of one memory is.

    Attributes:
        state: ``stored`` (durable, found by words and the instant tier), ``enriched`` (by the full tier too), or
            ``failed``: the full tier gave up, and the rest works.
        reason: why it failed, or why it is not enriched yet where something went wrong; else empty.
    """

    id: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long memories are kept, counted from when their first version was written.

    Attributes:
        seconds: how long.
        action: what upkeep does then: ``retire`` or ``erase``. Nothing but the history shows them from then on.
        kind: only of this kind; empty for all.
        scope: only of this scope; fields left empty fit everything.
        rule: its number in the store, 0 for a new one.
        created: when it was made, None for a new one.
    """

    seconds: int
    action: str = "retire"
    kind: str = ""
    scope: Scope = Scope()
    reason: str = ""
    rule: int = 0
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased; a receipt that the store can check later. It holds no text of what is gone.

    Attributes:
        state: ``erased``, or ``planned`` where nothing was written.
        store: the random name of the store.
        ids: the memories, those that were derived from others included.
        links: the links, all that had one of these memories at an end.
        derived: how many of `ids` went because they cite another one.
        counts: rows by table, events whose payload was blanked, and the bytes of the texts.
        seq: number of the last of its events in the log, which holds the counts; 0 for a plan.
        digest: digest of that event.
        pending: what upkeep has yet to finish before the words are gone from the store's own files.
        still_holding: what is known to hold the words still, and is not the store's to clean.
        examples: the beginnings of a few texts; only in a plan.
        signature: HMAC-SHA256 over all of it with a key that only the store holds; empty for a plan.
    """

    state: str
    store: str
    at: datetime
    actor: str
    reason: str
    ids: tuple[str, ...]
    links: tuple[str, ...]
    derived: int
    counts: Mapping[str, int]
    seq: int = 0
    digest: str = ""
    pending: tuple[str, ...] = ()
    still_holding: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What upkeep did, or would do.

    Attributes:
        state: ``done`` or ``planned``.
        retired: ids of the memories that had expired and were retired.
        erasure: those that had expired and were erased; None when there were none.
        finished: what earlier erasures had left pending and is done now.
        pending: what is still to be finished, e.g. because another process reads all the time.
    """

    state: str
    retired: tuple[str, ...] = ()
    erasure: Erasure | None = None
    finished: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, or would do.

    Attributes:
        state: ``undone`` or ``planned``.
        undone: number of the first event of the set that was undone.
        ids: the memories and links concerned.
        closed: (id, version) of what is not believed any more.
        reopened: (id, version) of the old versions that are believed again, as new versions.
        seqs: the events of the undo; empty for a plan. Undoing one of them redoes.
    """

    state: str
    undone: int
    ids: tuple[str, ...]
    closed: tuple[tuple[str, int], ...]
    reopened: tuple[tuple[str, int], ...]
    seqs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory found, with the reason.

    Attributes:
        score: the calibrated chance that it is evidence for the query, in [0, 1].
        shares: what each named signal added to the score, in log-odds; they sum, with the bias, to its logit.
    """

    memory: Memory
    score: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that did not become a hit, and why."""

    memory: Memory
    score: float
    shares: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that a search considered.

    Attributes:
        reading: what was read from the query (terms, names, dates, kind of question).
        hits: what was returned, best first.
        dropped: the other candidates, best first, each with its reason.
        gate: the chance that the store holds an answer, in [0, 1], and the threshold it was held against.
        considered: how many memories the scope and the filters left.
        milliseconds: time spent, by step.
    """

    query: str
    reading: Mapping[str, Json]
    hits: tuple[Hit, ...]
    dropped: tuple[Dropped, ...]
    gate: tuple[float, float]
    considered: int
    milliseconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Context:
    """Hits packed for a prompt; `str()` gives the block.

    Attributes:
        text: the block, each line dated and cited.
        hits: what is in the block, in the order of the block.
        left_out: hits that did not fit the budget.
        tokens: how many tokens the block takes, counted with the shipped tokeniser.
        budget: how many it was allowed.
    """

    text: str
    hits: Sequence[Hit]
    left_out: Sequence[Hit]
    tokens: int
    budget: int

    def __str__(self) -> str:
        """Return the block for the prompt."""
        return self.text

    def __iter__(self) -> Iterator[Hit]:
        """Iterate over the hits that are in the block."""
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the append-only log; each holds the hash of the one before.

    Attributes:
        seq: its number, from 1, without gaps.
        verb: ``add``, ``supersede``, ``retire``, ``restore``, ``link``, ``unlink`` ...
        subject: id of the memory or link it is about.
        payload: what was done, without any memory text (a hash of it stands in), or None when redacted.
        digest: SHA-256 over the previous digest and this entry, hexadecimal.
    """

    seq: int
    at: datetime
    actor: str
    verb: str
    subject: str
    payload: Mapping[str, Json] | None
    digest: str


@dataclass(frozen=True, slots=True)
class Status:
    """How much a store holds.

    Attributes:
        memories: how many are believed now; `versions` counts every row ever written.
        backlog: memories that the full tier has not read yet; they are found by words and the instant tier.
        dead: of these, how many it gave up; `simonides jobs` says why.
        oldest_seconds: how long the oldest job has waited; 0 where none waits.
        bytes: what the file takes on disk, its write-ahead log included.
        meaning: the tier in use: full, instant or off.
        model: the full-tier model.
    """

    path: str
    memories: int
    versions: int
    links: int
    events: int
    backlog: int
    bytes: int
    meaning: str
    model: str
    dead: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something for a person to decide: junk, or memories that say the same or can't both be true.

    Attributes:
        id: names the memories, so that it stays the same while they do; `Memory.settle` takes it.
        why: ``duplicate``, ``contradiction``, ``similar`` or ``junk``.
        memories: first the one that would be kept; for junk the only one, which would not.
        score: how sure the rule is, in [0, 1].
        reason: the rule that found it, in words.
    """

    id: str
    why: str
    memories: tuple[Memory, ...]
    score: float
    reason: str
